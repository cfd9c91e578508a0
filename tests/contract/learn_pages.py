"""Learns where pages end, and in which order they are: see learn.py."""

from learn import ANOTHER, Told, cannot_tell, learns
from records import HOUR, Records

# Pages


def session_steps(survey):
    """Yield every page of the session walks, those with few conversions in a batch too: the walk, its offset, and the page."""
    for walk in [*survey.walks("main"), *survey.sparse_walks()]:
        for offset, page in walk.steps:
            yield walk, offset, page


@learns("page")
def page(survey) -> Told:
    for walk, offset, found in session_steps(survey):
        processed, count = found.records_processed - offset, len(found.records)
        at_end = found.records_processed >= found.total_records
        if not at_end and processed % 200 and (count <= 50 or processed == 1):
            # The session after a page that is cut would make it more than 50.
            following = survey.api.page(walk.query | {"offset": found.records_processed}).records
            after = survey.api.page(walk.query | {"offset": found.records_processed + 1}).records
            if (processed == 1 and count > 50) or count + len(following.minus(after)) > 50:
                return Told("cut", f"a page ends after {processed} sessions with {count} records, before one that exceeds 50")
        if count > 50 and processed > 1:
            return Told("whole", f"a page has {count} records of {processed} sessions")
        if not at_end and processed % 200 == 0:
            return Told("whole", f"a page has {count} records of {processed} sessions")
    return cannot_tell("a session query with more than 50 conversions would tell")


@learns("batch")
def batch(survey) -> Told:
    if survey.reading("page") == "cut":
        cannot_tell("the server cuts its pages")
    for walk, offset, found in session_steps(survey):
        processed = found.records_processed - offset
        if processed <= 200:
            continue
        counts = batch_counts(survey, walk, offset, found)
        before_last = sum(counts[:-1])
        at_end = found.records_processed >= found.total_records
        if before_last >= 50 and max(counts[:-1]) < 50:
            if counts[-1] < 50 and not at_end:
                cannot_tell(
                    f"from offset {offset} a page stops neither when its batches have 50 records nor when one has: {counts}"
                )
            return Told("each", f"from offset {offset} the batches of a page have {counts} records")
        if before_last < 50 and sum(counts) >= 50 and max(counts) < 50 and not at_end:
            return Told("together", f"from offset {offset} the batches of a page have {counts} records")
    return cannot_tell("a session query with about 20 to 49 conversions in each batch of 200 sessions would tell")


def batch_counts(survey, walk, offset: int, found) -> list[int]:
    """Return how many records each batch of a page has, by asking for what remains after each."""
    rest: Records = found.records
    counts = []
    for start in range(offset + 200, min(found.records_processed, found.total_records), 200):
        following = survey.api.page(walk.query | {"offset": start}).records
        if len(counts) > 12:
            break
        counts.append(len(rest.minus(following)))
        rest = Records(rest.common(following))
    return [*counts, len(rest)]


@learns("order")
def order(survey) -> Told:
    moments = [record.moment for record in survey.direct().records]
    if len(set(moments)) < 2:
        cannot_tell("conversions at different times would tell")
    if moments == sorted(moments):
        return Told("oldest", "a direct query is oldest first")
    if moments != sorted(moments, reverse=True):
        return Told(ANOTHER, "a direct query is neither newest first nor oldest first")
    for walk, offset, found in session_steps(survey):
        shown = [record.moment for record in found.records]
        if shown != sorted(shown, reverse=True):
            return Told("session", f"the page at offset {offset} of {walk.query} is not sorted by timestamp")
    for found in (found for _, _, found in session_steps(survey)):
        if interleaves(found.records):
            return Told("newest", "conversions of one session stand on both sides of another's")
    return cannot_tell("sessions that overlap, with two conversions of a known visitor each, would tell")


def interleaves(records: Records) -> bool:
    """Return whether conversions of one visitor within an hour have another visitor's between them."""
    places: dict[str, int] = {}
    for place, record in enumerate(records):
        email = record.get("email")
        before = places.get(email) if email else None
        is_near = before is not None and records[before].moment - record.moment < HOUR / 2
        if is_near and any(other.get("email") not in (None, "", email) for other in records[before + 1 : place]):
            return True
        if email:
            places[email] = place
    return False


@learns("empty-page")
def empty_page(survey) -> Told:
    walk = survey.direct()
    found = survey.api.page(walk.query | {"offset": walk.total})
    if found.records:
        return Told(ANOTHER, f"the page at offset {walk.total} of {walk.total} has {len(found.records)} records")
    return Told("message" if found.is_message else "records", f"offset {walk.total} of {walk.total} is such a page")


@learns("has-more")
def has_more(survey) -> Told:
    if survey.reading("page") == "cut":
        cannot_tell("the server cuts its pages")
    walk = survey.session_walk("main")
    query, total = walk.query, walk.total
    rare = next((other.query for other in survey.sparse_walks()), None)
    for asked in [query, *([rare] if rare else [])]:
        for tail in range(1, 5):
            if tail >= total - 200 or survey.api.page(asked | {"offset": total - tail}).records:
                break
            found = survey.api.page(asked | {"offset": total - tail - 200})
            if found.records_processed == total - tail:
                value = "positions" if found.has_more else "conversions"
                return Told(value, f"has_more is {str(found.has_more).lower()} before {tail} sessions without conversions")
    return cannot_tell("a session query whose last sessions, after more than 200 others, have no conversions would tell")


@learns("last-offset")
def last_offset(survey) -> Told:
    walk = survey.direct()
    found = survey.api.page(walk.query | {"offset": walk.total - 1})
    processed = found.records_processed
    values = {walk.total: "total", walk.total - 1 + 50: "plus-50"}
    return Told(values.get(processed, ANOTHER), f"records_processed is {processed} at offset {walk.total - 1} of {walk.total}")
