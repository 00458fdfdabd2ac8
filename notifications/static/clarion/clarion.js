/**
 * Clarion's client for web pages: a player's notifications, each shown once and in order, whatever the
 * network does meanwhile.
 *
 *     import { Clarion } from "https://clarion.example/static/clarion/clarion.js";
 *     const clarion = new Clarion({
 *         url: "https://clarion.example",
 *         token: async () => (await (await fetch("/my/token")).json()).token,
 *     });
 *     clarion.on("notification", (notification) => toast(notification.title));
 *     clarion.connect();
 *
 * One file without dependencies; clarion.d.ts beside it describes everything that is public.
 */

const SUBPROTOCOL = "clarion.v1";
const TOKEN_MS = 30_000; // for the page's own server to give a token
const READY_MS = 10_000; // from opening a socket to the server's ready
const ANSWER_MS = 5_000; // for the answer to a ping that asks whether the network is still there
const HTTP_MS = 15_000; // for an answer over HTTP
const CLAIM_MS = 300; // a page that is being reloaded lets go of its device within this time
const HEARTBEAT_S = 25; // if the server should not say
const ACK_MS = 250; // acks are gathered for so long, unless half of the window is full before
const SYNC_MS = 10_000; // without an answer to a sync it is sent again
const SYNC_PAUSE_MS = 1_000; // between two syncs, at least
const STEADY_MS = 30_000; // a connection that lasted so long makes the next wait short again
const BACKOFF_MS = 500; // the first wait is at most this, each further one twice as long
const BACKOFF_MAX_MS = 30_000;
const RENEW_MAX_MS = 300_000; // a token is renewed so long before its end, or a quarter of its life
const RENEW_AGAIN_MS = 5_000;
const SPARE_MS = 10_000; // a token with less life left is not used for a request
const TIMER_MAX_MS = 2 ** 31 - 1; // what setTimeout can count
const SHOWN_MAX = 300; // ids that a tab remembers as shown
const IDS_MAX = 200; // ids that one request may carry
const PAGE_TRIES = 3;
const REPLACED = 4005;
const TOKEN_EXPIRED = 4201;
const LOGGED_OUT = "there is no token: nobody is logged in";

/** What a call, the token function or the server's refusal of a message came to. */
export class ClarionError extends Error {
    constructor(detail, { status = 0, code = "error", retryAfter = null, errors = [], cause } = {}) {
        super(detail, { cause });
        this.name = "ClarionError";
        this.status = status;
        this.code = code;
        this.detail = detail;
        this.retryAfter = retryAfter;
        this.errors = errors;
    }
}

/** Listeners by name. What they throw is reported and stops nothing; what they cause comes after. */
class Listeners {
    #byName = new Map();
    #waiting = [];
    #busy = false;
    #report;

    constructor(report) {
        this.#report = report;
    }

    add(name, listener, once) {
        if (typeof listener !== "function") throw new TypeError(`the listener of "${name}" is no function`);
        const entry = { listener, once };
        this.#byName.set(name, [...(this.#byName.get(name) ?? []), entry]);
        return () => this.#keep(name, (other) => other !== entry);
    }

    remove(name, listener) {
        this.#keep(name, (other) => listener !== undefined && other.listener !== listener);
    }

    /** Tell events, each a name and a value; whatever listeners cause is told after all of them. */
    emit(...events) {
        this.#waiting.push(...events);
        if (this.#busy) return;
        this.#busy = true;
        while (this.#waiting.length) this.#tell(...this.#waiting.shift());
        this.#busy = false;
    }

    #tell(name, value) {
        for (const entry of this.#byName.get(name) ?? []) {
            if (entry.once) this.#keep(name, (other) => other !== entry);
            try {
                entry.listener(value);
            } catch (error) {
                this.#report(error);
            }
        }
    }

    #keep(name, wanted) {
        this.#byName.set(name, (this.#byName.get(name) ?? []).filter(wanted));
    }
}

/** The server's time: what it said last, and what a monotonic clock has counted since. */
class ServerClock {
    #monotonic;
    #offset = null;

    constructor(monotonic) {
        this.#monotonic = monotonic;
    }

    /** Start over: another gateway's clock may differ. */
    restart(text) {
        this.#offset = null;
        this.hear(text);
    }

    /** The way here only takes time, so of several readings the latest hour is the truest. */
    hear(text) {
        const offset = parsed(text) - this.#monotonic();
        if (Number.isFinite(offset)) this.#offset = Math.max(offset, this.#offset ?? offset);
    }

    now() {
        return this.#offset === null ? Date.now() : this.#offset + this.#monotonic();
    }
}

/** The player's tokens, from a text or from a function of the page's. */
class Tokens {
    #source;
    #timers;
    #current = null;
    #pending = null;

    constructor(source, timers) {
        this.#source = source;
        this.#timers = timers;
    }

    /** Whether there is only this one. */
    get fixed() {
        return typeof this.#source !== "function";
    }

