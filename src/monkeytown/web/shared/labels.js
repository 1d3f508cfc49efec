/**
 * Names above heads, each written once into a picture: drawing text every frame is the slowest thing a canvas does.
 *
 * Knows text and two colours. Names that are no longer drawn are forgotten.
 */
const KEPT = 400;

export class Labels {
    #pictures = new Map();

    constructor(scale, { label, labelEdge }) {
        this.scale = scale;
        this.colour = label;
        this.edge = labelEdge;
    }

    /** Draw text centred above a place on the screen. */
    draw(context, text, x, y) {
        if (!text) return;
        let label = this.#pictures.get(text);
        if (!label) {
            if (this.#pictures.size >= KEPT) this.#pictures.delete(this.#pictures.keys().next().value);
            label = this.#write(text);
            this.#pictures.set(text, label);
        }
        context.drawImage(label, Math.round(x - label.width / 2), Math.round(y - label.height));
    }

    #write(text) {
        const size = Math.max(11, Math.round(12.5 * this.scale));
        const font = `700 ${size}px ui-rounded, system-ui, sans-serif`;
        const label = document.createElement("canvas");
        const context = label.getContext("2d");
        context.font = font;
        const edge = Math.ceil(size * 0.28);
        label.width = Math.ceil(context.measureText(text).width) + edge * 2;
        label.height = Math.ceil(size * 1.35) + edge;
        context.font = font;
        context.textBaseline = "middle";
        context.lineJoin = "round";
        context.lineWidth = edge;
        context.strokeStyle = this.edge;
        context.fillStyle = this.colour;
        context.strokeText(text, edge, label.height / 2);
        context.fillText(text, edge, label.height / 2);
        return label;
    }
}
