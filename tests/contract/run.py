"""A run of the kit: the first request, which tells whether the rest makes sense, and the exit status at its end."""

import socket
import ssl
import time
from collections.abc import Callable

import pytest
from client import NotWell
from pages import Unusable
from survey import Survey
from verdict import DIFFERS, NOT_CHECKED, READING, Result

MAX_UNCHECKED = 0.5
EXIT_MOSTLY_UNCHECKED = 5  # nothing differs, but most was not checked
EXIT_NOT_WELL = 6  # the server, or the line to it, fails too often
LONGEST_RUN = 600  # seconds, after which a run says before it starts how long it takes


def first_request(survey: Survey, clock: Callable[[], float] = time.monotonic) -> str:
    """Make one call. If it fails, all others would: raise a usage error that says why. Return what the user should know."""
    api, began = survey.api, clock()
    try:
        response = api.ask(survey.dates)
    except (Unusable, NotWell, pytest.skip.Exception) as fault:
        raise pytest.UsageError(hint(survey, str(fault))) from None
    seconds = clock() - began
    if 300 <= response.status < 400:
        location = response.headers.get("Location", "nowhere")
        raise pytest.UsageError(f"{api.endpoint} redirects to {location} ({response.status}). Point --base-url there.")
    if response.status in (401, 403):
        raise pytest.UsageError(f"{api.endpoint} does not accept the key of --api-key. It returned {response}")
    if not response.is_success:
        raise pytest.UsageError(hint(survey, f"{api.endpoint} does not return 200 for {survey.dates}. It returned {response}"))
    for name, key in (("other-key", survey.other_key), ("known-data", survey.known_data_key)):
        if key and (refusal := api.ask(survey.dates, Authentication=key)).status in (401, 403):
            raise pytest.UsageError(f"{api.endpoint} does not accept the key of --{name}. It returned {refusal}")
    try:
        survey.api.reader.read(response)
    except Unusable as fault:
        survey.broken = fault.fault if "JSON" in fault.fault else ""
    whole = (seconds + api.delay) * api.max_calls
    if whole > LONGEST_RUN:
        calls = f"{api.max_calls} calls take up to {whole / 60:.0f} minutes"
        return f"A response takes {seconds:.1f} s, so {calls}; a smaller --max-calls ends earlier."
    return ""


def hint(survey: Survey, fault: str) -> str:
    """Add to a fault what the address seems to be, if http and https are mixed up."""
    url, text = survey.api.url, fault.lower()
    if url.scheme == "http" and ("https port" in text or speaks_tls(url.hostname, url.port or 80)):
        return f"{fault}. This port seems to speak https: point --base-url to https://{url.netloc}."
    if url.scheme == "https" and ("wrong version number" in text or "record layer failure" in text):
        return f"{fault}. This port seems to speak http: point --base-url to http://{url.netloc}."
    return fault


def speaks_tls(host: str, port: int) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), timeout=5) as connection, context.wrap_socket(connection):
            return True
    except ssl.SSLError as fault:
        return "ALERT" in (fault.reason or "")  # it refuses this client, in TLS
    except OSError:
        return False


def counted(results: list[Result]) -> dict[str, int]:
    return {verdict: sum(result.verdict == verdict for result in results) for verdict in (DIFFERS, READING, NOT_CHECKED)}


def last_line(results: list[Result]) -> str:
    count = counted(results)
    return f"{count[DIFFERS]} differ from the text, {count[READING]} from our reading, {count[NOT_CHECKED]} not checked"


def exit_status(survey: Survey, results: list[Result], is_strict: bool) -> tuple[int, str]:
    """Return the exit status of a run, and the sentence that explains it if it is not plain."""
    count = counted(results)
    if survey.api.not_well:
        return EXIT_NOT_WELL, f"{survey.api.not_well}. Nothing can be said about it, so the exit status is {EXIT_NOT_WELL}."
    if count[DIFFERS] or (count[READING] and is_strict):
        return 1, ""
    if any(result.how.startswith("the check broke off") for result in results):
        return int(pytest.ExitCode.INTERNAL_ERROR), "A check broke off, which is a fault of the kit."
    if count[NOT_CHECKED] > MAX_UNCHECKED * len(results):
        return EXIT_MOSTLY_UNCHECKED, f"Most was not checked, so the exit status is {EXIT_MOSTLY_UNCHECKED}."
    if count[READING]:
        return 0, "The server only differs where the text leaves a choice, so the exit status is 0. With --strict-readings it is 1."
    return 0, ""


def data_is_changing(survey: Survey) -> bool:
    """Send the first query again, even over the limit of calls, and return whether its response has changed."""
    try:
        query = survey.window().query
        before = survey.api.ask(query)
    except (Unusable, NotWell, pytest.skip.Exception):
        return False
    again = survey.api.fresh(query)
    return again is not None and again.status < 500 and (again.status, again.body) != (before.status, before.body)
