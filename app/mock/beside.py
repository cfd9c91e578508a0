"""flask exec: run a command beside a server with fresh bundled data. Decision 57."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import click
from flask import Blueprint, Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from app import api
from app.errors import errors_as_sentences
from app.loading import sessions

commands = Blueprint("beside", __name__, cli_group=None)


@commands.cli.command("exec", context_settings={"ignore_unknown_options": True})
@click.option("--check-paging", is_flag=True, help="Print each walk with its verdict, and exit with 1 if one has a fault.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def exec_(context: click.Context, check_paging: bool, command: tuple[str, ...]):
    """Run COMMAND beside a server with fresh bundled data.

    The server listens on a free port until COMMAND ends. COMMAND finds it with CONVERSIONS_URL (the endpoint), CONVERSIONS_BASE_URL
    (without the path) and CONVERSIONS_KEY. Exits with the status of COMMAND.
    """
    with _serving() as (app, base_url):
        environment = os.environ | {
            "CONVERSIONS_URL": base_url + api.PATH,
            "CONVERSIONS_BASE_URL": base_url,
            "CONVERSIONS_KEY": "YOUR_API_KEY",
        }
        for name in ("no_proxy", "NO_PROXY"):  # whatever proxies there are, they can't reach this server
            environment[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1"]))
        try:
            status = subprocess.run(command, env=environment, check=False).returncode
        except OSError as error:
            raise click.ClickException(f"{command[0]} cannot be run: {error.strerror}.") from None
    status = status if status >= 0 else 128 - status
    if check_paging and not _report(app.extensions["walks"].verdicts()):
        status = 1
    context.exit(status)


class QuietHandler(WSGIRequestHandler):
    """Leaves the terminal to COMMAND. Warnings and errors still go to standard error."""

    def log_request(self, *args, **kwargs):
        pass


@contextmanager
def _serving() -> Iterator[tuple[Flask, str]]:
    """A mock with fresh data in this process, which listens before anyone asks for its address."""
    from app import create_app  # which registers this command

    with TemporaryDirectory() as folder:
        app = create_app({"DATABASE": Path(folder) / "conversions.sqlite", "MOCK": "1"})
        app.logger.setLevel("WARNING")
        with app.app_context(), errors_as_sentences(), app.extensions["database"].writing_sessions() as connection:
            sessions.seed(connection, app.extensions["clock"].today())
        server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler)
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield app, f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()


def _report(walks: list[dict]) -> bool:
    """Print the verdicts; return whether no walk has a fault."""
    for walk in walks:
        mark = "✗" if walk["faults"] else "✓"
        pages = f"{len(walk['pages'])} page{'s' if len(walk['pages']) != 1 else ''}"
        click.echo(f"{mark} {walk['domain']} {json.dumps(walk['query'])}, {walk['strategy']}, {pages}: {walk['sentence']}")
    if not walks:
        click.echo("No request of COMMAND got a page, or a reset has cleared the walks.")
    return not any(walk["faults"] for walk in walks)
