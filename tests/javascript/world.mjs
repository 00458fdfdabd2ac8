/** A model of Clarion's server with one player, and a network that loses, repeats and swaps frames. */

import { notification } from "./stage.mjs";

const WINDOW = 64;
const RESUME_MAX = 40; // few, so that resets happen
const BEAT_MS = 20_000;
const FAULTS = { lost: 0.06, repeated: 0.06, swapped: 0.06 };

/** Random numbers that a seed brings back. */
export function seeded(seed) {
    let state = seed;
    return () => {
        state = (state + 0x6d2b79f5) | 0;
        let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
}

/** The truth: what was sent to the player, and what became of it. */
export class Server {
    epoch = 1;
    head = 0;
    items = new Map(); // id -> its current state
    touched = new Set(); // ids that somebody has looked at, or that are gone: they need not be shown
    excused = new Set(); // ids from before a tab came, or from before a reset
    faulty = true;
    #line = null;

    constructor(random, clock) {
        this.random = random;
        this.clock = clock;
    }

    // -- what happens to the player ---------------------------------------------------------------

    /** Make a few changes in one transaction, and tell the player's socket. */
    change() {
        const from = this.head;
        for (let count = 1 + this.#below(4); count > 0; count -= 1) this.#one();
        const line = this.#line;
        if (!line?.ready) return;
        if (line.cursor === from && !line.behind && this.head <= line.acked + WINDOW)
            this.#send(this.#frame(from, this.head));
        else line.behind = true;
    }

    /** A restore: all sockets end, and the numbers begin to mean something else. */
    renew() {
        this.epoch += 1;
        this.head += this.#below(10);
        this.cut();
    }

    #one() {
        this.head += 1;
        const known = [...this.items.values()].filter(({ gone }) => !gone);
        const kind = known.length ? this.random() : 0;
        const one = known[this.#below(known.length)];
        if (kind < 0.6) this.#put(`n${this.items.size + 1}`, { number: this.items.size + 1, replaces: null });
        else if (kind < 0.8) this.items.set(one.id, { ...one, seq: this.head, title: "new words" });
        else if (kind < 0.9)
            this.#touch(one, {
                ...one,
                seq: this.head,
                [this.random() < 0.5 ? "read" : "seen"]: this.time(),
            });
        else this.#touch(one, { id: one.id, number: one.number, seq: this.head, gone: "recalled" });
    }

    #put(id, more) {
        this.items.set(id, notification(this.head, { id, ...more }));
    }

    #touch({ id }, state) {
        this.touched.add(id);
        this.items.set(id, state);
    }

    // -- the player's socket ----------------------------------------------------------------------

    /** Take what a client does with its newest socket. */
    serve(socket) {
        if (!socket || socket.readyState === 3) {
            if (this.#line?.socket === socket) this.#line = null;
            return;
        }
        if (socket.readyState === 0) {
            socket.open();
            this.#line = {
                socket,
                read: 0,
                ready: false,
                behind: true,
                cursor: 0,
                acked: 0,
                beatAt: 0,
                lookAt: 0,
            };
        }
        if (this.#line?.socket !== socket) return;
        while (this.#line?.read < socket.sent.length) this.#hear(socket.sent[this.#line.read++]);
    }

    /** Do what a gateway does by itself as time passes. */
    look() {
        const line = this.#line;
        if (!line?.ready) return;
        if (this.clock.ms >= line.lookAt) {
            line.lookAt = this.clock.ms + 1_000;
            line.behind ||= this.head > line.cursor;
        }
        if (line.behind) this.#repair();
        if (this.clock.ms >= line.beatAt) {
            line.beatAt = this.clock.ms + BEAT_MS;
            this.#send({ type: "heartbeat", head: this.head, announcements: 0, now: this.time() });
        }
    }

    cut() {
        const line = this.#line;
        this.#line = null;
        if (line && line.socket.readyState === 1) line.socket.cut();
    }

    time() {
        return new Date(this.clock.ms + 1.8e12).toISOString();
    }

    #hear(message) {
        const line = this.#line;
        if (message.type === "connect" || message.type === "sync") this.#welcome(message.since);
        else if (message.type === "ping") this.#send({ type: "pong", now: this.time() });
        else if (message.type === "ack" && message.seq <= line.cursor && !this.#happens(FAULTS.lost)) {
            line.acked = Math.max(line.acked, message.seq);
        }
    }

    #welcome(since) {
        const line = this.#line;
        const resume = since === undefined ? "new" : this.#resume(since);
        line.cursor = line.acked = resume === "ok" ? since.seq : this.head;
        if (resume !== "ok") for (const id of this.items.keys()) this.excused.add(id);
        line.ready = line.behind = true;
        line.beatAt = this.clock.ms + BEAT_MS;
        this.#send({
            type: "ready", epoch: `e${this.epoch}`, head: this.head, announcements: 0,
            unread: this.unread, resume,
            heartbeat: 25, window: WINDOW, now: this.time(), token_expires: null,
        });
    }

    #resume({ epoch, seq }) {
        return epoch === `e${this.epoch}` && seq <= this.head && this.head - seq <= RESUME_MAX
            ? "ok"
            : "reset";
    }

    #repair() {
        const line = this.#line;
        const to = Math.min(this.head, line.acked + WINDOW);
        if (to > line.cursor) this.#send(this.#frame(line.cursor, to));
        line.behind = line.cursor < this.head;
    }

    get unread() {
        return [...this.items.values()].filter(({ gone, read }) => !gone && !read).length;
    }

    /** The changes of a range, each thing in its current state. */
    #frame(from, to) {
        this.#line.cursor = to;
        const items = [...this.items.values()].filter(({ seq }) => seq > from && seq <= to);
        return { type: "changes", from, to, unread: this.unread, items };
    }

    // -- the network ------------------------------------------------------------------------------

    #send(frame) {
        const line = this.#line;
        const deliver = (one) => line === this.#line && line.socket.readyState === 1 && line.socket.say(one);
        const held = line.held;
        line.held = undefined;
        if (this.#happens(FAULTS.swapped)) line.held = frame;
        else if (!this.#happens(FAULTS.lost)) deliver(frame);
        if (this.#happens(FAULTS.repeated)) deliver(frame);
        if (held) deliver(held);
    }

    #happens(chance) {
        return this.faulty && this.random() < chance;
    }

    #below(count) {
        return Math.floor(this.random() * count);
    }
}
