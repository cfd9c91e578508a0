"""The mock, which flask run or CONVERSIONS_MOCK=1 switches on. Otherwise nothing here is registered. Decision 33."""

from flask import Flask

from . import prefer, readings, states, temporary_accounts, walks


def init_app(app: Flask) -> None:
    for part in (readings, prefer, walks):  # readings first: what the others do to a response comes before
        part.init_app(app)
    for part in (states, temporary_accounts, walks):
        app.register_blueprint(part.bp, url_prefix="/_mock")
