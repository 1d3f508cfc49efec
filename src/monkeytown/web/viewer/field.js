/**
 * A field of moving dots for the tables whose rows have an x and a y.
 *
 * Knows a canvas and how schemas describe numbers. Tables that share the same ranges share one field. A dot carries a
 * nose if its row has an angle, and a label if it has a text. In a room with an area the field follows the visitor's own entity.
 * Knows nothing of any game.
 */
import { element, follow } from "../shared/dom.js";
import { Labels } from "../shared/labels.js";
import { fitCanvas } from "../shared/meter.js";
import { cameraFor, isPart } from "./camera.js";

const COLOURS = ["#2f9e63", "#e5a812", "#3f83d8", "#d4527a", "#8a63d2", "#1f9ea3"];
const NUMBERS = new Set(["fixed", "uint", "sint"]);
const ROOM_FOR_LABEL = 7000; // square CSS pixels; with less the labels would cover each other
const WIDE = 16; // bits; whole numbers wider than this hardly use their range
const DIRECTIONS = 48; // pictures of a dot with a nose
const TURN = Math.PI * 2;
const MARGIN = 10; // CSS pixels around the field
const SHAPE_IN_SIGHT = 1.4; // width by height where only a part of the world is seen

const find = (table, type) => table.fields.find((field) => field.type === type && !field.count && !field.ownerOnly);
const axis = (table, name) => table.fields.find((field) => field.name === name && NUMBERS.has(field.type) && !field.count);

/** Whether rows of this table have a place. */
export function hasPlaces(table) {
    return Boolean(axis(table, "x") && axis(table, "y"));
}

/** One field for each set of tables that share a space. */
export function fieldsFor(room, container) {
    const spaces = new Map();
    Object.values(room.tables)
        .filter(hasPlaces)
        .forEach((table, place) => {
            const layer = layerFor(table, COLOURS[place % COLOURS.length]);
            const key = JSON.stringify([rangeOf(layer.x), rangeOf(layer.y)]);
            if (!spaces.has(key)) spaces.set(key, []);
            spaces.get(key).push(layer);
        });
    return [...spaces.values()].map((layers) => new Field(room, layers, container));
}

function layerFor(table, colour) {
    return { table, colour, x: axis(table, "x"), y: axis(table, "y"), angle: find(table, "angle"), label: find(table, "text") };
}

/** From where to where a coordinate may go; null where the schema leaves it as good as open. */
function rangeOf({ type, bits, lo, hi }) {
    if (type === "fixed") return [lo, hi];
    if (bits > WIDE) return null;
    return type === "uint" ? [0, 2 ** bits] : [-(2 ** (bits - 1)), 2 ** (bits - 1)];
}

class Field {
    #dots = new Map();
    #extent;
    #camera;
    #night = false;

    constructor(room, layers, container) {
        this.room = room;
        // the layer with the most to say lies on top
        this.layers = [...layers].sort((one, other) => weight(one) - weight(other));
        const [across, down] = [rangeOf(layers[0].x), rangeOf(layers[0].y)];
        const [left, right, top, bottom] = [...(across ?? [0, 1]), ...(down ?? [0, 1])];
        this.#extent = { left, right, top, bottom, fixed: Boolean(across && down) };
        this.canvas = element("canvas", {
            role: "img",
            "aria-label": `Positions of ${layers.map((layer) => layer.table.name).join(", ")}`,
        });
        this.counts = layers.map((layer) => this.#legend(layer));
        container.append(
            element(
                "section",
                { class: "card field" },
                this.canvas,
                element("div", { class: "legend" }, ...this.counts.map(({ line }) => line)),
            ),
        );
        this.#camera = cameraFor(
            room,
            layers.map(({ table }) => table),
        );
        const shape = this.#camera === null ? (right - left) / (bottom - top) : SHAPE_IN_SIGHT;
        this.canvas.style.setProperty("--shape", String(Math.min(2.4, Math.max(0.8, shape))));
        follow("(prefers-color-scheme: dark)", (night) => {
            this.#night = night;
            this.#dots.clear();
            this.labels = null;
        });
    }

