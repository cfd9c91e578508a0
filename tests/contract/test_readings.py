"""Which of the readings of readings.json the server has. Another one than ours is no fault: the published text allows it."""

import pytest
from learn import READINGS
from verdict import check


def text_of(reading: dict) -> str:
    published = f"“{reading['text']}” " if reading["text"] else ""
    return f"{published}Our reading: {reading['means'][reading['values'][0]]}."


CASES = [pytest.param(name, {"text": text_of(reading)}, id=name) for name, reading in READINGS.items()]


@pytest.mark.later
@pytest.mark.beyond_the_text
@pytest.mark.parametrize(("name", "case"), CASES)
def test_the_reading_is_ours(survey, name, case):
    told = survey.told(name)
    survey.shown_readings[name] = told
    meaning = READINGS[name]["means"].get(told.value, "neither of the readings that are known")
    check(told.value == READINGS[name]["values"][0], f"{name}={told.value}: {meaning}. {told.how}")
