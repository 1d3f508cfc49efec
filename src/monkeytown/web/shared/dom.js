/**
 * Building and filling elements without markup in strings.
 *
 * Knows the DOM and nothing of games or connections. Text always goes in as text, so nothing a player wrote can
 * become markup.
 */

/** The element with this id; pages and their scripts are written together, so a missing one is a mistake. */
export function byId(id) {
    const found = document.getElementById(id);
    if (!found) throw new Error(`the page has no element #${id}`);
    return found;
}

/** An element with properties (`class`, `text`, `on…` listeners, other attributes) and children. */
export function element(tag, properties = {}, ...children) {
    return dress(document.createElement(tag), properties, children);
}

/** The same in SVG. */
export function drawing(tag, properties = {}, ...children) {
    return dress(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

function dress(made, properties, children) {
    for (const [name, value] of Object.entries(properties)) {
        if (value === undefined || value === false) continue;
        if (name === "text") made.textContent = value;
        else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
        else made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children);
    return made;
}

/** Set text only when it differs: a live page writes the same words many times a second. */
export function write(target, text) {
    if (target.textContent !== text) target.textContent = text;
}

/** Keep at most `most` children, dropping the oldest. */
export function trim(list, most) {
    while (list.childElementCount > most) list.firstElementChild.remove();
}

/** A colour of its own for each player, the same on every page and machine. */
export function hueOf(text) {
    let hash = 2166136261;
    for (const letter of String(text)) hash = Math.imul(hash ^ letter.codePointAt(0), 16777619);
    return (hash >>> 8) % 360;
}

/** What a browser's setting says now, and whenever it changes. */
export function follow(query, change) {
    const media = matchMedia(query);
    media.addEventListener("change", () => change(media.matches));
    change(media.matches);
}
