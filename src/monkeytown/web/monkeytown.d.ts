/**
 * Monkeytown's client: one ES module, no dependencies, browsers and Node 20+.
 *
 * ```js
 * import { connect } from "/web/monkeytown.js";
 *
 * const client = await connect(undefined, { name: "Ada" });
 * const room = await client.join("jungle");
 *
 * room.on("chat", ({ name, text }) => log(`${name}: ${text}`));
 * addEventListener("keydown", () => room.input({ turn: -1, run: true }));
 *
 * function draw() {
 *     const { x, y } = room.interpolated(room.tables.monkeys).columns;
 *     for (const slot of room.tables.monkeys.slots) dot(x[slot], y[slot]);
 *     requestAnimationFrame(draw);
 * }
 * draw();
 * ```
 */

/** The WebSocket subprotocol this client speaks. */
export const SUBPROTOCOL: "monkeytown.1";

/**
 * Connects, says hello and resolves once the server has answered.
 *
 * @param url where the game socket is; by default `ws(s)://<host of the page>/ws`. `http(s):` addresses are turned into `ws(s):`.
 * Polls go to the same address with `poll` for its last part. Rejects with a {@link GameError} or an `Error` if neither way leads to the server at
 * first; later losses are repaired by the client itself.
 */
export function connect(url?: string | URL, options?: ConnectOptions): Promise<Client>;

export interface ConnectOptions {
    /** The name other players see. The server makes one up if it is missing. */
    name?: string;
    /**
     * Proof of who the player is, where a server asks for it: a token, or what gets one. A function is called for each connection, and whenever the
     * server wants another because the one it has is running out; with a token that stays the same that is the end.
     */
    token?: string | (() => string | undefined | Promise<string | undefined>);
    /**
     * How it may travel; both unless said otherwise. A WebSocket is preferred. Where none is let through (two in a row fail, or one is silent) the
     * server is polled, and a WebSocket is tried again every now and then, without the room noticing.
     */
    transports?: readonly Transport[];
    /** A WebSocket class, for runtimes without a global one (Node 20: the `ws` package's). Without any, the server is polled. */
    WebSocket?: new (url: string, protocols: string[]) => WebSocket;
    /** What to poll with instead of the global `fetch`. */
    fetch?: typeof fetch;
}

export type Transport = "websocket" | "polling";

/**
 * A player on a server. It repairs itself: after a loss it comes back as the same player, in the same room, and goes on from where it was, as long
 * as the server keeps the seat (some minutes); after that as a new player who joins the room again.
 */
export class Client {
    private constructor();
    /** The id this player has on the server. It stays the same after a loss, unless the server has given up the seat meanwhile. */
    readonly id: string;
    /** The name the server knows this player by. */
    readonly name: string;
    /** The server's name and version. */
    readonly server: string;
    readonly state: "open" | "reconnecting" | "closed";
    /** How it travels, or did last. */
    readonly transport: Transport;
    /** The room this client is in, or null. */
    readonly room: Room | null;
    /** Round trip of the last heartbeats, smoothed, in milliseconds; 0 until the first is answered. */
    readonly ping: number;
    /** The server's clock now: milliseconds since 1970, as far as heartbeats tell. */
    readonly serverTime: number;

    /**
     * Joins a room: of a game by its name (`"jungle"`), or a particular one by its id.
     * Resolves when the room's schema and first state are in; rejects with a {@link GameError}.
     */
    join<T extends TableFields = any>(gameId: string): Promise<Room<T>>;

    /** Leaves for good: the seat is given up, if the server can be told. */
    close(): void;

    /** Listens; returns a function that stops listening. */
    on<E extends keyof ClientEvents>(event: E, listener: (data: ClientEvents[E]) => void): () => void;
    off<E extends keyof ClientEvents>(event: E, listener: (data: ClientEvents[E]) => void): void;
}

export interface ClientEvents {
    /** The server refused something. Errors with a room are told to the room as well. */
    error: GameError;
    reconnecting: Reconnecting;
    /** Back after a loss; or from polls to a WebSocket, and nothing was lost. */
    reconnected: Reconnected;
    close: Closed;
}

/** What a game's tables hold: a map from table name to the fields of its rows. For typed access: `client.join<{monkeys: {x: number}}>()`. */
export type TableFields = Record<string, object>;

