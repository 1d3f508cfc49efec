"""Replays in Python: any moment is found again, and whatever a file holds, it is read or refused."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown.client.replay import Event, Moment, Replay
from monkeytown.errors import WireError
from monkeytown.protocol.replay import (
    BLOCK,
    CHUNK_HEAD,
    HEADER,
    INDEX,
    MAGIC,
    Block,
    Header,
    Index,
    Item,
    chunk,
    encode_block,
    encode_header,
    entry_of,
    head_of,
    inflated,
)
from monkeytown.protocol.replayfile import ending, open_recording
from tests.naive_replay import NaiveReplay
from tests.randomgames import examples
from tests.readers.test_recorder import hop, studio
from tests.replays import reader_of
from tests.room.pond import Pond, Wall


def replay_of(data: bytes) -> Replay:
    return Replay(open_recording(reader_of(data), len(data)))


def a_game() -> bytes:
    """Three blocks: two frogs that hop, one that leaves, and some words."""
    pond = studio(Pond, rate=50)
    pond.room.join("a", "Ada")
    for number in range(600):
        hop(pond.room, "a", by=(number * 37 % 65) / 8 - 4)
        if number == 100:
            pond.room.join("b", "Bob")
            pond.room.chat("b", "hello")
        if number == 400:
            pond.room.leave("a")
            pond.room.join("a", "Eve")
        pond.step()
    pond.end()
    return pond.tapes[0].data


GAME = a_game()
NAIVE = NaiveReplay(GAME)
MOMENTS = list(NAIVE.play())


def shown(replay: Replay) -> tuple[dict[str, float], dict[str, str]]:
    return {frog.name: frog.x for frog in replay.tables["frogs"]}, replay.players


def expected(at: int) -> tuple[dict[str, float], dict[str, str]]:
    moment = [moment for moment in MOMENTS if moment.at <= at][-1]
    return {row["name"]: row["x"] / 16 for row in moment.tables["frogs"].values()}, moment.players


def test_it_stands_at_its_beginning() -> None:
    replay = replay_of(GAME)
    assert (replay.tick, replay.players) == (1, {})
    assert replay.header.game == "pond"
    assert replay.seconds == pytest.approx(601 / 50)


@pytest.mark.parametrize("seconds", [0, 0.02, 0.5, 2.0, 2.02, 4.99, 5.0, 5.02, 7.7, 8.0, 8.04, 11.9, 12.02])
def test_any_moment_is_found(seconds: float) -> None:
    replay = replay_of(GAME)
    replay.seek(seconds)
    assert shown(replay) == expected(1 + round(seconds * 50))


def test_seeking_goes_back_and_forth() -> None:
    replay = replay_of(GAME)
    for seconds in (3, 3.5, 3.5, 3.2, 11, 0, 5, 5.1, 4.9, 12, 1e9, -5, float("inf")):
        replay.seek(seconds)
        assert shown(replay) == expected(1 + round(min(max(seconds, 0), replay.seconds) * 50)), seconds


def test_what_lies_between_is_not_read_again_when_it_goes_forward() -> None:
    reads: list[int] = []

    def read(offset: int, length: int) -> bytes:
        reads.append(offset)
        return GAME[offset : offset + length]

    replay = Replay(open_recording(read, len(GAME)))
    replay.seek(1)
    before = len(reads)
    for step in range(10, 45):
        replay.seek(step / 10)
    assert len(reads) == before
    replay.seek(2)
    assert len(reads) > before


def test_all_of_it_is_played_in_order() -> None:
    replay = replay_of(GAME)
    played = list(replay.play())
    events = [moment for moment in played if moment.event is not None]
    assert events[0] == Moment(0.02, 1, None, Event("player_joined", {"id": "a", "name": "Ada"}))
    assert [event.event.about for event in events if event.event and event.event.type == "game_event"] == [
        {"event": "chat", "data": {"playerId": "b", "name": "Bob", "text": "hello"}}
    ]
    assert [event.event.type for event in events if event.event][-3:] == [
        "player_left",
        "player_joined",
        "error",
    ]
    states = [moment for moment in played if moment.event is None]
    assert states[0] == Moment(0.0, 1, None, None)
    # A block begins with the state that the one before it ended with: nothing comes twice.
    assert [state.tick for state in states] == sorted({state.tick for state in states})
    assert len(states) == len({moment.at for moment in MOMENTS if moment.event is None})


def test_it_is_played_from_any_moment_on() -> None:
    replay = replay_of(GAME)
    whole = list(replay.play())
    for seconds in (0.5, 2.0, 5.5, 8.0, 11.99):
        first, *rest = replay.play(seconds)
        assert first == Moment(pytest.approx(seconds, abs=0.011), first.tick, None, None)
        assert rest == [moment for moment in whole if moment.seconds >= seconds - 1e-6]
        assert (first.tick - 1) / 50 <= seconds


def test_playing_from_a_moment_at_rest_shows_what_was_then() -> None:
    wall = studio(Wall)
    wall.room.join("a", "Ada")
    for seconds in (1, 60):
        wall.clock.time += seconds
        wall.room.act("a", {"do": "write"})
        wall.room.step()
        wall.recorder.prepare(wall.room)
    wall.end()
    replay = replay_of(wall.tapes[0].data)
    notes: list[tuple[float, int]] = []
    for moment in replay.play(30):
        if moment.event is None:
            notes.append((moment.seconds, replay.tables["note"].row(0).count))
    assert notes[0] == (30, 1)
    assert notes[1] == (61, 2)
    replay.seek(30)
    assert replay.tables["note"].row(0).count == 1


def test_a_seek_between_steps_of_playing_is_not_confused() -> None:
    replay = replay_of(GAME)
    for moment in replay.play():
        if moment.seconds > 1:
            break
    replay.seek(0.5)
    assert shown(replay) == expected(26)


def test_a_right_recording_is_found_right() -> None:
    assert replay_of(GAME).check() == []


def corrupted(number: int, **changes: Any) -> bytes:
    """The game's recording with one block that is another one, and everything else in order."""
    recording = open_recording(reader_of(GAME), len(GAME))
    blocks = [
        block._replace(**changes) if at == number else block for at, block in enumerate(recording.blocks())
    ]
    return remade(recording.header, blocks)


