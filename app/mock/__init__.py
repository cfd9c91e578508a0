"""The mock, which flask run or CONVERSIONS_MOCK=1 switches on. Otherwise nothing here is registered. Decision 33."""

from flask import Flask

from . import faults, readings, requests, states, walks


def init_app(app: Flask) -> None:
    app.extensions |= {"faults": faults.Faults(), "requests": requests.Requests(), "walks": walks.Record()}
    readings.serve(app, app.config["READING"])
    app.before_request(requests.note_time)
    app.before_request(faults.force_response)
    # Flask calls the last one first.
    for after in (faults.break_off, requests.record_request, readings.reshape, walks.record_page, faults.add_preference_applied):
        app.after_request(after)
    for part in (requests, states):
        app.register_blueprint(part.bp, url_prefix="/_mock")
