/**
 * What part of a large world a field shows: in a room with an area, what is around the visitor's own entity.
 *
 * Knows the room's cells and which of them are in sight. Knows nothing of dots. All of it fits into the picture, at a scale that stays.
 */

const SMALLEST_CELL = 4; // CSS pixels; smaller ones would be a grey haze

/** Whether a player has only those rows of a table that are in sight. */
export function isPart(room, table) {
    return Boolean(room.area?.tables.some((number) => room.schema.tables[number].name === table.name));
}

/** The camera for tables of which some are seen in part; null where everything is seen. */
export function cameraFor(room, tables) {
    return tables.some((table) => isPart(room, table)) ? new Camera(room) : null;
}

class Camera {
    #room;
    #view = null;
    /** The middle of what is in sight, and the longest side that it has had, in units of the game: less at the edges of the world. */
    #middle;
    #span = 0;
    /** Where the visitor's own entity was last. */
    #place = null;

    constructor(room) {
        this.#room = room;
        const { columns, rows, x, y, size } = room.area;
        this.#middle = { x: x + (columns * size) / 2, y: y + (rows * size) / 2 };
    }

    /** How units of the game become CSS pixels now: `left + x * perUnit`, `top + y * perUnit`. */
    aim(own, width, height) {
        if (this.#view !== this.#room.view) this.#measure();
        if (own !== null) this.#place = own;
        const { x, y } = this.#place ?? this.#middle;
        // One may stand anywhere in the middle cell, so the view is up to half a cell to one side.
        const perUnit = Math.min(width, height) / (this.#span + this.#room.area.size);
        return { perUnit, left: width / 2 - x * perUnit, top: height / 2 - y * perUnit };
    }

    #measure() {
        this.#view = this.#room.view;
        const { columns, x, y, size } = this.#room.area;
        const box = { left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity };
        for (const cell of [...this.#view.near, ...this.#view.far]) {
            box.left = Math.min(box.left, cell % columns);
            box.right = Math.max(box.right, (cell % columns) + 1);
            box.top = Math.min(box.top, Math.floor(cell / columns));
            box.bottom = Math.max(box.bottom, Math.floor(cell / columns) + 1);
        }
        if (box.left === Infinity) return;
        this.#span = Math.max(this.#span, (box.right - box.left) * size, (box.bottom - box.top) * size);
        this.#middle = { x: x + ((box.left + box.right) / 2) * size, y: y + ((box.top + box.bottom) / 2) * size };
    }

    /** The cells in sight, far ones fainter. */
    draw({ context, perUnit, left, top }, night) {
        const { near, far } = this.#room.view;
        const rings = [
            [far, night ? "#18231d" : "#f0f5e7", night ? "#202d26" : "#e6ecda"],
            [near, night ? "#1f2e27" : "#f9fcf4", night ? "#2f4238" : "#dbe4cc"],
        ];
        context.lineWidth = 1;
        for (const [cells, ground, line] of rings) {
            context.fillStyle = ground;
            context.strokeStyle = line;
            const side = this.#room.area.size * perUnit;
            for (const cell of cells) {
                const [across, down] = this.#corner(cell, perUnit, left, top);
                context.fillRect(across, down, side, side);
                if (side >= SMALLEST_CELL) context.strokeRect(across, down, side, side);
            }
        }
    }

    #corner(cell, perUnit, left, top) {
        const { columns, x, y, size } = this.#room.area;
        return [left + (x + (cell % columns) * size) * perUnit, top + (y + Math.floor(cell / columns) * size) * perUnit];
    }
}
