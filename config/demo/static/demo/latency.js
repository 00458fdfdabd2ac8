/** How long the last message took, measured in one of two ways, and always said which. */

import { byId, say } from "./dom.js";

const KEPT = 40;
const NAMES = {
    click: "from your click to this screen: to the game server, through Clarion, and back here",
    decision: "from Clarion's decision to this screen, by the server's clock",
};

/** Resolves with the moment at which what was just put into the document is on the screen. */
function painted() {
    return new Promise((resolve) => {
        requestAnimationFrame(() => {
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = () => resolve(performance.now());
            port2.postMessage(null);
        });
    });
}

/**
 * Tells a click's own notification from all others by its id, which the server names in its
 * answer to the click. The notification is often here first: so while answers are awaited,
 * nothing is judged.
 */
export class Latency {
    #clock;
    #clicks = new Map(); // notification id -> { at, done }
    #awaited = 0;
    #unjudged = new Map(); // notification id -> { created, shownAt }
    #measures = [];

    constructor(clock) {
        this.#clock = clock;
    }

    /** A button was pressed at a moment. Returns what to call with the answer's ids, or nothing if it failed. */
    click(at, done) {
        this.#awaited += 1;
        return (ids = []) => {
            this.#awaited -= 1;
            for (const id of ids) this.#clicks.set(id, { at, done });
            for (const [id, seen] of this.#unjudged) this.#judge(id, seen);
        };
    }

    /** A notification was put into the document. A page that nobody sees paints nothing, and measures nothing. */
    async shown({ id, created }) {
        if (document.hidden) return;
        this.#judge(id, { created, shownAt: await painted() });
    }

    #judge(id, seen) {
        const click = this.#clicks.get(id);
        if (click === undefined && this.#awaited > 0) {
            this.#unjudged.set(id, seen);
            return;
        }
        this.#unjudged.delete(id);
        this.#clicks.delete(id);
        if (click) {
            const ms = seen.shownAt - click.at;
            this.#note("click", ms);
            click.done(ms);
        } else if (this.#clock.at(0) !== null) {
            this.#note("decision", Math.max(0, this.#clock.at(seen.shownAt) - Date.parse(seen.created)));
        }
    }

    #note(kind, ms) {
        this.#measures = [...this.#measures, { kind, ms }].slice(-KEPT);
        say(byId("latency"), `${Math.round(ms)} ms`);
        say(byId("latency-what"), NAMES[kind]);
        this.#draw();
    }

    #draw() {
        const sorted = this.#measures.map(({ ms }) => ms).sort((a, b) => a - b);
        const middle = sorted[Math.floor((sorted.length - 1) / 2)];
        say(byId("median"), `median of the last ${sorted.length}: ${Math.round(middle)} ms`);
        const top = Math.max(40, sorted.at(-1));
        const width = 300 / KEPT;
        const bars = this.#measures.map(({ kind, ms }, n) => {
            const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
            const height = Math.max(2, (48 * ms) / top);
            const place = { x: n * width + 1, y: 48 - height, width: width - 2, height, rx: 1.2 };
            for (const [name, value] of Object.entries(place)) bar.setAttribute(name, value.toFixed(1));
            bar.dataset.kind = kind;
            return bar;
        });
        byId("spark").replaceChildren(...bars);
        say(byId("clock"), `clocks agree to ± ${this.#clock.errorMs.toFixed(1)} ms`);
    }
}
