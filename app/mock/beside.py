"""flask exec: run a command beside a server with fresh bundled data."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import URLError
from urllib.request import urlopen

import click
from flask import Blueprint
from flask.cli import ScriptInfo

from app import api

commands = Blueprint("beside", __name__, cli_group=None)


@commands.cli.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def exec_(context: click.Context, command: tuple[str, ...]):
    """Run COMMAND beside a server with fresh bundled data.

    The server listens on a free port until COMMAND ends; CONVERSIONS_URL and CONVERSIONS_KEY tell COMMAND how to ask it. Ends with
    the exit status of COMMAND.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    script = context.find_object(ScriptInfo)
    flask = [sys.executable, "-m", "flask", *(["--app", script.app_import_path] if script.app_import_path else [])]
    with TemporaryDirectory() as folder:
        environment = os.environ | {"CONVERSIONS_DATABASE": str(Path(folder) / "conversions.sqlite")}
        with open(Path(folder) / "log", "w+b") as log:
            server = subprocess.Popen([*flask, "run", "--port", url.rpartition(":")[2]], env=environment, stdout=log, stderr=log)
            try:
                if not _becomes_ready(server, url):
                    log.seek(0)
                    raise click.ClickException(f"The server did not start.\n{log.read().decode(errors='replace')}")
                environment = os.environ | {"CONVERSIONS_URL": url + api.PATH, "CONVERSIONS_KEY": "YOUR_API_KEY"}
                status = subprocess.run(command, env=environment, check=False).returncode
            except OSError as error:
                raise click.ClickException(f"{command[0]} cannot be run: {error.strerror}.") from None
            finally:
                server.terminate()
                server.wait()
    context.exit(status if status >= 0 else 128 - status)


def _becomes_ready(server: subprocess.Popen, url: str) -> bool:
    deadline = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < deadline:
        try:
            return urlopen(f"{url}/readyz").status == 200
        except URLError:
            time.sleep(0.05)
    return False
