/**
 * Trees that stand in the arena: where, which, and how their crowns hang over the monkeys.
 *
 * Knows positions, the palette and a canvas. Trees are scenery: nobody bumps into them, and a crown fades when the
 * player's own monkey is beneath it. Crowns shift a little against the ground as the camera moves, as tall things do.
 */
import { chance, scatter } from "./chance.js";
import { canopy, palm } from "./plants.js";

const SPACING = 235;
const LARGEST = 92;
const KINDS = 8; // crowns kept as pictures; half of them palms
const TALLNESS = 0.085; // how much a crown shifts outwards, per unit from the middle of the view
const FADED = 0.3;
const SOLID = 0.94;

/** Every tree whose crown may reach into a box, always in the same order. */
export function treesIn(box, world) {
    const found = [];
    scatter(box, SPACING, LARGEST + 30, 90, (x, y, column, row) => {
        if (chance(column, row, 92) > 0.46) return;
        if (x < 40 || y < 40 || x > world.width - 40 || y > world.height - 40) return;
        found.push({
            x,
            y,
            radius: 58 + chance(column, row, 93) * (LARGEST - 58),
            kind: Math.floor(chance(column, row, 94) * KINDS),
        });
    });
    return found;
}

export class Trees {
    #crowns = [];
    #trees;

    constructor(world, scale, palette) {
        this.palette = palette;
        this.scale = scale;
        this.#trees = treesIn({ left: 0, top: 0, right: world.width, bottom: world.height }, world).map((tree) => ({
            ...tree,
            shown: SOLID,
        }));
        for (let kind = 0; kind < KINDS; kind++) this.#crowns.push(this.#paint(kind));
    }

    /** Draw the trees in view. `hidden` is the place that must stay visible, or null. */
    draw(context, camera, hidden, elapsed) {
        const margin = LARGEST * 1.3;
        for (const tree of this.#trees) {
            const dx = tree.x - camera.x;
            const dy = tree.y - camera.y;
            if (Math.abs(dx) > camera.across / 2 + margin || Math.abs(dy) > camera.down / 2 + margin) continue;
            const x = tree.x + dx * TALLNESS;
            const y = tree.y + dy * TALLNESS - 10;
            const beneath = hidden && Math.hypot(x - hidden.x, y - hidden.y) < tree.radius + 26;
            tree.shown += ((beneath ? FADED : SOLID) - tree.shown) * Math.min(1, elapsed * 8);
            this.#drawTree(context, camera, tree, x, y);
        }
        context.globalAlpha = 1;
    }

    #drawTree(context, camera, tree, x, y) {
        const { scale, palette } = this;
        const baseX = camera.screenX(tree.x);
        const baseY = camera.screenY(tree.y);
        const topX = camera.screenX(x);
        const topY = camera.screenY(y);
        context.globalAlpha = tree.shown;
        context.lineCap = "round";
        context.strokeStyle = palette.trunk;
        context.lineWidth = 13 * scale;
        context.beginPath();
        context.moveTo(baseX, baseY);
        context.lineTo(topX, topY);
        context.stroke();
        context.strokeStyle = palette.trunkLight;
        context.lineWidth = 4 * scale;
        context.stroke();
        const crown = this.#crowns[tree.kind];
        const size = (crown.width * tree.radius) / LARGEST;
        context.drawImage(crown, topX - size / 2, topY - size / 2, size, size);
    }

    #paint(kind) {
        const crown = document.createElement("canvas");
        const size = Math.ceil(LARGEST * 2.2 * this.scale);
        crown.width = crown.height = size;
        const context = crown.getContext("2d");
        context.setTransform(this.scale, 0, 0, this.scale, size / 2, size / 2);
        const paint = kind % 2 ? palm : canopy;
        paint(context, 0, 0, LARGEST, this.palette, kind * 13 + 5);
        return crown;
    }
}
