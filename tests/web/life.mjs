/** A room in which anything may happen, and how a state under test hears of it. */

import { Reader } from "../../src/monkeytown/web/client/wire.js";
import { asValue, isNumber, predicted } from "./encoder.mjs";

/** Applies a whole message. */
export function feed(state, bytes) {
    const reader = new Reader(bytes);
    return reader.u8() === 0x43 ? state.apply(reader) : state.applyPrivate(reader);
}

export function randomValue(field, random, before) {
    if (field.type === "text") return "🐒é\u0000x".slice(0, random.below(5) & ~1) + random.below(100);
    if (field.type === "blob") return Uint8Array.from({ length: random.below(5) }, () => random.below(256));
    if (before !== undefined && random.chance(0.7)) return asValue(field, BigInt(before) + BigInt(random.below(40) - 20));
    return asValue(field, random.below(2 ** 32));
}

/** One tick's worth of whatever a game may do. */
export function live(model, random) {
    model.tables.forEach((rows, number) => {
        const spec = model.schema.tables[number];
        const columns = model.columns[number];
        if (spec.single && rows.size === 0)
            model.spawn(
                number,
                0,
                columns.map((field) => randomValue(field, random)),
            );
        for (const [slot, row] of [...rows]) {
            if (!spec.single && random.chance(0.05)) rows.delete(slot);
            columns.forEach((field, i) => {
                const old = model.past.get(model.tick)?.[number].get(slot);
                if (random.chance(0.3)) row.values[i] = randomValue(field, random, row.values[i]);
                else if (isNumber(field) && old?.generation === row.generation)
                    row.values[i] = asValue(field, predicted(field, old.values[i], old.steps[i], 1));
            });
        }
        for (let i = random.below(4); i > 0 && !spec.single; i--) {
            const slot = random.below(random.chance(0.9) ? 20 : spec.capacity);
            if (!rows.has(slot))
                model.spawn(
                    number,
                    slot,
                    columns.map((field) => randomValue(field, random)),
                );
        }
    });
    model.commit();
}
