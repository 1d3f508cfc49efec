/**
 * What this browser remembers between visits: the player's name and whether sound is on.
 *
 * Knows localStorage, which may be forbidden; then the page simply forgets.
 */
const PREFIX = "monkeytown.";

export function recall(key) {
    try {
        return localStorage.getItem(PREFIX + key) ?? "";
    } catch {
        return "";
    }
}

export function remember(key, value) {
    try {
        localStorage.setItem(PREFIX + key, value);
    } catch {
        // Storage is switched off: the page works without it.
    }
}

const FIRST = ["Swift", "Lazy", "Brave", "Tiny", "Jolly", "Sly", "Golden", "Muddy", "Sunny", "Wild"];
const SECOND = ["Capuchin", "Howler", "Macaque", "Tamarin", "Langur", "Gibbon", "Marmoset", "Baboon", "Mandrill", "Vervet"];

/** A name to start from, for those who do not care to choose one. */
export function inventName() {
    const pick = (words) => words[Math.floor(Math.random() * words.length)];
    return `${pick(FIRST)} ${pick(SECOND)}`;
}
