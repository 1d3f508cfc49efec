"""The messages are those that docs/reference/wire.md names, with its keys."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from monkeytown.protocol.messages import (
    FROM_CLIENT,
    FROM_SERVER,
    ChatMessage,
    Heartbeat,
    JoinGame,
    PlayerLeft,
    Welcome,
)

WIRE = Path(__file__).parents[2] / "docs" / "reference" / "wire.md"
STATES = {"game_state": 0x43, "private": 0x44}  # made by the room


def documented() -> dict[tuple[str, bool], int]:
    """(name, from the server) -> kind, out of the two tables of section 2."""
    rows = re.findall(r"^\| `0x([0-9a-f]{2})` \| `(\w+)` \|", WIRE.read_text(), re.M)
    return {(name, int(kind, 16) >= 0x40): int(kind, 16) for kind, name in rows}


def test_kinds_are_those_of_the_document() -> None:
    ours = {(name, False): kind for name, (kind, _) in FROM_CLIENT.items()}
    ours |= {(name, True): kind for name, (kind, _) in FROM_SERVER.items()}
    ours |= {(name, True): kind for name, kind in STATES.items()}
    assert ours == documented()


@pytest.mark.parametrize(
    ("message", "keys"),
    [
        (JoinGame("jungle"), {"gameId": "jungle"}),
        (Welcome("p1", "Ada", "Monkeytown"), {"playerId": "p1", "name": "Ada", "server": "Monkeytown"}),
        (PlayerLeft("p1"), {"playerId": "p1"}),
        (Heartbeat(1.5), {"timestamp": 1.5}),
        (ChatMessage("hi"), {"text": "hi"}),
    ],
)
def test_keys_on_the_wire_are_the_platforms(message: msgspec.Struct, keys: dict[str, object]) -> None:
    assert msgspec.to_builtins(message).items() >= keys.items()
