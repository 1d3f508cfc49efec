/**
 * Where a replay file is: on a server that sends parts of it, or in memory. Knows HTTP; nothing of what is in the file.
 */

/** Bytes that are asked for at both ends before anything else: mostly all that opening a file needs. */
const ENDS = 32 * 1024;
const PART = /^bytes (\d+)-\d+\/(\d+)$/;

/** A file that is asked for in parts. */
export class HttpSource {
    #url;
    /** Parts that are at hand: where each begins, and its bytes. */
    #parts = [];
    size = 0;
    /** How much has come over the network. */
    received = 0;

    constructor(url) {
        this.#url = url;
    }

    /** Asks for both ends of the file. Rejects with an Error for a person if there is none. */
    async open() {
        await Promise.all([this.#fetch(`bytes=-${ENDS}`), this.#fetch(`bytes=0-${ENDS - 1}`)]);
    }

    /** The bytes from an offset on: so many, or fewer if the file ends before. */
    async read(offset, length) {
        const end = Math.min(offset + length, this.size);
        if (end <= offset) return new Uint8Array(0);
        const known = this.#parts.find((part) => part.start <= offset && part.start + part.bytes.length >= end);
        const { start, bytes } = known ?? (await this.#fetch(`bytes=${offset}-${end - 1}`, false));
        return bytes.subarray(offset - start, end - start);
    }

    async #fetch(range, isKept = true) {
        const answer = await fetch(this.#url, { headers: { Range: range } });
        // 200: all of it, from a server that sends no parts.
        if (answer.status !== 206 && answer.status !== 200) throw new Error(await reasonOf(answer));
        const bytes = new Uint8Array(await answer.arrayBuffer());
        this.received += bytes.length;
        const told = answer.status === 206 ? PART.exec(answer.headers.get("Content-Range") ?? "") : null;
        const part = { start: told ? Number(told[1]) : 0, bytes };
        this.size = told ? Number(told[2]) : bytes.length;
        if (isKept || answer.status === 200) this.#parts.push(part);
        return part;
    }
}

async function reasonOf(answer) {
    if (answer.status === 404) return "There is no such recording, or not any more.";
    return `The server answers ${answer.status}.`;
}

/** A file in memory. */
export class BytesSource {
    constructor(bytes) {
        this.bytes = bytes;
        this.size = bytes.length;
        this.received = bytes.length;
    }

    async open() {}

    async read(offset, length) {
        return this.bytes.subarray(offset, offset + length);
    }
}
