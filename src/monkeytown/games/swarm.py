"""Swarm: a thousand birds and five thousand bees over one meadow.

Bees fly from flower to flower, in company with the bees around them. You are a bird: you turn it, and you make it
dive. A bee within reach of your beak is yours, and another appears at a flower.

This is how a large game is written. Nothing in it is done once per bee, per bird or per input: inputs come as
columns (`on_inputs`), all moves are made on whole columns, what is near what is asked of compiled helpers, and what is not
needed sixty times a second is done for a part of the bees at a time.
"""

from base64 import b64decode, b64encode
from math import tau
from typing import Any

from monkeytown import (
    Entity,
    Game,
    Input,
    Player,
    StartError,
    angle,
    area,
    boolean,
    collisions,
    fixed,
    nearest,
    table,
    text,
    uint,
    within,
)

try:
    import numpy as np
except ImportError as error:
    raise StartError("Swarm needs NumPy: pip install 'monkeytown[numpy]'") from error

SIZE = 8192  # of the meadow, in each direction
EDGE = 16  # bees and birds stay this far inside
BEES = 5000
BIRDS = 1000
FLOWERS = 192
SIGHT = 240  # how far a bird sees: some fifty bees, birds and flowers
STEP = 16  # steps of the wire to a unit; who moves by whole steps a tick costs nothing to send

PARTS = 12  # one part of the bees looks around in each tick, so each bee does five times a second
COMPANY = 48  # how far a bee sees others
WIND = 0.6  # of the way to what it wants, each time a bee looks around
BEE = 1.5  # units a tick
BODY = 5  # of a bee, in radius
ARRIVED = 40  # from the flower that it wants a bee picks another

TICKS = 3  # from one look at where the birds want to go to the next
TURN = 4 * TICKS / 60  # radians in that time, at full turn
GLIDE, DIVE = 2.5, 4.5  # units a tick
REACH = 12  # of a beak
MEETING = 6  # ticks from one look at who touches what to the next


class Bee(Entity):
    x = fixed(0, SIZE, step=1 / STEP, predict="linear")
    y = fixed(0, SIZE, step=1 / STEP, predict="linear")


class Bird(Entity):
    x = fixed(0, SIZE, step=1 / STEP, predict="linear")
    y = fixed(0, SIZE, step=1 / STEP, predict="linear")
    heading = angle(bits=8)
    diving = boolean()
    caught = uint(16)
    hue = uint(9)  # degrees
    name = text(24)


class Flower(Entity):
    x = uint(13)
    y = uint(13)


class Steer(Input):
    turn = fixed(-1, 1, step=1 / 127)
    dive = boolean()


