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

    /** Everybody as they are to be drawn now. The array and its walkers are reused by the next call. */
    walkers(now) {
        const { monkeys, room } = this;
        const sample = room.interpolated(monkeys, now);
        const { x, y, heading } = sample.columns;
        this.tick = Math.min(sample.tick, room.tick);
        const own = room.entity?.slot ?? -1;
        this.#shown.length = 0;
        for (const slot of monkeys.slots) {
            const walker = this.#walker(slot);
            const far = Math.hypot(x[slot] - walker.x, y[slot] - walker.y);
            if (far < TELEPORT) walker.walked += far;
            walker.x = x[slot];
            walker.y = y[slot];
            walker.heading = heading[slot];
            walker.own = slot === own;
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
        if (row.stunned && !walker.stunned) this.bumped(walker);
        walker.stunned = row.stunned;
        walker.running = row.running;
        walker.breath = row.breath / FULL_BREATH;
    }
}
