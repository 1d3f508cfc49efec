"""Makes the golden replays: `python -m tests.vectors.replays.make` writes NAME.mtr and NAME.json beside this file.

A file is what a recorder makes of a game of orders drawn from a seed; what a reader of it must know at each moment is
beside it, and comes from tests/model.py, never from the bytes:

    {"id", "rate", "until", "players", "complete",
     "blocks": [{"at", "first", "last", "players": [[id, name]]}],
     "moments": [{"at", "state": {table: {"id": {field: wire value, text, hex of a blob, or a list}}}, "steps"},
                 or {"at", "event": [kind, map]}]}

Run by hand, when docs/reference/replay.md changes.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from monkeytown.readers.recorder import Recorder
from monkeytown.room.mail import News, packed
from tests.model import FieldSpec, TableSpec
from tests.randomgames import Chaos, crowded
from tests.replays import MemoryTape, TwinRoom
from tests.vectors.make import plain

FOLDER = Path(__file__).parent
SPECS = (
    TableSpec(
        "birds",
        (
            FieldSpec("x", "fixed", lo=0.0, hi=100.0, step=1 / 16, linear=True),
            FieldSpec("turn", "angle", bits=8, linear=True),
            FieldSpec("deep", "sint", bits=24, linear=True),
            FieldSpec("name", "text", max=40),
            FieldSpec("nest", "ref", target="nests"),
            FieldSpec("secret", "uint", bits=8, owner_only=True),
        ),
        capacity=20,
    ),
    TableSpec(
        "nests", (FieldSpec("eggs", "uint", bits=32, count=3), FieldSpec("raw", "blob", max=40)), capacity=9
    ),
    TableSpec("sun", (FieldSpec("up", "bool"), FieldSpec("mood", "enum", values=("low", "high"))), 1, True),
)


class Clock:
    time = 0.0

    def __call__(self) -> float:
        return self.time


def filmed(
    seed: int, *, ticks: int, rate: float, tick_rate: int, pace: float
) -> tuple[MemoryTape, dict[str, Any]]:
    """A game of so many versions, `pace` seconds from one to the next."""
    chaos = Chaos(SPECS, first_tick=1)
    chaos.tick([])
    room, clock = TwinRoom(chaos.twin, tick_rate), Clock()
    room.committed()
    tapes: list[MemoryTape] = []

    def load(_: Any) -> MemoryTape:
        tapes.append(MemoryTape(room))
        return tapes[0]

    recorder = Recorder(room, load, rate=rate, now=clock)  # type: ignore[arg-type]
    moments = [{"at": moment(room, clock, room.tick), **known(chaos)}]
    for number, orders in enumerate(crowded(seed, ticks)):
        clock.time += pace
        if number % 10 == 3:
            happened = event(number, room)
            for listen in room.listeners:
                listen(News(happened[0], packed(happened[1])))
            moments.append({"at": moment(room, clock, room.tick + 1), "event": list(happened)})
        chaos.tick(orders)
        room.committed()
        recorder.prepare(room)  # type: ignore[arg-type]
        moments.append({"at": moment(room, clock, room.tick), **known(chaos)})
    recorder.finish()
    return tapes[0], {"moments": moments}


def moment(room: TwinRoom, clock: Clock, tick: int) -> int:
    return tick if room.tick_rate else int(clock.time * 1000)


def known(chaos: Chaos) -> dict[str, Any]:
    return {"state": plain(chaos.twin.shared), "steps": plain(chaos.twin.steps)}


def event(number: int, room: TwinRoom) -> tuple[str, dict[str, Any]]:
    """Who comes and goes, and what is said, by turns."""
    id = f"p{number // 30}"
    if number % 30 == 3:
        room.members[id] = SimpleNamespace(id=id, player=SimpleNamespace(name=f"Bird {number}"))
        return "player_joined", {"id": id, "name": f"Bird {number}"}
    if number % 30 == 13:
        return "game_event", {
            "event": "chat",
            "data": {"playerId": id, "name": f"Bird {number}", "text": "tweet ü"},
        }
    del room.members[id]
    return "player_left", {"playerId": id}


def documents() -> dict[str, tuple[bytes, dict[str, Any]]]:
    """The files, and what is to be known of them."""
    found = {}
    for name, options in {
        "flight": {"seed": 7, "ticks": 70, "rate": 60, "tick_rate": 60, "pace": 0.2},
        "glide": {"seed": 8, "ticks": 90, "rate": 20, "tick_rate": 60, "pace": 1 / 60},
        "turns": {"seed": 9, "ticks": 40, "rate": 20, "tick_rate": 0, "pace": 1.5},
    }.items():
        tape, about = filmed(**options)  # type: ignore[arg-type]
        blocks = [
            {
                "at": block.at,
                "first": block.first,
                "last": block.last,
                "players": [list(one) for one in block.players],
            }
            for block in tape.blocks
        ]
        header = {"id": tape.header.id, "rate": tape.header.rate, "players": tape.players, "complete": True}
        until = max(block.items[-1].at for block in tape.blocks)
        found[name] = (
            tape.data,
            {**header, "until": max(until, about["moments"][-1]["at"]), "blocks": blocks, **about},
        )
    return found


def main() -> None:
    for name, (data, about) in documents().items():
        (FOLDER / f"{name}.mtr").write_bytes(data)
        lines = ",\n".join(
            json.dumps(one, separators=(",", ":"), sort_keys=True) for one in about.pop("moments")
        )
        head = json.dumps(about, separators=(",", ":"), sort_keys=True)[:-1]
        (FOLDER / f"{name}.json").write_text(f'{head},"moments":[\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
