/**
 * The jungle's floor, painted once into tiles and then only copied.
 *
 * Knows the arena's size and the palette; decides by position what grows where, so every player sees the same
 * jungle. Knows nothing of players. Tiles stand on whole pixels: copying them needs no filtering and shows no seams.
 */
import { chance, pick, scatter } from "./chance.js";
import { blob, canopy, fern, flower, mushroom, stone, tuft } from "./plants.js";
import { treesIn } from "./trees.js";

const TILE = 256; // world units
const KEPT = 90; // tiles: more than are seen and prepared at once, less than an arena on a fine screen
/** How far beyond the arena the thicket is painted: as far as the camera may look. */
export const THICKET = 256;

const TRAILS = [
    { from: [-200, 0.24], bends: 0.055, waves: 2.1, across: true },
    { from: [-200, 0.71], bends: 0.07, waves: 1.6, across: true },
    { from: [-200, 0.35], bends: 0.06, waves: 1.9, across: false },
    { from: [-200, 0.8], bends: 0.045, waves: 2.6, across: false },
];

export class Ground {
    #tiles = new Map();
    #size;

    constructor(world, scale, palette) {
        this.world = world;
        this.palette = palette;
        this.#size = Math.round(TILE * scale);
        /** Pixels per world unit, so chosen that a tile is a whole number of pixels. */
        this.scale = this.#size / TILE;
    }

