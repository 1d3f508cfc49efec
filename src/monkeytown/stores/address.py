"""Which database is meant: an address, as an operator writes it, becomes a `Database`.

Knows the kinds of addresses. PostgreSQL's driver is an extra, which is looked for only when it is asked for.
"""

from __future__ import annotations

from pathlib import Path

from monkeytown.errors import StartError
from monkeytown.stores.database import Database
from monkeytown.stores.sqlite import SQLite

__all__ = ["FILE", "NOTHING", "database_at"]

NOTHING = "none"
FILE = "monkeytown.db"
FORMS = "postgresql://user:password@host/name, sqlite:///file, none, or nothing for a file in the data folder"


def database_at(url: str, folder: Path, *, seconds: float = 5.0) -> Database | None:
    """The database at `url`; None for "none", an SQLite file in `folder` for "". `seconds` is how long it may take to answer.

    Raises `StartError` for an address of another form, which is not repeated: it may have a password in it.
    """
    if url == NOTHING:
        return None
    if not url:
        _make(folder)
        return SQLite(folder / FILE, seconds=seconds)
    scheme, _, rest = url.partition(":")
    if scheme == "sqlite" and rest.startswith("///") and len(rest) > 3:
        return SQLite(Path(rest[3:]), seconds=seconds)
    if scheme in ("postgresql", "postgres"):
        return _postgres(url, seconds)
    raise StartError(f"the address of the database has one of these forms: {FORMS}")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"the data folder {folder} cannot be made: {error.strerror}") from error


def _postgres(url: str, seconds: float) -> Database:
    try:
        from monkeytown.stores.postgres import PostgreSQL
    except ModuleNotFoundError as error:
        raise StartError("postgresql:// needs asyncpg: pip install 'monkeytown[postgres]'") from error
    return PostgreSQL(url, seconds=seconds)