    #legend({ table, colour }) {
        const line = element("span", { text: table.name });
        line.style.setProperty("--dot", colour);
        const count = element("b", { class: "number", text: "0" });
        line.append(count);
        return { line, count, table, words: isPart(this.room, table) ? " in sight" : "" };
    }

    /** Draw one frame. */
    draw(now) {
        const { width, height, scale, context } = fitCanvas(this.canvas);
        if (!width) return;
        if (!this.#extent.fixed) this.#grow();
        const layers = this.layers.map((layer) => ({ ...layer, ...this.#columns(layer, now) }));
        const placing = this.#camera?.aim(this.#ownPlace(layers), width, height) ?? this.#whole(width, height);
        const frame = { context, scale, ...placing };
        this.#drawSpace(frame, width, height);
        frame.labels = Math.floor((width * height) / ROOM_FOR_LABEL);
        this.labels ??= new Labels(
            scale,
            this.#night ? { label: "#e7efe8", labelEdge: "#131c17" } : { label: "#2c3a31", labelEdge: "#f7faf1" },
        );
        for (const layer of layers) this.#drawLayer(frame, layer);
        for (const { count, table, words } of this.counts) {
            const text = ` ${table.size}${words}`;
            if (count.textContent !== text) count.textContent = text;
        }
    }

    /** The whole of the space in the canvas. */
    #whole(width, height) {
        const { left, right, top, bottom } = this.#extent;
        const perUnit = Math.min((width - 2 * MARGIN) / (right - left || 1), (height - 2 * MARGIN) / (bottom - top || 1));
        return {
            perUnit,
            left: (width - (right - left) * perUnit) / 2 - left * perUnit,
            top: (height - (bottom - top) * perUnit) / 2 - top * perUnit,
        };
    }

    /** Where the visitor's own entity is drawn, or null. */
    #ownPlace(layers) {
        const own = this.room.entity;
        const layer = layers.find(({ table }) => table === own?.table);
        return layer === undefined ? null : { x: layer.across[own.slot], y: layer.down[own.slot] };
    }

    #drawSpace(frame, width, height) {
        const { context, perUnit, left, top } = frame;
        const space = this.#extent;
        context.fillStyle = this.#night ? "#131c17" : "#e9efe0";
        context.fillRect(0, 0, width, height);
        const box = [
            left + space.left * perUnit,
            top + space.top * perUnit,
            (space.right - space.left) * perUnit,
            (space.bottom - space.top) * perUnit,
        ];
        if (this.#camera === null) this.#drawGrid(context, space, box, frame);
        else this.#camera.draw(frame, this.#night);
        context.strokeStyle = this.#night ? "#3a4d43" : "#c3cdb2";
        context.lineWidth = 1;
        context.strokeRect(...box);
    }

    #drawGrid(context, space, box, { perUnit, left, top }) {
        context.fillStyle = this.#night ? "#19251f" : "#f7faf1";
        context.fillRect(...box);
        const gap = niceGap(space.right - space.left);
        context.strokeStyle = this.#night ? "#26352d" : "#e0e7d4";
        context.lineWidth = 1;
        context.beginPath();
        for (let x = Math.ceil(space.left / gap) * gap; x <= space.right; x += gap) {
            context.moveTo(left + x * perUnit, box[1]);
            context.lineTo(left + x * perUnit, box[1] + box[3]);
        }
        for (let y = Math.ceil(space.top / gap) * gap; y <= space.bottom; y += gap) {
            context.moveTo(box[0], top + y * perUnit);
            context.lineTo(box[0] + box[2], top + y * perUnit);
        }
        context.stroke();
    }

    #drawLayer(frame, layer) {
        const { context, perUnit, left, top, scale } = frame;
        const { table, across: x, down: y, heading } = layer;
        const { slots } = table;
        const radius = radiusFor(table.size, Boolean(layer.angle));
        // whole pixels of the screen: pictures are then copied, not filtered
        context.setTransform(1, 0, 0, 1, 0, 0);
        const pictures = this.#dotsOf(layer.colour, radius, scale);
        for (const slot of slots) {
            const direction = heading ? Math.round((heading[slot] / TURN) * DIRECTIONS + DIRECTIONS) % DIRECTIONS : -1;
            const dot = (pictures[direction + 1] ??= paintDot(layer.colour, radius, scale, direction, this.#night));
            context.drawImage(
                dot,
                ((left + x[slot] * perUnit) * scale - dot.width / 2) | 0,
                ((top + y[slot] * perUnit) * scale - dot.width / 2) | 0,
            );
        }
        context.setTransform(scale, 0, 0, scale, 0, 0);
        const own = this.room.entity;
        if (own?.table === table)
            ring(context, left + x[own.slot] * perUnit, top + y[own.slot] * perUnit, radius + 5, this.#night);
        if (!layer.label) return;
        // in a crowd only the visitor's own entity keeps its label
        const named = table.size <= frame.labels ? slots : slots.filter((slot) => own?.table === table && slot === own.slot);
        this.#drawLabels(frame, layer, named, x, y, radius);
    }

    #drawLabels({ context, perUnit, left, top, scale }, layer, slots, x, y, radius) {
        const names = layer.table.columns[layer.label.name].values;
        context.setTransform(1, 0, 0, 1, 0, 0);
        for (const slot of slots) {
            this.labels.draw(
                context,
                names[slot],
                (left + x[slot] * perUnit) * scale,
                (top + y[slot] * perUnit - radius - 2) * scale,
            );
        }
        context.setTransform(scale, 0, 0, scale, 0, 0);
    }

    /** Where the rows are now: smoothed by the library where the schema allows it. */
    #columns({ table, x, y, angle }, now) {
        const smooth = this.room.tickRate > 0 ? this.room.interpolated(table, now).columns : {};
        const column = (field) => field && (smooth[field.name] ?? table.columns[field.name].values);
        return { across: column(x), down: column(y), heading: column(angle) };
    }

    /** Without a range in the schema, the field takes in whatever was seen. */
    #grow() {
        const space = this.#extent;
        for (const { table, x, y } of this.layers) {
            const xs = table.columns[x.name].values;
            const ys = table.columns[y.name].values;
            for (const slot of table.slots) {
                space.left = Math.min(space.left, xs[slot]);
                space.right = Math.max(space.right, xs[slot]);
                space.top = Math.min(space.top, ys[slot]);
                space.bottom = Math.max(space.bottom, ys[slot]);
            }
        }
    }

    /** Dots as pictures: without a nose, then one for each of some directions. */
    #dotsOf(colour, radius, scale) {
        const key = `${colour} ${radius} ${scale}`;
        if (!this.#dots.has(key)) this.#dots.set(key, []);
        return this.#dots.get(key);
    }
}

