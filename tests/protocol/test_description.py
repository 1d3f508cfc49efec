"""What is refused of a schema that comes from anywhere."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from monkeytown.errors import WireError
from monkeytown.games.jungle import Jungle
from monkeytown.games.swarm import Swarm
from monkeytown.games.tictactoe import TicTacToe
from monkeytown.protocol.description import MAX_VALUES, check_description, values_of
from monkeytown.schema import Schema


def described(game: Any) -> dict[str, Any]:
    about = {"gameId": "room", "game": game.name, "tickRate": game.tick_rate}
    return copy.deepcopy(about | Schema.of(game).describe(everything=True))


@pytest.mark.parametrize("game", [Jungle, Swarm, TicTacToe])
def test_games_are_described_as_they_may_be(game: Any) -> None:
    check_description(described(game))


def test_room_for_values_is_counted() -> None:
    found = values_of(described(Jungle))
    assert found == 1024 * (1 + 9) + 160 * (1 + 2)
    array = {"tables": [{"capacity": 3, "fields": [{"count": 0}, {"count": 5}]}]}
    assert values_of(array) == 3 * 7


@pytest.mark.parametrize(
    "change",
    [
        {"tables": None},
        {"tables": [{}]},
        {"tickRate": -1},
        {"tickRate": "fast"},
        {"gameId": 3},
        {"game": None},
    ],
)
def test_a_description_that_is_malformed_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(WireError, match="schema is malformed"):
        check_description(described(Jungle) | change)


@pytest.mark.parametrize(
    "change",
    [
        {"type": "picture"},
        {"count": 5000},
        {"count": -1},
        {"bits": 33},
        {"predict": "magic"},
        {"name": ""},
        {"name": 3},
        {"lo": "low"},
        {"values": []},
        {"max": -1},
        {"type": "ref"},
        {"type": "ref", "table": 2},
        {"type": "ref", "table": -1},
    ],
)
def test_a_field_that_is_malformed_is_refused(change: dict[str, Any]) -> None:
    found = described(Jungle)
    found["tables"][0]["fields"][0] |= change
    with pytest.raises(WireError, match="schema is malformed"):
        check_description(found)


def test_tables_larger_than_any_game_needs_are_refused() -> None:
    found = described(Jungle)
    found["tables"][0]["capacity"] = 1 << 20
    check_description(found)
    found["tables"] *= 3
    assert values_of(found) > MAX_VALUES
    with pytest.raises(WireError, match="room for more than"):
        check_description(found)
    found["tables"][0]["capacity"] = (1 << 20) + 1
    with pytest.raises(WireError, match="schema is malformed"):
        check_description(found)