/** One room of a game: its state, its players, its events. */
export class Room<T extends TableFields = any> {
    private constructor();
    readonly client: Client;
    /** The room's id. It may be another room of the same game after the server has given up the seat and the old room is gone. */
    readonly id: string;
    /** The game's name. */
    readonly game: string;
    readonly schema: Schema;
    /** How the world is divided into cells, if this player sees only those around it; null if it sees everything. */
    readonly area: Area | null;
    /** The cells of the area that are in sight, or null. Another object whenever they have changed, and after a snapshot. */
    readonly view: View | null;
    /** Ticks a second; 0 for a game that moves by events only. */
    readonly tickRate: number;
    /** The newest state here: its history and its tick. */
    readonly epoch: number;
    readonly tick: number;
    /**
     * The room's tables by name. In a room with an area some of them hold only the rows in sight. They are new tables, to which the listeners
     * of the old ones move, when the server describes the room anew: after a reconnection to a changed game, or for a player who sees something
     * else from now on (a spectator, say).
     */
    readonly tables: { readonly [N in keyof T]: Table<T[N]> };
    /** Everybody in the room, this player included, by id; while the connection is lost, those of before. */
    readonly players: ReadonlyMap<string, Player>;
    /** What was said last, also before this player came; oldest first. Texts are as they were written: show them as text. */
    readonly chatLines: readonly ChatLine[];
    /** This player's own entity, or null. */
    readonly entity: Row<any> | null;
    /** The number of the newest input that the rules have seen (see {@link Room.input}). */
    readonly inputSeen: number;
    /** False after `leave()`, `client.close()`, or when the server has ended the room for good. */
    readonly open: boolean;
    /** What came in during the last second. */
    readonly stats: Stats;
    /** States received during the last second. */
    readonly rate: number;

    /**
     * Sends an input: the fields of the game's `input` class (what is missing is sent as zero, false or the first name; what is out of
     * range is clamped), or any map of MessagePack values if the game has none. Returns the input's number, or 0 if it is dropped: one of the
     * `input` class while the connection is lost, since only the newest is of use. A map is kept as chat is, and 0 if it cannot be.
     */
    input(fields: Record<string, unknown>): number;
    /**
     * Says something to everyone in the room. It is kept until the server has it and arrives once and in order, whatever is lost meanwhile, as long as
     * the seat is kept. Returns false if that cannot be promised, and then it is not sent: too much is kept already (256 messages or 64 KiB, with
     * the maps of `input`), or the room is being joined again.
     */
    chat(text: string): boolean;
    leave(): void;

    /**
     * Listens; returns a function that stops listening. Besides {@link RoomEvents}, every event that the game sends arrives under its own
     * name (one that is called like a built-in event arrives as `"event"` only).
     */
    on<E extends keyof RoomEvents>(event: E, listener: (data: RoomEvents[E]) => void): () => void;
    on(event: string, listener: (data: any) => void): () => void;
    off(event: string, listener: (data: any) => void): void;

    /**
     * Where to draw the rows of a table now: smoothly, two or three ticks behind the newest state, more on a rough connection.
     * Call it once per drawn frame; the result is reused by the next call for the same table.
     */
    interpolated<F extends object>(table: Table<F>, now?: number): Sample<F>;
    /** The tick, with a fraction, that {@link Room.interpolated} draws at the time `now` (`performance.now()`). */
    playbackTick(now?: number): number;

    /**
     * Predicts this player's own entity, so that what the player does shows at once: client-side prediction and server reconciliation.
     * To be called once, right after joining; a second call replaces the first. For games with ticks and an `input` class: throws for one without ticks.
     *
     * @param step makes the next tick of `state`, in place, as the rules do: `input` is the one in force (see {@link Predict}), `dt` is
     * `1 / tickRate`, and `tick` is the number of the tick being made. It must depend on nothing else, as ticks are made over and over.
     */
    predict<S extends object, I extends object = any>(
        step: (state: S, input: I, dt: number, tick: number) => void,
        options: Predict<S>,
    ): Prediction<S>;
}

/** What {@link Room.predict} needs to know. */
export interface Predict<S extends object = any> {
    /**
     * The fields of the own entity that `step` reads or writes, with the values that a row has for them. One that `step` only reads is as
     * the newest state says. Inputs are handed to `step` as the rules read them: rounded to the wire's steps, with all fields; before there is any, all
     * are zero. Of several that take effect in one tick only the newest is.
     */
    fields: readonly (keyof S & string)[];
    /** What `step` keeps that is not among the fields, as it is for a new entity: numbers, strings and booleans. */
    hidden?: Partial<S>;
    /**
     * Called with the state at each tick that the server has told, once its fields are the row's, to put right what is hidden. The fields
     * that already were as the row has them keep what the wire rounds away.
     */
    correct?: ((state: S, row: Row<any>, tick: number) => void) | null;
    /** Milliseconds in which a corrected error shrinks to a third of what it was; 100 unless set here, 0 to correct at once. */
    smooth?: number;
    /** By field name: an error of a `fixed` or `angle` field beyond this is corrected at once. As the table's `jumps` unless set here. */
    snap?: { readonly [N in keyof S]?: number };
}

