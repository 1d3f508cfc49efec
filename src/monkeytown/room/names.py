"""What players are called: any name a person types, made fit to show to others."""

from __future__ import annotations

from unicodedata import category

__all__ = ["MAX_NAME", "player_name", "printed"]

MAX_NAME = 24  # characters

# Characters that show nothing or turn the text around them: control, surrogate, private, unassigned, and the
# marks of direction. Other format characters stay: families of emoji are joined by them.
_UNFIT = {"Cc", "Cs", "Co", "Cn"}
_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def player_name(wanted: str | None, number: int) -> str:
    """The name that others see: what prints of `wanted`, or one made up from the number."""
    return printed(wanted) or f"Monkey {number}"


def printed(wanted: str | None) -> str:
    """A name without what does not print, in one line, cut; empty if nothing is left."""
    kept = (
        " " if character.isspace() else character
        for character in wanted or ""
        if character.isspace() or (category(character) not in _UNFIT and character not in _DIRECTION)
    )
    name = " ".join("".join(kept).split())[:MAX_NAME].strip()
    return name if _prints(name) else ""


def _prints(name: str) -> bool:
    """Whether there is anything to see: joiners and combining marks alone are not a name."""
    return any(category(character)[0] in "LNPS" for character in name)
