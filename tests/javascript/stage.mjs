/** What the tests put in the place of the browser, the network and time. */

import { Clarion } from "../../notifications/static/clarion/clarion.js";

export const URL_OF_CLARION = "https://clarion.example";
const BEGAN = Date.parse("2026-11-25T12:00:00Z"); // the server's time when a stage begins
const EVENTS = [
    "state", "notification", "changed", "gone", "unread", "marks", "announcement", "announcementGone",
    "announcementsRead", "reset", "status", "error",
];

/** Time that passes when a test says so. */
export class Clock {
    #timers = new Map();
    #count = 0;
    ms = 1_000;

    now = () => this.ms;

    setTimeout = (work, ms) => {
        this.#count += 1;
        this.#timers.set(this.#count, { work, at: this.ms + ms });
        return this.#count;
    };

    clearTimeout = (id) => this.#timers.delete(id);

    /** Let time pass, and everything happen that was due. */
    async pass(ms) {
        const end = this.ms + ms;
        await settled();
        for (let next = this.#next(end); next; next = this.#next(end)) {
            const [id, { work, at }] = next;
            this.#timers.delete(id);
            this.ms = Math.max(this.ms, at);
            work();
            await settled();
        }
        this.ms = end;
    }

    /** What a reload does to a page's timers. */
    forget() {
        this.#timers.clear();
    }

    get waiting() {
        return this.#timers.size;
    }

    #next(end) {
        const due = [...this.#timers].filter(([, timer]) => timer.at <= end);
        return due.sort(([one, a], [other, b]) => a.at - b.at || one - other)[0];
    }
}

