/**
 * The board on the page: nine cells, the marks in them, the line that won.
 *
 * Knows the DOM and where three in a row are. Whether a move is allowed is the server's business: every press is
 * passed on, and a refusal comes back as an error.
 */
import { drawing, element } from "../shared/dom.js";

const LINES = [
    [0, 1, 2],
    [3, 4, 5],
    [6, 7, 8],
    [0, 3, 6],
    [1, 4, 7],
    [2, 5, 8],
    [0, 4, 8],
    [2, 4, 6],
];
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const PATHS = { X: "M26 26 74 74M74 26 26 74", O: "M50 23a27 27 0 1 1-.01 0" };

/** A mark as a drawing; the page shows the same beside the players' names. */
export function mark(symbol) {
    return drawing(
        "svg",
        { viewBox: "0 0 100 100", class: `mark ${symbol}`, "aria-hidden": "true" },
        drawing("path", { d: PATHS[symbol], pathLength: "100" }),
    );
}

/** The three cells that make somebody the winner, or null. */
export function winningLine(cells) {
    return LINES.find(([one, two, three]) => cells[one] && cells[one] === cells[two] && cells[one] === cells[three]) ?? null;
}

export class Board {
    #cells = [];
    #shown = Array(9).fill("");

    /** `press(cell)` is called with 0 … 8. */
    constructor(container, press) {
        this.container = container;
        for (let row = 0; row < 3; row++) {
            const line = element("div", { role: "row" });
            for (let column = 0; column < 3; column++) {
                const cell = row * 3 + column;
                const button = element("button", {
                    type: "button",
                    role: "gridcell",
                    tabindex: cell === 4 ? "0" : "-1",
                    onclick: () => press(cell),
                });
                button.addEventListener("focus", () => this.#roam(cell));
                this.#cells.push(button);
                line.append(button);
            }
            container.append(line);
        }
        this.strike = drawing("svg", { viewBox: "0 0 300 300", class: "strike", "aria-hidden": "true" });
        container.append(this.strike);
        container.addEventListener("keydown", (event) => this.#step(event));
        this.show({ cells: this.#shown, yours: false });
    }

    /** Show these marks ("X", "O" or ""); `yours` tells whether the visitor may put one now. */
    show({ cells, yours }) {
        const line = winningLine(cells);
        this.#cells.forEach((button, cell) => {
            const symbol = cells[cell];
            if (symbol !== this.#shown[cell]) button.replaceChildren(...(symbol ? [mark(symbol)] : []));
            button.setAttribute("aria-label", `Row ${Math.floor(cell / 3) + 1}, column ${(cell % 3) + 1}: ${symbol || "empty"}`);
            button.classList.toggle("free", yours && !symbol);
            button.classList.toggle("won", Boolean(line?.includes(cell)));
        });
        this.#shown = [...cells];
        this.#strikeThrough(line);
    }

    #strikeThrough(line) {
        const key = line ? line.join() : "";
        if (this.strike.dataset.line === key) return;
        this.strike.dataset.line = key;
        if (!line) return this.strike.replaceChildren();
        const at = (cell) => [(cell % 3) * 100 + 50, Math.floor(cell / 3) * 100 + 50];
        const [fromX, fromY] = at(line[0]);
        const [toX, toY] = at(line[2]);
        // a little beyond the outer cells' middles
        const beyond = (from, to) => from + Math.sign(from - to) * 30;
        const stroke = {
            x1: beyond(fromX, toX),
            y1: beyond(fromY, toY),
            x2: beyond(toX, fromX),
            y2: beyond(toY, fromY),
            pathLength: "100",
        };
        return this.strike.replaceChildren(drawing("line", stroke));
    }

    /** One cell takes the Tab key at a time: the one that was focused last. */
    #roam(cell) {
        this.#cells.forEach((button, other) => button.setAttribute("tabindex", other === cell ? "0" : "-1"));
    }

    #step(event) {
        const step = STEPS[event.key];
        const cell = this.#cells.indexOf(document.activeElement);
        if (!step || cell < 0) return;
        event.preventDefault();
        const row = (Math.floor(cell / 3) + step[0] + 3) % 3;
        const column = ((cell % 3) + step[1] + 3) % 3;
        this.#cells[row * 3 + column].focus();
    }
}
