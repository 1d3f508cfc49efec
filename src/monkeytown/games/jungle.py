"""Jungle: hundreds of monkeys in one arena. Gather bananas, and knock over who has more of them.

A monkey never stands still: you turn it, and you make it run. Running takes breath; who is out of it must
walk for a while. Run into a monkey that walks, and it falls down for a moment and loses up to three bananas
to you. Every three minutes the one with the most bananas wins the round, and all begin anew.

The rules handle all monkeys at once, as NumPy columns: what `on_tick` does costs the same for one monkey as
for fifty.
"""

from math import tau

from monkeytown import Entity, Game, Input, Player, StartError, angle, boolean, fixed, table, text, uint

try:
    import numpy as np
except ImportError as error:
    raise StartError("Jungle needs NumPy: pip install 'monkeytown[numpy]'") from error

SIZE = 2048  # of the arena, in each direction
EDGE = 16  # a monkey's middle stays this far inside
WALK, RUN = 2.5, 4.5  # per tick
TURN = 5 / 60  # radians per tick, at full turn
PATCH = 32  # the ground is divided into patches of this size, each with a banana in its middle or none
PATCHES = SIZE // PATCH
BANANAS = 160
CONTACT = 30  # from middle to middle
LOOT = 3
BREATH = 2.5  # seconds of running; walking gives them back in twice the time
WINDED = 1.0  # who has run out of breath must get this much back
DOWN = 1.0  # seconds that a fall lasts
SAFE = 2.5  # seconds after it in which one cannot be made to fall again
MEETING = 1 / 15  # seconds from one look at who touches what to the next
ROUND = 180  # seconds

# How far each gait (down, walking, running) gets in a tick in each of the 256 directions that the wire knows.
# In whole sixteenths, so that a monkey that walks straight on is exactly where readers expect it and costs
# nothing to send.
ANGLES = np.arange(256) * (tau / 256)
STEP_X = np.concatenate([np.rint(16 * speed * np.cos(ANGLES)) / 16 for speed in (0, WALK, RUN)])
STEP_Y = np.concatenate([np.rint(16 * speed * np.sin(ANGLES)) / 16 for speed in (0, WALK, RUN)])


class Monkey(Entity):
    x = fixed(0, SIZE, step=1 / 16, predict="linear")
    y = fixed(0, SIZE, step=1 / 16, predict="linear")
    heading = angle(bits=8)
    running = boolean()
    stunned = boolean()
    breath = uint(4)  # 0: none, 15: all
    bananas = uint(16)
    hue = uint(9)  # degrees
    name = text(24)
    player: Player  # not a field: stays on the server


class Banana(Entity):
    x = uint(11)
    y = uint(11)


class Steer(Input):
    turn = fixed(-1, 1, step=1 / 127)
    run = boolean()


