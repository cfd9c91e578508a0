"""Where rows come from: imported files and the bundled data."""

from flask import Flask

from app.loading.commands import commands


def init_app(app: Flask) -> None:
    app.register_blueprint(commands)