/** This player's own entity, ahead of the states by as long as an input takes to come back as one. */
export interface Prediction<S extends object = any> {
    /**
     * The entity as it is to be drawn now: `fixed` and `angle` fields between two ticks, everything else as of the earlier one. Null without an entity. Call it
     * once per drawn frame; the result is reused by the next call. It stands still while the connection is away.
     */
    sample(now?: number): Readonly<S> | null;
    readonly stats: {
        /** Ticks that were drawn last ahead of the newest state. */
        readonly ahead: number;
        /** Inputs that the rules have not seen yet. */
        readonly pending: number;
        /** How often a state has moved what was drawn by more than the wire's rounding. */
        readonly corrections: number;
    };
}

export interface ChatLine {
    playerId: string;
    name: string;
    text: string;
}

export interface RoomEvents {
    /** A state was applied; the tables are new. */
    state: { tick: number; snapshot: boolean; bytes: number };
    /** This player's own entity is another one now, or none. It follows the first state, and the state that shows the new one. */
    entity: Row<any> | null;
    chat: ChatLine;
    /** What was said before this player came. It is there before `join` has ended: see `chatLines`. */
    chat_history: ChatLine[];
    playerJoined: Player;
    playerLeft: Player;
    /** Every event that the game sends, whatever its name. */
    event: { event: string; data: any };
    /** The server refused something: a move against the rules, chat too fast … */
    error: GameError;
    reconnecting: Reconnecting;
    reconnected: Reconnected;
    /** The room is over for this client; nothing follows. */
    close: Closed;
}

/**
 * Opens a recording of a room: by its address, of which only the parts that are needed are asked for, or from memory. Resolves when its first state
 * is in; rejects with an `Error` that says what is wrong.
 */
export function openReplay<T extends TableFields = any>(from: string | URL | Uint8Array): Promise<Replay<T>>;

/**
 * A recorded room that is played. Its tables, players and events are those of a {@link Room}, as they were at the moment that is shown; whoever draws a
 * room can draw it. Nobody plays in it: `entity`, `area` and `view` are null.
 */
export interface Replay<T extends TableFields = any> {
    /** The room's id. */
    readonly id: string;
    /** The game's name. */
    readonly game: string;
    readonly about: {
        /** The recording's id. */
        readonly id: string;
        readonly title: string;
        /** Seconds since 1970. */
        readonly started: number;
        readonly ended: number;
        /** How many were there, one after the other or at once. */
        readonly players: number;
        /** Whether it lasts until the room ended. */
        readonly complete: boolean;
        /** Bytes of the file. */
        readonly size: number;
    };
    readonly schema: Schema;
    readonly tickRate: number;
    readonly epoch: number;
    readonly tick: number;
    readonly tables: { readonly [N in keyof T]: Table<T[N]> };
    readonly players: ReadonlyMap<string, Player>;
    readonly entity: null;
    readonly area: null;
    readonly view: null;
    /** How long it is, in seconds. */
    readonly length: number;
    /** The moment that is shown, in seconds from the beginning. */
    readonly seconds: number;
    readonly playing: boolean;
    /** Whether playing waits for a part of the file. */
    readonly waiting: boolean;
    /** Bytes that have come over the network so far. */
    readonly received: number;
    /** While it is brought to another moment: rows come, change and go that did not do so now. */
    readonly isSeeking: boolean;
    /** How many seconds of the game are shown in one; 1 unless set. */
    speed: number;

    /** Goes on from the moment that is shown; from the beginning, if that is the end. */
    play(): Promise<void>;
    pause(): void;
    /** Shows the moment `seconds` after the beginning. Of several calls the last one counts. */
    seek(seconds: number): Promise<void>;
    /** To be called once per drawn frame: moves on by the time since the last call. */
    update(now: number): void;
    /** What was said from `seconds` on up to the moment that is shown, oldest first. */
    history(seconds: number): Promise<Told[]>;
    /** As {@link Room.interpolated}, at the moment that is shown. */
    interpolated<F extends object>(table: Table<F>): Sample<F>;
    playbackTick(): number;
    /** The state hash of docs/reference/replay.md, section 5. It is checked while a recording is played: see the event `error`. */
    stateHash(): number;

