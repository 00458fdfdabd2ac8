/** The inbox: pages of it on demand, and whatever changes in it on any device, as it changes. */

import { ago, byId, capital, copyOf, dress, leave, left, say } from "./dom.js";

const PAGE = 20;
const ROOM = 100; // rows; what is older is a click away, however long the visit
const SEEN_AFTER_MS = 1500;
const NOTHING = {
    all: "Nothing here yet. Invitations, gifts and every fifth level come here, and stay until you put them away.",
    unread: "All read. What is new will show here.",
};

export class Inbox {
    #client;
    #language;
    #filter = "all";
    #rows = new Map(); // notification id -> { item, element, round }
    #round = 0; // raised by each load: what an earlier one brought goes
    #next = null;
    #newest = 0;
    #room = ROOM;
    #seenTimer = null;
    #loadTimer = null;
    #controls = new AbortController();

    constructor(client, language, categories) {
        this.#client = client;
        this.#language = language;
        client.on("changed", (item) => this.put(item));
        client.on("gone", ({ id }) => this.#drop(id));
        client.on("marks", (marks) => this.#marked(marks));
        client.on("unread", (unread) => this.#count(unread));
        client.on("reset", () => this.load());
        this.#chips(categories);
        this.#listen("filters", (event) => this.#choose(event.target.closest("button")?.dataset.filter));
        this.#listen("items", (event) => this.#act(event.target.closest("button")));
        this.#listen("older", () => this.#older());
        this.#listen("read-all", () => this.#readAll());
        document.addEventListener("visibilitychange", () => this.look(), { signal: this.#controls.signal });
    }

    /** End: another player's inbox takes the place. */
    close() {
        this.#controls.abort();
        clearTimeout(this.#seenTimer);
        clearTimeout(this.#loadTimer);
        this.#round = Infinity;
        byId("items").replaceChildren();
    }

    /** Show the newest page. A server that is away for a moment is asked again: nobody else will ask for this page. */
    async load() {
        const round = (this.#round += 1);
        const error = await this.#tried(async () => {
            const page = await this.#client.inbox({ limit: PAGE, ...this.#query() });
            if (round !== this.#round) return;
            this.#next = page.next;
            for (const item of page.items) this.put(item, page);
            for (const [id, row] of this.#rows) if (row.round !== round) this.#drop(id, { now: true });
            this.#count(this.#client.unread);
            this.#settle();
        });
        if (error && (error.status === 0 || error.status >= 500) && round === this.#round) {
            clearTimeout(this.#loadTimer);
            const pause = 1000 * ((error.retryAfter ?? 1) + Math.random());
            this.#loadTimer = setTimeout(() => round === this.#round && this.load(), pause);
        }
    }

    /** Take a notification's state, if it is as new as what is shown and belongs here. */
    put(item, page = null) {
        if (item.number > this.#newest) this.#newest = item.number;
        const row = this.#rows.get(item.id);
        if (row && row.item.seq > item.seq) {
            row.round = this.#round;
            return;
        }
        if (!this.#belongs(item)) {
            this.#drop(item.id);
            return;
        }
        if (!row && !page && this.#next !== null && item.number < this.#next) return; // it comes with its page
        this.#show(item, row?.element ?? this.#made(item, page === null));
        if (page) return;
        this.#trim();
        this.#settle();
    }

    /** The inbox may be in sight now: what is in sight counts as seen, on all devices. */
    look() {
        clearTimeout(this.#seenTimer);
        if (document.hidden || byId("inbox").offsetParent === null) return;
        const unseen = [...this.#rows.values()].filter(({ item }) => !item.seen).map(({ item }) => item.number);
        if (unseen.length === 0) return;
        this.#seenTimer = setTimeout(() => {
            this.#client.seen({ through: Math.max(...unseen) }).catch(() => {}); // the next look says it again
        }, SEEN_AFTER_MS);
    }

    /** Once a second: times pass, and what has expired goes. */
    tick() {
        const now = Number(this.#client.serverNow());
        for (const [id, { item, element }] of this.#rows) {
            if (item.expires && Date.parse(item.expires) <= now) this.#drop(id);
            else this.#times(item, element, now);
        }
    }

    // -- what belongs here, and how it looks -----------------------------------------------------------

    #query() {
        if (this.#filter === "all") return {};
        return this.#filter === "unread" ? { unread: true } : { category: this.#filter };
    }

    #belongs(item) {
        if (item.class === "live" || item.class === "announcement" || item.archived) return false;
        if (item.expires && Date.parse(item.expires) <= this.#client.serverNow()) return false;
        if (this.#filter === "unread") return !item.read;
        return this.#filter === "all" || item.category === this.#filter;
    }

    #made(item, fresh) {
        const element = copyOf("t-item");
        element.classList.toggle("fresh", fresh);
        const before = [...this.#rows.values()].filter((row) => row.item.number < item.number);
        const next = before.reduce((best, row) => (best && best.item.number > row.item.number ? best : row), null);
        byId("items").insertBefore(element, next?.element ?? null);
        return element;
    }

    #show(item, element) {
        this.#rows.set(item.id, { item, element, round: this.#round });
        element.dataset.id = item.id;
        element.toggleAttribute("data-unread", !item.read);
        element.toggleAttribute("data-new", !item.seen);
        dress(element.querySelector(".tile"), item.category);
        for (const [selector, text] of [["h3", item.title], [".body", item.body]]) {
            element.querySelector(selector).lang = this.#language;
            say(element.querySelector(selector), text);
        }
        say(element.querySelector(".category"), capital(item.category));
        element.querySelector('[data-act="read"]').setAttribute("aria-label", `Mark as read: ${item.title}`);
        element.querySelector('[data-act="archive"]').setAttribute("aria-label", `Archive: ${item.title}`);
        this.#times(item, element, Number(this.#client.serverNow()));
    }

    #times(item, element, now) {
        const time = element.querySelector("time");
        time.dateTime = item.created;
        if (!time.title) time.title = new Date(item.created).toLocaleString("en");
        say(time, ago(item.created, now));
        say(element.querySelector(".until"), item.expires ? left(Date.parse(item.expires) - now) : "");
    }

    #drop(id, { now = false } = {}) {
        const row = this.#rows.get(id);
        if (!row) return;
        this.#rows.delete(id);
        if (row.element.contains(document.activeElement)) this.#handOn(row.element);
        if (now) row.element.remove();
        else leave(row.element);
        this.#settle();
    }

    /** The keyboard goes on where it was: with the next row, else with the one before. */
    #handOn(element) {
        const act = document.activeElement.dataset.act;
        const neighbour = element.nextElementSibling ?? element.previousElementSibling;
        (neighbour?.querySelector(`[data-act="${act}"]`) ?? byId("inbox")).focus({ preventScroll: true });
    }

    #settle() {
        const empty = this.#rows.size === 0;
        byId("empty").hidden = !empty;
        byId("older").hidden = this.#next === null;
        const nothing = NOTHING[this.#filter] ?? `Nothing of “${capital(this.#filter)}” here. It will show as it comes.`;
        if (empty) say(byId("empty-text"), nothing);
        this.look();
    }

    /** Let go of the oldest rows; "Show older" brings them back. */
    #trim() {
        if (this.#rows.size <= this.#room) return;
        const numbers = [...this.#rows.values()].map(({ item }) => item.number).sort((a, b) => b - a);
        this.#next = numbers[this.#room - 1];
        for (const [id, { item }] of this.#rows) if (item.number < this.#next) this.#drop(id, { now: true });
    }

    #count(unread) {
        byId("count").hidden = unread === 0;
        say(byId("count"), `${unread} unread`);
        byId("read-all").disabled = unread === 0;
    }

    #marked({ readThrough, seenThrough }) {
        const now = this.#client.serverNow().toISOString();
        for (const { item } of [...this.#rows.values()]) {
            const read = item.read ?? (item.number <= readThrough ? now : null);
            const seen = item.seen ?? (item.number <= Math.max(seenThrough, readThrough) ? now : null);
            if (read !== item.read || seen !== item.seen) this.put({ ...item, read, seen });
        }
    }

    // -- what the player does ------------------------------------------------------------------------

    #chips(categories) {
        const group = byId("filters");
        for (const old of group.querySelectorAll("[data-category]")) old.remove();
        for (const category of categories) {
            const chip = document.createElement("button");
            Object.assign(chip, { type: "button", textContent: capital(category) });
            Object.assign(chip.dataset, { filter: category, category });
            group.append(chip);
        }
        this.#press();
    }

    #press() {
        for (const chip of byId("filters").children) {
            chip.setAttribute("aria-pressed", String(chip.dataset.filter === this.#filter));
        }
    }

    #choose(filter) {
        if (!filter || filter === this.#filter) return;
        this.#filter = filter;
        this.#press();
        this.#next = null;
        byId("items").scrollTop = 0;
        for (const [id, { item }] of this.#rows) if (!this.#belongs(item)) this.#drop(id, { now: true });
        this.load();
    }

    #act(button) {
        const id = button?.closest(".item")?.dataset.id;
        const row = this.#rows.get(id);
        if (!row) return;
        const act = button.dataset.act;
        this.#tried(async () => {
            await this.#client[act === "read" ? "read" : "archive"]([id]);
            const at = this.#client.serverNow().toISOString(); // the change itself may be on its way, or cut off
            const state = act === "read" ? { read: at, seen: row.item.seen ?? at } : { archived: at };
            this.put({ ...(this.#rows.get(id)?.item ?? row.item), ...state });
        });
    }

    #readAll() {
        const through = this.#newest;
        this.#tried(async () => {
            await this.#client.read({ through });
            this.#marked({ readThrough: through, seenThrough: through });
        });
    }

    async #older() {
        const round = this.#round;
        await this.#tried(async () => {
            const page = await this.#client.inbox({ before: this.#next, limit: PAGE, ...this.#query() });
            if (round !== this.#round) return;
            this.#room += PAGE;
            this.#next = page.next;
            for (const item of page.items) this.put(item, page);
            this.#settle();
        });
    }

    /** Do it, say what went wrong, and return the error, if any. */
    async #tried(work) {
        try {
            await work();
            byId("problem").hidden = true;
            return null;
        } catch (error) {
            say(byId("problem"), `That did not work: ${error.message}. Please try again.`);
            byId("problem").hidden = false;
            return error;
        }
    }

    #listen(id, listener) {
        byId(id).addEventListener("click", listener, { signal: this.#controls.signal });
    }
}
