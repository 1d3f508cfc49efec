/** Close codes as docs/reference/errors.md lists them: those that this client sends, and what it must know of the server's. */

/** Leaving for good. */
export const NORMAL = 1000;
/** Never sent: what a connection that ended without a word has ended with. */
export const ABNORMAL = 1006;
/** Scripts may close with 1000 and with 3000 to 4999 only: for a message that breaks the rules this is our 1002. */
export const BROKEN_MESSAGE = 4400;
/** Nothing was heard for too long, or this connection has given way to a better one. The seat is to be kept. */
export const UNHEARD = 4408;
/** The token has expired: coming back is of use with another one only. */
export const EXPIRED = 4004;
export const ROOM_CLOSED = 4506;

/** Whether the server says not to come back. */
export function isFinal(code) {
    return code >= 4500 && code <= 4999;
}
