/** Listeners: who wants to hear of what. Knows nothing of the game. */

export class Emitter {
    #listeners = new Map();

    on(event, listener) {
        if (typeof listener !== "function") throw new TypeError("a listener is a function");
        if (!this.#listeners.has(event)) this.#listeners.set(event, new Set());
        return listen(this.#listeners.get(event), listener);
    }

    off(event, listener) {
        this.#listeners.get(event)?.delete(listener);
    }

    /** Tells everyone who listens for `event`; returns whether anyone did. */
    emit(event, data) {
        const listeners = this.#listeners.get(event);
        if (listeners === undefined || listeners.size === 0) return false;
        for (const listener of [...listeners]) guarded(listener, data);
        return true;
    }
}

export function listen(listeners, listener) {
    listeners.add(listener);
    return () => void listeners.delete(listener);
}

/** Calls a listener; what it throws is reported as uncaught, and stops neither the other listeners nor the client. */
export function guarded(listener, ...data) {
    try {
        listener(...data);
    } catch (error) {
        queueMicrotask(() => {
            throw error;
        });
    }
}
