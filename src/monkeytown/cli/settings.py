"""`monkeytown settings`: what is set, by what, and what each setting means. Knows the settings class only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import click
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo

from monkeytown.errors import StartError
from monkeytown.server.settings import Settings

__all__ = ["fields", "read_settings", "settings", "shown", "variable"]


def read_settings(**flags: Any) -> Settings:
    """The settings of flags, then MONKEYTOWN_* variables, then defaults; StartError names the first that is wrong."""
    try:
        return Settings(**flags)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        place = f"--{name.replace('_', '-')}" if name in flags else variable(name)
        raise StartError(f"{place}: {first['msg']}") from error


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"{Settings.model_config.get('env_prefix', '')}{name}".upper()


def fields() -> Iterator[tuple[str, FieldInfo]]:
    """The settings by name: those of the server first, then the limits that it inherits."""
    own = Settings.__annotations__
    yield from ((name, field) for name, field in Settings.model_fields.items() if name in own)
    yield from ((name, field) for name, field in Settings.model_fields.items() if name not in own)


def shown(value: Any) -> str:
    """A value as it would be written into its variable; of a secret only whether it is there."""
    if isinstance(value, SecretStr):
        return "(set)" if value.get_secret_value() else ""
    if isinstance(value, tuple):
        return ",".join(map(shown, value))
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


@click.command()
def settings() -> None:
    """List the settings: variable, value, where the value comes from, and what it means."""
    current = read_settings()
    for name, field in fields():
        source = "environment" if variable(name) in map(str.upper, os.environ) else "default"
        click.echo(f"{variable(name)}={shown(getattr(current, name))}  ({source})")
        click.echo(f"    {field.description}")
