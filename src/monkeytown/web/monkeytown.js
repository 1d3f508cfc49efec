/**
 * Monkeytown's client for browsers and Node 20+. Everything public is here; monkeytown.d.ts describes it.
 *
 *     import { connect } from "/web/monkeytown.js";
 *
 *     const client = await connect(undefined, { name: "Ada" });
 *     const room = await client.join("jungle");
 *     room.on("chat", ({ name, text }) => log(`${name}: ${text}`));
 *     room.input({ turn: 0.5, run: true });
 */

export { Client, connect } from "./client/client.js";
export { GameError } from "./client/errors.js";
export { Room } from "./client/room.js";
export { Table } from "./client/table.js";
export { SUBPROTOCOL, WireError } from "./client/wire.js";

/** Opens a recording. What plays it is loaded when it is first asked for. */
export async function openReplay(from) {
    const { Replay } = await import("./replay/replay.js");
    return Replay.open(from);
}
