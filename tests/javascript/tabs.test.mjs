/** Tabs: each its own device and cursor, also when it was duplicated or has no storage that works. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Clock, Locks, Page, Stage, Storage, settled, tokenOf } from "./stage.mjs";

function tab(options = {}) {
    const page = new Page();
    page.navigator.locks = options.locks;
    return new Stage({ page, ...options });
}

/** Connect a tab whose device may have to be waited for. */
async function connect(stage, ready = {}) {
    stage.clarion.connect();
    await stage.clock.pass(300);
    await stage.welcome(ready);
    return stage;
}

function device(stage) {
    return stage.socket.messages("connect")[0].device;
}

test("two tabs have a device and a cursor each", async () => {
    const one = await connect(tab({ random: () => 0.1 }), { head: 5 });
    const other = await connect(tab({ random: () => 0.2 }), { head: 5 });
    one.changes(5, 6);
    assert.notEqual(device(one), device(other));
    assert.equal(other.storage.writes.at(-1).seq, 5);
});

test("a duplicated tab goes on under a name of its own, and leaves its twin alone", async () => {
    const locks = new Locks();
    const first = await connect(tab({ locks, random: Math.random }));
    first.changes(0, 2);
    const twin = await connect(tab({ locks, storage: first.storage.copy(), random: Math.random }));
    assert.notEqual(device(first), device(twin));
    assert.equal(twin.socket.messages("connect")[0].since.seq, 2);
    twin.changes(2, 3, { items: [] });
    twin.clarion.disconnect();
    await connect(twin);
    assert.equal(device({ socket: twin.sockets[0] }), device(twin), "the new name stays");
});

test("a reloaded tab keeps its device, also when the old page lets go a little late", async () => {
    const locks = new Locks();
    const before = await connect(tab({ locks, random: Math.random }));
    const after = tab({ locks, storage: before.storage.copy(), random: Math.random, clock: before.clock });
    after.clarion.connect();
    await before.clock.pass(100);
    before.clarion.disconnect();
    await settled();
    await after.welcome();
    assert.equal(device(before), device(after));
});

test("without locks, the tab that its twin replaces goes on under another name", async () => {
    const first = await connect(tab({ random: Math.random }));
    first.changes(0, 2);
    const twin = await connect(tab({ storage: first.storage.copy(), random: Math.random }));
    assert.equal(device(first), device(twin));
    first.socket.cut(4005);
    await first.clock.pass(500);
    await first.welcome();
    assert.notEqual(device(first), device(twin));
    assert.equal(first.clarion.state, "connected");
    assert.equal(first.socket.messages("connect")[0].since.seq, 2);
    assert.equal(first.storage.writes.at(-1).device, device(first));
});

test("a device that the page has named is never renamed: whoever is replaced stops", async () => {
    const stage = await connect(tab({ device: "console-7", locks: new Locks() }));
    assert.equal(device(stage), "console-7");
    stage.socket.cut(4005);
    await stage.clock.pass(60_000);
    assert.deepEqual([stage.clarion.state, stage.sockets.length], ["stopped", 1]);
});

test("where locks are forbidden, the client goes on without", async () => {
    const locks = { request: () => Promise.reject(new DOMException("opaque origin", "SecurityError")) };
    const stage = await connect(tab({ locks }));
    assert.equal(stage.clarion.state, "connected");
});

test("disconnecting and closing let go of the device; leaving while it is claimed does too", async () => {
    const locks = new Locks();
    const stage = await connect(tab({ locks }));
    assert.equal(locks.names.length, 1);
    stage.clarion.disconnect();
    await settled();
    assert.deepEqual(locks.names, []);
    stage.clarion.connect();
    for (let turn = 0; turn < 20 && !locks.names.length; turn += 1) await Promise.resolve();
    assert.equal(locks.names.length, 1);
    stage.clarion.disconnect();
    await settled();
    assert.deepEqual(locks.names, []);
    assert.equal(stage.sockets.length, 1);
});

test("two clients on one page have a cursor each, and a later one takes over the first's", async () => {
    const storage = new Storage();
    const one = await connect(tab({ storage }), { head: 5 });
    const other = await connect(tab({ storage }), { head: 7 });
    one.changes(5, 6);
    assert.equal(storage.items.size, 2);
    one.clarion.disconnect();
    const next = await connect(tab({ storage }));
    assert.equal(next.socket.messages("connect")[0].since.seq, 6);
    assert.equal(other.socket.messages("connect")[0].since, undefined);
});

test("players and servers do not share a cursor", async () => {
    const storage = new Storage();
    const connected = async (options) => connect(tab({ storage, ...options }), { head: 5 });
    (await connected()).clarion.disconnect();
    for (const options of [
        { token: tokenOf("bob") },
        { token: tokenOf("alice", { game: "other" }) },
        { url: "https://staging.example" },
        { device: "console-7" },
    ]) {
        const stage = await connected(options);
        assert.equal(stage.socket.messages("connect")[0].since, undefined);
    }
});

for (const [what, storage] of Object.entries({
    "that throws": { getItem: fail, setItem: fail, removeItem: fail },
    "that is full": { getItem: () => null, setItem: fail, removeItem: () => {} },
    "that forgets": { getItem: () => null, setItem: () => {}, removeItem: () => {} },
})) {
    test(`a storage ${what} costs the memory over reloads, nothing else`, async () => {
        const stage = await connect(tab({ storage }));
        stage.changes(0, 2);
        stage.changes(0, 2);
        stage.clarion.disconnect();
        await connect(stage);
        assert.equal(stage.socket.messages("connect")[0].since.seq, 2);
        stage.changes(2, 3, { items: [{ ...stage.heard("notification")[0], seq: 3 }] });
        assert.deepEqual(stage.shown, ["n1", "n2"]);
        stage.clarion.close();
        assert.ok(stage.heard("error").length <= 1, "and is told once");
    });
}

function fail() {
    throw new DOMException("denied", "SecurityError");
}

test("a window that forbids to look at its storage, and one without any, do as well", async () => {
    const forbidding = new Page();
    Object.defineProperty(forbidding, "sessionStorage", { get: fail });
    for (const page of [forbidding, new Page()]) {
        const stage = await connect(new Stage({ page, storage: null }));
        stage.changes(0, 1);
        assert.deepEqual(stage.shown, ["n1"]);
    }
});

for (const [what, text] of Object.entries({
    "is cut off": '{"device":"d-1","epoch":"e1","se',
    "is another program's": '{"seq":"41"}',
    "is no object": "41",
    "has a cursor that is no number": '{"device":"d-1","epoch":"e1","seq":"41","announcements":0,"shown":[]}',
    "has an epoch that is no text": '{"device":"d-1","epoch":7,"seq":41,"announcements":0,"shown":[]}',
})) {
    test(`what is stored and ${what} is not believed`, async () => {
        const storage = new Storage({ "clarion:https://clarion.example:demo/alice": text });
        const stage = await connect(tab({ storage, clock: new Clock() }));
        assert.equal(stage.socket.messages("connect")[0].since, undefined);
        assert.match(device(stage), /^d-[0-9a-f]{16}$/);
    });
}
