/**
 * What grows in the jungle, drawn with paths: tufts, flowers, ferns, stones, canopies.
 *
 * Knows a canvas context and a palette. Where each one stands is decided by ground.js and trees.js.
 */
import { chance, pick } from "./chance.js";

const TURN = Math.PI * 2;

/** A closed, uneven, smooth outline: patches of grass, clumps of leaves. */
export function blob(context, x, y, radius, seed, { points = 9, rough = 0.28, flat = 1 } = {}) {
    const at = (place) => {
        const angle = (place / points) * TURN;
        const reach = radius * (1 - rough + 2 * rough * chance(place % points, seed, 77));
        return [x + Math.cos(angle) * reach, y + Math.sin(angle) * reach * flat];
    };
    context.beginPath();
    for (let place = 0; place <= points; place++) {
        const [ax, ay] = at(place);
        const [bx, by] = at(place + 1);
        if (place === 0) context.moveTo((ax + bx) / 2, (ay + by) / 2);
        else context.quadraticCurveTo(ax, ay, (ax + bx) / 2, (ay + by) / 2);
    }
    context.closePath();
}

export function tuft(context, x, y, palette, column, row) {
    context.strokeStyle = pick(palette.tuft, column, row, 21);
    context.lineWidth = 1.8;
    context.lineCap = "round";
    context.beginPath();
    const blades = 2 + Math.floor(chance(column, row, 22) * 3);
    for (let blade = 0; blade < blades; blade++) {
        const lean = (blade - (blades - 1) / 2) * 3.2;
        context.moveTo(x + lean * 0.4, y);
        context.quadraticCurveTo(x + lean * 0.5, y - 5, x + lean * 1.3, y - 8 - chance(blade, row, 23) * 3);
    }
    context.stroke();
}

export function flower(context, x, y, palette, column, row) {
    const size = 2.1 + chance(column, row, 31) * 1.2;
    context.fillStyle = pick(palette.flowers, column >> 2, row >> 2, 32);
    context.beginPath();
    for (let petal = 0; petal < 5; petal++) {
        const angle = (petal / 5) * TURN + column;
        const px = x + Math.cos(angle) * size;
        const py = y + Math.sin(angle) * size;
        context.moveTo(px + size * 0.8, py);
        context.arc(px, py, size * 0.8, 0, TURN);
    }
    context.fill();
    context.fillStyle = palette.flowerHeart;
    context.beginPath();
    context.arc(x, y, size * 0.7, 0, TURN);
    context.fill();
}

export function fern(context, x, y, palette, column, row) {
    const fronds = 6 + Math.floor(chance(column, row, 41) * 3);
    const size = 15 + chance(column, row, 42) * 10;
    context.fillStyle = palette.shade;
    blob(context, x + 3, y + 4, size * 0.8, column);
    context.fill();
    for (let frond = 0; frond < fronds; frond++) {
        const angle = (frond / fronds) * TURN + chance(column, row, 43) * 2;
        leaf(context, x, y, angle, size * (0.8 + 0.3 * chance(frond, column, 44)), 4.2, palette.fern, palette.fernLight);
    }
}

export function stone(context, x, y, palette, column, row) {
    const size = 5 + chance(column, row, 51) * 7;
    context.fillStyle = palette.shade;
    blob(context, x + 2, y + 3, size * 1.05, row, { flat: 0.8 });
    context.fill();
    context.fillStyle = palette.stone;
    blob(context, x, y, size, row, { flat: 0.8 });
    context.fill();
    context.fillStyle = palette.stoneLight;
    blob(context, x - size * 0.2, y - size * 0.25, size * 0.55, row, { flat: 0.7 });
    context.fill();
}

