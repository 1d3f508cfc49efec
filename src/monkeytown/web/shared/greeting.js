/**
 * Asking visitors who they are, before they play.
 *
 * Knows the `#welcome` dialog that a page may have, and the remembered name. `?name=` in the address answers the question.
 */
import { byId } from "./dom.js";
import { inventName, recall, remember } from "./memory.js";
import { asked } from "./session.js";

/** Resolves with a name. */
export function greet() {
    const { name } = asked();
    if (name) return Promise.resolve(name);
    const dialog = byId("welcome");
    const field = byId("name");
    field.value = recall("name") || inventName();
    dialog.addEventListener("cancel", (event) => event.preventDefault()); // Escape leads nowhere from here
    dialog.showModal();
    field.select();
    return new Promise((resolve) => {
        dialog.querySelector("form").addEventListener("submit", () => {
            const chosen = field.value.trim() || inventName();
            remember("name", chosen);
            resolve(chosen);
        });
    });
}
