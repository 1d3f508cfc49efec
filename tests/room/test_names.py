"""Names are made fit to show; whoever has none gets one."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown.room.names import MAX_NAME, player_name


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("Ada", "Ada"),
        ("  Ada \t\n Lovelace ", "Ada Lovelace"),
        ("A\x00d\x1ba\x7f", "Ada"),
        ("\u202eadA\u2066", "adA"),
        ("<b>Ada</b>", "<b>Ada</b>"),
        ("Zoë 🐒", "Zoë 🐒"),
        ("👩\u200d🔬", "👩\u200d🔬"),
        ("\ud800Ada\ue000", "Ada"),
        ("x" * 30, "x" * MAX_NAME),
        ("x" * 23 + "  y", "x" * 23),
    ],
)
def test_what_prints_is_kept_in_one_line(wanted: str, name: str) -> None:
    assert player_name(wanted, 7) == name


@pytest.mark.parametrize("wanted", [None, "", "   ", "\x00", "\u200d\u200d", "\u0301"])
def test_who_has_no_name_gets_one(wanted: str | None) -> None:
    assert player_name(wanted, 7) == "Monkey 7"


@given(st.text(max_size=80))
def test_every_name_prints_fits_and_travels(wanted: str) -> None:
    name = player_name(wanted, 1)
    assert 0 < len(name) <= MAX_NAME
    assert name == name.strip()
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in name)
    assert name.encode()
    assert player_name(name, 1) == name