function paintDot(colour, radius, scale, direction, night) {
    const dot = document.createElement("canvas");
    dot.width = dot.height = 2 * Math.ceil((radius * (direction < 0 ? 1 : 2) + 2) * scale);
    const context = dot.getContext("2d");
    context.setTransform(scale, 0, 0, scale, dot.width / 2, dot.height / 2);
    if (direction >= 0) {
        const angle = (direction / DIRECTIONS) * TURN;
        context.strokeStyle = colour;
        context.lineWidth = 3;
        context.lineCap = "round";
        context.beginPath();
        context.moveTo(0, 0);
        context.lineTo(Math.cos(angle) * radius * 2, Math.sin(angle) * radius * 2);
        context.stroke();
    }
    context.beginPath();
    context.arc(0, 0, radius, 0, TURN);
    context.fillStyle = colour;
    context.fill();
    context.lineWidth = 1.5;
    context.strokeStyle = night ? "#131c17" : "#ffffff";
    context.stroke();
    return dot;
}

const weight = ({ angle, label }) => Number(Boolean(angle)) + Number(Boolean(label));

/** Few dots may be large; a thousand must leave room for each other. What has a direction has room for a nose. */
function radiusFor(count, faces) {
    if (count > 300) return faces ? 4.2 : 2.6;
    return faces || count <= 50 ? 6.5 : 4;
}

function ring(context, x, y, radius, night) {
    context.beginPath();
    context.arc(x, y, radius, 0, TURN);
    context.lineWidth = 2.5;
    context.strokeStyle = night ? "#ffd25a" : "#d24b1f";
    context.stroke();
}

/** A distance between grid lines that is 1, 2 or 5 times a power of ten and gives about eight of them. */
function niceGap(range) {
    const rough = range / 8 || 1;
    const power = 10 ** Math.floor(Math.log10(rough));
    return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= rough);
}
