"""python -m conversions_api is the command conversions."""

from .commands.main import main

main(prog_name="conversions")
