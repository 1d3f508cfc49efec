"""The states that the golden frames show: each function plays one small game for one client.

Knows: the recorder of tests/vectors/make.py and the oracle's specs. Must not know: bytes.
"""

import math
from random import Random
from typing import Any

from tests.model import FieldSpec, TableSpec
from tests.vectors.make import Recorder, Scenario

TURN = 2 * math.pi
X = FieldSpec("x", "fixed", lo=-1000.0, hi=1000.0, step=1 / 16, linear=True)
Y = FieldSpec("y", "fixed", lo=-1000.0, hi=1000.0, step=1 / 16, linear=True)


def one_table(*fields: FieldSpec, capacity: int = 64) -> tuple[TableSpec, ...]:
    return (TableSpec("things", fields, capacity),)


def fields() -> Recorder:
    """Every type of field, held, alone and in arrays: at their ends, then each changed."""
    kinds: list[tuple[FieldSpec, list[Any]]] = [
        (FieldSpec("fixed", "fixed", lo=-5.0, hi=5.0, step=0.25), [-5.0, 5.0, 0.375, 1.1]),
        (FieldSpec("angle", "angle", bits=8), [0.0, -0.1, math.pi, 3 * TURN]),
        (FieldSpec("wide", "angle", bits=31), [1.0, -1.0, math.pi, 100.0]),
        (FieldSpec("uint", "uint", bits=32), [0, 2**32 - 1, 2**31, 1]),
        (FieldSpec("small", "uint", bits=1), [0, 1, 0, 1]),
        (FieldSpec("sint", "sint", bits=32), [-(2**31), 2**31 - 1, -1, 0]),
        (FieldSpec("byte", "sint", bits=8), [-128, 127, -1, 0]),
        (FieldSpec("flag", "bool"), [False, True, True, False]),
        (FieldSpec("mood", "enum", values=("calm", "angry", "asleep")), ["calm", "asleep", "angry", "calm"]),
        (FieldSpec("text", "text", max=8), ["", "monkey", "ünïcödé", "🐒🍌"]),
        (FieldSpec("blob", "blob", max=200), [b"", bytes(range(200)), b"\0", b"\xff\xfe"]),
        (FieldSpec("other", "ref", target="things"), [None, 1 << 20, None, 1 << 20]),
        (
            FieldSpec("triple", "fixed", lo=0.0, hi=1.0, step=0.01, count=3),
            [[0.0, 0.5, 1.0], [1.0, 0.0, 0.01]],
        ),
        (FieldSpec("flags", "bool", count=9), [[True, False] * 4 + [True], [False] * 9]),
        (FieldSpec("deltas", "sint", bits=12, count=2), [[-2048, 2047], [5, -5]]),
    ]
    room = Recorder(one_table(*(spec for spec, _ in kinds)))
    first = room.twin.spawn("things")
    room.deliver()
    second = room.twin.spawn("things")
    room.deliver()
    for turn in range(4):
        for spec, values in kinds:
            room.twin.assign("things", first, spec.name, values[turn % len(values)])
            room.twin.assign("things", second, spec.name, values[(turn + 1) % len(values)])
        room.deliver()
    for spec, values in kinds:
        room.twin.assign("things", second, spec.name, values[0])
        room.deliver()
    return room


def row_sets() -> Recorder:
    """Changes to all rows, to every other one, to one of many, to none: as residuals and as corrections."""
    room = Recorder(
        one_table(FieldSpec("n", "sint", bits=16), FieldSpec("label", "text", max=9), capacity=200)
    )
    ids = [room.twin.spawn("things", n=place) for place in range(100)]
    room.deliver()
    choices = [ids, ids[::2], ids[70:71], ids[3:5], ids[:99], [ids[0], ids[99]]]
    for skipped in (0, 3):
        for turn, chosen in enumerate(choices):
            for place, id in enumerate(chosen):
                room.twin.assign("things", id, "n", turn * 100 + place)
            room.tick(skipped)
            room.deliver()
            for id in chosen:
                room.twin.assign("things", id, "label", f"turn {turn}{skipped}")
            room.tick(skipped)
            room.deliver()
    return room


