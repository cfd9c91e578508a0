"""flask openapi: print the OpenAPI document."""

import json

import click

from ..openapi.document import SERVER, document
from .options import bp


@bp.cli.command("openapi")
@click.option("--server", default=SERVER, show_default=True, metavar="URL", help="The base URL that the document names.")
def openapi(server: str) -> None:
    """Print the OpenAPI document; no server needs to run."""
    click.echo(json.dumps(document(server.rstrip("/")), indent=2, ensure_ascii=False))