def remade(header: Header, blocks: list[Block]) -> bytes:
    data = MAGIC + chunk(HEADER, encode_header(header))
    entries = []
    for block in blocks:
        entries.append(entry_of(len(data), block))
        data += chunk(BLOCK, encode_block(block))
    index = Index(blocks=tuple(entries), until=entries[-1].until, ended=0.0, players=0, complete=True)
    return data + ending(index, len(data))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"first": 1}, "block 1: the state at tick 252 is not what it was"),
        ({"last": 1}, "block 1: the state at tick .*, at its end, is not what it was"),
    ],
)
def test_a_state_that_is_another_one_is_found(changes: dict[str, Any], why: str) -> None:
    (problem,) = replay_of(corrupted(1, **changes)).check()
    assert re.match(why, problem)


def test_a_damaged_block_is_found_and_those_after_it_are_read() -> None:
    recording = open_recording(reader_of(GAME), len(GAME))
    damaged = bytearray(GAME)
    damaged[recording.index.blocks[1].offset + 40] ^= 1
    replay = replay_of(bytes(damaged))
    (problem,) = replay.check()
    assert problem == "block 1: a chunk is damaged: its CRC is another one"
    replay.seek(11)
    assert shown(replay) == expected(551)
    with pytest.raises(WireError):
        replay.seek(6)


def test_a_recording_without_an_index_says_so() -> None:
    recording = open_recording(reader_of(GAME), len(GAME))
    assert replay_of(GAME[: recording.end]).check() == ["there is no index"]
    (problem,) = replay_of(GAME[: recording.end - 1]).check()
    assert "left out" in problem


def test_a_file_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "game.mtr"
    path.write_bytes(GAME)
    with Replay.open(path) as replay:
        replay.seek(3)
        assert shown(replay) == expected(151)
    with pytest.raises(ValueError, match="closed"):
        replay.seek(9)
    path.write_bytes(b"nothing")
    with pytest.raises(WireError, match="no replay"):
        Replay.open(path)
    with pytest.raises(FileNotFoundError):
        Replay.open(tmp_path / "none.mtr")


