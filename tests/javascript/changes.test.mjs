/** What a client makes of the frames: each notification once, in order, none that has expired. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Stage, Storage, notification } from "./stage.mjs";

async function following(head = 0, options = {}) {
    const stage = new Stage(options);
    await stage.connect({ head });
    return stage;
}

test("notifications are shown in the order of their sequence, whatever the order in the frame", async () => {
    const stage = await following();
    stage.changes(0, 3, { items: [notification(3), notification(1), notification(2)] });
    assert.deepEqual(stage.shown, ["n1", "n2", "n3"]);
});

test("a repeated frame is dropped", async () => {
    const stage = await following();
    stage.changes(0, 1);
    stage.changes(1, 2);
    stage.changes(0, 1);
    stage.changes(1, 2, { unread: 9 });
    stage.changes(2, 3);
    assert.deepEqual(stage.shown, ["n1", "n2", "n3"]);
    assert.deepEqual(stage.heard("unread"), [0, 1, 2, 3]);
    assert.equal(stage.heard("changed").length, 0);
    assert.deepEqual(
        stage.storage.writes.map(({ seq }) => seq),
        [0, 0, 1, 2, 3],
        "the cursor never goes back",
    );
});

test("a frame that overlaps what is known tells only what is new in it", async () => {
    const stage = await following();
    stage.changes(0, 2);
    stage.changes(1, 4);
    assert.deepEqual(stage.shown, ["n1", "n2", "n3", "n4"]);
    assert.equal(stage.heard("changed").length, 0);
});

test("a gap shows nothing and asks for what is missing, once", async () => {
    const stage = await following();
    stage.changes(0, 1);
    stage.changes(2, 3);
    await stage.clock.pass(5_000);
    stage.changes(3, 4);
    assert.deepEqual(stage.shown, ["n1"]);
    assert.deepEqual(stage.socket.messages("sync"), [
        { type: "sync", since: { epoch: "e1", seq: 1, announcements: 0 } },
    ]);
    stage.ready({ head: 4 });
    stage.changes(1, 4);
    assert.deepEqual(stage.shown, ["n1", "n2", "n3", "n4"]);
});

test("a sync that the server refuses or does not answer is sent again", async () => {
    const stage = await following();
    stage.changes(5, 6);
    stage.say({ type: "error", re: "sync", code: "unavailable", detail: "no database", retry_after: 3 });
    await stage.clock.pass(2_900);
    assert.equal(stage.socket.messages("sync").length, 1);
    await stage.clock.pass(1_100);
    assert.equal(stage.socket.messages("sync").length, 2);
    assert.equal(stage.heard("error")[0].code, "unavailable");
    await stage.clock.pass(10_000);
    assert.equal(stage.socket.messages("sync").length, 3);
});

test("gaps that follow each other do not make a storm of syncs", async () => {
    const stage = await following();
    for (let turn = 0; turn < 20; turn += 1) {
        stage.changes(5, 6);
        stage.ready({ head: 6, resume: "ok" });
        await stage.clock.pass(100);
    }
    assert.equal(stage.socket.messages("sync").length, 2);
});

test("a number without an item was superseded: the cursor passes it", async () => {
    const stage = await following();
    stage.changes(0, 3, { items: [notification(3)] });
    stage.changes(3, 4);
    assert.deepEqual(stage.shown, ["n3", "n4"]);
    assert.equal(stage.socket.messages("sync").length, 0);
});

test("what was read, archived or seen elsewhere is a change of state and nothing new", async () => {
    const stage = await following();
    const at = stage.time();
    const states = [{ read: at }, { archived: at }, { seen: at }, { claimed: at }];
    stage.changes(0, 4, { items: states.map((state, index) => notification(index + 1, state)) });
    assert.deepEqual(stage.shown, []);
    assert.deepEqual(
        stage.heard("changed").map(({ id }) => id),
        ["n1", "n2", "n3", "n4"],
    );
});

test("a notification that was shown and comes again with its later state is not shown again", async () => {
    const stage = await following();
    stage.changes(0, 1);
    stage.changes(1, 2, { items: [notification(2, { id: "n1", number: 1, title: "new words" })] });
    assert.deepEqual(stage.shown, ["n1"]);
    assert.equal(stage.heard("changed")[0].title, "new words");
});

test("a replacement is shown as new, and what it replaces is gone", async () => {
    const stage = await following();
    stage.changes(0, 1);
    const gone = { number: 1, seq: 2, id: "n1", gone: "replaced" };
    stage.changes(1, 3, { items: [gone, notification(3, { number: 2, replaces: "n1" })] });
    assert.deepEqual(stage.shown, ["n1", "n3"]);
    assert.deepEqual(stage.heard("gone"), [{ id: "n1", number: 1, gone: "replaced" }]);
});

test("what has expired by the server's clock is never shown", async () => {
    const stage = await following();
    const lives = (ms) => ({ class: "live", expires: stage.time(ms) });
    stage.changes(0, 2, { items: [notification(1, lives(0)), notification(2, lives(1_000))] });
    assert.deepEqual(stage.shown, ["n2"]);
    assert.deepEqual(stage.heard("gone"), [{ id: "n1", number: 1, gone: "expired" }]);
    const late = notification(3, lives(20_000));
    await stage.clock.pass(20_001);
    stage.changes(2, 3, { items: [late] });
    assert.deepEqual(stage.shown, ["n2"]);
});

test("the server's clock counts on monotonically, and a slow answer does not set it back", async () => {
    const stage = await following();
    await stage.clock.pass(10_000);
    assert.equal(stage.clarion.serverNow().toISOString(), new Date(stage.time()).toISOString());
    stage.say({ type: "pong", now: stage.time(-3_000) });
    assert.equal(stage.clarion.serverNow().toISOString(), new Date(stage.time()).toISOString());
    stage.say({ type: "heartbeat", head: 0, announcements: 0, now: stage.time(500) });
    assert.equal(stage.clarion.serverNow().toISOString(), new Date(stage.time(500)).toISOString());
});

test("a mark comes with its frame, and what it covers is not new", async () => {
    const stage = await following();
    stage.changes(0, 3, {
        items: [notification(1), notification(3, { number: 2 })],
        seen_through: 1,
        read_through: 0,
    });
    assert.deepEqual(stage.shown, ["n3"]);
    assert.deepEqual(stage.heard("marks"), [{ seenThrough: 1, readThrough: 0 }]);
    stage.changes(3, 4, { items: [], read_through: 2 });
    assert.deepEqual(stage.heard("marks").at(-1), { seenThrough: 1, readThrough: 2 });
});

test("unread is told when it changes, and only by what is not older than what is known", async () => {
    const stage = await following();
    assert.deepEqual(stage.heard("unread"), [0]);
    stage.changes(0, 1, { unread: 1 });
    stage.changes(1, 2, { unread: 1 });
    stage.answer(200, { head: 5, unread: 0 });
    await stage.clarion.read("n1");
    stage.changes(2, 4, { unread: 3 });
    assert.deepEqual(stage.heard("unread"), [0, 1, 0]);
    stage.changes(4, 5, { unread: 2 });
    assert.deepEqual(stage.heard("unread"), [0, 1, 0, 2]);
});

test("acks are cumulative and gathered, but sent at once when half of the window waits", async () => {
    const stage = await following();
    stage.changes(0, 1);
    stage.changes(1, 2);
    stage.changes(2, 3);
    assert.deepEqual(stage.socket.messages("ack"), []);
    await stage.clock.pass(250);
    assert.deepEqual(stage.socket.messages("ack"), [{ type: "ack", seq: 3 }]);
    stage.changes(3, 35);
    assert.deepEqual(stage.socket.messages("ack").at(-1), { type: "ack", seq: 35 });
    await stage.clock.pass(1_000);
    assert.equal(stage.socket.messages("ack").length, 2);
});

test("an ack is sent only for what is stored", async () => {
    const stage = await following();
    const stored = [];
    stage.socket.send = (text) => stored.push([JSON.parse(text).seq, stage.storage.writes.at(-1).seq]);
    stage.changes(0, 40);
    assert.deepEqual(stored, [[40, 40]]);
});

test("what was applied while a sync was under way is acked once more", async () => {
    const stage = await following();
    stage.changes(1, 2);
    stage.changes(0, 2);
    await stage.clock.pass(250);
    stage.ready({ head: 2, resume: "ok" });
    await stage.clock.pass(250);
    assert.deepEqual(
        stage.socket.messages("ack").map(({ seq }) => seq),
        [2, 2],
    );
});

test("cursors and shown ids of a frame are stored in one write", async () => {
    const stage = await following(7);
    const before = stage.storage.writes.length;
    stage.changes(7, 9);
    assert.equal(stage.storage.writes.length, before + 1);
    const { epoch, seq, announcements, shown } = stage.storage.writes.at(-1);
    assert.deepEqual([epoch, seq, announcements, shown], ["e1", 9, 0, ["n8", "n9"]]);
    assert.equal(stage.storage.items.size, 1);
});

test("a tab remembers a bounded number of shown ids, the latest", async () => {
    const stage = await following();
    for (let seq = 0; seq < 400; seq += 1) stage.changes(seq, seq + 1);
    const { shown } = stage.storage.writes.at(-1);
    assert.deepEqual([shown.length, shown[0], shown.at(-1)], [300, "n101", "n400"]);
});

test("after a reload the tab goes on from its cursor, and knows what it has shown", async () => {
    const storage = new Storage();
    const before = await following(0, { storage });
    before.changes(0, 2);
    before.clarion.disconnect();
    const after = new Stage({ storage });
    await after.connect();
    const [{ since, device }] = after.socket.messages("connect");
    assert.deepEqual(since, { epoch: "e1", seq: 2, announcements: 0 });
    assert.equal(device, before.socket.messages("connect")[0].device);
    after.changes(2, 4, { items: [notification(3, { id: "n1", number: 1 }), notification(4)] });
    assert.deepEqual(after.shown, ["n4"]);
});

test("a reset has the inbox loaded again, and keeps the ids that were shown", async () => {
    const stage = await following();
    stage.changes(0, 1);
    stage.socket.cut();
    await stage.clock.pass(500);
    await stage.welcome({ epoch: "e2", head: 20, announcements: 3, resume: "reset", unread: 5 });
    assert.equal(stage.heard("reset").length, 1);
    assert.deepEqual([stage.clarion.head, stage.clarion.unread], [20, 5]);
    stage.changes(20, 22, { items: [notification(21, { id: "n1" }), notification(22)] });
    assert.deepEqual(stage.shown, ["n1", "n22"]);
});

test("a first connection tells only what comes from now on, and needs no reset", async () => {
    const stage = await following(41);
    stage.changes(41, 42);
    assert.deepEqual(stage.shown, ["n42"]);
    assert.equal(stage.heard("reset").length, 0);
    assert.equal("since" in stage.socket.messages("connect")[0], false);
});

test("an inbox that was loaded before the first connection and is older has to be loaded again", async () => {
    const stage = new Stage();
    stage.answer(200, { items: [], epoch: "e1", head: 40, unread: 2, next: null });
    await stage.clarion.inbox();
    await stage.connect({ head: 42 });
    assert.equal(stage.heard("reset").length, 1);
});

test("announcements have a cursor of their own, with the same rules", async () => {
    const stage = await following();
    const announce = (from, to, items) => stage.say({ type: "announcements", from, to, items });
    const words = (seq, more) => notification(seq, { number: null, class: "announcement", ...more });
    announce(0, 1, [words(1, { id: "a1" })]);
    announce(1, 3, [words(3, { id: "a1", title: "later" }), words(2, { id: "a2", expires: stage.time(-1) })]);
    announce(0, 1, [words(1, { id: "a1" })]);
    announce(3, 4, [{ number: null, seq: 4, id: "a1", gone: "withdrawn" }]);
    announce(6, 7, [words(7)]);
    assert.deepEqual(
        stage.heard("announcement").map(({ title }) => title),
        ["title 1", "later"],
    );
    assert.deepEqual(stage.heard("announcementGone"), [
        { id: "a2", gone: "expired" },
        { id: "a1", gone: "withdrawn" },
    ]);
    assert.deepEqual(stage.socket.messages("sync")[0].since, { epoch: "e1", seq: 0, announcements: 4 });
    assert.equal(stage.clarion.announcementsHead, 4);
    assert.equal(stage.storage.writes.at(-1).announcements, 4);
    assert.deepEqual(stage.shown, []);
});

test("announcements that were read on another device are told", async () => {
    const stage = await following();
    stage.changes(0, 1, { items: [], announcements_read: ["a1"] });
    assert.deepEqual(stage.heard("announcementsRead"), [["a1"]]);
});

test("frames before ready, unknown ones and nonsense change nothing", async () => {
    const stage = new Stage();
    stage.clarion.connect();
    await stage.clock.pass(0);
    stage.socket.open();
    stage.changes(0, 1);
    stage.ready();
    for (const text of ["{", "null", "[1]", '"ready"', '{"type":7}', '{"type":"confetti"}']) stage.say(text);
    stage.changes(0, 2, { from: "0" });
    stage.changes(0, 2, { to: 1.5 });
    stage.say({ type: "heartbeat" });
    for (const after of [undefined, 3, [2], ["2", {}]]) stage.say({ type: "bye", code: 4205, after });
    assert.deepEqual(stage.shown, []);
    stage.changes(0, 1, { later: "additions are ignored" });
    await stage.clock.pass(10_000);
    assert.deepEqual([stage.shown, stage.clarion.state, stage.clarion.head], [["n1"], "connected", 1]);
});

test("bad weather is passed on", async () => {
    const stage = await following();
    stage.say({ type: "status", mode: "degraded", detail: "the database does not answer" });
    assert.deepEqual(stage.heard("status"), [{ mode: "degraded", detail: "the database does not answer" }]);
});

test("a listener that throws is reported, and neither other listeners nor later frames notice", async () => {
    const stage = await following();
    const late = [];
    stage.clarion.on("notification", () => {
        throw new Error("the page's own mistake");
    });
    stage.clarion.on("notification", ({ id }) => late.push(id));
    stage.changes(0, 1);
    stage.changes(1, 2);
    assert.deepEqual(late, ["n1", "n2"]);
    assert.equal(stage.page.reported[0].message, "the page's own mistake");
    assert.equal(stage.clarion.state, "connected");
});

test("listeners can be taken away, called once, and disconnect in the middle of a frame", async () => {
    const stage = await following();
    const calls = [];
    const end = stage.clarion.on("notification", () => calls.push("on"));
    const listener = () => calls.push("off");
    stage.clarion.on("notification", listener);
    stage.clarion.once("notification", () => calls.push("once"));
    stage.clarion.once("notification", () => stage.clarion.disconnect());
    stage.changes(0, 2);
    assert.deepEqual(calls, ["on", "off", "once", "on", "off"]);
    assert.deepEqual(stage.shown, ["n1", "n2"], "what is stored as shown is shown");
    assert.deepEqual(
        stage.told.slice(-2).map(([name]) => name),
        ["unread", "state"],
        "what a listener causes comes after",
    );
    end();
    stage.clarion.off("notification", listener);
    await stage.connect();
    stage.changes(2, 3);
    assert.equal(calls.length, 5);
    assert.throws(() => stage.clarion.on("notification", "no function"), TypeError);
});
