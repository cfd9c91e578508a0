"""The command conversions: all commands of flask for this app, without --app. Without a command, it serves."""

import click
from flask.cli import FlaskGroup, run_command

from .. import create_app

RUN_OPTIONS = {option for parameter in run_command.params for option in parameter.opts}


class Conversions(FlaskGroup):
    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Take no command, or an option of run, as the command run."""
        is_run = not args or args[0].partition("=")[0] in RUN_OPTIONS
        return super().parse_args(context, ["run", *args] if is_run else args)


main = Conversions(
    name="conversions",
    create_app=create_app,
    add_version_option=False,
    help="A mock of the AttributionHub conversions API. Without a command, it serves.",
)
main.params = [parameter for parameter in main.params if parameter.name != "app"]
click.version_option(package_name="attributionhub-conversions", message="%(version)s")(main)
