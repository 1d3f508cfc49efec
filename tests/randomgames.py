"""Random games for property tests: schemas, and ticks of orders that shake them, as data that shrinks.

Knows: the oracle's specs and the twin's orders. Must not know: what is checked of the outcome.
"""

import math
import os
from random import Random
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.model import FieldSpec, TableSpec
from tests.twin import Twin

Order = tuple[int, int, int, int]

RANGES = [
    (0.0, 100.0, 0.5),
    (-50.0, 50.0, 1 / 16),
    (0.0, 1.0, 0.01),
    (-1e6, 1e6, 0.001),
    (0.0, 10.0, 3.0),
    (5.0, 6.0, 1.0),
]
BITS = st.sampled_from([1, 2, 7, 8, 9, 15, 16, 17, 24, 31, 32])
ENUMS = [1, 2, 3, 5, 17, 256]
NUMBERS = ("fixed", "angle", "uint", "sint")
TEXTS = ["", "a", "monkey", "ünïcödé", "🐒🐒🐒", "x" * 40, "\0"]
TURN = 2 * math.pi
LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"


def examples(count: int) -> settings:
    """How often a property is tried: `count` times, fifty times as often with HYPOTHESIS_PROFILE=long."""
    return settings(
        max_examples=count * 50 if LONG else count,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@st.composite
def fields(draw: st.DrawFn, name: str, targets: list[str], private: int) -> FieldSpec:
    kind = draw(st.sampled_from(["fixed", "angle", "uint", "sint", "bool", "enum", "text", "blob", "ref"]))
    more: dict[str, Any] = {"owner_only": draw(st.integers(0, 5)) >= private}
    if kind in NUMBERS and not more["owner_only"]:
        more["linear"] = draw(st.booleans())
    if kind not in ("text", "blob"):
        more["count"] = draw(st.sampled_from([0, 0, 0, 1, 3]))
    if kind == "fixed":
        more["lo"], more["hi"], more["step"] = draw(st.sampled_from(RANGES))
    elif kind in ("angle", "uint", "sint"):
        more["bits"] = min(draw(BITS), 31 if kind == "angle" else 32)
    elif kind == "enum":
        more["values"] = tuple(f"v{place}" for place in range(draw(st.sampled_from(ENUMS))))
    elif kind in ("text", "blob"):
        more["max"] = draw(st.sampled_from([1, 5, 300]))
    elif kind == "ref":
        more["target"] = draw(st.sampled_from(targets))
    return FieldSpec(name, kind, **more)


@st.composite
def schemas(draw: st.DrawFn, private: bool = False) -> tuple[TableSpec, ...]:
    """Declarations of a game; with `private`, half of the fields are for owners only."""
    names = [f"table{place}" for place in range(draw(st.integers(1, 3)))]
    specs = []
    for name in names:
        single = draw(st.integers(0, 5)) == 5
        columns = [
            draw(fields(f"f{place}", names, 3 if private else 5)) for place in range(draw(st.integers(1, 4)))
        ]
        capacity = 1 if single else draw(st.sampled_from([40, 3, 9, 1]))
        specs.append(TableSpec(name, tuple(columns), capacity, single))
    return tuple(specs)


def schedules(ticks: int) -> st.SearchStrategy[list[list[Order]]]:
    """Either a few orders that shrink well, or a crowded game made from a seed."""
    number = st.integers(0, 255)
    order = st.tuples(st.integers(0, 17), number, number, st.integers(0, 2**32 - 1))
    return st.lists(st.lists(order, max_size=5), min_size=2, max_size=ticks) | st.builds(
        crowded, st.integers(0, 2**32 - 1), st.integers(2, ticks)
    )


def crowded(seed: int, ticks: int) -> list[list[Order]]:
    random = Random(seed)

    def order(code: int) -> Order:
        return code, random.getrandbits(8), random.getrandbits(8), random.getrandbits(32)

    first = [order(2) for _ in range(8)]
    return [first] + [
        [order(int(random.random() * 18)) for _ in range(random.getrandbits(4) % 9)] for _ in range(ticks - 1)
    ]


def value_of(twin: Twin, spec: FieldSpec, raw: int) -> Any:
    """A value for one place of a field: an end, beyond an end, halfway between two steps, or anything."""
    choice, rest = raw % 8, raw // 8
    part = rest / 2**29
    if spec.type == "fixed":
        usual = spec.lo + (spec.hi - spec.lo) * part
        half = spec.lo + spec.step * (rest % 50 + 0.5)
        return [spec.hi, spec.lo, spec.hi + 9, -math.inf, half, usual, usual, usual][choice]
    if spec.type == "angle":
        usual = (part - 0.5) * 3 * TURN
        half = (rest % 50 + 0.5) * TURN / (1 << spec.bits)
        return [0.0, math.pi, -math.pi, 1e5 * part, half, usual, usual, usual][choice]
    if spec.type in ("uint", "sint"):
        top = (1 << spec.bits) - 1
        low = -(1 << (spec.bits - 1)) if spec.type == "sint" else 0
        usual = low + rest % (top + 1)
        return [low, low + top, low + top + 1, low - 1, low + top // 2, usual, usual, usual][choice]
    if spec.type == "bool":
        return bool(raw & 1)
    if spec.type == "enum":
        return spec.values[raw % len(spec.values)]
    if spec.type == "ref":
        ids = [None, *twin.ids(spec.target)]
        return ids[raw % len(ids)]
    text = TEXTS[raw % len(TEXTS)]
    return text if spec.type == "text" else text.encode() * (rest % 9)


def values_of(twin: Twin, spec: FieldSpec, raw: int) -> Any:
    if spec.count:
        return [value_of(twin, spec, raw * 31 + 7 * place) for place in range(spec.count)]
    return value_of(twin, spec, raw)


class Chaos:
    """Gives a twin its orders. Whatever the numbers are, an order makes sense of them or does nothing."""

    def __init__(self, specs: tuple[TableSpec, ...], first_tick: int, view: Any = None) -> None:
        self.twin = Twin(specs, first_tick, view=view)
        self.drift: dict[tuple[str, int, str], int] = {}

    def tick(self, orders: list[Order]) -> None:
        for order in orders:
            self.give(order)
        for (table, id, name), by in list(self.drift.items()):
            if id in self.twin.ids(table):
                self._nudge(table, id, name, by)
            else:
                del self.drift[table, id, name]
        self.twin.commit()

    def give(self, order: Order) -> None:
        code, a, b, raw = order
        table = self.twin.specs[a % len(self.twin.specs)]
        ids = self.twin.ids(table.name)
        spec = table.fields[b % len(table.fields)]
        one = ids[raw % len(ids)] if ids else None
        if 10 <= code <= 14:  # motion is for numbers
            numeric = [field for field in table.fields if field.type in NUMBERS]
            spec = numeric[b % len(numeric)] if numeric else spec
        if code <= 2 and not table.single:
            self._spawn(table, b % 12 if code == 2 else 1, b, raw)
        elif code == 3 and one is not None and not table.single:
            self.twin.despawn(table.name, one)
        elif code == 4 and not table.single and raw % 3 == 0:
            self.twin.clear(table.name)
        elif code == 5 and one is not None and not table.single:
            for id in ids[raw % 2 :: 2]:
                self.twin.despawn(table.name, id)
        elif code in (6, 7, 8) and one is not None:
            self.twin.assign(table.name, one, spec.name, values_of(self.twin, spec, raw // 7))
        elif code == 9:
            for place, id in enumerate(ids):
                self.twin.assign(table.name, id, spec.name, values_of(self.twin, spec, raw + 13 * place))
        elif code in (10, 11):
            for place, id in enumerate(ids[raw % 2 :]):
                self._nudge(table.name, id, spec.name, (raw >> (place % 20)) % 7 - 3)
        elif code in (12, 13, 14) and one is not None:
            self.drift[table.name, one, spec.name] = raw // 64 % (9 if code < 14 else 2**30) - 4
        elif code == 15:
            self.drift.clear()
        elif code == 16 and one is not None:
            self.twin.own(table.name, one, b % 3)
        elif code == 17 and one is not None:
            self._through_numpy(table, one, spec, raw)

    def _spawn(self, table: TableSpec, count: int, owner: int, raw: int) -> None:
        free = table.capacity - len(self.twin.ids(table.name))
        for place in range(min(count, free)):
            chosen = [spec for bit, spec in enumerate(table.fields) if raw >> (bit + place) & 1]
            values = {spec.name: values_of(self.twin, spec, raw // 5 + 11 * place) for spec in chosen}
            self.twin.spawn(table.name, owner % 3, **values)

    def _spec(self, table: str, name: str) -> FieldSpec:
        found = next(spec for spec in self.twin.specs if spec.name == table)
        return next(spec for spec in found.fields if spec.name == name)

    def _nudge(self, table: str, id: int, name: str, by: int) -> None:
        """Moves a number by some steps of the wire."""
        spec = self._spec(table, name)
        if spec.type not in NUMBERS:
            return
        unit = {"fixed": spec.step, "angle": TURN / (1 << spec.bits)}.get(spec.type, 1)
        held = self.twin.held(table, id, name)
        moved = [one + by * unit for one in held] if spec.count else held + by * unit
        self.twin.assign(table, id, name, moved)

    def _through_numpy(self, table: TableSpec, id: int, spec: FieldSpec, raw: int) -> None:
        """The same assignment written to the column's memory; the core clamps it at the commit."""
        if spec.type not in (*NUMBERS, "bool"):
            return
        value = values_of(self.twin, spec, raw // 7)
        self.twin.write(table.name, id, spec.name, value)
