/**
 * Numbers and packing: section 1 of docs/reference/wire.md, and nothing of what the numbers mean.
 *
 * A Reader never trusts its bytes: every read is checked against what is left, and whatever breaks the rules throws a WireError before
 * anything is allocated for it.
 */

/** Bytes that break docs/reference/wire.md. */
export class WireError extends Error {
    constructor(message) {
        super(message);
        this.name = "WireError";
    }
}

// fatal: broken UTF-8 breaks the rules. ignoreBOM: a byte order mark is a character like any other.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const utf8Encoder = new TextEncoder();

/** Reads one message from its beginning to its end. */
export class Reader {
    /** @param {Uint8Array} bytes */
    constructor(bytes) {
        this.bytes = bytes;
        this.at = 0;
        this.end = bytes.length;
    }

    get left() {
        return this.end - this.at;
    }

    /** Moves over `count` bytes and returns where they begin. */
    skip(count) {
        const at = this.at;
        if (count > this.end - at) throw new WireError("the message ends early");
        this.at = at + count;
        return at;
    }

    finish() {
        if (this.at !== this.end) throw new WireError(`${this.end - this.at} bytes are left over`);
    }

    u8() {
        if (this.at >= this.end) throw new WireError("the message ends early");
        return this.bytes[this.at++];
    }

    varint() {
        let value = 0;
        for (let shift = 0; shift < 28; shift += 7) {
            const byte = this.u8();
            value |= (byte & 0x7f) << shift;
            if (byte < 0x80) return value;
        }
        const byte = this.u8();
        if (byte > 0x0f) throw new WireError("a varint of 2^32 or more");
        return (value | (byte << 28)) >>> 0;
    }

    /** A tick. Numbers above 2^53 − 1, which no JavaScript number holds exactly, are refused: at 60 Hz that is five million years away. */
    varint64() {
        let value = 0;
        let unit = 1;
        for (let count = 0; count < 10; count++) {
            const byte = this.u8();
            value += (byte & 0x7f) * unit;
            if (byte < 0x80) {
                if (value > Number.MAX_SAFE_INTEGER) throw new WireError("a tick above 2^53");
                return value;
            }
            unit *= 128;
        }
        throw new WireError("a varint64 of more than ten bytes");
    }

    /** `length` bytes of UTF-8 without a count before them. */
    utf8(length) {
        const at = this.skip(length);
        try {
            return utf8.decode(this.bytes.subarray(at, this.at));
        } catch {
            throw new WireError("text that is not UTF-8");
        }
    }

    text() {
        return this.utf8(this.varint());
    }

    /** A copy: the message's own memory is free to go. */
    blob() {
        const at = this.skip(this.varint());
        return this.bytes.slice(at, this.at);
    }

    /** `packed(count)`: its width, then its values into `out` (as the 32 bits that they are). */
    packed(count, out) {
        this.unpack(count, this.u8(), out);
    }

    /** `count` values of `width` bits each into `out`. */
    unpack(count, width, out) {
        if (width > 32) throw new WireError(`a width of ${width} bits`);
        if (width === 0) {
            out.fill(0, 0, count);
            return;
        }
        const used = count * width;
        const at = this.skip(Math.ceil(used / 8));
        if (width === 8) {
            const { bytes } = this;
            for (let i = 0; i < count; i++) out[i] = bytes[at + i];
        } else if (width <= 25) {
            unpackNarrow(this.bytes, at, count, width, out);
        } else {
            unpackWide(this.bytes, at, count, width, out);
        }
        if ((used & 7) !== 0 && this.bytes[this.at - 1] >> (used & 7) !== 0) throw new WireError("unused bits are not zero");
    }

    /** Adds `count` quotients by 2^`width`, each so many zeros and a one, to what is in `out`. */
    addQuotients(count, width, out) {
        if (width > 28) throw new WireError(`a width of ${width} bits beside quotients`);
        const { bytes, end } = this;
        let at = this.at;
        let bits = 0;
        let have = 0;
        for (let i = 0; i < count; i++) {
            while (have < 16 && at < end) {
                bits |= bytes[at++] << have;
                have += 8;
            }
            const quotient = 31 - Math.clz32(bits & -bits);
            if (quotient < 0 || quotient > 15) throw new WireError("quotients that end early, or one above 15");
            out[i] += quotient << width;
            bits >>>= quotient + 1;
            have -= quotient + 1;
        }
        this.at = at - (have >> 3);
        if ((bits & ((1 << (have & 7)) - 1)) !== 0) throw new WireError("unused bits are not zero");
    }

    /**
     * A packed list of `count` ascending places below `limit` into `out`, from the gaps between them.
     */
    places(count, limit, out) {
        this.packed(count, out);
        let place = -1;
        for (let i = 0; i < count; i++) {
            place += (out[i] >>> 0) + 1;
            if (place >= limit) throw new WireError(`place ${place} of ${limit}`);
            out[i] = place;
        }
    }