    /** Copy what a view shows; `left` and `top` are the view's corner in whole pixels of the world. */
    draw(context, left, top, width, height) {
        const size = this.#size;
        const lastColumn = Math.floor((left + width - 1) / size);
        const lastRow = Math.floor((top + height - 1) / size);
        for (let row = Math.floor(top / size); row <= lastRow; row++) {
            for (let column = Math.floor(left / size); column <= lastColumn; column++) {
                context.drawImage(this.#tile(column, row), column * size - left, row * size - top);
            }
        }
    }

    /** Paint one tile that will be needed soon, if there is one: spreads the painting over frames. */
    prepare(left, top, width, height) {
        const size = this.#size;
        const lastColumn = Math.floor((left + width) / size) + 1;
        const lastRow = Math.floor((top + height) / size) + 1;
        for (let row = Math.floor(top / size) - 1; row <= lastRow; row++) {
            for (let column = Math.floor(left / size) - 1; column <= lastColumn; column++) {
                if (this.#tiles.has(`${column},${row}`)) continue;
                this.#tile(column, row);
                return;
            }
        }
    }

    /** The whole arena in a small picture, for the map. */
    overview(context, width, height) {
        const { world, palette } = this;
        const scale = width / world.width;
        context.save();
        context.scale(scale, height / world.height);
        context.fillStyle = palette.grass;
        context.fillRect(0, 0, world.width, world.height);
        const all = { left: 0, top: 0, right: world.width, bottom: world.height };
        paintTrails(context, world, palette);
        context.fillStyle = palette.leaves[0][1];
        for (const tree of treesIn(all, world)) {
            context.beginPath();
            context.arc(tree.x, tree.y, tree.radius * 0.8, 0, Math.PI * 2);
            context.fill();
        }
        context.restore();
    }

    #tile(column, row) {
        const key = `${column},${row}`;
        const tile = this.#tiles.get(key) ?? this.#paint(column, row);
        this.#tiles.delete(key);
        this.#tiles.set(key, tile); // as the newest
        if (this.#tiles.size > KEPT) this.#tiles.delete(this.#tiles.keys().next().value);
        return tile;
    }

    #paint(column, row) {
        const tile = document.createElement("canvas");
        tile.width = tile.height = this.#size;
        const context = tile.getContext("2d", { alpha: false });
        const box = { left: column * TILE, top: row * TILE, right: (column + 1) * TILE, bottom: (row + 1) * TILE };
        context.setTransform(this.scale, 0, 0, this.scale, -column * this.#size, -row * this.#size);
        const { palette, world } = this;
        context.fillStyle = palette.grass;
        context.fillRect(box.left, box.top, TILE, TILE);
        paintPatches(context, box, palette);
        paintTrails(context, world, palette);
        paintPlants(context, box, world, palette);
        paintTreeShadows(context, box, world, palette);
        paintThicket(context, box, world, palette);
        return tile;
    }
}

function paintPatches(context, box, palette) {
    scatter(box, 110, 130, 1, (x, y, column, row) => {
        context.fillStyle = pick(palette.patches, column, row, 3);
        context.globalAlpha = 0.55;
        blob(context, x, y, 40 + chance(column, row, 4) * 60, column * 31 + row, { flat: 0.8 });
        context.fill();
    });
    context.globalAlpha = 1;
}

/** Where a trail runs `along` the arena (0 … its length): a sum of two slow waves. */
function trailAt(trail, along, world) {
    const length = trail.across ? world.width : world.height;
    const breadth = trail.across ? world.height : world.width;
    const phase = (along / length) * Math.PI * 2;
    return (
        breadth *
        (trail.from[1] +
            trail.bends * Math.sin(phase * trail.waves) +
            trail.bends * 0.4 * Math.sin(phase * trail.waves * 2.7 + 1))
    );
}

function paintTrails(context, world, palette) {
    context.lineCap = context.lineJoin = "round";
    for (const [colour, width] of [
        [palette.trailEdge, 46],
        [palette.trail, 38],
    ]) {
        context.strokeStyle = colour;
        context.lineWidth = width;
        for (const trail of TRAILS) {
            context.beginPath();
            const length = (trail.across ? world.width : world.height) + 200;
            for (let along = trail.from[0]; along <= length; along += 32) {
                const side = trailAt(trail, along, world);
                if (trail.across) context.lineTo(along, side);
                else context.lineTo(side, along);
            }
            context.stroke();
        }
    }
}

function onTrail(x, y, world) {
    return TRAILS.some((trail) => Math.abs(trail.across ? trailAt(trail, x, world) - y : trailAt(trail, y, world) - x) < 30);
}

function paintPlants(context, box, world, palette) {
    scatter(box, 30, 14, 10, (x, y, column, row) => {
        if (onTrail(x, y, world)) {
            if (chance(column, row, 12) > 0.55) return;
            context.fillStyle = palette.pebble;
            context.beginPath();
            context.ellipse(x, y, 2.4, 1.8, 0, 0, Math.PI * 2);
            context.fill();
        } else if (chance(column, row, 13) < 0.5) tuft(context, x, y, palette, column, row);
    });
    scatter(box, 22, 8, 14, (x, y, column, row) => {
        const meadow = chance(column >> 3, row >> 3, 15) < 0.3; // flowers come in meadows, not evenly
        if (meadow && chance(column, row, 16) < 0.4 && !onTrail(x, y, world)) flower(context, x, y, palette, column, row);
    });
    scatter(box, 128, 32, 17, (x, y, column, row) => {
        if (onTrail(x, y, world)) return;
        const what = chance(column, row, 19);
        if (what < 0.34) fern(context, x, y, palette, column, row);
        else if (what < 0.52) stone(context, x, y, palette, column, row);
        else if (what < 0.6) mushroom(context, x, y, palette);
    });
}

function paintTreeShadows(context, box, world, palette) {
    context.fillStyle = palette.shade;
    for (const tree of treesIn(box, world)) {
        blob(context, tree.x + 16, tree.y + 22, tree.radius * 0.9, tree.kind, { points: 12, rough: 0.16 });
        context.fill();
    }
}

/** Beyond the arena nobody passes: leaves upon leaves, uneven towards the inside. */
function paintThicket(context, box, world, palette) {
    if (box.left > 60 && box.top > 60 && box.right < world.width - 60 && box.bottom < world.height - 60) return;
    const inside = (x, y, margin) => x > -margin && y > -margin && x < world.width + margin && y < world.height + margin;
    context.fillStyle = palette.shade;
    scatter(box, 46, 80, 80, (x, y, column, row) => {
        if (inside(x, y, 12) || !inside(x, y, 90)) return;
        blob(context, x + 8, y + 12, 44, column + row);
        context.fill();
    });
    context.fillStyle = palette.thicket;
    context.beginPath();
    context.rect(box.left, box.top, TILE, TILE);
    context.rect(-40, -40, world.width + 80, world.height + 80);
    context.fill("evenodd");
    scatter(box, 46, 80, 80, (x, y, column, row) => {
        if (inside(x, y, 20)) return;
        canopy(context, x, y, 30 + chance(column, row, 82) * 20, palette, Math.floor(chance(column, row, 83) * 97));
    });
}
