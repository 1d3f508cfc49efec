"""Makes the golden frames: `python -m tests.vectors.make` writes tests/vectors/*.json with the compiled core.

Each file is a schema and the messages that one client receives or sends, with what it must then know:

    {"name", "schema": the map of docs/reference/wire.md, section 3,
     "frames": [{"hex", "position": [epoch, tick],
                 "state": {table: {"id": {field: wire value, text, hex of a blob, or a list}}},
                 "steps": {table: {"id": {linear field: step or list}}},
                 "private": {"values": {table: {"id": {owner-only field: ...}}},
                             "ownEntity": [table, id] or null,
                             "acknowledgedInput": number},         only if the frame is a `private`
                 "event": {"kind", "number", "body"},              only if it is a message with a map
                 "view": {"cell": "near" or "far"},                these three only if the schema has an `area`
                 "cells": {table: {"id": cell}},
                 "farTick": number}],
     "inputs": [{"hex", "number", "acknowledged", "fields": {field: wire value}}],
     "messages": [{"hex", "name", "body"}],                        other messages of a client
     "broken": [{"rule", "hex"}]}                                  each must be refused by a reader that has read the frames

State, steps, cells and private values come from tests/model.py, never from the bytes; what is broken comes from broken.py
and broken_cells.py. Run by hand, when wire.md changes.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.model import State, TableSpec
from tests.twin import EPOCH, Twin

FOLDER = Path(__file__).parent


def plain(value: Any) -> Any:
    """As JSON: blobs in hexadecimal, ids as strings."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


class Recorder:
    """One client of a twin: what is delivered to it, and what it must then know."""

    def __init__(self, specs: tuple[TableSpec, ...], first_tick: int = 1, input: Any = None) -> None:
        self.twin = Twin(specs, first_tick, input)
        self.base: int | None = None
        self.state: State = {spec.name: {} for spec in specs}
        self.steps: State = {spec.name: {} for spec in specs}
        self.frames: list[dict[str, Any]] = []
        self.inputs: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []

    def tick(self, times: int = 1) -> None:
        """Commits without telling the client."""
        for _ in range(times):
            self.twin.commit()

    def deliver(self, *, snapshot: bool = False) -> None:
        """Commits, and brings the client up to date."""
        self.twin.commit()
        whole = snapshot or self.base is None
        frame = self.twin.snapshot() if whole else self.twin.delta(self.base or 0)
        self.base = self.twin.tick
        self.state, self.steps = self.twin.shared, self.twin.steps
        self.record(frame)

    def record(self, frame: bytes, **known: Any) -> None:
        self.frames.append(
            {
                "hex": frame.hex(),
                "position": None if self.base is None else [EPOCH, self.base],
                "state": plain(self.state),
                "steps": plain(self.steps),
                **plain(known),
            }
        )

    def document(self, name: str) -> dict[str, Any]:
        found = {"name": name, "schema": self.twin.map, "frames": self.frames}
        more = {"inputs": self.inputs, "messages": self.messages}
        return found | {key: value for key, value in more.items() if value}


Scenario = Callable[[], Recorder]


def all_documents() -> dict[str, dict[str, Any]]:
    from tests.vectors import areas, broken, broken_cells, scenarios, sessions

    every = scenarios.SCENARIOS | sessions.SCENARIOS | areas.SCENARIOS
    made = {name: scenario().document(name) for name, scenario in every.items()}
    return made | broken.documents() | broken_cells.documents()


def text_of(document: dict[str, Any]) -> str:
    """JSON with one frame a line, so that a change shows where it is."""
    lines = []
    for key, value in document.items():
        if isinstance(value, list):
            inside = ",\n".join(json.dumps(one, separators=(",", ":"), sort_keys=True) for one in value)
            lines.append(f"{json.dumps(key)}: [\n{inside}\n]" if value else f"{json.dumps(key)}: []")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'), sort_keys=True)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> None:
    for name, document in all_documents().items():
        (FOLDER / f"{name}.json").write_text(text_of(document))


if __name__ == "__main__":
    main()
