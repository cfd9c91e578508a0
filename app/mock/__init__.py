"""The mock, which flask run or CONVERSIONS_MOCK=1 switches on. Otherwise nothing here is registered. Decision 33."""

from flask import Flask

from app.mock import browsers, prefer, states, temporary_accounts, walks


def init_app(app: Flask) -> None:
    for part in (prefer, walks, browsers):
        part.init_app(app)
    for blueprint in (states.states, temporary_accounts.temporary_accounts, walks.walks):
        app.register_blueprint(blueprint, url_prefix="/_mock")
