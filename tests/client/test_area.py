"""Clients of a running server in a game that shows each player what is around it."""

import asyncio
from typing import Any

from monkeytown import Entity, Game, Input, area, boolean, everything, fixed, table, text, uint
from monkeytown.client import connect
from monkeytown.client.bots import Bots
from tests.client.test_play import settled
from tests.conftest import Serve


class Walker(Entity):
    x = fixed(0, 1000, step=0.5, predict="linear")
    y = fixed(0, 1000, step=0.5)
    name = text(16)
    secret = uint(8, owner_only=True)


class Walk(Input):
    to = fixed(0, 1000, step=0.5)
    watch = boolean()


class Heath(Game):
    tick_rate = 60
    input = Walk
    walkers = table(Walker)
    view = area(50, walkers)

    def on_join(self, player: Any) -> None:
        player.entity = self.walkers.spawn(
            x=100 + 700 * (player.number % 2), y=500, name=player.name, secret=42
        )
        player.state = player.entity.x

    def on_input(self, player: Any, walk: Any) -> None:
        player.state = walk.to
        if walk.watch != (player.view is not None):
            player.view = everything() if walk.watch else None

    def on_tick(self, dt: float) -> None:
        for player in self.players:
            own = player.entity
            own.x += min(max(player.state - own.x, -8), 8)


def names(room: Any) -> list[str]:
    return sorted(walker.name for walker in room.tables["walkers"])


async def test_two_players_far_apart_meet_and_part(server: Serve):
    url = (await server(Heath)).url
    async with await connect(url, name="Ada") as ada, await connect(url, name="Bo") as bo:
        here, there = await ada.join("heath"), await bo.join("heath")
        await settled(lambda: here.entity is not None and there.entity is not None)
        assert (names(here), names(there)) == (["Ada"], ["Bo"])
        assert len(here.players) == 2
        own = here.entity
        here.input(to=450)
        there.input(to=450)
        await settled(lambda: names(here) == names(there) == ["Ada", "Bo"])
        await settled(lambda: here.entity.x == 450)
        assert here.entity is own
        assert own.secret == 42
        other = next(walker for walker in here.tables["walkers"] if walker.name == "Bo")
        assert other.secret == 0
        there.input(to=900)
        await settled(lambda: names(here) == ["Ada"] and names(there) == ["Bo"])
        assert not other.alive
        there.input(to=450)
        await settled(lambda: names(here) == names(there) == ["Ada", "Bo"])


async def test_bots_see_a_part_each(server: Serve):
    url = (await server(Heath)).url
    bots = Bots(url, "heath", 4, rate=50, seed=1)
    task = asyncio.create_task(bots.run())
    try:
        await settled(lambda: len(bots.clients) == 4)
        rooms = [client.room for client in bots.clients]
        assert len({id(room.mirror) for room in rooms if room is not None}) == 4
        await settled(
            lambda: all(room is not None and room.tick > 20 and room.entity is not None for room in rooms)
        )
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_a_spectator_is_shown_all_and_then_a_part_again(server: Serve):
    url = (await server(Heath)).url
    async with await connect(url, name="Ada") as ada, await connect(url, name="Bo") as bo:
        here, there = await ada.join("heath"), await bo.join("heath")
        await settled(lambda: here.entity is not None and there.entity is not None)
        assert names(here) == ["Ada"]
        for _ in range(2):
            here.input(to=here.entity.x, watch=True)
            await settled(lambda: names(here) == ["Ada", "Bo"])
            assert "area" not in here.schema or here.schema["area"] is None
            here.input(to=here.entity.x, watch=True)
            await settled(lambda: here.input_seen == here.inputs_sent)
            here.input(to=here.entity.x)
            await settled(lambda: names(here) == ["Ada"])
            assert here.schema["area"] is not None
            assert here.entity.secret == 42
        assert names(there) == ["Bo"]


class Late(Heath):
    """Whoever watches sees what was a third of a second ago."""

    def on_input(self, player: Any, walk: Any) -> None:
        player.state = walk.to
        player.view = everything(delay=1 / 3) if walk.watch else None


async def test_a_delayed_spectator_sees_what_was(server: Serve):
    running = await server(Late)
    async with await connect(running.url, name="Ada") as ada, await connect(running.url, name="Bo") as bo:
        here, there = await ada.join("late"), await bo.join("late")
        await settled(lambda: here.entity is not None and there.entity is not None)
        here.input(to=here.entity.x, watch=True)
        there.input(to=800)
        await settled(lambda: names(here) == ["Ada", "Bo"])
        await settled(lambda: here.tick > 60)
        (hosted,) = running.rooms.rooms.values()
        assert len(hosted.audiences) == 2
        assert 18 <= hosted.room.tick - here.tick <= 40
        here.input(to=100)
        await settled(lambda: names(here) == ["Ada"])
        assert len(hosted.audiences) == 1
