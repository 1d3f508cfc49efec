"""What the JSON encoding shows and what only owners see, held to the oracle from every base."""

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monkeytown._core import delta, values
from tests.model import FieldSpec, State, TableSpec
from tests.naive_reader import NaiveReader
from tests.randomgames import Chaos, Order, examples, schedules, schemas
from tests.twin import Twin

OWNERS = (1, 2)


def in_json(spec: FieldSpec, wire: Any) -> Any:
    """A wire value as docs/reference/json.md shows it."""
    if isinstance(wire, list):
        return [in_json(spec, one) for one in wire]
    if spec.type == "fixed":
        return float(f"{spec.lo + wire * spec.step:.10g}")
    if spec.type == "angle":
        return float(f"{wire / ((1 << spec.bits) / (2 * math.pi)):.10g}")
    if spec.type == "enum":
        return spec.values[wire]
    if spec.type == "ref":
        return str(wire) if wire else None
    if spec.type == "blob":
        return in_base64(wire)
    return bool(wire) if spec.type == "bool" else wire


def in_base64(content: bytes) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    bits = "".join(f"{byte:08b}" for byte in content)
    sextets = [bits[place : place + 6].ljust(6, "0") for place in range(0, len(bits), 6)]
    text = "".join(alphabet[int(sextet, 2)] for sextet in sextets)
    return text + "=" * (-len(text) % 4)


def all_in_json(twin: Twin, state: State) -> dict[str, dict[str, dict[str, Any]]]:
    specs = {table.name: {spec.name: spec for spec in table.fields} for table in twin.specs}
    return {
        name: {
            str(id): {field: in_json(specs[name][field], wire) for field, wire in row.items()}
            for id, row in rows.items()
        }
        for name, rows in state.items()
    }


def brought_up_to_date(
    known: dict[str, dict[str, dict[str, Any]]], changes: dict[str, Any]
) -> dict[str, dict[str, dict[str, Any]]]:
    """What a JSON client has after a `game_state`."""
    found = {name: {id: dict(row) for id, row in rows.items()} for name, rows in known.items()}
    for name, parts in changes.items():
        for id in parts.get("gone", []):
            del found[name][id]
        for id, row in parts.get("set", {}).items():
            found[name].setdefault(id, {}).update(row)
    return found


@examples(300)
@given(specs=schemas(), schedule=schedules(9))
def test_from_every_base_a_json_client_equals_the_model(
    specs: tuple[TableSpec, ...], schedule: list[list[Order]]
) -> None:
    chaos = Chaos(specs, 1)
    twin = chaos.twin
    nothing: dict[str, dict[str, dict[str, Any]]] = {spec.name: {} for spec in specs}
    known: list[tuple[int, dict[str, dict[str, dict[str, Any]]]]] = []
    for orders in schedule:
        chaos.tick(orders)
        now = all_in_json(twin, twin.shared)
        assert brought_up_to_date(nothing, values.changes(twin.tables, None)) == now
        for base, then in known:
            assert brought_up_to_date(then, values.changes(twin.tables, base)) == now
        known.append((twin.tick, now))


class Owner:
    """A player's client: follows the states, and the private messages that concern it."""

    def __init__(self, twin: Twin, number: int) -> None:
        self.twin = twin
        self.number = number
        self.reader = NaiveReader(twin.map)
        self.told: int | None = None

    def follow(self) -> None:
        twin, reader = self.twin, self.reader
        if reader.position is None:
            reader.apply(twin.snapshot())
        elif delta.has_news(twin.tables, reader.position[1]):
            reader.apply(twin.delta(reader.position[1]))
        if self.told is None or self.number in values.changed_owners(twin.tables, self.told):
            reset, sections = values.private(twin.tables, self.number, self.told)
            reader.apply(b"\x44" + bytes([4 * bool(sections) | 8 * reset]) + sections)
        self.told = twin.tick

    def assert_knows_its_own(self) -> None:
        mine = self.twin.model.private(self.twin.tick, self.number)
        for spec in self.twin.specs:
            empty = {
                field.name: [0] * field.count if field.count else {"text": "", "blob": b""}.get(field.type, 0)
                for field in spec.fields
                if field.owner_only
            }
            for id, row in self.reader.private[spec.name].items():
                assert row == mine[spec.name].get(id, empty)


@examples(350)
@given(specs=schemas(private=True), schedule=schedules(20), stride=st.integers(1, 3))
def test_owners_know_their_own_rows_and_no_others(
    specs: tuple[TableSpec, ...], schedule: list[list[Order]], stride: int
) -> None:
    chaos = Chaos(specs, 1)
    owners = [Owner(chaos.twin, number) for number in OWNERS]
    for place, orders in enumerate(schedule):
        chaos.tick(orders)
        if place % stride == 0:
            for owner in owners:
                owner.follow()
                owner.assert_knows_its_own()


@examples(50)
@given(specs=schemas(private=True), schedule=schedules(4))
def test_in_json_owners_see_the_same(specs: tuple[TableSpec, ...], schedule: list[list[Order]]) -> None:
    chaos = Chaos(specs, 1)
    twin = chaos.twin
    for orders in schedule:
        chaos.tick(orders)
    private_tables = {spec.name for spec in specs if any(field.owner_only for field in spec.fields)}
    for number in OWNERS:
        mine = all_in_json(twin, twin.model.private(twin.tick, number))
        expected = {name: rows for name, rows in mine.items() if rows and name in private_tables}
        assert values.private_values(twin.tables, number, None) == expected