class Swarm(Game):
    tick_rate = 60
    max_players = BIRDS
    input = Steer

    # Who sees what: everybody sees everything.
    bees = table(Bee, capacity=BEES)
    birds = table(Bird, capacity=BIRDS)
    flowers = table(Flower, capacity=FLOWERS)
    view = area(SIGHT, bees, birds, flowers)

    def on_create(self) -> None:
        self.dice = np.random.default_rng(self.random.getrandbits(64))
        for x, y in self.dice.integers(256, SIZE - 256, (FLOWERS, 2)).tolist():
            self.flowers.spawn(x=x, y=y)
        for _ in range(BEES):
            self.bees.spawn()
        self.begin()
        self.x[:], self.y[:] = self.dice.integers(EDGE * STEP, (SIZE - EDGE) * STEP, (2, BEES)) / STEP
        self.wants[:] = self.dice.integers(FLOWERS, size=BEES)
        for part in range(PARTS):
            self.look_around(part)

    def begin(self) -> None:
        self.flower_x, self.flower_y = np.array([(flower.x, flower.y) for flower in self.flowers], float).T
        # There are always as many bees, so these arrays are theirs for good.
        self.x, self.y = np.asarray(self.bees.x), np.asarray(self.bees.y)
        self.wants = np.zeros(BEES, np.int64)
        self.speed_x, self.speed_y = np.zeros((2, BEES))
        self.turns, self.dives = np.zeros(BIRDS), np.zeros(BIRDS, bool)
        self.steps_x, self.steps_y = np.zeros((2, BIRDS))
        self.look()

    def save(self) -> dict[str, Any]:
        # Speeds are whole steps of the wire, and small: thousands of numbers are bytes sooner than text.
        bees = np.array((self.wants, self.speed_x * STEP, self.speed_y * STEP), np.int16)
        hidden = (self.turns, self.dives, self.steps_x, self.steps_y)
        birds = [column[self.present].tolist() for column in hidden]
        return {"bees": b64encode(bees.tobytes()).decode(), "slots": self.present.tolist(), "birds": birds}

    def load(self, saved: dict[str, Any]) -> None:
        self.dice = np.random.default_rng(self.random.getrandbits(64))
        self.begin()
        bees = np.frombuffer(b64decode(saved["bees"]), np.int16).reshape(3, BEES)
        self.wants[:], self.speed_x[:], self.speed_y[:] = bees[0], bees[1] / STEP, bees[2] / STEP
        for column, values in zip(
            (self.turns, self.dives, self.steps_x, self.steps_y), saved["birds"], strict=True
        ):
            column[saved["slots"]] = values
        # After the server was started anew nobody is here yet; who comes back begins anew.
        flown = {player.entity.id for player in self.players}
        for bird in list(self.birds):
            if bird.id not in flown:
                self.birds.despawn(bird)
        self.look()

    def look(self) -> None:
        """The birds as arrays. They are as long as the columns, so they are taken anew when somebody comes or goes."""
        birds = self.birds
        self.bird_x, self.bird_y = np.asarray(birds.x), np.asarray(birds.y)
        self.heading, self.diving = np.asarray(birds.heading), np.asarray(birds.diving)
        self.present = np.flatnonzero(birds.alive)

    def on_join(self, player: Player) -> None:
        bird = self.birds.spawn(
            x=self.random.randrange(EDGE, SIZE - EDGE),
            y=self.random.randrange(EDGE, SIZE - EDGE),
            heading=self.random.uniform(0, tau),
            hue=self.random.randrange(360),
            name=player.name,
        )
        player.entity = bird
        for column in (self.turns, self.dives, self.steps_x, self.steps_y):
            column[bird.slot] = 0
        self.look()

    def on_leave(self, player: Player) -> None:
        self.birds.despawn(player.entity)
        self.look()

    def on_inputs(self, batch: Any) -> None:
        batch.scatter(turn=self.turns, dive=self.dives)

    def on_tick(self, dt: float) -> None:
        count = len(self.bird_x)
        if self.tick % TICKS == 0:
            self.steer(count)
        self.look_around(self.tick % PARTS)
        if self.tick % MEETING == 1:
            self.push_apart()
        if self.tick % MEETING == 4:
            self.catch()
        self.x += self.speed_x
        self.y += self.speed_y
        self.bird_x += self.steps_x[:count]
        self.bird_y += self.steps_y[:count]

    def steer(self, count: int) -> None:
        """Where birds fly until the next look, in whole steps of the wire."""
        self.heading += self.turns[:count] * TURN
        self.diving[:] = self.dives[:count]
        pace = np.where(self.diving, DIVE, GLIDE)
        self.steps_x[:count] = course(self.bird_x, pace * np.cos(self.heading), TICKS)
        self.steps_y[:count] = course(self.bird_y, pace * np.sin(self.heading), TICKS)

    def look_around(self, part: int) -> None:
        """One part of the bees: each flies on, towards its flower, and as the bees around it do."""
        mine = slice(part, None, PARTS)
        x, y = self.x[mine].copy(), self.y[mine].copy()
        to_x, to_y = self.flower_x[self.wants[mine]] - x, self.flower_y[self.wants[mine]] - y
        far = np.hypot(to_x, to_y)
        there = np.flatnonzero(far < ARRIVED)
        self.wants[mine][there] = self.dice.integers(FLOWERS, size=len(there))

        bee, other = map(np.asarray, within(x, y, self.x, self.y, COMPANY))
        company = np.bincount(bee, minlength=len(x))  # each sees itself at least
        with_x = np.bincount(bee, self.speed_x[other], len(x)) / company
        with_y = np.bincount(bee, self.speed_y[other], len(x)) / company

        far = np.maximum(far, 1) / BEE
        speed_x = self.speed_x[mine] * (1 - WIND) + WIND * (0.7 * to_x / far + 0.5 * with_x)
        speed_y = self.speed_y[mine] * (1 - WIND) + WIND * (0.7 * to_y / far + 0.5 * with_y)
        speed_x += self.dice.uniform(-0.3, 0.3, len(x))
        speed_y += self.dice.uniform(-0.3, 0.3, len(x))
        self.speed_x[mine], self.speed_y[mine] = course(x, speed_x, PARTS), course(y, speed_y, PARTS)

    def push_apart(self) -> None:
        """Bees that overlap, each by half, in whole steps."""
        first, second, depth, along_x, along_y = map(np.asarray, collisions(self.x, self.y, BODY))
        for places, along in ((self.x, along_x), (self.y, along_y)):
            push = depth * along / 2
            shift = np.bincount(second, push, BEES) - np.bincount(first, push, BEES)
            np.clip(places + np.rint(shift * STEP) / STEP, EDGE, SIZE - EDGE, out=places)

    def catch(self) -> None:
        """What is within reach of a beak is caught; of two birds at one bee, by the one in the lower slot."""
        birds = self.present
        bees, _ = nearest(self.bird_x[birds], self.bird_y[birds], self.x, self.y, radius=REACH)
        found, first = np.unique(bees, return_index=True)
        caught, first = found[found >= 0], first[found >= 0]
        np.asarray(self.birds.caught)[birds[first]] += 1
        # Another takes the place of each, at some flower: no row is ended, none begins.
        at = self.dice.integers(FLOWERS, size=len(caught))
        self.x[caught], self.y[caught] = self.flower_x[at], self.flower_y[at]


def course(place: Any, speed: Any, ticks: int) -> Any:
    """A speed in whole steps of the wire that does not lead out of the meadow within some ticks."""
    goal = np.minimum(np.maximum(place + speed * ticks, EDGE), SIZE - EDGE)
    return np.rint((goal - place) * (STEP / ticks)) / STEP
