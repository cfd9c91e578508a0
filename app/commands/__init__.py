"""The command line. It imports everything, and only create_app imports it."""

from collections.abc import Callable

from flask import Flask

from . import accounts, exec_, export, import_, openapi, queries, readings  # noqa: F401  they add their commands to the blueprint
from .options import bp
from .run import is_flask_run, prepare

__all__ = ["init_app", "is_flask_run"]


def init_app(app: Flask, create_app: Callable[[dict], Flask]) -> None:
    app.register_blueprint(bp)
    app.extensions["create_app"] = create_app  # exec serves an app of its own
    if is_flask_run():
        prepare(app)