def test_items_of_a_later_version_are_passed_over() -> None:
    recording = open_recording(reader_of(GAME), len(GAME))
    first = recording.block(0)
    items = (first.items[0], Item(first.at, b"\x7fwhatever"), *first.items[1:])
    data = remade(recording.header, [first._replace(items=items)])
    assert replay_of(data).check() == []
    assert len(list(replay_of(data).play())) == len(first.items)


# Files that somebody made


@pytest.mark.parametrize("length", range(0, len(GAME), 1 + len(GAME) // 400))
def test_a_file_cut_anywhere_is_read_or_refused(length: int) -> None:
    try:
        replay = replay_of(GAME[:length])
    except WireError:
        return
    replay.check()
    list(replay.play())


def contents() -> list[tuple[int, bytes]]:
    """The chunks of the game, opened."""
    found, at = [], len(MAGIC)
    while at < len(GAME) - 16:
        head = head_of(GAME[at : at + CHUNK_HEAD])
        start = at + CHUNK_HEAD
        found.append((head.kind, inflated(head, GAME[start : start + head.stored])))
        at = start + head.stored
    return found


CHUNKS = contents()


@given(
    st.integers(0, len(CHUNKS) - 1),
    st.lists(
        st.tuples(st.integers(0, 2**32), st.integers(0, 255), st.integers(0, 3)), min_size=1, max_size=4
    ),
)
@examples(150)
def test_whatever_a_file_holds_it_is_read_or_refused(number: int, edits: list[tuple[int, int, int]]) -> None:
    """Damage that no CRC tells of: the chunk is closed again behind it."""
    _, content = CHUNKS[number]
    changed = bytearray(content)
    for place, value, edit in edits:
        at = place % len(changed)
        if edit == 0:
            changed[at] = value
        elif edit == 1:
            changed[at] ^= 1 << value % 8
        elif edit == 2:
            changed.insert(at, value)
        else:
            del changed[at]
    data = MAGIC + b"".join(
        chunk(one, bytes(changed) if place == number else inside)
        for place, (one, inside) in enumerate(CHUNKS)
    )
    index_at = len(data) - len(chunk(*(CHUNKS[-1] if number != len(CHUNKS) - 1 else (INDEX, bytes(changed)))))
    data += index_at.to_bytes(8, "little") + b"MTREPEND"
    try:
        replay = replay_of(data)
        replay.check()
        list(replay.play())
        replay.seek(6)
    except WireError:
        pass


def described(change: Any) -> bytes:
    """The game's recording under another schema."""
    recording = open_recording(reader_of(GAME), len(GAME))
    schema = copy.deepcopy(recording.header.schema)
    change(schema)
    return remade(msgspec.structs.replace(recording.header, schema=schema), list(recording.blocks()))


def the_field(**changes: Any) -> Any:
    return lambda schema: schema["tables"][0]["fields"][0].update(changes)


@pytest.mark.parametrize(
    "change",
    [
        lambda schema: schema.clear(),
        lambda schema: schema.update(tables=[]),
        lambda schema: schema["tables"].pop(),
        lambda schema: schema["tables"][0]["fields"].pop(),
        lambda schema: schema["tables"][0].update(fields=[]),
        lambda schema: schema["tables"][0].update(capacity=1),
        lambda schema: schema["tables"][0].update(single=True),
        lambda schema: schema["tables"][0].update(entity="not an identifier"),
        the_field(name="id"),
        the_field(name="__class__"),
        the_field(name="owner"),
        the_field(lo=None),
        the_field(step=0.0),
        the_field(step=-1.0),
        the_field(hi=float("inf")),
        the_field(lo=float("nan")),
        the_field(lo=1e308, hi=-1e308),
        the_field(type="enum"),
        the_field(type="text"),
        the_field(type="ref", table=0),
        the_field(count=3),
        the_field(bits=0),
        the_field(predict="hold"),
    ],
)
def test_a_schema_that_is_another_one_is_read_or_refused(change: Any) -> None:
    try:
        replay = replay_of(described(change))
        replay.check()
        list(replay.play())
    except WireError:
        pass


def test_a_schema_with_an_area_is_read_as_if_everything_was_seen() -> None:
    area = {"tables": [0], "columns": 1, "rows": 1, "x": 0, "y": 0, "size": 10}
    assert replay_of(described(lambda schema: schema.update(area=area))).check() == []
