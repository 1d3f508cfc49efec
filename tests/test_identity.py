"""What can name a player."""

from __future__ import annotations

import pytest

from monkeytown.identity import Identity, is_player_id


@pytest.mark.parametrize(
    "text", ["a", "auth0|5f7c8ec7c33c6c004bbafe82", "ann@example.com", "a.b:c-d_e", "x" * 128]
)
def test_names_of_players(text: str) -> None:
    assert is_player_id(text)


@pytest.mark.parametrize(
    "text", ["", "x" * 129, "ann lee", "a/b", "a\n", "ä", "a\0", "../x", "a'--", None, 7, b"ann"]
)
def test_other_things(text: object) -> None:
    assert not is_player_id(text)


def test_an_identity_is_nobodys_document_and_lasts() -> None:
    assert Identity("ann") == ("ann", None, False, 0.0, None, b"{}", True)
