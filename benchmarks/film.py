"""A Jungle that bots play and that is recorded, under a clock that goes as fast as the machine does."""

from __future__ import annotations

from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from monkeytown.client.brains import Gatherer
from monkeytown.games.jungle import Jungle, Steer
from monkeytown.readers.recorder import Recorder
from monkeytown.readers.recordings import Recordings
from monkeytown.readers.replayfolder import RecordedReplay, ReplayFolder
from monkeytown.room.room import Room

RATE = Jungle.tick_rate
THINKING = 3  # ticks between the inputs of a bot: 20 a second
STAY = 120  # seconds that a player stays, on average
CHATTER = 20  # seconds from one line of chat to the next


class Film:
    """One room. Its bots see the room's own tables, which are what they would be sent; some go, and others come."""

    def __init__(self, folder: Path, *, players: int, rate: float = 20, seed: int = 1) -> None:
        self.seconds = 0.0
        self.finished: list[RecordedReplay] = []
        self.recordings = Recordings(
            ReplayFolder(folder, keep_bytes=1 << 30, keep_days=0),
            rate=rate,
            finished=self.finished.append,
            now=lambda: self.seconds,
        )
        self.recordings.start()
        self.room = Room(Jungle, room_id="film", seed=seed)
        self.recorder: Recorder = self.recordings.record(self.room)
        self.random = Random(seed)
        self.joined = 0
        self.players = players
        self.brains: dict[str, tuple[Gatherer, Any]] = {}
        for _ in range(players):
            self.join()

    def join(self) -> None:
        self.joined += 1
        id = f"{self.joined:022d}"  # as long as a real one
        player = self.room.join(id, f"Monkey {self.random.randrange(10**4)}")
        seen = SimpleNamespace(entity=player.entity, tables={table.name: table for table in self.room.tables})
        self.brains[id] = Gatherer(Random(self.joined)), seen

    def leave(self) -> None:
        id = self.random.choice(list(self.brains))
        self.room.leave(id)
        del self.brains[id]

    def decide(self) -> None:
        """What the bots do before a tick, and who comes and goes."""
        room, tick = self.room, self.room.tick
        assert room.inputs is not None
        if self.random.random() < self.players / STAY / RATE:
            self.leave()
            self.join()
        if tick % (CHATTER * RATE) == 0:
            room.chat(self.random.choice(list(self.brains)), "Has anybody seen my banana?")
        for place, (id, (brain, seen)) in enumerate(self.brains.items()):
            if (tick + place) % THINKING == 0:
                fields = brain.decide(seen)
                if fields is not None:
                    room.inputs.put(room.members[id].number, tick, Steer(**fields))

    def step(self) -> None:
        self.seconds += 1 / RATE
        self.room.step()
        for member in self.room.notified:
            member.take_mail()
        self.room.notified.clear()

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * RATE)):
            self.decide()
            self.step()
            self.recorder.prepare(self.room)

    async def end(self) -> RecordedReplay:
        """Ends the room; the recording, once it is on the disk."""
        self.room.game.close("it is late")
        self.step()
        self.recorder.prepare(self.room)
        await self.recordings.close()
        (replay,) = self.finished
        return replay
