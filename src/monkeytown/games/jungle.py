"""Jungle: hundreds of monkeys in one arena. Gather bananas, and knock over who has more of them.

A monkey never stands still: you turn it, and you make it run. Running takes breath; who is out of it must
walk for a while. Run into a monkey that walks, and it falls down for a moment and loses up to three bananas
to you. Every three minutes the one with the most bananas wins the round, and all begin anew.

The rules handle all monkeys at once, as NumPy columns: what `on_tick` does costs the same for one monkey as
for fifty. Players' browsers predict their own monkey by the same rules (web/jungle/step.js): what a change here
means for how one moves, it means there.
"""

from math import tau
from typing import Any

from monkeytown import (
    Entity,
    Game,
    Input,
    Player,
    StartError,
    angle,
    boolean,
    fixed,
    table,
    text,
    uint,
    within,
)

try:
    import numpy as np
except ImportError as error:
    raise StartError("Jungle needs NumPy: pip install 'monkeytown[numpy]'") from error

SIZE = 2048  # of the arena, in each direction
EDGE = 16  # a monkey's middle stays this far inside
WALK, RUN = 2.5, 4.5  # per tick
TICKS = 3  # from one look at where everybody wants to go to the next
MEETING = 6  # ticks from one look at who touches what to the next
BREATHING = MEETING / 60  # the same in seconds
DIRECTIONS = 256  # that the wire knows, and so the rules
TURN = 10  # directions from one look to the next, at full turn: almost five radians a second
PATCH = 32  # the ground is divided into patches of this size, each with a banana in its middle or none
PATCHES = SIZE // PATCH
BANANAS = 160
CONTACT = 30  # from middle to middle
LOOT = 3
BREATH = 2.5  # seconds of running; walking gives them back in twice the time
WINDED = 1.0  # who has run out of breath must get this much back
DOWN = 1.0  # seconds that a fall lasts
SAFE = 2.5  # seconds after it in which one cannot be made to fall again
ROUND = 180  # seconds

