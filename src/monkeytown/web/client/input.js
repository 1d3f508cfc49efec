/**
 * `player_input`: section 6 of docs/reference/wire.md. Packs what a player does into the layout that the schema names.
 */

import { Writer } from "./bytes.js";
import { scaling } from "./columns.js";
import { encodeInto } from "./msgpack.js";

const PLAYER_INPUT = 0x04;

export class InputLayout {
    #input;
    #names;

    /** @param input the schema's `input`: a layout, or null for a game whose inputs are maps */
    constructor(input) {
        this.#input = input;
        this.#names = new Set(input?.fields.map(({ name }) => name));
    }

    /** True if inputs travel in a fixed layout: the newest one says all, and older ones are of no use. */
    get isPacked() {
        return this.#input !== null;
    }

    /**
     * @param fields values by field name; a missing one is as near to zero as its field can be
     * @param number counts this client's inputs from 1
     * @param acknowledged the tick of the newest state applied
     * @returns {Uint8Array} the whole message
     */
    pack(fields, number, acknowledged) {
        const writer = new Writer(64);
        writer.u8(PLAYER_INPUT);
        if (this.#input === null) {
            encodeInto(writer, fields);
            return writer.finish();
        }
        for (const name of Object.keys(fields)) {
            if (!this.#names.has(name)) throw new TypeError(`the input ${this.#input.name} has no field ${name}`);
        }
        writer.u16(this.#input.hash);
        writer.varint(number);
        writer.varint(acknowledged);
        packBits(writer, this.#input.fields, fields);
        return writer.finish();
    }

    /** What the rules will read: values as the wire has them, with those that were not given. */
    asRead(fields) {
        if (this.#input === null) return { ...fields };
        const read = {};
        for (const field of this.#input.fields) read[field.name] = valueOf(field, wireValue(field, fields[field.name] ?? 0));
        return read;
    }
}

function packBits(writer, fields, values) {
    let byte = 0;
    let have = 0;
    for (const field of fields) {
        let wire = wireValue(field, values[field.name] ?? 0);
        for (let left = field.bits; left > 0;) {
            const taken = Math.min(left, 8 - have);
            byte |= (wire % 2 ** taken) << have;
            wire = Math.floor(wire / 2 ** taken);
            left -= taken;
            have += taken;
            if (have === 8) {
                writer.u8(byte);
                byte = have = 0;
            }
        }
    }
    if (have > 0) writer.u8(byte);
}

function valueOf(field, wire) {
    if (field.type === "bool") return wire !== 0;
    if (field.type === "enum") return field.values[wire];
    if (field.type === "sint") return wire < 2 ** (field.bits - 1) ? wire : wire - 2 ** field.bits;
    const { offset, scale } = scaling(field);
    return offset + wire * scale;
}

/** The unsigned number of the field's bits that stands for a value. */
function wireValue(field, value) {
    if (field.type === "enum" && typeof value === "string") {
        const place = field.values.indexOf(value);
        if (place < 0) throw new RangeError(`${field.name} is one of ${field.values.join(", ")}, not ${value}`);
        return place;
    }
    const number = Number(value);
    if (Number.isNaN(number) || (field.type === "angle" && !Number.isFinite(number)))
        throw new RangeError(`${field.name} is a number, not ${value}`);
    const all = 2 ** field.bits;
    switch (field.type) {
        case "bool":
            return number !== 0 ? 1 : 0;
        case "fixed":
            return clamp(Math.round((number - field.lo) / field.step), 0, Math.round((field.hi - field.lo) / field.step));
        case "angle":
            return modulo(Math.round((number * all) / (2 * Math.PI)), all);
        case "sint":
            return modulo(clamp(Math.round(number), -all / 2, all / 2 - 1), all);
        case "enum":
            return clamp(Math.round(number), 0, field.values.length - 1);
        default:
            return clamp(Math.round(number), 0, all - 1);
    }
}

function clamp(value, least, most) {
    return Math.max(least, Math.min(most, value));
}

function modulo(value, by) {
    return ((value % by) + by) % by;
}
