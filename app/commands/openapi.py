"""flask openapi: print the OpenAPI document."""

import json

import click
from flask.cli import with_appcontext

from ..openapi.document import SERVER, document


@click.command("openapi")
@click.option("--server", default=SERVER, show_default=True, metavar="URL", help="The base URL that the document names.")
@with_appcontext
def openapi(server: str) -> None:
    """Print the OpenAPI document; no server needs to run."""
    click.echo(json.dumps(document(server.rstrip("/")), indent=2, ensure_ascii=False))
