"""The command line: one file for each command. It imports everything, and only create_app imports it."""

from collections.abc import Callable

from flask import Flask

from .accounts import list_accounts
from .exec_ import exec_command
from .explain import explain
from .export import export
from .import_ import import_
from .keys import keys
from .openapi import openapi
from .readings import readings
from .run import is_flask_run, prepare
from .seed import seed
from .walk import walk

__all__ = ["init_app", "is_flask_run"]


def init_app(app: Flask, create_app: Callable[[dict], Flask]) -> None:
    for command in (seed, import_, export, list_accounts, keys, walk, explain, exec_command(create_app), readings, openapi):
        app.cli.add_command(command)
    if is_flask_run():
        prepare(app)