    /** Ask for a new token; null if there is none because nobody is logged in. */
    fresh() {
        this.#pending ??= this.#ask().finally(() => {
            this.#pending = null;
        });
        return this.#pending;
    }

    /** Return the current token while it lasts, else a new one. */
    async usable(now) {
        const expires = expiryOf(this.#current);
        const lasts = this.#current && (expires === null || expires - now > SPARE_MS);
        return lasts ? this.#current : this.fresh();
    }

    forget() {
        this.#current = null;
    }

    async #ask() {
        let timer;
        const late = new Promise((_, reject) => {
            timer = this.#timers.set(() => reject(new Error("the token function took too long")), TOKEN_MS);
        });
        try {
            const source = this.#source;
            const token = await (this.fixed ? source : Promise.race([source(), late]));
            if (token && typeof token !== "string") throw new TypeError("the token is no text");
            this.#current = token || null;
            return this.#current;
        } catch (error) {
            const why = error?.message ?? error;
            throw new ClarionError(`there is no token: ${why}`, { code: "token", cause: error });
        } finally {
            this.#timers.clear(timer);
        }
    }
}

const taken = new WeakMap(); // storage -> keys that clients of this page use

/** What a tab knows of one player's changes: cursors and shown ids, always written together. */
class Memory {
    #storage;
    #taken;
    #key = null; // while it is open
    #name = null;
    #shown = new Set();
    #trouble;
    #troubled = false;
    device = null;
    epoch = null;
    seq = 0;
    announcements = 0;

