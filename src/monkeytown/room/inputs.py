"""The inputs of a room: where they wait, what a map makes one, and how the rules get them.

Knows layouts, the queue and the rules; not where inputs come from.
"""

from __future__ import annotations

from typing import Any

from monkeytown._core.inputs import Layout, Queue
from monkeytown.errors import Refusal
from monkeytown.room.rules import Rules
from monkeytown.room.seating import Seating
from monkeytown.schema import Schema

__all__ = ["INPUTS_PER_TICK", "hand_over", "queue_for", "record"]

INPUTS_PER_TICK = 4
"""Of one player; when more have come since the last tick, the newest of them count."""


def queue_for(schema: Schema) -> Queue | None:
    """Where packed inputs wait for the next tick; None for a game without an `input` class."""
    if schema.input is None or schema.input_description is None:
        return None
    return Queue(Layout(schema.input, schema.input_description["hash"]), INPUTS_PER_TICK)


def record(schema: Schema, action: dict[str, Any]) -> Any:
    """An input that came as a map. Raises `Refusal` if it is none of this game's."""
    assert schema.input is not None
    try:
        return schema.input(**action)
    except Exception as error:  # a client may put anything into its map
        raise Refusal(f"The input is malformed: {error}", "INPUT-001") from error


def hand_over(queue: Queue, rules: Rules, seating: Seating, absent: Any) -> None:
    """Gives the rules whatever waits from players who are here and not among the absent: all at once, or one by one."""
    if not rules.takes_batches:
        rules.take_inputs(queue.drain(), seating.by_number)
        return
    batch = seating.seats.drain(queue, absent)
    if batch:
        rules.call("on_inputs", batch)