class Jungle(Game):
    tick_rate = 60
    max_players = 200
    input = Steer

    monkeys = table(Monkey, capacity=1024)
    bananas = table(Banana, capacity=BANANAS)

    def on_create(self) -> None:
        # What players do not see of a monkey, by slot.
        slots = self.monkeys.capacity
        self.turn, self.breath, self.down_until, self.safe_until = np.zeros((4, slots))
        self.wants, self.winded = np.zeros((2, slots), bool)
        self.banana_on = np.zeros(PATCHES * PATCHES, np.int64)  # the banana's id, by patch
        for _ in range(BANANAS):
            self.plant()
        self.every(MEETING, self.meet)
        self.every(ROUND, self.end_round)

    def on_join(self, player: Player) -> None:
        monkey = self.monkeys.spawn(
            x=self.random.randrange(EDGE, SIZE - EDGE),
            y=self.random.randrange(EDGE, SIZE - EDGE),
            heading=self.random.uniform(0, tau),
            hue=self.random.randrange(360),
            name=player.name,
        )
        monkey.player = player
        player.entity = monkey
        for column in (self.turn, self.down_until, self.safe_until, self.wants, self.winded):
            column[monkey.slot] = 0
        self.breath[monkey.slot] = BREATH

    def on_input(self, player: Player, steer: Steer) -> None:
        slot = player.entity.slot
        self.turn[slot] = steer.turn * TURN
        self.wants[slot] = steer.run

    def on_tick(self, dt: float) -> None:
        monkeys, count = self.monkeys, self.monkeys.extent
        heading, stunned = np.asarray(monkeys.heading), np.asarray(monkeys.stunned)
        heading += self.turn[:count]
        running = np.asarray(monkeys.running)
        np.greater(self.wants[:count], self.winded[:count] | stunned, out=running)
        gait = (running + np.int64(1)) * ~stunned
        step = (np.rint(heading * (256 / tau)).astype(np.int64) & 255) + gait * 256
        for column, steps in ((monkeys.x, STEP_X), (monkeys.y, STEP_Y)):
            place = np.asarray(column)
            place += steps[step]
            np.minimum(np.maximum(place, EDGE, out=place), SIZE - EDGE, out=place)

    def meet(self) -> None:
        """Falls, breath, bananas: what need not be looked at in every tick."""
        monkeys, slots = self.monkeys, np.flatnonzero(self.monkeys.alive)
        running, stunned = np.asarray(monkeys.running)[slots], np.asarray(monkeys.stunned)
        stunned[slots] &= self.time < self.down_until[slots]
        breath = self.breath[slots] + np.where(running, -MEETING, MEETING / 2)
        self.breath[slots] = np.minimum(breath, BREATH)
        self.winded[slots] = (breath <= 0) | (self.winded[slots] & (breath < WINDED))
        np.asarray(monkeys.breath)[slots] = np.maximum(breath, 0) * (15 / BREATH)

        x, y = np.asarray(monkeys.x)[slots], np.asarray(monkeys.y)[slots]
        patch = (y // PATCH * PATCHES + x // PATCH).astype(np.int64)
        for place in np.flatnonzero((self.banana_on[patch] != 0) & ~stunned[slots]):
            self.eat(monkeys.row(slots[place]), patch[place])

        runners = np.flatnonzero(running)
        walkers = np.flatnonzero(~running & (self.safe_until[slots] <= self.time))
        apart = (x[runners, None] - x[walkers]) ** 2 + (y[runners, None] - y[walkers]) ** 2
        for runner, walker in zip(*np.nonzero(apart < CONTACT**2), strict=True):
            self.bump(monkeys.row(slots[runners[runner]]), monkeys.row(slots[walkers[walker]]))

    def eat(self, monkey: Monkey, patch: int) -> None:
        if not self.banana_on[patch]:  # another monkey on the patch was first
            return
        self.bananas.despawn(int(self.banana_on[patch]))
        self.banana_on[patch] = 0
        monkey.bananas += 1
        self.plant()

    def plant(self) -> None:
        """A banana on a patch that has none."""
        patch = self.random.randrange(PATCHES * PATCHES)
        while self.banana_on[patch]:
            patch = self.random.randrange(PATCHES * PATCHES)
        y, x = divmod(patch, PATCHES)
        banana = self.bananas.spawn(x=x * PATCH + PATCH // 2, y=y * PATCH + PATCH // 2)
        self.banana_on[patch] = banana.id

    def bump(self, runner: Monkey, walker: Monkey) -> None:
        if runner.stunned or walker.stunned:
            return
        walker.stunned = True
        self.down_until[walker.slot] = self.time + DOWN
        self.safe_until[walker.slot] = self.time + DOWN + SAFE
        loot = min(LOOT, walker.bananas)
        walker.bananas -= loot
        runner.bananas += loot
        walker.player.send("bumped", {"by": runner.name, "lost": loot})

    def end_round(self) -> None:
        ranking = sorted(self.monkeys, key=lambda monkey: -monkey.bananas)
        best = [{"name": monkey.name, "bananas": monkey.bananas} for monkey in ranking[:3]]
        self.broadcast("round", {"best": best})
        for monkey in ranking:
            monkey.bananas = 0
