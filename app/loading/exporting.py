"""Read an account's sessions in the import format: importing them elsewhere gives the same responses. Decision 48."""

from collections.abc import Iterator
from itertools import groupby

import orjson

from ..database import Connection
from .attribution import UTM

# By id, which decides the order among equal times: an import of the lines gives them ids in the same order.
SESSIONS = """
SELECT
    sessions.id, sessions.session_id,
    strftime('%Y-%m-%dT%H:%M:%SZ', started_at, 'unixepoch'), strftime('%Y-%m-%dT%H:%M:%SZ', ended_at, 'unixepoch'),
    landing_page, utm_source, utm_medium, campaign, content, term, derived_source, derived_medium,
    conversions.id, email, datetime(timestamp, 'unixepoch'), conversion_page, previous_page, meta_type, meta_id
FROM sessions LEFT JOIN conversions ON conversions.session_id = sessions.id
WHERE sessions.account_id = :account_id
ORDER BY sessions.id, conversions.id
"""

_NAMES = ["session_id", "started_at", "ended_at", "landing_page", *UTM, "derived_source", "derived_medium"]


def lines(connection: Connection, account_id: int) -> Iterator[bytes]:
    """Return each session of the account as a line.

    The referrer is not stored; derived_source and derived_medium take its place.
    """
    for _, rows in groupby(connection.execute(SESSIONS, {"account_id": account_id}), key=lambda row: row[0]):
        conversions = []
        for _, *session, conversion, email, timestamp, conversion_page, previous_page, meta_type, meta_id in rows:  # noqa: B007
            if conversion is not None:
                fields = {
                    "email": email,
                    "timestamp": timestamp,
                    "conversion_page": conversion_page,
                    "previous_page": previous_page,
                }
                conversions.append(fields | {"conversion_meta": {"type": meta_type, "id": meta_id}})
        yield orjson.dumps(dict(zip(_NAMES, session, strict=True)) | {"conversions": conversions}, option=orjson.OPT_APPEND_NEWLINE)
