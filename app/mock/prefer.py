"""Errors and delays on demand: "Prefer: code=429, retry-after=2, delay=1500". Decisions 34 and 50."""

import re

from flask import Response, current_app, g, request
from werkzeug.exceptions import BadRequest

from .. import api
from ..openapi.document import ERRORS
from .faults import LONGEST_DELAY, RETRY_AFTER, raise_error, wait

QUOTED = r'"(?:[^"\\]|\\.)*"?'
OURS = ("code", "delay", "retry-after")


def parse(header: str) -> dict[str, str]:
    """Return the values of our preferences, the first one of each, as RFC 7240 reads the header.

    Their names are case-insensitive, and blanks around = and separators don't count. `code=503; delay=5` is taken like
    `code=503, delay=5`, but a parameter of somebody else's preference is not ours.

    >>> parse('Code=503 , delay = "5"')
    {'code': '503', 'delay': '5'}
    >>> parse('note="a, code=503", respond-async; delay=5')
    {}
    """
    found: dict[str, str] = {}
    for preference in _split(header, ","):
        parts = [part.partition("=") for part in _split(preference, ";")]
        names = [name.strip().lower() for name, _, _ in parts]
        if names and names[0] in OURS:
            for name, (_, equals, value) in zip(names, parts, strict=True):
                if name in OURS and equals:
                    found.setdefault(name, _unquoted(value.strip()))
    return found


def _split(text: str, separator: str) -> list[str]:
    """Split at separators outside of quoted strings."""
    return re.findall(rf'(?:{QUOTED}|[^"{separator}])+', text)


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if re.fullmatch(QUOTED, value) else value


def milliseconds(text: str) -> int:
    """Return a delay; a longer one is cut to the longest. Raises ValueError with a sentence."""
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError("Must be a number of milliseconds, for example 1500.")
    return min(int(text), LONGEST_DELAY)


def apply_prefer_header() -> None:
    """Wait, and raise what the endpoint itself raises for the preferred status. Ignore other preferences."""
    if request.path != api.PATH:
        return
    preferred = g.preferred = parse(",".join(request.headers.getlist("Prefer")))
    if not preferred:
        return
    delay = current_app.config["DELAY"]
    if "delay" in preferred:
        try:
            delay = milliseconds(preferred["delay"])
        except ValueError as fault:
            raise BadRequest(f"The preference delay={preferred['delay']} is wrong. {fault}") from None
        g.delay = delay
    code, documented = preferred.get("code"), ["200", *map(str, ERRORS)]
    if code is not None and code not in documented:
        statuses = f"Its statuses are {', '.join(documented)}; POST /_mock/faults has others"
        raise BadRequest(f"The preference code={code} is not a status of this endpoint. {statuses}.")

    retry_after = preferred.get("retry-after")
    if retry_after is not None and not re.fullmatch("[0-9]{1,9}", retry_after):
        raise BadRequest(f"The preference retry-after={retry_after} is wrong. Must be a number of seconds, for example 2.")
    wait(delay)
    if code is not None and code != "200":
        g.forced = code
        raise_error(int(code))


def add_preference_applied(response: Response) -> Response:
    """Name the preferences that made the response what it is."""
    preferred, applied = g.get("preferred", {}), []
    if "delay" in g:
        applied.append(f"delay={g.delay}")
    code = g.get("forced", "200")
    if preferred.get("code") == code and response.status_code == int(code):
        applied.append(f"code={code}")
        if code == "429":
            response.headers["Retry-After"] = preferred.get("retry-after", str(RETRY_AFTER))
            if "retry-after" in preferred:
                applied.append(f"retry-after={preferred['retry-after']}")
    if applied:
        response.headers["Preference-Applied"] = ", ".join(applied)
    return response