    constructor(storage, trouble) {
        this.#storage = storage;
        this.#trouble = trouble;
        this.#taken = taken.get(storage ?? this) ?? new Set();
        taken.set(storage ?? this, this.#taken);
    }

    get isOpen() {
        return this.#key !== null;
    }

    /** Take up what is stored under a key; a second client on the same page gets a key of its own. */
    open(name) {
        let key = name;
        for (let n = 2; this.#taken.has(key); n += 1) key = `${name}#${n}`;
        this.#taken.add(key);
        this.#key = key;
        const found = this.#read();
        if (found === null && this.#name === name) return; // nothing was stored: what we know still holds
        this.#name = name;
        this.device = found?.device ?? null;
        this.epoch = found?.epoch ?? null;
        this.seq = found?.seq ?? 0;
        this.announcements = found?.announcements ?? 0;
        this.#shown = new Set(found?.shown ?? []);
    }

    /** Begin to follow at a place. What was shown stays known. */
    start(epoch, seq, announcements) {
        this.epoch = epoch;
        this.seq = seq;
        this.announcements = announcements;
    }

    get since() {
        if (this.epoch === null) return undefined;
        return { epoch: this.epoch, seq: this.seq, announcements: this.announcements };
    }

    hasShown(id) {
        return this.#shown.has(id);
    }

    remember(id) {
        this.#shown.add(id);
        if (this.#shown.size > SHOWN_MAX) this.#shown.delete(this.#shown.values().next().value);
    }

    /** One write, so that a tab that dies leaves cursor and shown ids of the same moment. */
    save() {
        const { device, epoch, seq, announcements } = this;
        const text = JSON.stringify({ device, epoch, seq, announcements, shown: [...this.#shown] });
        this.#attempt(() => this.#storage?.setItem(this.#key, text));
    }

    /** Leave what is stored to whoever opens it next: this client or another. */
    release() {
        this.#taken.delete(this.#key);
        this.#key = null;
    }

    forget() {
        const key = this.#key ?? this.#name;
        if (this.#key !== null || !this.#taken.has(key)) this.#attempt(() => this.#storage?.removeItem(key));
        this.release();
        this.start(null, 0, 0);
        this.#shown.clear();
        this.device = this.#name = null;
    }

    #read() {
        const text = this.#attempt(() => this.#storage?.getItem(this.#key));
        try {
            const found = JSON.parse(text ?? "null");
            const named = [found.epoch ?? "", found.device ?? ""].every((name) => typeof name === "string");
            const placed = isPlace(found.seq) && isPlace(found.announcements);
            return named && placed && Array.isArray(found.shown) ? found : null;
        } catch {
            return null; // nothing there, another program's, or cut off
        }
    }

    /** Storage fails in private windows and when it is full; then the tab's own memory has to do. */
    #attempt(work) {
        try {
            return work();
        } catch (error) {
            if (!this.#troubled) this.#trouble(error);
            this.#troubled = true;
            return null;
        }
    }
}

/** One WebSocket, from opening to its end; its timers end with it. */
class Line {
    #socket;
    #context;
    #timers = new Set();
    #ended = false;
    #deadline;
    #probe = null;
    #beatAt = 0;
    #sentAt = 0;
    #heartbeatMs = 0;
    #hear;
    #onEnd;
    readyAt = null;

    constructor(context, url, { hello, hear, end }) {
        this.#context = context;
        this.#hear = hear;
        this.#onEnd = end;
        this.#socket = new context.WebSocket(url, [SUBPROTOCOL]);
        this.#socket.onopen = () => this.send(hello());
        this.#socket.onmessage = (event) => this.#receive(event.data);
        this.#socket.onclose = (event) => this.end(event.code, event.reason);
        this.#deadline = this.after(READY_MS, () => this.end(null, "the server did not answer in time"));
    }

    send(message) {
        if (this.#ended || this.#socket.readyState !== 1) return;
        this.#sentAt = this.#context.now();
        this.#socket.send(JSON.stringify(message));
    }

    /** The server is there: keep it informed that we are, and hold it to its heartbeat. */
    ready(heartbeatS) {
        this.clear(this.#deadline);
        this.#beatAt = this.#context.now();
        this.#heartbeatMs = heartbeatS * 1000;
        if (this.readyAt === null) {
            this.readyAt = this.#beatAt;
            this.#pulse();
        }
    }

    /** Take the server's heartbeat. Timers of a hidden tab come late, messages do not: so answer here too. */
    beat() {
        this.#beatAt = this.#context.now();
        if (this.#beatAt - this.#sentAt >= this.#heartbeatMs / 2) this.send({ type: "ping" });
    }

    /** Ask whether the server is still there; without an answer the line is at its end. */
    probe() {
        if (this.readyAt === null || this.#probe !== null) return;
        this.send({ type: "ping" });
        this.#probe = this.after(ANSWER_MS, () => this.end(null, "the connection was lost"));
    }

    after(ms, work) {
        const timer = this.#context.timers.set(() => {
            this.#timers.delete(timer);
            work();
        }, ms);
        this.#timers.add(timer);
        return timer;
    }

    clear(timer) {
        this.#context.timers.clear(timer);
        this.#timers.delete(timer);
    }

    end(code, detail) {
        if (this.#ended) return;
        this.drop();
        this.#onEnd(code, detail);
    }

    /** End without telling anybody. */
    drop() {
        this.#ended = true;
        for (const timer of this.#timers) this.#context.timers.clear(timer);
        this.#timers.clear();
        const socket = this.#socket;
        socket.onopen = socket.onmessage = socket.onclose = null;
        socket.close(1000);
    }

    #receive(data) {
        if (this.#probe !== null) this.clear(this.#probe);
        this.#probe = null;
        const frame = decoded(data);
        if (frame) this.#hear(frame);
    }

    #pulse() {
        const now = this.#context.now();
        const lostAt = this.#beatAt + 2 * this.#heartbeatMs;
        if (now >= lostAt) {
            this.end(null, `no heartbeat for ${Math.round((now - this.#beatAt) / 1000)} s`);
            return;
        }
        if (now >= this.#sentAt + 0.75 * this.#heartbeatMs) this.send({ type: "ping" });
        const next = Math.min(lostAt, this.#sentAt + 0.75 * this.#heartbeatMs);
        this.after(Math.max(next - now, 1), () => this.#pulse());
    }
}

/** Clarion's HTTP for players, with the player's token. */
class Http {
    #base;
    #tokens;
    #clock;
    #timers;
    #fetch;

    constructor(base, tokens, clock, timers, fetch) {
        this.#base = base;
        this.#tokens = tokens;
        this.#clock = clock;
        this.#timers = timers;
        this.#fetch = fetch ?? ((...call) => globalThis.fetch(...call));
    }

    /** Ask once; a second time with a new token if the first was refused. */
    async request(method, path, body) {
        const token = await this.#tokens.usable(this.#clock.now());
        if (token === null) throw new ClarionError(LOGGED_OUT, { code: "token" });
        const answer = await this.#send(method, path, body, token);
        if (answer.status !== 401 || this.#tokens.fixed) return outcome(answer);
        const other = await this.#tokens.fresh();
        return outcome(other === null ? answer : await this.#send(method, path, body, other));
    }

    async #send(method, path, body, token) {
        const abort = new AbortController();
        const timer = this.#timers.set(() => abort.abort(), HTTP_MS);
        const headers = { Authorization: `Bearer ${token}` };
        if (body) headers["Content-Type"] = "application/json";
        try {
            const response = await this.#fetch(this.#base + path, {
                method,
                headers,
                body: body && JSON.stringify(body),
                signal: abort.signal,
                cache: "no-store",
                credentials: "omit",
            });
            const { status, ok, headers: told } = response;
            return { status, ok, text: await response.text(), retryAfter: told.get("Retry-After") };
        } catch (cause) {
            const [code, detail] = abort.signal.aborted
                ? ["timeout", "there was no answer in time"]
                : ["network", "the server cannot be reached"];
            throw new ClarionError(detail, { code, cause });
        } finally {
            this.#timers.clear(timer);
        }
    }
}

/** A player's notifications. */
export class Clarion {
    #context;
    #page;
    #base;
    #http;
    #random;
    #tokens;
    #clock;
    #listeners;
    #memory;
    #ownDevice; // the name that the page has given, or null
    #holdsDevice = null; // lets go of the device's name
    #player = null;

    #state = "idle";
    #line = null;
    #opening = 0; // raised by whatever makes an attempt under way void
    #attempts = 0;
    #retry = null;
    #asked = false; // whether it was the server that wants us to wait
    #hint = null; // { code, at } of the server's good-bye
    #refusal = ""; // what the server said before it closed
    #watched = null;

    #head = 0;
    #announcementsHead = 0;
    #unread = null;
    #unreadHead = 0; // the head that `unread` belongs to
    #listed = null; // { epoch, head } of the last inbox page that the page was given
    #marks = { seenThrough: null, readThrough: null };
    #window = 64;
    #acked = 0;
    #ackTimer = null;
    #syncing = null; // what runs while a sync is under way
    #syncedAt = -Infinity;
    #syncedFrom = null;
    #renewal = null;
    #tokenLifeMs = null;

    constructor(options = {}) {
        if (!options.token) throw new TypeError("a token is needed: a text, or a function that returns one");
        const page = options.page ?? globalThis;
        const timers = {
            set: options.setTimeout ?? ((work, ms) => globalThis.setTimeout(work, ms)),
            clear: options.clearTimeout ?? ((timer) => globalThis.clearTimeout(timer)),
        };
        const now = options.now ?? (() => performance.now());
        this.#page = page;
        this.#base = baseOf(options.url ?? page.location?.origin, page);
        this.#random = options.random ?? Math.random;
        this.#ownDevice = options.device ?? null;
        this.#context = { WebSocket: options.WebSocket ?? globalThis.WebSocket, now, timers };
        this.#listeners = new Listeners((error) => (page.reportError ?? console.error)(error));
        this.#clock = new ServerClock(now);
        this.#tokens = new Tokens(options.token, timers);
        this.#http = new Http(`${this.#base}/api/v1`, this.#tokens, this.#clock, timers, options.fetch);
        this.#memory = new Memory(options.storage ?? sessionOf(page), (cause) => {
            this.#emit("error", new ClarionError("the tab's storage fails", { code: "storage", cause }));
        });
    }

    get state() {
        return this.#state;
    }

    get unread() {
        return this.#unread ?? 0;
    }

    get head() {
        return this.#head;
    }

    get announcementsHead() {
        return this.#announcementsHead;
    }

    serverNow() {
        return new Date(this.#clock.now());
    }

    on(name, listener) {
        return this.#listeners.add(name, listener, false);
    }

    once(name, listener) {
        return this.#listeners.add(name, listener, true);
    }

    off(name, listener) {
        this.#listeners.remove(name, listener);
    }

    // -- connecting ----------------------------------------------------------------------------------

    connect() {
        if (this.#state === "connecting" || this.#state === "connected") return;
        this.#watchPage();
        this.#open();
    }

    disconnect() {
        this.#leave();
        this.#become("idle");
    }

    close() {
        this.#leave();
        this.#memory.forget();
        this.#tokens.forget();
        this.#player = null;
        this.#forgetPlayer();
        this.#become("stopped", { detail: "the page has closed it" });
    }

    async #open() {
        this.#cancelRetry();
        this.#opening += 1;
        const opening = this.#opening;
        this.#become("connecting");
        try {
            const token = await this.#tokens.fresh();
            if (opening !== this.#opening) return;
            if (token === null) {
                this.#stop(null, LOGGED_OUT);
                return;
            }
            this.#follow(playerOf(token));
            await this.#claimDevice(opening);
            if (opening === this.#opening) this.#dial(token);
        } catch (error) {
            if (opening !== this.#opening) return;
            this.#emit("error", asOurs(error));
            this.#wait(this.#backoff(), null, error.message);
        }
    }

    #dial(token) {
        const since = this.#memory.since;
        this.#hint = null;
        this.#refusal = "";
        this.#syncedFrom = since?.seq ?? null;
        const line = new Line(this.#context, `${this.#base.replace(/^http/, "ws")}/ws/v1/player`, {
            hello: () => ({ type: "connect", token, since, device: this.#ownDevice ?? this.#memory.device }),
            hear: (frame) => this.#hear(frame),
            end: (code, detail) => this.#ended(line, code, detail),
        });
        this.#line = line;
    }

    /** Take up what the tab knows of a player. Another player's cursor is none of theirs. */
    #follow(player) {
        const before = this.#player;
        if (player !== before) {
            this.#letGoOfDevice();
            this.#memory.release();
        }
        const own = this.#ownDevice === null ? "" : `:${this.#ownDevice}`;
        if (!this.#memory.isOpen) this.#memory.open(`clarion:${this.#base}:${player}${own}`);
        this.#player = player;
        if (before !== null && player !== before) {
            this.#forgetPlayer();
            this.#emit("reset", undefined);
        }
        this.#head = Math.max(this.#head, this.#memory.seq);
        this.#announcementsHead = Math.max(this.#announcementsHead, this.#memory.announcements);
    }

    #forgetPlayer() {
        this.#head = this.#announcementsHead = this.#unreadHead = 0;
        this.#unread = this.#listed = null;
        this.#marks = { seenThrough: null, readThrough: null };
    }

    /** Have a device's name to itself: a duplicated tab begins with a copy of its twin's storage. */
    async #claimDevice(opening) {
        if (this.#ownDevice !== null || this.#holdsDevice) return;
        const locks = this.#page.navigator?.locks;
        const claim = (name) => (locks ? claimed(locks, name, this.#context.timers) : () => {});
        let device = this.#memory.device ?? newDevice(this.#random);
        let letGo = await claim(device);
        if (letGo === null) {
            device = newDevice(this.#random);
            letGo = await claim(device);
        }
        if (opening !== this.#opening) {
            letGo?.();
            return;
        }
        this.#holdsDevice = letGo;
        this.#memory.device = device;
        this.#memory.save();
    }

    #letGoOfDevice() {
        this.#holdsDevice?.();
        this.#holdsDevice = null;
    }

    /** Decide what the end of a connection means. */
    #ended(line, code, reason) {
        const lasted = line.readyAt === null ? 0 : this.#context.now() - line.readyAt;
        if (lasted >= STEADY_MS) this.#attempts = 0;
        const hint = this.#hint;
        const detail = this.#refusal || reason || "the connection was lost";
        this.#leaveLine();
        if (code >= 4000 && code < 4100 && !(code === REPLACED && this.#ownDevice === null)) {
            this.#stop(code, detail);
        } else if (code === TOKEN_EXPIRED && this.#tokens.fixed) {
            this.#stop(code, "the token has expired, and there is no function that gets another");
        } else if (hint) {
            this.#wait(Math.max(hint.at - this.#context.now(), 0), hint.code, hint.detail, true);
        } else {
            if (code === REPLACED) this.#rename();
            this.#wait(this.#backoff(), code, detail, code >= 4100 && code < 4300);
        }
    }

    /** A twin of this tab has our name, and the browser has no locks: go on under another name. */
    #rename() {
        this.#letGoOfDevice();
        this.#memory.device = newDevice(this.#random);
    }

    /** Full jitter, so that a thousand clients that were cut off together do not come back together. */
    #backoff() {
        const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** this.#attempts);
        this.#attempts += 1;
        return this.#random() * ceiling;
    }

    #wait(ms, code, detail, asked = false) {
        this.#asked = asked;
        this.#retry = this.#context.timers.set(() => this.#open(), ms);
        this.#become("waiting", { code, detail, retryInMs: ms });
    }

    #stop(code, detail) {
        this.#leave();
        this.#become("stopped", { code, detail });
    }

    #leave() {
        if (this.#line && this.#state === "connected") this.#sendAck();
        this.#opening += 1;
        this.#cancelRetry();
        this.#line?.drop();
        this.#leaveLine();
        this.#letGoOfDevice();
        this.#memory.release();
        this.#watched?.();
        this.#watched = null;
    }

    #leaveLine() {
        this.#line = null;
        this.#hint = this.#ackTimer = this.#syncing = this.#renewal = null;
    }

    #cancelRetry() {
        if (this.#retry !== null) this.#context.timers.clear(this.#retry);
        this.#retry = null;
    }

    #become(state, { code = null, detail = "", retryInMs = null } = {}) {
        if (state === this.#state && state !== "waiting") return;
        this.#state = state;
        this.#emit("state", { state, code, detail, retryInMs });
    }

    /** The network is back, or somebody looks at the page: do not wait, and do not trust an old line. */
    #watchPage() {
        if (this.#watched) return;
        const look = () => {
            const online = this.#page.navigator?.onLine !== false;
            if (this.#state === "connected") this.#line.probe();
            else if (this.#state === "waiting" && !this.#asked && online) this.#open();
        };
        const visible = () => this.#page.document?.visibilityState !== "hidden" && look();
        const offline = () => this.#line?.probe();
        const places = [
            [this.#page, "online", look],
            [this.#page, "offline", offline],
            [this.#page, "pageshow", look],
            [this.#page.document, "visibilitychange", visible],
            [this.#page.document, "resume", look],
        ];
        for (const [place, name, work] of places) place?.addEventListener?.(name, work);
        this.#watched = () => {
            for (const [place, name, work] of places) place?.removeEventListener?.(name, work);
        };
    }

    // -- what the server says ------------------------------------------------------------------------

    #hear(frame) {
        if (frame.type === "ready") this.#ready(frame);
        else if (frame.type === "error") this.#refused(frame);
        else if (frame.type === "bye") this.#bye(frame);
        else if (this.#line.readyAt === null)
            return; // nothing else is said before ready
        else if (frame.type === "changes") this.#changes(frame);
        else if (frame.type === "announcements") this.#announced(frame);
        else if (frame.type === "heartbeat") this.#heartbeat(frame);
        else if (frame.type === "pong") this.#clock.hear(frame.now);
        else if (frame.type === "status") this.#status(frame);
    }

    #ready(frame) {
        const memory = this.#memory;
        const places = [frame.head, frame.announcements];
        if (typeof frame.epoch !== "string" || !places.every(isPlace)) return; // and wait for better
        const fresh = frame.resume !== "ok" || memory.epoch === null;
        if (this.#line.readyAt === null) this.#clock.restart(frame.now);
        else this.#clock.hear(frame.now);
        this.#line.ready(frame.heartbeat > 0 ? frame.heartbeat : HEARTBEAT_S);
        this.#window = frame.window > 0 ? frame.window : this.#window;
        this.#endSync();
        const missed = frame.resume === "reset" || (fresh && this.#missed(frame));
        if (fresh) this.#begin(frame);
        else memory.announcements = Math.min(memory.announcements, frame.announcements);
        memory.save();
        this.#acked = fresh ? memory.seq : (this.#syncedFrom ?? memory.seq);
        this.#head = Math.max(frame.head, this.#head);
        this.#announcementsHead = frame.announcements;
        if (this.#acked < memory.seq) this.#acknowledge();
        this.#planRenewal(parsed(frame.token_expires));
        this.#become("connected");
        const news = missed ? [["reset", undefined]] : [];
        this.#listeners.emit(...news, ...this.#counted(frame.unread, frame.head));
    }

    /** Follow from the server's place on: what came before is the inbox's matter. */
    #begin({ epoch, head, announcements }) {
        this.#memory.start(epoch, head, announcements);
        this.#head = head;
        this.#unreadHead = 0;
        this.#marks = { seenThrough: null, readThrough: null };
    }

    /** Tell whether the page has an inbox that is older than the place from which we follow. */
    #missed({ epoch, head }) {
        return this.#listed !== null && (this.#listed.epoch !== epoch || this.#listed.head < head);
    }

    #changes({ from, to, unread, items, ...more }) {
        const memory = this.#memory;
        if (!isPlace(from) || !isPlace(to) || to <= memory.seq) return; // seen before
        if (from > memory.seq) {
            this.#sync();
            return;
        }
        const marks = { seenThrough: more.seen_through, readThrough: more.read_through };
        const moved = this.#move(marks);
        const news = inOrder(items, memory.seq).map((item) => this.#judge(item));
        if (moved) news.push(["marks", { ...this.#marks }]);
        if (more.announcements_read?.length) news.push(["announcementsRead", more.announcements_read]);
        memory.seq = to;
        memory.save();
        this.#head = Math.max(this.#head, to);
        this.#acknowledge();
        this.#listeners.emit(...news, ...this.#counted(unread, to));
    }

    #move({ seenThrough, readThrough }) {
        if (!isPlace(seenThrough) && !isPlace(readThrough)) return false;
        if (isPlace(seenThrough)) this.#marks.seenThrough = seenThrough;
        if (isPlace(readThrough)) this.#marks.readThrough = readThrough;
        return true;
    }

    /** Decide what an item is to the page. */
    #judge(item) {
        const gone = this.#goneAs(item);
        if (gone) return ["gone", { id: item.id, number: item.number ?? null, gone }];
        if (!this.#isNew(item)) return ["changed", item];
        this.#memory.remember(item.id);
        return ["notification", item];
    }

    /** New is what this tab has not shown and nobody has looked at elsewhere; else its state changed. */
    #isNew(item) {
        const met = item.seen || item.read || item.archived || item.claimed;
        const marked = item.number !== null && item.number <= (this.#marks.seenThrough ?? 0);
        return !met && !marked && !this.#memory.hasShown(item.id);
    }

    /** What has expired is never shown, and may be on the screen: to the page it is gone. */
    #goneAs(item) {
        const expired = item.expires && parsed(item.expires) <= this.#clock.now();
        return item.gone ?? (expired ? "expired" : null);
    }

    #announced({ from, to, items }) {
        const memory = this.#memory;
        if (!isPlace(from) || !isPlace(to) || to <= memory.announcements) return;
        if (from > memory.announcements) {
            this.#sync();
            return;
        }
        const news = inOrder(items, memory.announcements).map((item) => this.#judgeAnnouncement(item));
        memory.announcements = to;
        memory.save();
        this.#announcementsHead = Math.max(this.#announcementsHead, to);
        this.#listeners.emit(...news);
    }

    #judgeAnnouncement(item) {
        const gone = this.#goneAs(item);
        return gone ? ["announcementGone", { id: item.id, gone }] : ["announcement", item];
    }

    #heartbeat({ head, announcements, now }) {
        this.#clock.hear(now);
        this.#line.beat();
        if (!isPlace(head) || !isPlace(announcements)) return;
        this.#head = Math.max(this.#head, head);
        this.#announcementsHead = Math.max(this.#announcementsHead, announcements);
        if (head > this.#memory.seq || announcements > this.#memory.announcements) this.#sync();
    }

    #refused({ re, code, detail, retry_after: retryAfter = null }) {
        if (re === "connection") {
            this.#refusal = detail; // the close that follows says the rest
            return;
        }
        if (re === "sync") {
            this.#endSync();
            const pause = 1000 * ((retryAfter ?? 1) + this.#random());
            this.#syncing = this.#line.after(pause, () => this.#sendSync());
        }
        this.#emit("error", new ClarionError(detail, { code, retryAfter }));
    }

    #bye({ code, after, detail }) {
        const [least, most] = Array.isArray(after) ? after : [];
        if (!(least <= most)) return; // the close code will do
        const pause = 1000 * (least + this.#random() * (most - least));
        this.#hint = { code, detail: detail ?? "", at: this.#context.now() + pause };
        this.#line.after(pause, () => this.#line?.end(code, detail));
    }

    #status({ mode, detail = "" }) {
        this.#emit("status", { mode, detail });
    }

    /** Know an unread count, unless a later one is known; return the events that this makes. */
    #counted(unread, head) {
        if (!Number.isInteger(unread) || head < this.#unreadHead) return [];
        this.#unreadHead = head;
        if (unread === this.#unread) return [];
        this.#unread = unread;
        return [["unread", unread]];
    }

    // -- what we say to the server -------------------------------------------------------------------

    /** Gather acks for a moment; at once when half of the window waits for them. */
    #acknowledge() {
        if (this.#memory.seq - this.#acked >= this.#window / 2) this.#sendAck();
        else this.#ackTimer ??= this.#line.after(ACK_MS, () => this.#sendAck());
    }

    #sendAck() {
        if (this.#ackTimer !== null) this.#line.clear(this.#ackTimer);
        this.#ackTimer = null;
        if (this.#memory.seq <= this.#acked) return;
        this.#acked = this.#memory.seq;
        this.#line.send({ type: "ack", seq: this.#acked });
    }

    /** Say where we stand; what is missing comes again. One at a time, and not too often. */
    #sync() {
        if (this.#syncing !== null) return;
        const pause = this.#syncedAt + SYNC_PAUSE_MS - this.#context.now();
        if (pause <= 0) this.#sendSync();
        else this.#syncing = this.#line.after(pause, () => this.#sendSync());
    }

    #sendSync() {
        this.#syncedAt = this.#context.now();
        this.#syncedFrom = this.#memory.seq;
        this.#line.send({ type: "sync", since: this.#memory.since });
        this.#syncing = this.#line.after(SYNC_MS, () => this.#sendSync());
    }

    #endSync() {
        if (this.#syncing !== null) this.#line.clear(this.#syncing);
        this.#syncing = null;
    }

    /** Renew the token well before it ends, each client at a moment of its own. */
    #planRenewal(expires) {
        if (this.#renewal !== null) this.#line.clear(this.#renewal);
        this.#renewal = null;
        const left = expires - this.#clock.now();
        if (this.#tokens.fixed || !(left > 0)) return;
        this.#tokenLifeMs ??= left;
        const early = Math.min(RENEW_MAX_MS, left / 4) * (1 + this.#random() / 2);
        const pause = Math.min(Math.max(left - early, 1000), TIMER_MAX_MS);
        const line = this.#line;
        this.#renewal = line.after(pause, () => this.#renew(line));
    }

    async #renew(line) {
        this.#renewal = null;
        try {
            const token = await this.#tokens.fresh();
            if (line !== this.#line) return;
            if (token === null) this.#stop(null, LOGGED_OUT);
            else if (playerOf(token) !== this.#player) line.end(null, "another player has logged in");
            else {
                line.send({ type: "token", token });
                this.#planRenewal(expiryOf(token) ?? this.#clock.now() + this.#tokenLifeMs);
            }
        } catch (error) {
            if (line !== this.#line) return;
            this.#emit("error", error);
            this.#renewal = line.after(RENEW_AGAIN_MS * (1 + this.#random()), () => this.#renew(line));
        }
    }

    // -- calls over HTTP, for a definite answer ------------------------------------------------------

    /** A page of the inbox, never older than what the events have told already. */
    async inbox({ before, limit, unread, category } = {}) {
        const query = new URLSearchParams();
        for (const [name, value] of Object.entries({ before, limit, unread, category })) {
            if (value !== undefined && value !== null) query.set(name, value);
        }
        const path = `/inbox?${query}`.replace(/\?$/, "");
        let page = await this.#http.request("GET", path);
        for (let tries = 1; tries < PAGE_TRIES && this.#outdated(page); tries += 1) {
            page = await this.#http.request("GET", path);
        }
        if (before === undefined) this.#listed = { epoch: page.epoch, head: page.head };
        this.#answered(page);
        return page;
    }

    announcements() {
        return this.#http.request("GET", "/announcements");
    }

    read(which) {
        return this.#mark("read", which);
    }

    seen(which) {
        return this.#mark("seen", which);
    }

    archive(ids) {
        return this.#mark("archive", ids);
    }

    async claim(id) {
        return this.#answered(await this.#http.request("POST", `/inbox/${encodeURIComponent(id)}/claim`, {}));
    }

    async #mark(kind, which) {
        if (typeof which === "object" && which !== null && "through" in which) {
            const { through } = which;
            return this.#answered(await this.#http.request("POST", `/inbox/${kind}`, { through }));
        }
        const ids = typeof which === "string" ? [which] : [...which];
        let answer = { head: this.#head, unread: this.unread };
        for (let at = 0; at < ids.length; at += IDS_MAX) {
            answer = await this.#http.request("POST", `/inbox/${kind}`, { ids: ids.slice(at, at + IDS_MAX) });
            this.#answered(answer);
        }
        return answer;
    }

    #outdated(page) {
        return page.epoch === this.#memory.epoch && page.head < this.#memory.seq;
    }

    #answered(answer) {
        const sameNumbering = answer.epoch === undefined || [null, answer.epoch].includes(this.#memory.epoch);
        if (sameNumbering && isPlace(answer.head)) {
            this.#head = Math.max(this.#head, answer.head);
            this.#listeners.emit(...this.#counted(answer.unread, answer.head));
        }
        return answer;
    }

    #emit(name, value) {
        this.#listeners.emit([name, value]);
    }
}

function baseOf(url, page) {
    if (!url) throw new TypeError("a url is needed: Clarion's address, such as https://clarion.example");
    const { protocol, origin, pathname } = new URL(url, page.location?.href);
    if (!/^https?:$/.test(protocol)) throw new TypeError(`Clarion's address is https:, not ${protocol}`);
    return origin + pathname.replace(/\/+$/, "");
}

/** The tab's storage. Browsers that forbid it throw already when it is looked at. */
function sessionOf(page) {
    try {
        return page.sessionStorage ?? null;
    } catch {
        return null;
    }
}

/** What a token says; it is the server that verifies it. */
function claimsOf(token) {
    try {
        const text = atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"));
        return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (each) => each.charCodeAt(0))));
    } catch {
        return {};
    }
}

function playerOf(token) {
    const { aud = "", sub = "" } = claimsOf(token);
    return `${aud}/${sub}`;
}

function expiryOf(token) {
    const { exp } = claimsOf(token ?? "");
    return Number.isFinite(exp) ? exp * 1000 : null;
}

/** Milliseconds of an RFC 3339 time, of which not every browser reads microseconds; NaN if it is none. */
function parsed(text) {
    return Date.parse(String(text).replace(/(\.\d{3})\d+/, "$1"));
}

function isPlace(value) {
    return Number.isSafeInteger(value) && value >= 0;
}

function inOrder(items, after) {
    return [...(items ?? [])].filter((item) => item.seq > after).sort((one, other) => one.seq - other.seq);
}

function decoded(data) {
    try {
        const frame = JSON.parse(data);
        return typeof frame?.type === "string" ? frame : null;
    } catch {
        return null;
    }
}

function newDevice(random) {
    const part = () =>
        Math.floor(random() * 2 ** 32)
            .toString(16)
            .padStart(8, "0");
    return `d-${part()}${part()}`;
}

/** Hold a lock of the browser's for as long as the page wants; null if another tab holds it. */
function claimed(locks, name, timers) {
    return new Promise((resolve) => {
        const abort = new AbortController();
        const timer = timers.set(() => abort.abort(), CLAIM_MS);
        const hold = () => {
            timers.clear(timer);
            return new Promise((letGo) => resolve(letGo));
        };
        locks.request(`clarion:${name}`, { signal: abort.signal }, hold).catch(() => {
            timers.clear(timer);
            resolve(abort.signal.aborted ? null : () => {}); // where locks are forbidden, go on without
        });
    });
}

/** What the server answered, or the RFC 9457 problem that it told. */
function outcome({ status, ok, text, retryAfter }) {
    let body = null;
    try {
        body = JSON.parse(text);
    } catch {
        // a proxy's page, perhaps; the status says enough
    }
    if (ok && body !== null) return body;
    throw new ClarionError(body?.detail ?? `the server answered ${status}`, {
        status,
        code: String(body?.type ?? "unreadable")
            .split("/")
            .pop(),
        retryAfter: secondsOf(retryAfter),
        errors: body?.errors ?? [],
    });
}

function secondsOf(header) {
    if (header === null) return null;
    const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
    return Number.isFinite(seconds) ? Math.max(seconds, 0) : null;
}

function asOurs(error) {
    if (error instanceof ClarionError) return error;
    return new ClarionError(error.message, { code: "connection", cause: error });
}
