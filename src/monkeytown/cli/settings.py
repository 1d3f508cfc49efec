"""`monkeytown settings`: what is set, by what, and what each setting means. Knows the settings class and nothing of servers."""

from __future__ import annotations

import os
from typing import Any

import click
from pydantic import SecretStr, ValidationError

from monkeytown.errors import StartError
from monkeytown.server.settings import Settings

__all__ = ["read_settings", "settings", "variable"]


def read_settings(**flags: Any) -> Settings:
    """The settings of flags, then MONKEYTOWN_* variables, then defaults; StartError names the first that is wrong."""
    try:
        return Settings(**flags)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        place = f"--{name.replace('_', '-')}" if name in flags else variable(name) if name else "settings"
        raise StartError(f"{place}: {first['msg']}") from error


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"{Settings.model_config.get('env_prefix', '')}{name}".upper()


@click.command()
def settings() -> None:
    """List the settings: variable, value, where the value comes from, and what it means."""
    current = read_settings()
    for name, field in Settings.model_fields.items():
        value = getattr(current, name)
        source = "environment" if variable(name) in map(str.upper, os.environ) else "default"
        shown = "(set)" if isinstance(value, SecretStr) and value.get_secret_value() else value
        click.echo(f"{variable(name)}={'' if shown is None else shown}  ({source})")
        click.echo(f"    {field.description}")
