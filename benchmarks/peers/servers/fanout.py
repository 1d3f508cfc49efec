"""Monkeytown: one room whose whole state is some bytes that are new in every tick: everybody gets the same frame."""

from __future__ import annotations

from monkeytown import Entity, Game, blob, singleton

BYTES = 88  # with what a state has before them they make a message of 100 bytes


class Message(Entity):
    payload = blob(BYTES)


class Fanout(Game):
    tick_rate = 60
    max_players = 20000

    message = singleton(Message)

    def on_tick(self, dt: float) -> None:
        self.message.payload = self.tick.to_bytes(8, "little") + bytes(range(8, BYTES))
