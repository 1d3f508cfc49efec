/**
 * From the room's tables to monkeys that walk: positions between states, strides, and what has just happened.
 *
 * Knows the room and Jungle's tables. Knows nothing of pixels; tells of happenings through callbacks.
 */
const FULL_BREATH = 15; // of the field `breath`
const TELEPORT = 120; // world units in one frame: nobody walks that far, so no stride is counted

export class Troop {
    #walkers = []; // by slot
    #shown = [];
    /** The tick, with a fraction, that was drawn last. */
    tick = 0;

    /** `collected(walker, count)` and `bumped(walker)` are called as it happens. */
    constructor(room, { collected, bumped }) {
        this.room = room;
        this.monkeys = room.tables.monkeys;
        this.collected = collected;
        this.bumped = bumped;
        this.monkeys.onChange((rows) => rows.forEach((row) => this.#notice(row)));
    }

    /**
     * Everybody as they are to be drawn now; the player's own as predicted, unless that is null. The array and its walkers are reused by the
     * next call.
     */
    walkers(now, predicted = null) {
        const { monkeys, room } = this;
        const sample = room.interpolated(monkeys, now);
        const { x, y, heading } = sample.columns;
        this.tick = Math.min(sample.tick, room.tick);
        const own = room.entity?.slot ?? -1;
        this.#shown.length = 0;
        for (const slot of monkeys.slots) {
            const walker = this.#walker(slot);
            walker.own = slot === own;
            if (walker.own) follow(walker, predicted ?? room.entity);
            if (walker.own && predicted) place(walker, predicted.x, predicted.y, predicted.heading);
            else place(walker, x[slot], y[slot], heading[slot]);
            this.#shown.push(walker);
        }
        return this.#shown;
    }

    /** The walker in a slot, a new one when another monkey has taken it. */
    #walker(slot) {
        const { ids, columns } = this.monkeys;
        let walker = this.#walkers[slot];
        if (walker?.id !== ids[slot]) {
            const now = (field) => columns[field].get(slot);
            walker = {
                id: ids[slot],
                name: now("name"),
                hue: now("hue"),
                bananas: now("bananas"),
                breath: now("breath") / FULL_BREATH,
                x: 0,
                y: 0,
                heading: 0,
                walked: 0,
                running: now("running"),
                stunned: now("stunned"),
                fell: now("stunned"), // as told; a predicted monkey may be up before that is
                own: false,
            };
            this.#walkers[slot] = walker;
        }
        return walker;
    }

    #notice(row) {
        const walker = this.#walker(row.slot);
        if (row.bananas > walker.bananas) this.collected(walker, row.bananas - walker.bananas);
        walker.bananas = row.bananas;
        if (row.stunned && !walker.fell) this.bumped(walker);
        walker.fell = row.stunned;
        follow(walker, row);
    }
}

function follow(walker, { stunned, running, breath }) {
    walker.stunned = stunned;
    walker.running = running;
    walker.breath = breath / FULL_BREATH;
}

function place(walker, x, y, heading) {
    const far = Math.hypot(x - walker.x, y - walker.y);
    if (far < TELEPORT) walker.walked += far;
    walker.x = x;
    walker.y = y;
    walker.heading = heading;
}