def widths() -> Recorder:
    """Residuals, values and steps of every width from 0 to 32 bits, both signs, around the end of 32 bits."""
    columns = [
        FieldSpec("held", "uint", bits=32),
        FieldSpec("moved", "uint", bits=32, linear=True),
        FieldSpec("signed", "sint", bits=32, linear=True),
    ]
    room = Recorder(one_table(*columns))
    ids = [room.twin.spawn("things", signed=-1) for _ in range(3)]
    room.deliver()
    for bits in range(33):
        number = (1 << bits) - 1
        for place, id in enumerate(ids):
            room.twin.assign("things", id, "held", number if place else number // 3)
            room.twin.assign("things", id, "moved", number - place if place < number else 0)
            room.twin.assign("things", id, "signed", (number >> 1) * (-1) ** (bits + place))
        room.deliver()
    for value in (0, 2**32 - 1, 0, 1, 2**31, 0):
        room.twin.assign("things", ids[1], "held", value)
        room.twin.assign("things", ids[1], "moved", value)
        room.twin.assign("things", ids[1], "signed", value - 2**31)
        room.deliver()
    room.twin.spawn("things", held=2**32 - 1, moved=2**31, signed=-(2**31))
    room.deliver()
    room.twin.assign("things", ids[2], "signed", -(2**31))
    room.tick()
    room.twin.assign("things", ids[2], "signed", 2**31 - 1)
    room.deliver()
    return room


def outliers() -> Recorder:
    """Many rows that jitter a little while a few teleport: beside the others, and alone in a quiet column."""
    random = Random(1)
    room = Recorder(one_table(X, FieldSpec("quiet", "uint", bits=20)))
    ids = [room.twin.spawn("things", x=10.0 * place - 300.0) for place in range(60)]
    room.deliver()
    for turn in range(8):
        for place, id in enumerate(ids):
            jump = 800.0 if place % 20 == turn else 0.0
            room.twin.assign("things", id, "x", 10.0 * place - 300.0 + int(random.random() * 3) / 16 + jump)
        room.twin.assign("things", ids[turn], "quiet", 500_000 + turn)
        room.deliver()
    return room


def quotients() -> Recorder:
    """Many rows that jitter, few of them far: each time twice as far as before, and now and then one beyond all others."""
    random = Random(3)
    room = Recorder(one_table(FieldSpec("n", "sint", bits=32), X))
    ids = [room.twin.spawn("things", x=10.0 * place - 300.0) for place in range(61)]
    room.deliver()
    for turn in range(12):
        for place, id in enumerate(ids):
            jitter = int(random.expovariate(0.4)) << turn
            if place == 2 * turn + 1:
                jitter = 15 << turn
            if turn % 3 == 2 and place == 30:
                jitter = 1 << turn + 8
            room.twin.assign(
                "things", id, "n", room.twin.held("things", id, "n") + jitter * random.choice((-1, 1))
            )
            room.twin.assign("things", id, "x", 10.0 * place - 300.0 + int(random.expovariate(0.5)) / 16)
        room.deliver()
    return room


def linear() -> Recorder:
    """Even motion costs a header; starts, turns, stops; long gaps; stops that a reader did not see."""
    room = Recorder(one_table(X, FieldSpec("n", "sint", bits=32, linear=True, count=2)))
    ids = [room.twin.spawn("things", x=float(place), n=[place, -place]) for place in range(5)]
    room.deliver()
    speeds = [0, 1, -2, 40, 3]

    def move(ticks: int, deliver_every: int) -> None:
        for turn in range(1, ticks + 1):
            for id, speed in zip(ids, speeds, strict=True):
                room.twin.assign("things", id, "x", room.twin.held("things", id, "x") + speed / 16)
                first, second = room.twin.held("things", id, "n")
                room.twin.assign("things", id, "n", [first + speed, second - 2 * speed])
            (room.deliver if turn % deliver_every == 0 else room.tick)()

    move(4, 1)
    move(20, 10)
    speeds[3] = 0
    move(6, 1)
    speeds[:] = [5, 1, -2, 0, 7]
    move(12, 4)
    speeds[:] = [5, 1, -2, 0, 7]
    move(200, 200)
    speeds[:] = [0, 0, 0, 0, 0]
    move(2, 1)
    return room


def angles() -> Recorder:
    """Headings that turn through zero both ways, evenly and not, in 4, 8 and 31 bits."""
    columns = [FieldSpec(f"a{bits}", "angle", bits=bits, linear=True) for bits in (1, 4, 8, 31)]
    room = Recorder(one_table(*columns, FieldSpec("held", "angle", bits=8)))
    ids = [room.twin.spawn("things") for _ in range(4)]
    room.deliver()
    turns = [0.11, -0.2, math.pi, 3.0]
    for turn in range(1, 31):
        for id, by in zip(ids, turns, strict=True):
            wobble = 0.03 * (turn % 3 == 0)
            for spec in (*columns, room.twin.specs[0].fields[4]):
                room.twin.assign("things", id, spec.name, by * turn + wobble)
        (room.deliver if turn < 12 or turn % 6 == 0 else room.tick)()
    return room


def slots() -> Recorder:
    """Rows that come and go: slots used again at once and later, unseen lives, generations that wrap."""
    room = Recorder(one_table(X, FieldSpec("label", "text", max=5), capacity=30))
    twin = room.twin
    room.deliver()
    ids = [twin.spawn("things", x=float(place), label=f"m{place}") for place in range(6)]
    room.deliver()
    twin.despawn("things", ids[2])
    room.deliver()
    twin.despawn("things", ids[4])
    twin.spawn("things", x=50.0, label="new")
    room.deliver()
    twin.despawn("things", ids[0])
    twin.spawn("things", x=60.0, label="heir")
    room.deliver()
    unseen = twin.spawn("things", x=70.0)
    room.tick()
    twin.despawn("things", unseen)
    twin.assign("things", ids[1], "x", 99.0)
    room.deliver()
    late = twin.spawn("things", label="late")
    room.tick()
    twin.assign("things", late, "x", 12.5)
    twin.despawn("things", ids[5])
    room.tick()
    room.deliver()
    for _ in range(4093):
        twin.despawn("things", late)
        late = twin.spawn("things", label="again")
    room.deliver()
    twin.despawn("things", late)
    late = twin.spawn("things", label="last")
    room.deliver()
    twin.despawn("things", late)
    twin.spawn("things", label="first")
    room.deliver()
    twin.clear("things")
    room.deliver()
    for place in range(30):
        twin.spawn("things", x=-float(place))
    room.deliver()
    for id in twin.ids("things")[1::3]:
        twin.despawn("things", id)
    room.deliver()
    return room


def corrections() -> Recorder:
    """A reader behind: rows corrected once, twice and back again, entered, gone, moved on, in two tables."""
    things = one_table(X, FieldSpec("n", "uint", bits=8), FieldSpec("label", "text", max=9))[0]
    rocks = TableSpec("rocks", (FieldSpec("size", "uint", bits=4), FieldSpec("raw", "blob", max=4)), 16)
    room = Recorder((things, rocks))
    twin = room.twin
    ids = [twin.spawn("things", x=float(place)) for place in range(12)]
    stones = [twin.spawn("rocks", size=place) for place in range(3)]
    room.deliver()
    for turn in range(1, 25):
        for place, id in enumerate(ids):
            twin.assign("things", id, "x", place + turn * place / 16)
        twin.assign("things", ids[turn % 5], "n", turn)
        if turn % 6 == 2:
            twin.assign("things", ids[turn % 7], "label", f"turn {turn}")
            twin.assign("rocks", stones[turn % 3], "raw", bytes([turn]))
        if turn % 6 == 3:
            twin.assign("things", ids[0], "x", 500.0)
            twin.despawn("rocks", stones[0])
            stones[0] = twin.spawn("rocks", size=turn % 16, raw=b"new")
        (room.deliver if turn % 4 == 0 else room.tick)()
    return room


def large_ticks() -> Recorder:
    """Ticks around 2^32: the tick takes more than five bytes' worth of varint, the gap none of it."""
    room = Recorder(one_table(X), first_tick=2**32 - 2)
    id = room.twin.spawn("things")
    for turn in range(6):
        room.twin.assign("things", id, "x", turn * 1.5)
        room.deliver()
    room.tick(3)
    room.deliver()
    return room


def beyond_32_bits() -> Recorder:
    """Ticks above 2^40."""
    room = Recorder(one_table(X), first_tick=2**40)
    id = room.twin.spawn("things")
    for turn in range(3):
        room.twin.assign("things", id, "x", turn * 1.5)
        room.deliver()
    return room


def singletons() -> Recorder:
    """A board of nine places and a room's own row, beside a table that is mostly empty; a room at rest."""
    marks = FieldSpec("places", "enum", values=("empty", "x", "o"), count=9)
    board = TableSpec("board", (marks, FieldSpec("turn", "ref", target="players")), 1, single=True)
    clock = TableSpec("clock", (FieldSpec("seconds", "uint", bits=16, linear=True),), 1, single=True)
    players = TableSpec("players", (FieldSpec("label", "text", max=12),), 2)
    room = Recorder((board, clock, players))
    room.deliver()
    only = room.twin.ids("board")[0]
    places = ["empty"] * 9
    for turn, place in enumerate((4, 0, 8)):
        places[place] = ("x", "o")[turn % 2]
        room.twin.assign("board", only, "places", list(places))
        room.deliver()
    ann = room.twin.spawn("players", label="ann")
    room.twin.assign("board", only, "turn", ann)
    room.deliver()
    for second in range(1, 4):
        room.twin.assign("clock", room.twin.ids("clock")[0], "seconds", second)
        room.deliver()
    room.tick(300)
    room.twin.despawn("players", ann)
    room.deliver()
    return room


def snapshots() -> Recorder:
    """A snapshot replaces all that was there: empty tables, rows in other slots, the same rows again."""
    room = Recorder((*one_table(X), TableSpec("rocks", (FieldSpec("size", "uint", bits=4),), 4)))
    room.deliver()
    room.deliver(snapshot=True)
    ids = [room.twin.spawn("things", x=float(place)) for place in range(20)]
    rock = room.twin.spawn("rocks", size=9)
    room.deliver(snapshot=True)
    for place, id in enumerate(ids):
        room.twin.assign("things", id, "x", place + 0.5)
    room.deliver()
    for id in ids[:17]:
        room.twin.despawn("things", id)
    room.twin.despawn("rocks", rock)
    room.deliver(snapshot=True)
    room.deliver()
    return room


def thousand() -> Recorder:
    """A thousand rows that steer, at every tick and three ticks late."""
    random = Random(2)
    room = Recorder(one_table(X, Y, capacity=1024))
    ids = [
        room.twin.spawn("things", x=random.random() * 1800 - 900, y=random.random() * 1800 - 900)
        for _ in range(1000)
    ]
    speeds = [[random.random() * 4 - 2, random.random() * 4 - 2] for _ in ids]
    room.deliver()
    for turn in range(1, 7):
        for id, speed in zip(ids, speeds, strict=True):
            if random.random() < 0.2:
                speed[:] = [random.random() * 4 - 2, random.random() * 4 - 2]
            for name, by in zip("xy", speed, strict=True):
                room.twin.assign("things", id, name, room.twin.held("things", id, name) + by)
        (room.deliver if turn in (1, 2, 6) else room.tick)()
    return room


SCENARIOS: dict[str, Scenario] = {
    "fields": fields,
    "row_sets": row_sets,
    "widths": widths,
    "outliers": outliers,
    "quotients": quotients,
    "linear": linear,
    "angles": angles,
    "slots": slots,
    "corrections": corrections,
    "large_ticks": large_ticks,
    "beyond_32_bits": beyond_32_bits,
    "singletons": singletons,
    "snapshots": snapshots,
    "thousand": thousand,
}