# How far each gait (walking, running, and last: down) gets between two looks in each direction. In whole sixteenths
# a tick, so that a monkey that walks straight on is exactly where readers expect it and costs nothing to send.
ANGLES = np.arange(DIRECTIONS) * (tau / DIRECTIONS)
STRIDES = np.concatenate(
    [np.rint(16 * pace * np.array((np.cos(ANGLES), np.sin(ANGLES)))) * TICKS / 16 for pace in (WALK, RUN, 0)],
    axis=1,
)


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
        self.begin()
        for _ in range(BANANAS):
            self.plant()

    def begin(self) -> None:
        # What players do not see of a monkey, by slot.
        slots = self.monkeys.capacity
        self.by_slot = (*np.zeros((4, slots)), *np.zeros((2, slots), bool))
        self.steps_by_slot = np.zeros((2, slots))
        self.banana_on = np.zeros(PATCHES * PATCHES, np.int64)  # the banana's id, by patch
        self.look()

    def save(self) -> dict[str, Any]:
        slots = self.present.nonzero()[0]
        hidden = (*self.by_slot, *self.steps_by_slot)
        return {"slots": slots.tolist(), "hidden": [column[slots].tolist() for column in hidden]}

    def load(self, saved: dict[str, Any]) -> None:
        self.begin()
        for column, values in zip((*self.by_slot, *self.steps_by_slot), saved["hidden"], strict=True):
            column[saved["slots"]] = values
        for banana in self.bananas:
            self.banana_on[banana.y // PATCH * PATCHES + banana.x // PATCH] = banana.id
        for player in self.players:
            player.entity.player = player
        # After the server was started anew nobody is here yet; who comes back begins anew.
        ridden = {player.entity.id for player in self.players}
        for monkey in list(self.monkeys):
            if monkey.id not in ridden:
                self.monkeys.despawn(monkey)
        self.look()

    def look(self) -> None:
        """The monkeys as arrays. They share the columns' memory and are as long, so they are taken anew when
        somebody comes or goes.
        """
        monkeys, count = self.monkeys, self.monkeys.extent
        self.x, self.y, self.heading = map(np.asarray, (monkeys.x, monkeys.y, monkeys.heading))
        self.running, self.stunned = np.asarray(monkeys.running), np.asarray(monkeys.stunned)
        self.present, self.breath_shown = np.asarray(monkeys.alive), np.asarray(monkeys.breath)
        views = (column[:count] for column in self.by_slot)
        self.turns, self.breath, self.down_until, self.safe_until, self.wants, self.winded = views
        self.steps = self.step_x, self.step_y = self.steps_by_slot[:, :count]

    def on_join(self, player: Player) -> None:
        monkey = self.monkeys.spawn(
            x=self.random.randrange(EDGE, SIZE - EDGE),
            y=self.random.randrange(EDGE, SIZE - EDGE),
            heading=self.random.randrange(DIRECTIONS) * (tau / DIRECTIONS),
            hue=self.random.randrange(360),
            breath=15,
            name=player.name,
        )
        monkey.player = player
        player.entity = monkey
        self.look()
        for column in (*self.by_slot, *self.steps_by_slot):
            column[monkey.slot] = 0
        self.breath[monkey.slot] = BREATH

    def on_drop(self, player: Player) -> None:
        """Whoever held the reins let go of them."""
        self.turns[player.entity.slot] = self.wants[player.entity.slot] = 0

    def on_leave(self, player: Player) -> None:
        self.monkeys.despawn(player.entity)
        self.look()

    def on_inputs(self, batch: Any) -> None:
        batch.scatter(turn=self.turns, run=self.wants)

    def on_tick(self, dt: float) -> None:
        # By the number of the tick, which players know: they can tell when the next look is.
        if self.tick % MEETING == 0:
            self.meet()
        # Not by a timer: those do not outlive the server.
        if self.tick % (ROUND * self.tick_rate) == 0:
            self.end_round()
        if self.tick % TICKS == 0:
            self.steer()
        self.x += self.step_x
        self.y += self.step_y

    def steer(self) -> None:
        """Who runs, and where to. Between two looks at it monkeys go straight on, which costs nothing to send."""
        # Monkeys face what the wire can say and nothing between: who predicts one from what was sent is right.
        facing = self.heading * (DIRECTIONS / tau)
        facing += self.turns * TURN
        np.rint(facing, out=facing)
        np.multiply(facing, tau / DIRECTIONS, out=self.heading)
        np.greater(self.wants, self.winded | self.stunned, out=self.running)
        gait = np.subtract(self.running, self.stunned, dtype=np.int64)
        gait *= DIRECTIONS
        step = facing.astype(np.int64)
        step &= DIRECTIONS - 1
        step += gait
        place = np.array((self.x, self.y))
        way = STRIDES.take(step, axis=1)
        way += place
        np.minimum(np.maximum(way, EDGE, out=way), SIZE - EDGE, out=way)
        way -= place
        # In whole steps of the wire: none is left over at the edge, where the way is shorter.
        way /= TICKS / 16
        np.trunc(way, out=way)
        np.multiply(way, 1 / 16, out=self.steps)

    def meet(self) -> None:
        """Falls, breath, bananas: what is looked at less often still."""
        running, stunned, breath = self.running, self.stunned, self.breath
        stunned &= self.tick < self.down_until
        breath += np.where(running, -BREATHING, BREATHING / 2)
        np.minimum(breath, BREATH, out=breath)
        np.logical_or(breath <= 0, self.winded & (breath < WINDED), out=self.winded)
        self.breath_shown[:] = np.maximum(breath, 0) * (15 / BREATH)

        patch = (self.y / PATCH).astype(np.int64)
        patch *= PATCHES
        patch += (self.x / PATCH).astype(np.int64)
        hungry = self.present & ~stunned
        hungry &= self.banana_on[patch] != 0
        for slot in hungry.nonzero()[0]:
            self.eat(self.monkeys.row(slot), patch[slot])

        runners = (self.present & running).nonzero()[0]
        walkers = self.present & ~running
        walkers &= self.safe_until <= self.tick
        touched = within(self.x[runners], self.y[runners], self.x, self.y, CONTACT, mask=walkers)
        for runner, walker in zip(*touched, strict=True):
            self.bump(self.monkeys.row(runners[runner]), self.monkeys.row(walker))

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
        self.down_until[walker.slot] = self.tick + DOWN * self.tick_rate
        self.safe_until[walker.slot] = self.tick + (DOWN + SAFE) * self.tick_rate
        loot = min(LOOT, walker.bananas)
        walker.bananas -= loot
        runner.bananas += loot
        walker.player.send("bumped", {"by": runner.name, "lost": loot})

    def end_round(self) -> None:
        ranking = sorted(self.monkeys, key=lambda monkey: -monkey.bananas)
        best = [{"name": monkey.name, "bananas": monkey.bananas} for monkey in ranking[:3]]
        self.emit("round", {"best": best})
        for monkey in ranking:
            if monkey.bananas:
                self.score(monkey.player, monkey.bananas)
            monkey.bananas = 0
