"""How many instances a great many players take: a model, fed with what things cost here and now, and held against real runs.

    python -m benchmarks.scale [--players 1000000] [--core-price …] [--gigabyte-price …]

Runs of one and two instances say what a room, a player and a mirror cost; runs of three and four, whose players are spread,
say how far off the model is. Only then it is asked about a million.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.scale_runs import INPUTS, RedisCosts, Run, Seen, play, redis_costs, redis_server
from monkeytown.games.jungle import Jungle

NAMES = (
    "instance",
    "room",
    "player",
    "mirror sent",
    "player relayed",
    "mirrors at all",
    "mirror held",
    "visitor",
)
LEARNT = (
    Run("nobody", 2, (), ()),
    Run("rooms of 24", 2, ((24, 0), (0, 24)), (0, 1)),
    Run("rooms of 4", 2, ((4, 0),) * 6 + ((0, 4),) * 6, (0,) * 6 + (1,) * 6),
    Run("small and mirrored", 2, ((2, 2),) * 6, (0,) * 6),
    Run("large and mirrored", 2, ((4, 20),), (0,)),
    Run("both ways", 2, ((3, 3),) * 4, (0, 0, 1, 1)),
)
CHECKED = (
    Run("three, spread", 3, ((4, 4, 4),) * 3, (0, 1, 2)),
    Run("four, spread", 4, ((2, 2, 2, 2),) * 4, (0, 1, 2, 3)),
)
BUSY = 0.6
"""Of a core that an instance may use, and of one that a Redis may: the rest is for moments that are worse."""
SECONDS_A_MONTH = 30 * 24 * 3600
KEEPALIVES = 2.0
"""A second, each way, between two instances that have something to do with each other."""
LOOKS = 2.0
"""A second: an instance says what it has and reads what all others have."""
LEASES, CHECKPOINTS = 2.0, 1.0
"""A second, of each room: its lease is renewed, and it is put down."""
TICKS = Jungle.tick_rate
SANE = 10.0


@dataclass(frozen=True)
class Costs:
    """CPU seconds a second of one of each in `NAMES`, and bytes a second."""

    of: tuple[float, ...]
    redis: RedisCosts
    mirror_bytes: float
    """On the bus, of one room, for all of its mirrors once."""
    input_bytes: float
    """On the bus, of one player in a mirror."""
    player_bytes: float
    """To one player."""
    puts: float
    """Values a second that are written down about one player."""

    def cpu(self, uses: list[float]) -> float:
        return sum(cost * use for cost, use in zip(self.of, uses, strict=True))


class Traffic(NamedTuple):
    """Of Redis, a second."""

    published: float
    delivered: float
    gets: float
    puts: float

    def cpu(self, costs: RedisCosts) -> float:
        return (
            self.published * costs.publish
            + self.delivered * costs.delivery
            + self.gets * costs.get
            + self.puts * costs.set
        )


def learn(seen: dict[str, Seen], redis: RedisCosts) -> Costs:
    """The costs that fit best what was seen, none of them negative."""
    uses = [run.uses(one) for run in LEARNT for one in range(run.instances)]
    spent = [cpu for run in LEARNT for cpu in seen[run.name].cpu]
    small, large, alone = seen["small and mirrored"], seen["large and mirrored"], seen["rooms of 24"]
    looks = 2 * LOOKS
    return Costs(
        tuple(_fitted(np.array(uses, float), np.array(spent))),
        redis,
        mirror_bytes=small.bus_bytes[0] / 6,
        input_bytes=large.bus_bytes[1] / 20,
        player_bytes=alone.player_bytes / alone.players,
        puts=max(alone.commands.get("set", 0) - looks - 2 * 2 * CHECKPOINTS, 0) / alone.players,
    )


def _fitted(uses: np.ndarray, spent: np.ndarray) -> list[float]:
    """Least squares; what comes out below zero is left out, and the rest fitted anew."""
    kept = list(range(uses.shape[1]))
    while True:
        found = np.linalg.lstsq(uses[:, kept], spent, rcond=None)[0]
        if (found >= 0).all():
            return [float(found[kept.index(at)]) if at in kept else 0.0 for at in range(uses.shape[1])]
        del kept[int(found.argmin())]


def traffic(run: Run, costs: Costs) -> Traffic:
    """What the model expects Redis to be asked for in a run."""
    published = delivered = gets = puts = 0.0
    pairs: set[tuple[int, int]] = set()
    for room, owner in zip(run.rooms, run.owners, strict=True):
        edges = [at for at, players in enumerate(room) if players and at != owner]
        pairs |= {(owner, at) for at in edges} | {(at, owner) for at in edges}
        published += TICKS * bool(edges) + sum(room[at] * INPUTS for at in edges)
        delivered += TICKS * len(edges) + sum(room[at] * INPUTS for at in edges)
        puts += LEASES + CHECKPOINTS + sum(room) * costs.puts
    published += len(pairs) * KEEPALIVES
    delivered += len(pairs) * KEEPALIVES
    gets += run.instances**2 * LOOKS
    puts += 2 * run.instances * LOOKS
    return Traffic(published, delivered, gets, puts)


class Fleet(NamedTuple):
    """What it takes."""

    instances: int
    busy: float
    """Of a core, on average."""
    busiest: float
    traffic: Traffic
    bus_bytes: float
    """A second: from owners into Redis, out of it to mirrors, and the inputs both ways."""


def fleet(players: int, size: int, instances: int, stay: float, costs: Costs) -> Fleet:
    """Players dealt out among instances as a balancer does; `stay` of them come to the owner of their room."""
    draw = np.random.default_rng(1)
    rooms = players // size
    owners = draw.integers(instances, size=rooms)
    at = draw.integers(instances, size=(rooms, size))
    at = np.where(draw.random((rooms, size)) < stay, owners[:, None], at)
    keys, counts = np.unique(np.arange(rooms)[:, None] * instances + at, return_counts=True)
    room, where = keys // instances, keys % instances
    away = where != owners[room]
    edge, from_, guests = where[away], owners[room[away]], counts[away]

    def each(places: np.ndarray, what: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(places, what, minlength=instances)

    held = each(edge)
    own = each(where[~away], counts[~away])
    columns = (
        np.ones(instances),
        each(owners),
        own,
        each(from_),
        each(from_, guests),
        held > 0,
        held,
        each(edge, guests),
    )
    mirrored, mirrors, visiting = len(np.unique(room[away])), len(edge), int(guests.sum())
    pairs = len(np.unique(np.minimum(edge, from_) * instances + np.maximum(edge, from_)))
    keepalives = 2 * pairs * KEEPALIVES
    asked = Traffic(
        mirrored * TICKS + visiting * INPUTS + keepalives,
        mirrors * TICKS + visiting * INPUTS + keepalives,
        instances**2 * LOOKS,
        rooms * (LEASES + CHECKPOINTS) + players * costs.puts + 2 * instances * LOOKS,
    )
    bus = (mirrored + mirrors) * costs.mirror_bytes + 2 * visiting * costs.input_bytes
    load = np.column_stack(columns) @ np.array(costs.of)
    return Fleet(instances, float(load.mean()), float(load.max()), asked, bus)


def needed(players: int, size: int, stay: float, costs: Costs) -> Fleet:
    """The smallest fleet whose instances are not too busy; more instances make more mirrors, so it is sought."""
    instances = max(1, players // 1000)
    while True:
        found = fleet(players, size, instances, stay, costs)
        if found.busy <= BUSY:
            return found
        instances = max(instances + 1, int(instances * min(found.busy / BUSY, 2)))


def check(costs: Costs, seen: dict[str, Seen]) -> None:
    """Prints what the model expects of the runs that it was not made from, beside what they took."""
    print(f"\n{'CPU, share of a core':<34}{'model':>8}{'measured':>10}{'off by':>8}")
    for run in CHECKED:
        took = seen[run.name]
        expected = [costs.cpu(run.uses(one)) for one in range(run.instances)]
        rows = [
            (f"{run.name}: instance {at}", *pair)
            for at, pair in enumerate(zip(expected, took.cpu, strict=True))
        ]
        rows.append((f"{run.name}: all", sum(expected), sum(took.cpu)))
        rows.append((f"{run.name}: Redis", traffic(run, costs).cpu(costs.redis), took.redis_cpu))
        for name, model, measured in rows:
            print(f"{name:<34}{model:>8.3f}{measured:>10.3f}{model / max(measured, 1e-9) - 1:>+8.0%}")
        published = took.commands.get("publish", 0)
        model = traffic(run, costs).published
        print(
            f"{run.name + ': published a second':<34}{model:>8.0f}{published:>10.0f}{model / published - 1:>+8.0%}"
        )
        assert 1 / SANE < sum(expected) / sum(took.cpu) < SANE
        assert 1 / SANE < model / published < SANE


def tell(costs: Costs, players: int, size: int, core: float, gigabyte: float) -> None:
    """Prints what so many players take, together and in towns of their own."""
    print(f"\n{players:,} players in rooms of {size}, {TICKS} states and {INPUTS:g} inputs a second each")
    print(f"{'towns':>6}{'players':>10}{'at owner':>9}{'instances':>10}{'busiest':>8}", end="")
    print(f"{'Redis':>8}{'bus Gbit/s':>11}{'out Gbit/s':>11}")
    for towns, stay in ((1, 0.0), (100, 0.0), (1, 1.0), (100, 1.0)):
        one = needed(players // towns, size, stay, costs)
        redis = one.traffic.cpu(costs.redis) / BUSY * towns
        instances, out = one.instances * towns, players * costs.player_bytes
        bus = one.bus_bytes * towns * 8 / 1e9
        print(f"{towns:>6}{players // towns:>10,}{stay:>9.0%}{instances:>10,}{one.busiest:>8.0%}", end="")
        print(f"{redis:>8,.0f}{bus:>11,.1f}{out * 8 / 1e9:>11,.1f}")
        if core or gigabyte:
            month = (instances + redis) * core + out * SECONDS_A_MONTH / 1e9 * gigabyte
            print(f"{'':>6}a month at {core:g} a core and {gigabyte:g} a gigabyte to players: {month:,.0f}")
        assert instances >= 1
        assert redis > 0


async def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--players", type=int, default=1_000_000)
    given.add_argument("--size", type=int, default=50, help="players in a room")
    given.add_argument("--core-price", type=float, default=0.0, help="what a core costs you a month")
    given.add_argument(
        "--gigabyte-price", type=float, default=0.0, help="what a gigabyte to players costs you"
    )
    asked = given.parse_args()
    with tempfile.TemporaryDirectory() as name, redis_server(Path(name)) as at:
        redis = redis_costs(*at)
        seen = {}
        for number, run in enumerate((*LEARNT, *CHECKED)):
            seen[run.name] = await play(run, at, Path(name) / str(number))
            cpu = " ".join(f"{cpu:.3f}" for cpu in seen[run.name].cpu)
            print(f"{run.name:<20} CPU {cpu}  Redis {seen[run.name].redis_cpu:.3f}", flush=True)
    costs = learn(seen, redis)
    print("\nCPU, ms a second, of one more:")
    for name, cost in zip(NAMES, costs.of, strict=True):
        print(f"  {name:<16}{cost * 1e3:8.2f}")
    micro = {name: f"{value * 1e6:.1f}" for name, value in vars(redis).items()}
    print(f"Redis, us: {micro}; values written a second and player: {costs.puts:.2f}")
    print(f"bytes a second: room to mirrors {costs.mirror_bytes:.0f}, inputs of a player {costs.input_bytes:.0f}, "
          f"to a player {costs.player_bytes:.0f}")  # fmt: skip
    check(costs, seen)
    tell(costs, asked.players, asked.size, asked.core_price, asked.gigabyte_price)


if __name__ == "__main__":
    asyncio.run(main())
