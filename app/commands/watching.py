"""Watch a file, and import it again whenever it changes. Decision 49."""

import os
import time
from collections.abc import Callable

import click

INTERVAL = 0.2  # seconds between two checks


def watch(path: str, import_once: Callable[[], None]) -> None:
    """Call the function now and after each change of the file, until interrupted. An error is printed and does not end it.

    It waits until two checks in a row find the same file: an editor may write it in parts, or save under another name first.
    """
    imported = None
    try:
        while True:
            before = _identify(path)
            if before != imported:
                time.sleep(INTERVAL)
                if before is not None and before == _identify(path):
                    imported = before
                    _import(import_once)
                    click.echo(f"Watching {path} for changes. Press Ctrl-C to stop.")
            else:
                time.sleep(INTERVAL)
    except KeyboardInterrupt:
        click.echo("Stopped.")


def _identify(path: str) -> tuple[int, int, int] | None:
    """Return values that change whenever the file does; None while there is no file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _import(import_once: Callable[[], None]) -> None:
    try:
        import_once()
    except click.ClickException as error:
        error.show()
        click.echo("The data that was imported before stays.", err=True)
