"""Runs the conformance kit in this process: no sockets, and no pytest around each check."""

import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import datetime
from email.message import Message
from email.utils import format_datetime
from functools import cache, partial
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch
from wsgiref.types import WSGIApplication

import pytest

from tests import endpoint

KIT = Path(__file__).parent.parent / "contract"
# Without what makes the start of pytest slow, and the checks do not need.
ARGUMENTS = [str(KIT), "-c", str(KIT / "pytest.ini"), "--assert=plain"]
ARGUMENTS += [f"-pno:{plugin}" for plugin in ["cacheprovider", "unraisableexception", "threadexception", "warnings"]]


class InProcess:
    """A server whose requests are calls of its WSGI app."""

    def __init__(self, app: WSGIApplication, date: datetime | None = None):
        self.app, self.date = app, date

    def call(self, body: bytes, method: str, parameters: str, headers: dict, path: str = endpoint.PATH) -> tuple[int, dict, bytes]:
        began: list = []
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": parameters.removeprefix("?"),
            "SERVER_NAME": "in-process",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": BytesIO(body),
            "wsgi.input_terminated": True,
            "wsgi.errors": StringIO(),
            "wsgi.url_scheme": "http",
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
        }
        environ["CONTENT_TYPE"] = environ.get("HTTP_CONTENT_TYPE", "")
        chunks = self.app(environ, lambda status, headers, *_: began.extend([int(status[:3]), dict(headers)]))
        return *began, b"".join(chunks)

    def send(self, api, body: str, method: str, parameters: str, headers: tuple) -> Any:
        """Take the place of the kit's function that sends a request."""
        api.count += 1
        status, received, content = self.call(body.encode(), method, parameters, dict(headers), api.path)
        message = Message()
        for name, value in (received | ({"Date": format_datetime(self.date, usegmt=True)} if self.date else {})).items():
            message[name] = value
        return sys.modules["client"].Response(status, message, content)


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


@cache
def checks() -> list[pytest.Function]:
    """Return the checks of the kit in their order, as pytest collects them."""
    found: list[pytest.Function] = []

    class Collect:
        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop(self, session) -> bool:
            found.extend(session.items)
            return True

    status, output = pytest_in_process(["--base-url=http://in-process", "--api-key=k", "--known-data=l"], Collect())
    assert status in (0, 5), output
    return found


def text_of(check: pytest.Function) -> str:
    """Return the sentences that a check quotes."""
    case = check.callspec.params.get("case") if hasattr(check, "callspec") else None
    return case["text"] if case else check.function.__doc__


def pytest_in_process(options: list[str], *plugins: object) -> tuple[int, str]:
    """Run pytest on the kit, without the plugins that are installed, and return its exit status and what it prints."""
    with redirect_stdout(StringIO()) as output, patch.dict(os.environ, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"):
        status = pytest.main([*ARGUMENTS, *options], plugins=plugins)
    return int(status), output.getvalue()


def run_checks(
    chosen: list[pytest.Function],
    send: Callable,
    key: str,
    dates: dict[str, str] | None = None,
    session_filters: list[str] = (),
    max_calls: int = 400,
    other_key: str = "",
    over_limit_key: str = "",
    known_data_key: str = "",
    until: Callable[[Finding], bool] | None = None,
) -> Found:
    """Call checks in their order, with a survey of the server that answers through `send`; end at the finding asked for."""
    api = sys.modules["client"].Client("http://in-process", key, max_calls, say=str)
    api._send = partial(send, api)
    survey = sys.modules["survey"].Survey(api, session_filters, dates or {}, other_key, over_limit_key)
    survey.known_data_key = known_data_key
    found = Found([], 0, [], survey)
    held = 0
    for check in chosen:
        if check.module.__name__ == "test_known" and not known_data_key:
            continue
        parameters: dict[str, Any] = check.callspec.params if hasattr(check, "callspec") else {}
        arguments = {"api": api, "survey": survey} | parameters
        api.seen.clear()
        try:
            check.function(**{name: arguments[name] for name in check._fixtureinfo.argnames})
            held += 1
            continue
        except pytest.skip.Exception as reason:
            found.unchecked.append((check.name, str(reason)))
            continue
        except pytest.fail.Exception as fault:
            how = str(fault)
        except Exception as fault:
            how = f"{type(fault).__name__}: {fault}"
            if type(fault).__name__ == "NotWell":
                break
            if survey.reported.setdefault(how, check.nodeid) != check.nodeid:
                continue
        is_reading = check.get_closest_marker("beyond_the_text") is not None
        finding = Finding(check.function.__name__, check.name, text_of(check), how, is_reading)
        found.findings.append(finding)
        if until and until(finding):
            break
    return found._replace(held=held)
