"""`monkeytown secret`: one that nobody else knows. Knows how long those of the settings have to be."""

from __future__ import annotations

import secrets

import click

from monkeytown.server.settings import MIN_SECRET_BYTES

__all__ = ["secret"]


@click.command()
def secret() -> None:
    """Make a secret, for MONKEYTOWN_SECRET and the like: 256 random bits as 64 characters."""
    click.echo(secrets.token_hex(MIN_SECRET_BYTES))
