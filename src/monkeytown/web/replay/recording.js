/**
 * A replay file as a whole: its header, its index, and its blocks as they are needed.
 *
 * Knows the order of the chunks in a file, and that blocks which will soon be needed can be asked for in one go. Knows nothing of time.
 */

import { WireError } from "../client/bytes.js";
import { BLOCK, CHUNK_HEAD, HEADER, INDEX, MAGIC, STATE, TRAILER } from "./chunks.js";
import { blockOf, contentOf, headOf, headerOf, indexOf, trailerOf } from "./chunks.js";

/** Bytes of blocks that are asked for at once, and blocks that are kept. */
const RUN = 96 * 1024;
const KEPT = 96;

export class Recording {
    #source;
    /** By number: a promise of the block. The oldest are forgotten. */
    #blocks = new Map();
    /** Stored bytes of blocks that came along with another one, by number. */
    #stored = new Map();

    /** Opens a file. Rejects with a WireError if it is none, or was not finished. */
    static async open(source) {
        await source.open();
        const start = await source.read(0, MAGIC.length);
        demand(start.length === MAGIC.length && MAGIC.every((byte, at) => at === 8 || start[at] === byte), "This is no recording.");
        demand(start[8] === MAGIC[8], `This is a recording of version ${start[8]}.`);
        const { content, end } = await chunk(source, MAGIC.length, HEADER);
        const offset = trailerOf(await source.read(Math.max(0, source.size - TRAILER), TRAILER));
        demand(offset !== null, "This recording has not been finished.");
        demand(offset >= end && offset < source.size, "the trailer points out of the file");
        const index = await chunk(source, offset, INDEX);
        demand(index.end === source.size - TRAILER, "the trailer does not point to the index");
        return new Recording(source, headerOf(content), indexOf(index.content), { start: end, end: offset });
    }

    constructor(source, header, index, { start, end }) {
        this.#source = source;
        this.header = header;
        this.index = index;
        this.end = end;
        demand(index.blocks[0].offset === start && index.blocks.at(-1).offset < end, "the index points out of the blocks");
    }

    get size() {
        return this.#source.size;
    }

    get received() {
        return this.#source.received;
    }

    /** The moments of its beginning and of its end. */
    get first() {
        return this.index.blocks[0].at;
    }

    get last() {
        return this.index.until;
    }

    /** The block from which a moment is reached. */
    find(at) {
        const { blocks } = this.index;
        let low = 0;
        let high = blocks.length;
        while (high - low > 1) {
            const middle = (low + high) >> 1;
            if (blocks[middle].at <= at) low = middle;
            else high = middle;
        }
        return low;
    }

    /** A block, which is asked for if it is not here, with some that follow. */
    block(number) {
        const known = this.#blocks.get(number);
        if (known !== undefined) {
            this.#blocks.delete(number);
            this.#blocks.set(number, known);
            return known;
        }
        const promise = this.#load(number);
        this.#blocks.set(number, promise);
        promise.catch(() => this.#blocks.delete(number)); // it may be asked for again
        while (this.#blocks.size > KEPT) this.#blocks.delete(this.#blocks.keys().next().value);
        return promise;
    }

    /** Asks for blocks from `from` up to `to`, none of which need be here soon. What goes wrong is told when one of them is needed. */
    prefetch(from, to) {
        for (let number = Math.max(0, from); number <= Math.min(to, this.index.blocks.length - 1); number++)
            if (!this.#blocks.has(number)) this.block(number).catch(() => undefined);
    }

    async #load(number) {
        const stored = await this.#bytesOf(number);
        demand(headOf(stored).kind === BLOCK, "the index points to something else than a block");
        const block = blockOf(await contentOf(stored));
        const entry = this.index.blocks[number];
        const states = block.items.filter(({ message }) => message[0] === STATE).length;
        const isThat = block.at === entry.at && block.first === entry.first && block.last === entry.last;
        demand(isThat && states === entry.states, "a block is another one than the index says");
        return block;
    }

    #endOf(number) {
        return this.index.blocks[number + 1]?.offset ?? this.end;
    }

    /** The bytes of a block. Those of the blocks behind it come along, if they are not here. */
    async #bytesOf(number) {
        let run = this.#stored.get(number);
        if (run === undefined) {
            const { offset } = this.index.blocks[number];
            let last = number;
            const isWanted = (next) => next < this.index.blocks.length && !this.#blocks.has(next) && !this.#stored.has(next);
            while (isWanted(last + 1) && this.#endOf(last + 1) - offset <= RUN) last++;
            const asked = this.#source.read(offset, this.#endOf(last) - offset);
            run = asked.then((bytes) => ({ bytes, offset }));
            for (let other = number; other <= last; other++) this.#stored.set(other, run);
            while (this.#stored.size > KEPT) this.#stored.delete(this.#stored.keys().next().value);
            run.catch(() => this.#forget(number, last));
        }
        const { bytes, offset } = await run;
        this.#stored.delete(number);
        return bytes.subarray(this.index.blocks[number].offset - offset, this.#endOf(number) - offset);
    }

    #forget(first, last) {
        for (let number = first; number <= last; number++) this.#stored.delete(number);
    }
}

/** A chunk of a kind, and where it ends. */
async function chunk(source, at, kind) {
    const head = headOf(await source.read(at, CHUNK_HEAD));
    demand(head.kind === kind, `a chunk of kind ${head.kind} where one of kind ${kind} is due`);
    const end = at + CHUNK_HEAD + head.stored;
    return { content: await contentOf(await source.read(at, CHUNK_HEAD + head.stored)), end };
}

function demand(condition, rule) {
    if (!condition) throw new WireError(rule);
}