/** Let promises that can go on go on. */
export async function settled() {
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A WebSocket whose other end is the test. */
export class Socket {
    readyState = 0;
    sent = [];
    onopen = (this.onmessage = this.onclose = this.onerror = null);

    constructor(url, protocols) {
        this.url = url;
        this.protocols = protocols;
    }

    send(text) {
        this.sent.push(JSON.parse(text));
    }

    close(code) {
        this.closedWith = code;
        this.readyState = 3;
    }

    open() {
        this.readyState = 1;
        this.onopen?.({});
    }

    say(frame) {
        this.onmessage?.({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
    }

    cut(code = 1006, reason = "") {
        this.readyState = 3;
        this.onclose?.({ code, reason });
    }

    /** What the client has sent of a kind. */
    messages(type) {
        return this.sent.filter((message) => message.type === type);
    }
}

/** A tab's storage that counts its writes. */
export class Storage {
    writes = [];

    constructor(items = {}) {
        this.items = new Map(Object.entries(items));
    }

    getItem(key) {
        return this.items.get(key) ?? null;
    }

    setItem(key, value) {
        this.writes.push(JSON.parse(value));
        this.items.set(key, value);
    }

    removeItem(key) {
        this.items.delete(key);
    }

    /** What a duplicated tab begins with. */
    copy() {
        return new Storage(Object.fromEntries(this.items));
    }
}

/** The browser's locks, shared by its tabs. */
export class Locks {
    #held = new Map(); // name -> end of the last one in the queue

    async request(name, { signal }, work) {
        const before = this.#held.get(name);
        if (before) {
            const aborted = new Promise((_, reject) => {
                signal.addEventListener("abort", () => reject(new DOMException("late", "AbortError")));
            });
            await Promise.race([before, aborted]);
        }
        const end = Promise.resolve(work()).finally(() => {
            if (this.#held.get(name) === end) this.#held.delete(name);
        });
        this.#held.set(name, end);
        return end;
    }

    get names() {
        return [...this.#held.keys()];
    }
}

/** A window with events, and what listeners throw. */
export class Page extends EventTarget {
    reported = [];
    document = Object.assign(new EventTarget(), { visibilityState: "visible" });
    navigator = { onLine: true, locks: undefined };
    location = { origin: URL_OF_CLARION, href: `${URL_OF_CLARION}/game/` };

    reportError = (error) => this.reported.push(error);
}

/** A player's token as Clarion's look; nobody here verifies it. */
export function tokenOf(player, { life = 3_600, clock = { ms: 0 }, game = "demo", mark = "" } = {}) {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const exp = Math.floor((BEGAN + clock.ms) / 1000) + life;
    return [part({ alg: "HS256" }), part({ aud: game, sub: player, exp }), `signed${mark}`].join(".");
}

/** A notification as the server sends it, with what matters to a test. */
export function notification(seq, more = {}) {
    return {
        number: seq, seq, id: `n${seq}`, class: "inbox", category: "social", title: `title ${seq}`, body: "",
        data: {}, actions: [], created: "2026-11-25T11:00:00Z", expires: null, read: null, seen: null,
        archived: null, claimed: null, replaces: null, ...more,
    };
}

/** A client on a stage: its network, its time, and everything that it has told. */
export class Stage {
    sockets = [];
    told = [];
    asked = []; // requests over HTTP
    answers = []; // what they get
    events = [...EVENTS];

    constructor({ clock = new Clock(), storage = new Storage(), page = new Page(), ...options } = {}) {
        Object.assign(this, { clock, storage, page });
        const stage = this;
        this.tokens = 0;
        this.clarion = new Clarion({
            url: URL_OF_CLARION,
            token: () => {
                this.tokens += 1;
                return tokenOf("alice", { clock, mark: this.tokens });
            },
            page,
            storage,
            now: clock.now,
            random: () => 0.5,
            setTimeout: clock.setTimeout,
            clearTimeout: clock.clearTimeout,
            fetch: (url, request) => this.#fetch(url, request),
            WebSocket: class extends Socket {
                constructor(...args) {
                    super(...args);
                    stage.sockets.push(this);
                }
            },
            ...options,
        });
        for (const name of EVENTS) this.clarion.on(name, (value) => this.told.push([name, value]));
    }

    /** The newest socket. */
    get socket() {
        return this.sockets.at(-1);
    }

    /** The server's time, as it writes it. */
    time(inMs = 0) {
        return new Date(BEGAN + this.clock.ms + inMs).toISOString().replace("Z", "456Z");
    }

    /** Connect, and let the server say ready. */
    async connect(ready = {}) {
        this.clarion.connect();
        await this.welcome(ready);
    }

    /** Open the newest socket from the server's side. */
    async welcome(ready = {}) {
        await settled();
        this.socket.open();
        this.ready(ready);
        await settled();
    }

    ready(more = {}) {
        const since = this.socket.sent
            .filter(({ type }) => type === "connect" || type === "sync")
            .at(-1)?.since;
        this.say({
            type: "ready", epoch: "e1", head: since?.seq ?? 0,
            announcements: since?.announcements ?? 0, unread: 0,
            resume: since ? "ok" : "new", heartbeat: 25, window: 64, now: this.time(),
            token_expires: this.time(3_600_000), ...more,
        });
    }

    say(frame) {
        this.socket.say(frame);
    }

    /** A frame of changes for `(from, to]` with a new notification for each number. */
    changes(from, to, more = {}) {
        const numbers = Array.from({ length: to - from }, (_, index) => from + index + 1);
        this.say({
            type: "changes",
            from,
            to,
            unread: to,
            items: numbers.map((seq) => notification(seq)),
            ...more,
        });
    }

    /** What listeners of an event got. */
    heard(name) {
        return this.told.filter(([each]) => each === name).map(([, value]) => value);
    }

    /** The ids that were shown, in order. */
    get shown() {
        return this.heard("notification").map(({ id }) => id);
    }

    /** What a call over HTTP is answered with, next. */
    answer(status, body, headers = {}) {
        this.answers.push({ status, body, headers });
    }

    async #fetch(url, request) {
        this.asked.push({ url, ...request, body: request.body && JSON.parse(request.body) });
        const answer = this.answers.shift();
        if (typeof answer?.body === "function") return answer.body(request);
        const { status, body, headers } = answer;
        return new Response(typeof body === "string" ? body : JSON.stringify(body), { status, headers });
    }
}
