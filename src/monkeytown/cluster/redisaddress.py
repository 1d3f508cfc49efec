"""Addresses of Redis, and what is said of one: never the user, the password or the options in it.

Knows addresses and errors as text; makes no connections.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from monkeytown.errors import StartError

__all__ = ["host_of", "no_address", "place_of", "words"]

FORMS = "redis://user:password@host:port/0, rediss:// with TLS and options ssl_…, or unix://path"

_DATABASE = re.compile(r"(/\d*)?", re.ASCII)


def place_of(url: str) -> str:
    """The address without user, password and options. Raises `StartError`, which does not repeat it."""
    try:
        parts = urlsplit(url)
        if parts.scheme == "unix" and parts.path:
            return f"unix://{parts.path}"
        if (
            parts.scheme not in ("redis", "rediss")
            or not parts.hostname
            or not _DATABASE.fullmatch(parts.path)
        ):
            raise ValueError
        if any(not option.startswith("ssl_") for option in parse_qs(parts.query)):
            raise ValueError
        return f"{parts.scheme}://{host_of(parts.hostname)}:{parts.port or 6379}"
    except ValueError:
        raise no_address() from None


def no_address() -> StartError:
    """What is wrong with an address of another form."""
    return StartError(f"the address of Redis has one of these forms: {FORMS}")


def host_of(name: str) -> str:
    """A host's name as it stands in an address: one of IPv6 has brackets."""
    return f"[{name}]" if ":" in name else name


def words(error: BaseException) -> str:
    """One line, without what a script's error says of itself."""
    text = re.sub(r" script: [0-9a-f]{40}.*", "", " ".join(str(error).split()))
    return text[:200] or type(error).__name__
