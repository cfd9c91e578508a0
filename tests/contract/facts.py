"""The values of the server's data that cases.json names with a dollar sign."""

from datetime import UTC, datetime, time, timedelta

from learn import once
from records import DAY, HOUR, SECOND, Record, Window, iso


def near_midnight(survey) -> Record:
    """Return the conversion closest to midnight, which reveals a date in local time; inside full days if possible."""
    window, records = survey.window(), survey.direct().records
    inside = records.where(Window(window.start + DAY, window.end - DAY).has) or records

    def distance(record: Record) -> timedelta:
        since = record.moment - datetime.combine(record.moment, time(), UTC)
        return min(since, DAY - since)

    return min(inside, key=distance)


@once
def facts_of(survey) -> dict[str, str]:
    window, sample = survey.window(), survey.sample()
    moment, day = sample.moment.replace(microsecond=0), f"{near_midnight(survey).moment:%Y-%m-%d}"
    return {
        "start": iso(window.start),
        "end": iso(window.end),
        "instant": iso(moment),
        "instant_at_plus_2": f"{moment + 2 * HOUR:%Y-%m-%dT%X}+02:00",
        "instant_at_plus_2_without_colon": f"{moment + 2 * HOUR:%Y-%m-%dT%X}+0200",
        "instant_at_plus_2_hours": f"{moment + 2 * HOUR:%Y-%m-%dT%X}+02",
        "instant_at_minus_5_30": f"{moment - 5 * HOUR - HOUR / 2:%Y-%m-%dT%X}-05:30",
        "minute": f"{moment:%Y-%m-%dT%H:%M}",
        "timestamp": str(sample.get("timestamp")),
        "day": day,
        "bare_instant": iso(moment)[:-1],
        "bare_second_before": iso(moment - SECOND)[:-1],
        "second_after": iso(moment + SECOND),
    } | {name: str(value) for name, value in sample.filters.items()}
