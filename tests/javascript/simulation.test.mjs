/** Hundreds of lives of a tab on a bad network, each brought back by its seed. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Clock, Stage, Storage, settled, tokenOf } from "./stage.mjs";
import { Server, seeded } from "./world.mjs";

const LIVES = 400;
const STEPS = 60;

/** A player's tab, its server, and everything that the tab has shown over all its reloads. */
class Life {
    shown = []; // { id, seq, epoch }
    resets = 0;
    reloads = 0;

    constructor(seed) {
        this.random = seeded(seed);
        this.clock = new Clock();
        this.server = new Server(this.random, this.clock);
        this.#load(new Storage());
    }

    async run() {
        for (let step = 0; step < STEPS; step += 1) {
            await this.#happen();
            await this.#pass(this.random() < 0.1 ? 8_000 : this.random() * 1_500);
        }
        this.server.faulty = false;
        for (let second = 0; second < 90; second += 1) await this.#pass(1_000);
    }

    async #happen() {
        const what = this.random();
        if (what < 0.75) this.server.change();
        else if (what < 0.83) this.server.cut();
        else if (what < 0.86) await this.#reload();
        else if (what < 0.87) this.server.renew();
    }

    async #pass(ms) {
        for (let passed = 0; passed < ms; passed += 500) {
            await this.clock.pass(Math.min(500, ms - passed));
            this.server.serve(this.stage.socket);
            this.server.look();
            this.server.serve(this.stage.socket);
        }
    }

    async #reload() {
        this.reloads += 1;
        await settled();
        this.server.cut();
        this.clock.forget();
        this.#load(this.stage.storage.copy());
    }

    #load(storage) {
        const { clock, random } = this;
        this.stage = new Stage({
            clock,
            random,
            storage,
            token: () => tokenOf("alice", { clock, life: 1e6 }),
        });
        const { clarion } = this.stage;
        clarion.on("notification", ({ id, seq }) => this.shown.push({ id, seq, epoch: this.server.epoch }));
        clarion.on("reset", () => (this.resets += 1));
        clarion.connect();
    }
}

function check({ server, shown, stage }) {
    const ids = shown.map(({ id }) => id);
    assert.deepEqual(
        ids.filter((id, index) => ids.indexOf(id) !== index),
        [],
        "shown twice",
    );
    const due = [...server.items.keys()].filter((id) => !server.touched.has(id) && !server.excused.has(id));
    assert.deepEqual(
        due.filter((id) => !ids.includes(id)),
        [],
        "never shown",
    );
    const later = shown.filter(
        ({ seq, epoch }, index) => index && epoch === shown[index - 1].epoch && seq <= shown[index - 1].seq,
    );
    assert.deepEqual(later, [], "out of order");
    const back = stage.storage.writes.filter(
        ({ seq, epoch }, index, all) => index && epoch === all[index - 1].epoch && seq < all[index - 1].seq,
    );
    assert.deepEqual(back, [], "the cursor went back");
    assert.equal(stage.clarion.state, "connected");
    assert.deepEqual([stage.clarion.head, stage.clarion.unread], [server.head, server.unread]);
    assert.equal(stage.storage.writes.at(-1).seq, server.head, "the cursor is at the head");
}

test(`in ${LIVES} lives of a tab, all is shown, once, in order`, { timeout: 120_000 }, async () => {
    const all = { shown: 0, resets: 0, reloads: 0 };
    for (let seed = 1; seed <= LIVES; seed += 1) {
        const life = new Life(seed);
        await life.run();
        try {
            check(life);
        } catch (error) {
            error.message = `life ${seed}: ${error.message}`;
            throw error;
        }
        all.shown += life.shown.length;
        all.resets += life.resets;
        all.reloads += life.reloads;
    }
    const average = (count) => count / LIVES;
    assert.ok(average(all.shown) > 30, `the lives are full enough: ${average(all.shown)} shown`);
    assert.ok(average(all.resets) > 0.1 && average(all.reloads) > 1, "and not too easy");
});
