/**
 * Chance that is decided by place: the same spot looks the same on every screen and at every visit.
 *
 * Knows arithmetic only.
 */

/** A number in [0, 1) from two integers and a salt. */
export function chance(column, row, salt = 0) {
    let mixed = Math.imul(column, 374761393) ^ Math.imul(row, 668265263) ^ Math.imul(salt + 1, 2246822519);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 1274126177);
    mixed = Math.imul(mixed ^ (mixed >>> 16), 2246822519);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 4294967296;
}

/** One of a list. */
export function pick(list, column, row, salt) {
    return list[Math.floor(chance(column, row, salt) * list.length)];
}

/**
 * Call `visit(x, y, column, row)` for each cell of a grid that may reach into a box, with a point shifted within its cell.
 */
export function scatter(box, size, reach, salt, visit) {
    const firstColumn = Math.floor((box.left - reach) / size);
    const lastColumn = Math.floor((box.right + reach) / size);
    const firstRow = Math.floor((box.top - reach) / size);
    const lastRow = Math.floor((box.bottom + reach) / size);
    for (let row = firstRow; row <= lastRow; row++) {
        for (let column = firstColumn; column <= lastColumn; column++) {
            const x = (column + chance(column, row, salt)) * size;
            const y = (row + chance(column, row, salt + 1)) * size;
            visit(x, y, column, row);
        }
    }
}
