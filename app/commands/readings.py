"""flask readings: list what else the published text could mean. Decision 75."""

import click

from ..mock.readings import READINGS


@click.command("readings")
def readings():
    """List the readings of the published text that the mock can serve.

    Each one has its published words, its decision, and its values; the first value is what this server does.
    """
    for reading in READINGS.values():
        click.echo(f"{reading.name}: {reading.text}, decision {reading.decision}")
        for value, means in reading.values.items():
            click.echo(f"  {value:<17} {means}")
