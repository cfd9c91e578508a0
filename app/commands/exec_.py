"""flask exec: run a command beside a server with fresh bundled data. Decisions 57, 74, 76."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import click
from flask import Flask, current_app

from .. import api, strict_json
from ..loading import sessions
from ..mock import faults
from ..mock.listening import listening
from . import readings
from .options import bp, errors_as_sentences

GOOD = (HTTPStatus.OK, HTTPStatus.CREATED)  # the latter with the reading status=201


# Whatever stands after the first word of COMMAND belongs to it: "flask exec pytest --help" is the help of pytest.
@bp.cli.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--check-paging", is_flag=True, help="Print each walk with its verdict, and exit with 1 if one has a fault.")
@click.option("--complete", is_flag=True, help="The same, and exit with 1 if a walk is incomplete or there is none.")
@click.option("--fault", "wanted", multiple=True, metavar="'code=503 after=1'", help="Add a fault, as POST /_mock/faults does.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port of the server; default: a free one.")
@click.option("--readings", "runs", **readings.OPTION)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def exec_(
    context: click.Context, check_paging: bool, complete: bool, wanted: tuple, port: int, runs: list[str] | None, command: tuple
):
    """Run COMMAND beside a server with fresh bundled data.

    The server listens until COMMAND ends. COMMAND finds it with CONVERSIONS_URL (the endpoint),
    CONVERSIONS_BASE_URL (without the path) and CONVERSIONS_KEY. Exits with the status of COMMAND.
    """

    def run_once(reading: str | None = None, output: IO | None = None, longest: float | None = None) -> int:
        with serving(port, seeded, reading) as (app, base_url):
            app.extensions["walks"].keeps_all = True
            faults_added = [(text, add_fault(app, text)) for text in wanted]
            status = run(command, environment_of(base_url), output, longest)
        left = {fault["id"]: fault["times"] for fault in app.extensions["faults"].listed()}
        for text, fault in faults_added:
            if fault["times"] and left.get(fault["id"]) == fault["times"]:
                click.echo(f"This fault never happened: {text}.", file=output)
        if runs is not None and not status and not app.extensions["requests"].after():
            click.echo("No request of COMMAND reached the server: does it take the URL from CONVERSIONS_URL?", file=output)
            status = 1
        if (check_paging or complete) and not report(app, complete, output):
            status = 1
        return status

    if command[0].startswith("-"):
        raise click.NoSuchOption(command[0], ctx=context)
    with TemporaryDirectory() as folder:
        seeded = Path(folder) / "seeded.sqlite"
        context.exit(run_once() if runs is None else readings.run_under(runs, run_once))


@contextmanager
def serving(port: int, seeded: Path, reading: str | None) -> Iterator[tuple[Flask, str]]:
    """Serve a mock with fresh data: a copy of the file seeded, which the first call makes."""
    with TemporaryDirectory() as folder:
        database = Path(folder) / "conversions.sqlite"
        app = current_app.extensions["create_app"](
            {"DATABASE": database, "MOCK": "1"} | ({} if reading is None else {"READING": reading})
        )
        app.logger.setLevel("WARNING" if reading is None else "ERROR")
        if not seeded.exists():
            with app.app_context(), errors_as_sentences(), app.extensions["database"].writing(create=True) as connection:
                sessions.seed(connection, app.extensions["clock"].today())
            database.rename(seeded)
        shutil.copy(seeded, database)
        with listening(app, port) as base_url:
            yield app, base_url


def environment_of(base_url: str) -> dict[str, str]:
    """Return the environment of COMMAND: ours, and where the server is."""
    environment = os.environ | {
        "CONVERSIONS_URL": base_url + api.PATH,
        "CONVERSIONS_BASE_URL": base_url,
        "CONVERSIONS_KEY": "YOUR_API_KEY",
    }
    environment.pop("FLASK_RUN_FROM_CLI", None)  # with it, a Flask app under test would refuse to start
    for name in ("no_proxy", "NO_PROXY"):  # whatever proxies there are, they can't reach this server
        environment[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1"]))
    return environment


def run(command: tuple[str, ...], environment: dict[str, str], output: IO | None = None, longest: float | None = None) -> int:
    """Run the command and return its status. SIGTERM and SIGINT are passed on to it and to what it has started.

    With an output, it gets no input, and a signal ends this program too. It is stopped after so many seconds.
    """
    # Its own process group, so that a signal reaches all of it. But a terminal lets only one group read, and sends Ctrl+C to that.
    has_terminal = sys.stdin is not None and sys.stdin.isatty() and output is None
    stdin, stderr = (subprocess.DEVNULL, subprocess.STDOUT) if output else (None, None)
    group = None if has_terminal else 0
    try:
        process = subprocess.Popen(command, env=environment, process_group=group, stdin=stdin, stdout=output, stderr=stderr)
    except OSError as error:
        raise click.ClickException(f"{command[0]} cannot be run: {error.strerror}.") from None

    def pass_on(number: int, _frame) -> None:
        if not has_terminal:
            os.killpg(process.pid, number)
        elif number != signal.SIGINT:
            process.send_signal(number)
        if output:
            raise click.exceptions.Exit(128 + number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        status = process.wait(longest)
    except subprocess.TimeoutExpired:
        click.echo(f"The command did not end within {longest:.0f} seconds.", file=output)
        status = 1
    finally:
        if process.returncode is None:  # stopped by a signal, or too slow
            kill(process)
        for number, handler in before.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status


def kill(process: subprocess.Popen) -> None:
    """Ask a process group to end, and kill what is left of it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def add_fault(app: Flask, text: str) -> dict:
    """Add the fault that the text describes: code=503 after=1. Raises click.ClickException with a sentence."""
    wanted: dict[str, object] = {}
    for name, _, value in [part.partition("=") for part in text.split()]:
        wanted[name] = value
        with suppress(ValueError):  # a number, true, false or null
            wanted[name] = value if name == "key" else strict_json.parse(value.encode())
    with app.app_context(), errors_as_sentences():
        return faults.add_fault(faults.NewFault().load(wanted))


def report(app: Flask, complete: bool, output: IO | None = None) -> bool:
    """Print the verdicts on all walks while COMMAND ran; return whether each one passes."""
    judged = list(app.extensions["walks"].judge(complete))
    for passes, walk, said in judged:
        pages = f"{len(walk['pages'])} page{'s' if len(walk['pages']) != 1 else ''}"
        about = f"{walk['domain']} {json.dumps(walk['query'])}, {walk['strategy']}, {pages}"
        click.echo(f"{'✓' if passes else '✗'} {about}: {said}", file=output)
    if not judged:
        refused = [entry for entry in app.extensions["requests"].after() if entry["status"] not in GOOD]
        last = f" The last one got {refused[-1]['status']}: {refused[-1]['error']}" if refused else ""
        click.echo(f"No request of COMMAND got a page.{last}", file=output)
    return all(passes for passes, _, _ in judged) and bool(judged or not complete)