    /** Listens; returns a function that stops listening. Events of the game arrive under their own names as well. */
    on<E extends keyof ReplayEvents>(event: E, listener: (data: ReplayEvents[E]) => void): () => void;
    on(event: string, listener: (data: any) => void): () => void;
    off(event: string, listener: (data: any) => void): void;
}

/** Something that everybody in the room was told: the map of the message in docs/reference/wire.md, section 2. */
export interface Told {
    seconds: number;
    kind: "player_joined" | "player_left" | "game_event" | "error";
    about: any;
}

export interface ReplayEvents {
    state: { tick: number; snapshot: boolean; bytes: number };
    chat: { playerId: string; name: string; text: string };
    playerJoined: Player;
    playerLeft: Player;
    event: { event: string; data: any };
    /** Any of the four above, and why the room ended. */
    told: Told;
    /** Another moment is shown: what was told before belongs to another one. */
    seek: number;
    /** It has been played to its end. */
    end: number;
    /** A part of the file could not be had or read, or a state is not what the room had. */
    error: Error;
}

/** Cells, as the schema describes them: `columns` × `rows` squares of side `size` from (`x`, `y`) on, in units of the game. */
export interface Area {
    /** The numbers (places in `schema.tables`) of the tables of which only the rows in sight are sent. */
    readonly tables: readonly number[];
    readonly columns: number;
    readonly rows: number;
    readonly x: number;
    readonly y: number;
    readonly size: number;
}

/** Cells in sight, by their numbers (`row * columns + column`) in ascending order. */
export interface View {
    /** Those whose rows come with every state. */
    readonly near: Int32Array;
    /** Those whose rows come every few states. */
    readonly far: Int32Array;
}

export interface Player {
    readonly id: string;
    readonly name: string;
}

export interface Reconnecting {
    /** Counts from 1 within one loss. */
    attempt: number;
    /** Milliseconds until this attempt. */
    delay: number;
    /** The close code that ended the last connection: 4400 if what the server sent broke the wire, 1006 if it fell silent or polls failed. */
    code: number;
    reason: string;
}

export interface Reconnected {
    /** False if the old room was gone and another room of the same game was joined (or there was no room). */
    sameRoom: boolean;
    /** False if the game's schema is another one now: then `room.tables` holds new tables. */
    sameSchema: boolean;
    /** How the state goes on: from where it was, or from a new snapshot; null if the room was joined again (or there was none). */
    resumed: "delta" | "snapshot" | null;
    /** False if some of what the server said meanwhile (events, errors) is lost for good. */
    recovered: boolean;
    /** How many chat messages and maps of `input` were given up; they may have arrived. */
    lost: number;
}

export interface Closed {
    /** The close code: 1000 after `leave()` and `close()`; 4500–4999 when the server said not to come back (4507: another connection took this place). */
    code: number;
    reason: string;
}

export interface Stats {
    bytesPerSecond: number;
    statesPerSecond: number;
    bytesPerState: number;
}

/**
 * A table of the room: rows of one entity class. Columns are indexed by slot. Rows that left the table keep their last values until
 * their slot is used again.
 */
export class Table<F extends object = any> implements Iterable<Row<F>> {
    private constructor();
    readonly name: string;
    /** The entity class's name. */
    readonly entity: string;
    /** Rows at most. */
    readonly capacity: number;
    /** True for a table of exactly one row. */
    readonly single: boolean;
    readonly fields: readonly Field[];
    /** How many rows there are; of a table that is seen by area, how many are in sight. */
    readonly size: number;
    /** The slots in use, in ascending order. Treat as read-only; take it anew after each state. */
    readonly slots: Int32Array;
    /** The ids by slot, 0 where there is no row. Take it anew after each state. */
    readonly ids: Uint32Array;
    /** The columns by field name. */
    readonly columns: { readonly [N in keyof F]: Column<F[N]> };
    /** The row of a `single` table; null for other tables and before the first state. */
    readonly row: Row<F> | null;

    /** The row of an id, or null. */
    get(id: number): Row<F> | null;
    /** The row in a slot, or null. */
    at(slot: number): Row<F> | null;
    has(id: number): boolean;
    /** The rows in order of their slots. */
    [Symbol.iterator](): IterableIterator<Row<F>>;

    /** Slots of rows whose values the last state changed or moved (not those that entered). */
    readonly changed: Int32Array;
    /** Slots of rows that entered with the last state. */
    readonly entered: Int32Array;
    /** Ids of rows that left with the last state. */
    readonly gone: Uint32Array;

