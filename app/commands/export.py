"""flask export: write an account's sessions in the import format. Decision 48."""

import click
from flask import current_app

from .. import accounts
from .options import DOMAIN, bp, errors_as_sentences

# By id, which decides the order among equal times: an import of the lines gives them ids in the same order. The referrer is not
# stored; derived_source and derived_medium take its place.
SESSIONS = """
SELECT json_object(
    'session_id', session_id,
    'started_at', strftime('%Y-%m-%dT%H:%M:%SZ', started_at, 'unixepoch'),
    'ended_at', strftime('%Y-%m-%dT%H:%M:%SZ', ended_at, 'unixepoch'),
    'landing_page', landing_page,
    'utm_source', utm_source, 'utm_medium', utm_medium, 'utm_campaign', campaign, 'utm_content', content, 'utm_term', term,
    'derived_source', derived_source, 'derived_medium', derived_medium,
    'conversions', json((
        SELECT json_group_array(json_object(
            'email', email,
            'timestamp', datetime(timestamp, 'unixepoch'),
            'conversion_page', conversion_page,
            'previous_page', previous_page,
            'conversion_meta', json_object('type', meta_type, 'id', meta_id)
        ))
        FROM (SELECT * FROM conversions WHERE conversions.session_id = sessions.id ORDER BY id)
    ))
)
FROM sessions
WHERE account_id = :account_id
ORDER BY id
"""


@bp.cli.command("export")
@click.option("--domain", **DOMAIN, help="The primary domain of the account.")
def export(domain: str):
    """Write an account's sessions in the import format to standard output.

    Importing them elsewhere gives the same responses. The account's keys and limit are not part of it.
    """
    with errors_as_sentences(), current_app.extensions["database"].reading() as connection:
        for (session,) in connection.execute(SESSIONS, {"account_id": accounts.find(connection, domain)}):
            click.echo(session.encode())
