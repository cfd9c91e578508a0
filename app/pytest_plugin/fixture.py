"""What the fixture conversions_api is: an account for one test, on a server that all tests of a process share. Decisions 78, 86."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO
from pathlib import Path

import click
import pytest
from flask import Flask
from marshmallow import ValidationError

from .. import accounts, api, create_app, fields, instants, strict_json
from ..mock import readings, states
from ..mock.listening import listening


@contextmanager
def serving(database: Path) -> Iterator[tuple[Flask, str]]:
    """Serve an empty mock from this process. Yields the app and its base URL."""
    try:
        app = create_app({"DATABASE": database, "MOCK": "1"})
    except click.ClickException as error:
        pytest.fail(error.message, pytrace=False)
    app.logger.setLevel("WARNING")
    with listening(app) as base_url:
        yield app, base_url
    app.extensions["database"].close()


class ConversionsApi:
    """An account for one test, and where its server is."""

    def __init__(self, app: Flask, base_url: str):
        self._app = app
        self.base_url = base_url
        self.url = base_url + api.PATH
        account = app.test_client().post("/_mock/accounts", json={"sessions": []}).get_json()
        self.key: str = account["key"]
        self.domain: str = account["domain"]

    def load(self, sessions: list[dict]) -> None:
        """Add sessions in the import format, or records as the API returns them. Raises ValueError with what is wrong."""
        __tracebackhide__ = True  # pytest shows the line of the test
        read = strict_json.parse(json.dumps(sessions).encode())
        try:
            loaded = states.TemporaryAccount().load({"sessions": read})["sessions"]
            with self._app.extensions["database"].writing(is_durable=False) as connection:
                states.add_sessions(connection, accounts.find(connection, self.domain), self.domain, loaded)
        except ValidationError as error:
            faults = [f"{name}: {' '.join(told)}" for name, told in fields.flat(error.messages_dict).items()]
            raise ValueError("\n".join(faults[: fields.MOST_FAULTS])) from None

    def walks(self) -> list[dict]:
        """Return the verdict on each walk of the test, as GET /_mock/walks does."""
        return [walk for walk in self._app.extensions["walks"].verdicts() if walk["domain"] == self.domain]

    def now(self, text: str | datetime) -> None:
        """Fix the server's clock at this instant until the test ends. A date means its first second, in UTC."""
        self._app.extensions["clock"].instant = instants.instant(str(text))

    def reading(self, text: str) -> None:
        """Serve other readings of the published text until the test ends, as CONVERSIONS_READING has them: page=cut.

        Raises ValueError with a sentence.
        """
        readings.serve(self._app, readings.parse(text))

    @property
    def transport(self):
        """For httpx.Client(transport=…): sends requests to the app without a network."""
        import httpx  # here, because a test that does not use it need not have it installed

        return httpx.WSGITransport(app=self._app)

    @property
    def adapter(self):
        """For the mount() of a requests.Session: sends requests to the app without a network."""
        import requests
        import urllib3

        app = self._app

        class Adapter(requests.adapters.HTTPAdapter):
            def send(self, request, stream=False, timeout=None, verify=True, cert=None, proxies=None):
                sent = {"method": request.method, "headers": list(request.headers.items()), "data": request.body}
                response = app.test_client().open(request.url, **sent)
                headers = urllib3.HTTPHeaderDict(list(response.headers))
                raw = urllib3.HTTPResponse(BytesIO(response.data), headers, response.status_code, preload_content=False)
                return self.build_response(request, raw)

        return Adapter()

    def close(self) -> None:
        """Undo what the test changed on the server."""
        clock: instants.Clock = self._app.extensions["clock"]
        clock.instant = clock.setting
        readings.serve(self._app, self._app.config["READING"])
        self._app.extensions["faults"].clear()
        self._app.test_client().delete(f"/_mock/accounts/{self.key}")