export function mushroom(context, x, y, palette) {
    context.fillStyle = palette.shade;
    context.beginPath();
    context.ellipse(x + 2, y + 3, 6, 4.5, 0, 0, TURN);
    context.fill();
    context.fillStyle = palette.cap;
    context.beginPath();
    context.arc(x, y, 5.5, 0, TURN);
    context.fill();
    context.fillStyle = palette.capSpot;
    context.beginPath();
    for (const [dx, dy, size] of [
        [-2, -1.6, 1.3],
        [1.8, -2, 1],
        [0.6, 1.8, 1.2],
        [3, 1, 0.8],
    ]) {
        context.moveTo(x + dx + size, y + dy);
        context.arc(x + dx, y + dy, size, 0, TURN);
    }
    context.fill();
}

/** One long leaf with a light rib, from its stem outwards. */
function leaf(context, x, y, angle, length, width, colour, rib) {
    const tipX = x + Math.cos(angle) * length;
    const tipY = y + Math.sin(angle) * length;
    const sideX = -Math.sin(angle) * width;
    const sideY = Math.cos(angle) * width;
    const midX = x + Math.cos(angle) * length * 0.45;
    const midY = y + Math.sin(angle) * length * 0.45;
    context.fillStyle = colour;
    context.beginPath();
    context.moveTo(x, y);
    context.quadraticCurveTo(midX + sideX * 2, midY + sideY * 2, tipX, tipY);
    context.quadraticCurveTo(midX - sideX * 2, midY - sideY * 2, x, y);
    context.fill();
    context.strokeStyle = rib;
    context.lineWidth = Math.max(1, width * 0.22);
    context.beginPath();
    context.moveTo(x, y);
    context.quadraticCurveTo(midX, midY, x + Math.cos(angle) * length * 0.92, y + Math.sin(angle) * length * 0.92);
    context.stroke();
}

/** A palm's crown seen from above: two rings of fronds and a heart. */
export function palm(context, x, y, radius, palette, seed) {
    const [dark, middle, light] = palette.palm[seed % palette.palm.length];
    for (const [ring, reach, colour] of [
        [0, 1, dark],
        [1, 0.78, middle],
    ]) {
        const fronds = 9 - ring * 2;
        for (let frond = 0; frond < fronds; frond++) {
            const angle = ((frond + ring * 0.5) / fronds) * TURN + (chance(frond, seed, 61) - 0.5) * 0.35;
            const length = radius * reach * (0.86 + 0.14 * chance(frond, seed, 62));
            leaf(context, x, y, angle, length, radius * 0.11, colour, light);
        }
    }
    context.fillStyle = palette.trunk;
    context.beginPath();
    for (let nut = 0; nut < 3; nut++) {
        const angle = (nut / 3) * TURN + seed;
        context.moveTo(x, y);
        context.arc(x + Math.cos(angle) * radius * 0.07, y + Math.sin(angle) * radius * 0.07, radius * 0.075, 0, TURN);
    }
    context.fill();
}

/** A broad crown: clumps of leaves, dark below and at the rim, light where the sun falls. */
export function canopy(context, x, y, radius, palette, seed) {
    const shades = palette.leaves[seed % palette.leaves.length];
    context.fillStyle = shades[0];
    blob(context, x, y, radius * 0.93, seed, { points: 14, rough: 0.1 });
    context.fill();
    for (const [layer, count, reach, size] of [
        [1, 11, 0.62, 0.25],
        [2, 8, 0.46, 0.15],
    ]) {
        context.fillStyle = shades[layer];
        for (let clump = 0; clump < count; clump++) {
            // a sunflower's spiral: even, yet without rows or rings
            const angle = clump * 2.4 + seed;
            const far = radius * reach * Math.sqrt((clump + 0.5) / count);
            const shift = -radius * 0.09 * layer;
            const grown = radius * size * (0.8 + 0.5 * chance(clump, seed, 71 + layer));
            blob(context, x + Math.cos(angle) * far + shift, y + Math.sin(angle) * far + shift, grown, seed + clump, {
                rough: 0.2,
            });
            context.fill();
        }
    }
}
