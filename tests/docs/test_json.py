"""docs/reference/json.md shows what is read and written: every example in it is held against the code."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from monkeytown.protocol.codec import JSON
from monkeytown.protocol.messages import FROM_CLIENT, FROM_SERVER, GameEvent, Numbered
from monkeytown.room.encoded import Encoding
from tests.docs.pages import ROOT, blocks, table
from tests.room.pond import Pond, a_room, joined

PAGE = ROOT / "docs/reference/json.md"


def examples(side: str) -> list[str]:
    return [block.text for block in blocks(PAGE) if block.language == "json" and side in block.options]


@pytest.mark.parametrize("example", examples("client"))
def test_what_clients_say_is_read(example: str) -> None:
    message, shown = JSON.decode(example.encode()), json.loads(example)
    if "seq" in shown:
        assert isinstance(message, Numbered)
        assert message.number == shown["seq"]
        message = message.message
    assert type(message) is FROM_CLIENT[shown["type"]][1]


@pytest.mark.parametrize("example", examples("server"))
def test_what_the_server_says_is_written_so(example: str) -> None:
    shown = json.loads(example)
    payload = msgspec.convert(shown["payload"], FROM_SERVER[shown["type"]][1])
    written = json.loads(JSON.encode(shown["type"], payload, shown.get("seq")))
    assert written == shown
    assert type(payload) is not GameEvent or payload.event == "chat"


def test_every_message_is_shown() -> None:
    said = {json.loads(example)["type"] for example in examples("client")}
    assert said == set(FROM_CLIENT) - {"numbered", "poll"}
    assert {json.loads(example)["type"] for example in examples("server")} == set(FROM_SERVER) - {
        "schema",
        "close",
    }


def test_states_and_what_is_private_are_those_of_a_room() -> None:
    def written(frame: bytes | None) -> Any:
        return json.loads(frame or b"{}")

    room = a_room(Pond)
    [ada] = joined(room, "Ada")
    room.step()
    start = room.position
    snapshot = written(room.read(None, encoding=Encoding.JSON).frame)
    private = room.private(ada, None, Encoding.JSON)
    ada.player.entity.x += 1.5
    room.game.lilies.despawn(list(room.game.lilies)[1])
    room.step()
    delta = written(room.read(start, encoding=Encoding.JSON).frame)
    assert [json.loads(example) for example in examples("state")] == [snapshot, delta]
    assert private is not None
    assert [json.loads(example) for example in examples("private")] == [
        written(private.message(Encoding.JSON))
    ]


def test_every_type_of_field_has_its_form() -> None:
    named = {name.strip("`") for row in table(PAGE, "field") for name in row[0].split(", ")}
    assert named == {"fixed", "angle", "uint", "sint", "bool", "enum", "text", "blob", "ref", "array"}
