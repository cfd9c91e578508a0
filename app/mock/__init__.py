"""The mock, which flask run or CONVERSIONS_MOCK=1 switches on. Otherwise nothing here is registered. Decision 33."""

from flask import Flask

from . import faults, prefer, readings, requests, states, temporary_accounts, walks


def init_app(app: Flask) -> None:
    app.extensions |= {"faults": faults.Faults(), "requests": requests.Requests(), "walks": walks.Record()}
    readings.serve(app, app.config["READING"])
    for before in (requests.note_time, prefer.apply_prefer_header, faults.apply_fault):
        app.before_request(before)
    # Flask calls the last one first.
    for after in (faults.finish_fault, requests.record_request, readings.reshape, walks.record_page, prefer.add_preference_applied):
        app.after_request(after)
    for part in (faults, requests, states, temporary_accounts, walks):
        app.register_blueprint(part.bp, url_prefix="/_mock")
