"""Runs the conformance kit in this process: no sockets, and no pytest around each check."""

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import datetime
from email.message import Message
from functools import partial
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import endpoint
from tests.endpoint import Endpoint

KIT = Path(__file__).parent.parent / "contract"


class InProcess:
    """A small server whose requests are function calls."""

    def __init__(self, kind: type[Endpoint], account: list[dict], others: list[dict] = (), now: datetime = endpoint.NOW):
        self.endpoint = kind(account, others, now)

    def call(self, body: bytes, method: str, parameters: str, headers: dict) -> tuple[int, list, bytes]:
        began = []
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": endpoint.PATH,
            "QUERY_STRING": parameters.removeprefix("?"),
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": BytesIO(body),
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
        }
        environ["CONTENT_TYPE"] = environ.get("HTTP_CONTENT_TYPE", "")
        chunks = self.endpoint(environ, lambda status, headers: began.extend([int(status[:3]), headers]))
        return *began, b"".join(chunks)

    def send(self, api, body: str, method: str, parameters: str, headers: tuple) -> Any:
        """Take the place of the kit's function that sends a request."""
        api.count += 1
        status, received, content = self.call(body.encode(), method, parameters, dict(headers))
        return response_of(status, received, content)


def response_of(status: int, headers: list[tuple[str, str]], body: bytes) -> Any:
    message = Message()
    for name, value in headers:
        message[name] = value
    return sys.modules["client"].Response(status, message, body)


class Finding(NamedTuple):
    check: str  # the name of the function
    name: str  # with its parameters
    text: str  # the sentence that the check quotes
    how: str
    is_reading: bool


class Found(NamedTuple):
    findings: list[Finding]
    held: int
    unchecked: list[tuple[str, str]]  # with the reason
    survey: Any


def collect_checks(plugin: object) -> None:
    """Collect the kit's checks, as pytest does, for a plugin whose pytest_runtestloop calls them."""
    arguments = [str(KIT), "-c", str(KIT / "pytest.ini"), "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:schemathesis"]
    with redirect_stdout(StringIO()) as output:
        status = pytest.main(
            [*arguments, "--base-url", "http://in-process", "--api-key", "k", "--known-data", "l"], plugins=[plugin]
        )
    assert status in (0, 5), output.getvalue()


def run_checks(
    checks: list,
    send: Callable,
    key: str,
    dates: dict[str, str] | None = None,
    max_calls: int = 400,
    other_key: str = "",
    known_data_key: str = "",
    until: Callable[[Finding], bool] | None = None,
) -> Found:
    """Call the checks in their order, with a survey of the server that answers through `send`; end at the finding asked for."""
    api = sys.modules["client"].Client("http://in-process", key, max_calls, say=str)
    api._send = partial(send, api)
    survey = sys.modules["survey"].Survey(api, [], dates or {}, other_key)
    survey.known_data_key = known_data_key
    found = Found([], 0, [], survey)
    held = 0
    for item in checks:
        if item.module.__name__ == "test_known" and not known_data_key:
            continue
        parameters: dict[str, Any] = item.callspec.params if hasattr(item, "callspec") else {}
        arguments = {"api": api, "survey": survey} | parameters
        api.seen.clear()
        try:
            item.function(**{name: arguments[name] for name in item._fixtureinfo.argnames})
            held += 1
            continue
        except pytest.skip.Exception as reason:
            found.unchecked.append((item.name, str(reason)))
            continue
        except pytest.fail.Exception as fault:
            how = str(fault)
        except Exception as fault:
            how = f"{type(fault).__name__}: {fault}"
            if type(fault).__name__ == "NotWell":
                break
            if survey.reported.setdefault(how, item.nodeid) != item.nodeid:
                continue
        text = parameters["case"]["text"] if "case" in parameters else item.function.__doc__ or ""
        finding = Finding(item.function.__name__, item.name, text, how, item.get_closest_marker("beyond_the_text") is not None)
        found.findings.append(finding)
        if until and until(finding):
            break
    return found._replace(held=held)
