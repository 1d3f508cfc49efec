/**
 * The schema message: section 3 of docs/reference/wire.md. Checks all that the decoders later rely on, so that they need not.
 */

import { WireError } from "./bytes.js";

const TYPES = new Set(["fixed", "angle", "uint", "sint", "bool", "enum", "text", "blob", "ref"]);
const LARGEST_CAPACITY = 2 ** 20;
const MOST_TABLES = 200;
const PREDICTABLE = new Set(["fixed", "angle", "uint", "sint"]);
/** Columns of one table, arrays spread out: far beyond any game, and a bound for what a broken schema can make us allocate. */
const MOST_COLUMNS = 4096;
const MOST_CELLS = 2 ** 16;

/** Returns the schema if it is one. */
export function checkSchema(schema) {
    demand(typeof schema.gameId === "string" && typeof schema.game === "string", "gameId and game are names");
    demand(Number.isFinite(schema.tickRate) && schema.tickRate >= 0, "tickRate is a number");
    demand(Array.isArray(schema.tables) && schema.tables.length <= MOST_TABLES, "tables are a list");
    for (const table of schema.tables) checkTable(table, schema.tables.length);
    if (schema.input !== null) {
        demand(typeof schema.input === "object" && isWhole(schema.input.hash, 0xffff), "the input has a hash of 16 bits");
        checkFields(schema.input.fields, 0);
        for (const { type, count } of schema.input.fields)
            demand(count === 0 && !["text", "blob", "ref"].includes(type), "inputs are plain numbers");
    }
    if (schema.area !== undefined && schema.area !== null) checkArea(schema.area, schema.tables);
    return schema;
}

function checkArea(area, tables) {
    demand(typeof area === "object" && Array.isArray(area.tables) && area.tables.length > 0, "an area has tables");
    area.tables.forEach((number, place) => {
        const isNext = isWhole(number, tables.length - 1) && (place === 0 || number > area.tables[place - 1]);
        demand(isNext, "the tables of an area are numbers in ascending order");
        demand(!tables[number].single, `${tables[number].name} has one row and no cells`);
    });
    demand(isWhole(area.columns, MOST_CELLS) && isWhole(area.rows, MOST_CELLS), "an area has columns and rows of cells");
    const cells = area.columns * area.rows;
    demand(cells > 0 && cells <= MOST_CELLS, `an area has 1 to ${MOST_CELLS} cells`);
    demand([area.x, area.y, area.size].every(Number.isFinite) && area.size > 0, "the cells of an area have a place and a size");
}

function checkTable(table, tables) {
    demand(typeof table === "object" && table !== null && typeof table.name === "string", "a table has a name");
    demand(isWhole(table.capacity, LARGEST_CAPACITY) && table.capacity > 0, `the capacity of ${table.name} is up to 2^20`);
    checkFields(table.fields, tables);
}

function checkFields(fields, tables) {
    demand(Array.isArray(fields), "fields are a list");
    let columns = 0;
    for (const field of fields) {
        demand(typeof field === "object" && field !== null && typeof field.name === "string", "a field has a name");
        checkField(field, tables);
        columns += field.count || 1;
        demand(columns <= MOST_COLUMNS, `at most ${MOST_COLUMNS} columns`);
    }
}

function checkField(field, tables) {
    const { name, type, count, predict, bits } = field;
    const isNumber = type !== "text" && type !== "blob";
    demand(TYPES.has(type), `${name} is of a type that is not known: ${type}`);
    demand(isWhole(count, MOST_COLUMNS), `the count of ${name} is a whole number`);
    const isPredictable = PREDICTABLE.has(type) && !field.ownerOnly;
    demand(predict === "hold" || (predict === "linear" && isPredictable), `${name} cannot be predicted by ${predict}`);
    demand(isNumber || count === 0, `${name} is no array`);
    demand(isWhole(bits, isNumber ? 32 : 0) && (bits > 0 || !isNumber), `the bits of ${name} are 1 to 32`);
    if (type === "fixed")
        demand(
            [field.lo, field.hi, field.step].every(Number.isFinite) && field.step > 0 && field.hi >= field.lo,
            `${name} has lo, hi and step`,
        );
    if (type === "enum")
        demand(Array.isArray(field.values) && field.values.every((value) => typeof value === "string"), `${name} has values`);
    if (!isNumber) demand(isWhole(field.max, 2 ** 32 - 1), `${name} has a max`);
    if (type === "ref") demand(isWhole(field.table, tables - 1), `${name} refers to a table`);
}

function isWhole(value, largest) {
    return Number.isInteger(value) && value >= 0 && value <= largest;
}

function demand(condition, rule) {
    if (!condition) throw new WireError(`a schema that breaks a rule: ${rule}`);
}
