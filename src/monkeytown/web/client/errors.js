/** What the server refuses, as a JavaScript error. */

/** `code` is one of docs/reference/errors.md. */
export class GameError extends Error {
    constructor(code, message) {
        super(message);
        this.name = "GameError";
        this.code = code;
    }
}
