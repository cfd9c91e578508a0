"""The command conversions: all commands of flask for this app, without --app. Without a command, it serves. Decision 85."""

import click
from flask.cli import FlaskGroup, ScriptInfo, run_command

from .. import create_app

RUN_OPTIONS = {option for parameter in run_command.params for option in (*parameter.opts, *parameter.secondary_opts)}


class Conversions(FlaskGroup):
    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Take no command, or an option of run, as the command run."""
        is_run = not args or args[0].partition("=")[0] in RUN_OPTIONS
        return super().parse_args(context, ["run", *args] if is_run else args)

    def list_commands(self, context: click.Context) -> list[str]:
        # Flask would print a traceback if a setting is wrong, and go on.
        context.ensure_object(ScriptInfo).load_app()
        return super().list_commands(context)


# Settings of a Flask app that is developed in the same folder (.env, FLASK_APP, FLASK_RUN_PORT) are not meant for this one.
# So there are no options that read them.
main = Conversions(
    name="conversions",
    create_app=create_app,
    add_default_commands=False,
    add_version_option=False,
    context_settings={"auto_envvar_prefix": None},
    help="A mock of the AttributionHub conversions API. Without a command, it serves.",
)
main.params.clear()
main.add_command(run_command)
click.version_option(package_name="attributionhub-conversions", prog_name="conversions", message="%(prog)s %(version)s")(main)
