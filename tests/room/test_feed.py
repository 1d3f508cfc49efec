"""Copies of rooms: whoever reads one sees what is to be seen at the room itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown import Game
from tests.randomgames import examples

from .grove import Copies, Grove, Jungle


@pytest.mark.parametrize("game", [Grove, Jungle])
@examples(40)
@given(seed=st.integers(0, 2**32 - 1))
def test_readers_of_copies_see_what_is(game: type[Game], seed: int) -> None:
    copies = Copies(game, seed)
    for _ in range(60):
        copies.tick()
    for copy in copies.copies:
        copies.bring(copy)
    for eyes in copies.readers.values():
        copies.look(eyes)


@pytest.mark.parametrize("game", [Grove, Jungle])
@examples(25)
@given(
    seed=st.integers(0, 2**32 - 1),
    moves=st.lists(st.integers(3, 30), min_size=1, max_size=3),
    over=st.booleans(),
)
def test_readers_see_what_is_when_the_room_moves(
    game: type[Game], seed: int, moves: list[int], over: bool
) -> None:
    copies = Copies(game, seed)
    for ticks in moves:
        for _ in range(ticks):
            copies.tick()
        if over:
            copies.take_over()
        else:
            copies.hand_over()
    for _ in range(10):
        copies.tick()
