"""The command line: `monkeytown run | new | bot | replay | wire | settings | secret | db | instances | drain | move`.

Knows which commands there are and how a failure reaches a person: one line on stderr and exit code 2. Each command
has a module of its own; none of them knows another.
"""

from __future__ import annotations

import sys

import click

from monkeytown.cli.bot import bot
from monkeytown.cli.db import db
from monkeytown.cli.instances import drain, instances, move
from monkeytown.cli.new import new
from monkeytown.cli.replay import replay
from monkeytown.cli.run import run
from monkeytown.cli.secret import secret
from monkeytown.cli.settings import settings
from monkeytown.cli.wire import wire
from monkeytown.errors import StartError

__all__ = ["main"]

EXIT_CANNOT_START = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="monkeytown", message="%(prog)s %(version)s")
def monkeytown() -> None:
    """Serve multiplayer games written in one Python file, and the tools around them."""


for command in (run, new, bot, replay, wire, settings, secret, db, instances, drain, move):
    monkeytown.add_command(command)


def main() -> None:
    """The entry point of the `monkeytown` command."""
    try:
        monkeytown(prog_name="monkeytown")
    except StartError as error:
        click.echo(f"monkeytown: {error}", err=True)
        sys.exit(EXIT_CANNOT_START)