    /**
     * A row set of `total` rows: writes the numbers of the selected rows into `out` and returns how many they are, or −1 for all
     * of them (`out` is left as it was: a caller can usually do without the list).
     */
    rowSet(total, out) {
        const form = this.u8();
        if (form === 0) return -1;
        if (form === 1) return this.#bitmap(total, out);
        if (form !== 2) throw new WireError(`a row set of the form ${form}`);
        const count = this.varint();
        if (count > total) throw new WireError(`${count} of ${total} rows`);
        this.places(count, total, out);
        return count;
    }

    #bitmap(total, out) {
        const at = this.mask(total);
        let count = 0;
        for (let byte = at; byte < this.at; byte++) {
            for (let bits = this.bytes[byte], row = (byte - at) * 8; bits !== 0; bits >>= 1, row++) {
                if (bits & 1) out[count++] = row;
            }
        }
        return count;
    }

    /** Moves over a mask of `total` bits, whose unused bits must be zero, and returns where it begins. */
    mask(total) {
        const at = this.skip((total + 7) >>> 3);
        if ((total & 7) !== 0 && this.bytes[this.at - 1] >> (total & 7) !== 0) throw new WireError("unused bits are not zero");
        return at;
    }
}

/**
 * Up to 25 bits: with up to seven bits of the value before, they fit the 32 bits of a window of four bytes. The last values, whose window
 * would reach beyond the message, are read byte by byte.
 */
function unpackNarrow(bytes, at, count, width, out) {
    const mask = (1 << width) - 1;
    // A multiple of eight values ends with a whole byte.
    const windows = Math.max(0, Math.min(count, Math.floor(((bytes.length - at - 4) * 8) / width))) & ~7;
    for (let i = 0, bit = 0; i < windows; i++, bit += width) {
        const byte = at + (bit >>> 3);
        out[i] =
            ((bytes[byte] | (bytes[byte + 1] << 8) | (bytes[byte + 2] << 16) | (bytes[byte + 3] << 24)) >>> (bit & 7)) & mask;
    }
    let next = at + (windows * width) / 8;
    let bits = 0;
    let have = 0;
    for (let i = windows; i < count; i++) {
        while (have < width) {
            bits |= bytes[next++] << have;
            have += 8;
        }
        out[i] = bits & mask;
        bits >>>= width;
        have -= width;
    }
}

/** 26 to 32 bits: in halves of 16 bits and the rest. */
function unpackWide(bytes, at, count, width, out) {
    const highMask = (1 << (width - 16)) - 1;
    let bits = 0;
    let have = 0;
    for (let i = 0; i < count; i++) {
        while (have < 16) {
            bits |= bytes[at++] << have;
            have += 8;
        }
        const low = bits & 0xffff;
        bits >>>= 16;
        have -= 16;
        while (have < width - 16) {
            bits |= bytes[at++] << have;
            have += 8;
        }
        out[i] = low | ((bits & highMask) << 16);
        bits >>>= width - 16;
        have -= width - 16;
    }
}

/** Writes one message. */
export class Writer {
    constructor(capacity = 64) {
        this.bytes = new Uint8Array(capacity);
        this.at = 0;
    }

    /** Makes room for `count` more bytes and returns where they go. */
    #take(count) {
        const at = this.at;
        if (at + count > this.bytes.length) {
            const larger = new Uint8Array(Math.max(this.bytes.length * 2, at + count));
            larger.set(this.bytes);
            this.bytes = larger;
        }
        this.at = at + count;
        return at;
    }

    u8(value) {
        const at = this.#take(1);
        this.bytes[at] = value;
    }

    u16(value) {
        this.u8(value & 0xff);
        this.u8(value >>> 8);
    }

    /** Of any whole number from 0 to 2^53 − 1: a `varint` and a `varint64` look alike. */
    varint(value) {
        while (value >= 0x80) {
            this.u8((value % 128) | 0x80);
            value = Math.floor(value / 128);
        }
        this.u8(value);
    }

    /** `count` bytes of a number, the highest first, as MessagePack has them. */
    bigEndian(value, count) {
        const at = this.#take(count);
        for (let i = count - 1; i >= 0; i--) {
            this.bytes[at + i] = value % 256;
            value = Math.floor(value / 256);
        }
    }

    float64(value) {
        const at = this.#take(8);
        new DataView(this.bytes.buffer).setFloat64(at, value);
    }

    raw(bytes) {
        const at = this.#take(bytes.length);
        this.bytes.set(bytes, at);
    }

    /** The message so far, in memory of its own. */
    finish() {
        return this.bytes.slice(0, this.at);
    }
}

/** @param {string} text */
export function encodeUtf8(text) {
    return utf8Encoder.encode(text);
}

/** The signed number of a zigzag. */
export function unzigzag(value) {
    return (value >>> 1) ^ -(value & 1);
}
