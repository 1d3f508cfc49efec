/**
 * The rules by which one monkey moves, tick by tick: what games/jungle.py does to all of them, for the player's own.
 *
 * The same numbers in the same order, so that the same comes out; a test holds the two together. What others do to a monkey is not here: the
 * server says so. Knows no room and no screen.
 */
const SIZE = 2048;
const EDGE = 16;
const WALK = 2.5;
const RUN = 4.5;
const TICKS = 3;
const MEETING = 6;
const BREATHING = MEETING / 60; // seconds
const DIRECTIONS = 256;
const RADIANS = (2 * Math.PI) / DIRECTIONS; // in one of them
const TURN = 10;
const BREATH = 2.5; // seconds
const WINDED = 1;
const DOWN = 60; // ticks
const SHOWN = 15 / BREATH; // of the field `breath`, in a second of it
const STEP = 1 / 16; // of the wire
const PER_SECOND = 20; // breath is gained by a twentieth of a second, and lost by two of them

/** For `room.predict`. */
export const PREDICTED = {
    fields: ["x", "y", "heading", "running", "stunned", "breath"],
    hidden: { wind: BREATH, winded: false, downUntil: 0, stepX: 0, stepY: 0 },
    correct,
};

/** Make the next tick of a monkey. `wish`: turn and run. */
export function step(monkey, wish, dt, tick) {
    if (tick % MEETING === 0) breathe(monkey, tick);
    if (tick % TICKS === 0) steer(monkey, wish);
    monkey.x += monkey.stepX;
    monkey.y += monkey.stepY;
}

function breathe(monkey, tick) {
    if (monkey.stunned && tick >= monkey.downUntil) monkey.stunned = false;
    monkey.wind = Math.min(BREATH, monkey.wind + (monkey.running ? -BREATHING : BREATHING / 2));
    monkey.winded = monkey.wind <= 0 || (monkey.winded && monkey.wind < WINDED);
    monkey.breath = shown(monkey.wind);
}

const shown = (wind) => Math.trunc(Math.max(wind, 0) * SHOWN);

function steer(monkey, wish) {
    const facing = Math.round(monkey.heading / RADIANS + wish.turn * TURN) & (DIRECTIONS - 1);
    monkey.heading = facing * RADIANS;
    monkey.running = wish.run && !monkey.winded && !monkey.stunned;
    const pace = monkey.stunned ? 0 : monkey.running ? RUN : WALK;
    monkey.stepX = stride(monkey.x, pace * Math.cos(monkey.heading));
    monkey.stepY = stride(monkey.y, pace * Math.sin(monkey.heading));
}

/** How far a monkey gets in a tick, along one axis, until the next look: in whole steps of the wire, and not beyond the edge. */
function stride(place, pace) {
    const reach = Math.round(pace / STEP) * TICKS * STEP;
    const way = Math.min(Math.max(place + reach, EDGE), SIZE - EDGE) - place;
    return Math.trunc(way / (TICKS * STEP)) * STEP;
}

/** Of what is hidden, what the server's word shows: how far the monkey steps, and about how much breath it has. */
function correct(monkey, row, tick) {
    const { x, y } = row.table.columns;
    monkey.stepX = x.steps[row.slot] * STEP;
    monkey.stepY = y.steps[row.slot] * STEP;
    if (shown(monkey.wind) !== row.breath) monkey.wind = nearest(monkey.wind, row.breath);
    if (row.running || monkey.wind >= WINDED) monkey.winded = false;
    if (!row.stunned) monkey.downUntil = 0;
    else if (monkey.downUntil === 0) monkey.downUntil = tick - (tick % MEETING) + DOWN; // it fell at the last look
}

/** The breath nearest to `wind` that is shown as `breath`. */
function nearest(wind, breath) {
    const least = Math.ceil((breath / SHOWN) * PER_SECOND - 1e-9) / PER_SECOND;
    const most = Math.min(BREATH, (Math.ceil(((breath + 1) / SHOWN) * PER_SECOND - 1e-9) - 1) / PER_SECOND);
    return Math.max(least, Math.min(most, wind));
}