    /**
     * Listens for rows that enter: once per state, with all of them; and at once with the rows already there. Returns a function that stops it.
     * Rows that come into sight enter and those that go out of sight leave; one that only goes from cell to cell does neither.
     */
    onSpawn(listener: (rows: Row<F>[], table: Table<F>) => void): () => void;
    /** Listens for rows that change: once per state, with all of them. */
    onChange(listener: (rows: Row<F>[], table: Table<F>) => void): () => void;
    /** Listens for rows that leave: once per state, with all of them. Their `id` is good; their values are, if no new row took the slot in that very state. */
    onDespawn(listener: (rows: Row<F>[], table: Table<F>) => void): () => void;

    /**
     * The positions at a tick with a fraction, between the states received: every `fixed` and `angle` field, as plain numbers by slot.
     * Angles go the short way round; jumps are not smeared; rows that have just entered appear at once; beyond the newest state it is the newest.
     * Rows in far cells, which come every few ticks, glide from one such state to the next, and so are drawn that much later.
     * The first call begins to record states for this table; the result is reused by the next call.
     */
    sample(tick: number): Sample<F>;
    /**
     * What counts as a jump: a move of a `fixed` field by more than this, in one tick, is not drawn as a glide. By field name, in the
     * field's own units; a sixteenth of the field's range unless set here. `Infinity` for never.
     */
    readonly jumps: Record<string, number>;
}

export interface Sample<F extends object = any> {
    /** The tick it was taken at. */
    tick: number;
    /** The slots whose values are good: the table's own. */
    slots: Int32Array;
    /** Values by field name, indexed by slot: `fixed` in the field's units, `angle` in radians. Arrays of the schema are not sampled. */
    columns: { [N in keyof F]: Float64Array };
}

/** A light view of one entity: its fields are properties, read from the columns when asked for. */
export type Row<F extends object = any> = RowBase & Readonly<F>;

export interface RowBase {
    /** Names the entity for good. */
    readonly id: number;
    readonly slot: number;
    readonly table: Table<any>;
    /** False once the entity has left its table. */
    readonly alive: boolean;
    /** A plain copy of all fields. */
    toJSON(): Record<string, unknown>;
}

/**
 * One field of a table, for all rows. Values are `number` for `fixed`, `angle` (radians), `uint` and `sint`; `boolean` for `bool`; the name
 * for `enum`; the row or null for `ref`; `string` for `text`; `Uint8Array` for `blob`; an array of those for arrays.
 */
export interface Column<V = any> {
    readonly field: Field;
    /** The value of the row in this slot. */
    get(slot: number): V;
    /**
     * All values by slot, brought up to date at most once per state, when it is asked for: numbers (`bool` 0 or 1, `enum` the place of the
     * name, `ref` the id); strings for `text`, `Uint8Array` for `blob`. Of an array: its first element; see `lane`.
     */
    readonly values: Float64Array | string[] | Uint8Array[];
    /** The integers of the wire by slot; exactly the server's. Take it anew after each state. Null for `text` and `blob`. */
    readonly wire: Int32Array | Uint32Array | null;
    /** How much each value changed in the last tick, for `linear` columns. */
    readonly steps: Int32Array | null;
    /** Element `index` of an array field as a column of its own. */
    lane(index: number): Column;
}

export type FieldType = "fixed" | "angle" | "uint" | "sint" | "bool" | "enum" | "text" | "blob" | "ref";

/** A field as the schema describes it; docs/reference/wire.md, section 3. */
export interface Field {
    readonly name: string;
    readonly type: FieldType;
    /** 0, or the length of an array. */
    readonly count: number;
    readonly predict: "hold" | "linear";
    /** True: only the row's owner is sent this field; everyone else reads zero or empty. */
    readonly ownerOnly: boolean;
    readonly bits: number;
    readonly lo?: number;
    readonly hi?: number;
    readonly step?: number;
    readonly values?: readonly string[];
    readonly max?: number;
    readonly table?: number;
}

export interface Schema {
    readonly gameId: string;
    readonly game: string;
    readonly tickRate: number;
    readonly hash: number;
    readonly tables: readonly {
        readonly name: string;
        readonly entity: string;
        readonly capacity: number;
        readonly single: boolean;
        readonly fields: readonly Field[];
    }[];
    readonly input: null | { readonly name: string; readonly hash: number; readonly fields: readonly Field[] };
    readonly area?: Area | null;
}

/** A refusal by the server; `code` is one of docs/reference/errors.md. */
export class GameError extends Error {
    constructor(code: string, message: string);
    readonly code: string;
}

/** Bytes that break docs/reference/wire.md. The client closes the connection and comes back for a fresh state. */
export class WireError extends Error {}
