/**
 * A link over a WebSocket. The other kind is in poll.js; both offer `open`, `hello`, `send`, `close`, `kind`, `unsent` and `isBusy`, and tell
 * their owner (connection.js) when they have `opened`, `received` messages, and `ended` by themselves. Knows nothing of what messages say.
 */

import { GameError } from "./errors.js";
import { ABNORMAL, BROKEN_MESSAGE } from "./codes.js";
import { SUBPROTOCOL } from "./wire.js";

const OPEN = 1;

export class SocketLink {
    #url;
    #owner;
    #Socket;
    #socket = null;

    constructor(url, owner, Socket) {
        this.#url = url;
        this.#owner = owner;
        this.#Socket = Socket;
        this.kind = "websocket";
        this.isBusy = false;
    }

    /** Bytes that wait to be sent. */
    get unsent() {
        return this.#socket?.bufferedAmount ?? 0;
    }

    open() {
        let socket;
        try {
            socket = this.#socket = new this.#Socket(this.#url, [SUBPROTOCOL]);
        } catch (error) {
            // Some pages, and what protects them, do not even let one begin.
            queueMicrotask(() => this.#owner.ended(this, ABNORMAL, error.message));
            return;
        }
        socket.binaryType = "arraybuffer";
        socket.onopen = () => this.#opened();
        socket.onmessage = ({ data }) => this.#owner.received(this, [typeof data === "string" ? null : new Uint8Array(data)]);
        socket.onclose = ({ code, reason }) => this.#owner.ended(this, code, reason);
        // A close follows every error; without a listener some runtimes would take it for uncaught.
        socket.onerror = () => {};
    }

    #opened() {
        if (this.#socket.protocol === SUBPROTOCOL) {
            this.#owner.opened(this);
            return;
        }
        this.close(BROKEN_MESSAGE, "wrong subprotocol");
        const refusal = new GameError("WS-001", `The server does not speak ${SUBPROTOCOL}.`);
        this.#owner.ended(this, BROKEN_MESSAGE, "wrong subprotocol", refusal);
    }

    hello(bytes) {
        this.send(bytes);
    }

    send(bytes) {
        if (this.#socket.readyState === OPEN) this.#socket.send(bytes);
    }

    /** Nothing more is told of it; it does not wait for the other end. */
    close(code, reason = "") {
        const socket = this.#socket;
        if (socket === null) return;
        socket.onopen = socket.onmessage = socket.onclose = () => {};
        // A reason is at most 123 bytes, and a character of it up to three.
        socket.close(code, reason.slice(0, 40));
    }
}
