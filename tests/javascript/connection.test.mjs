/** How a client connects, stays, comes back and gives up. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Clarion } from "../../notifications/static/clarion/clarion.js";
import { Clock, Page, Stage, Storage, URL_OF_CLARION, settled, tokenOf } from "./stage.mjs";

async function connected(options = {}, ready = {}) {
    const stage = new Stage(options);
    await stage.connect(ready);
    return stage;
}

/** The waits before so many attempts that fail one after the other. */
async function waits(stage, count, fail = () => stage.socket.cut()) {
    for (let turn = 0; turn < count; turn += 1) {
        fail();
        await stage.clock.pass(stage.heard("state").at(-1).retryInMs);
        await settled();
    }
    return stage
        .heard("state")
        .filter(({ state }) => state === "waiting")
        .map(({ retryInMs }) => retryInMs);
}

test("the token is in the first message of clarion.v1, and never in an address", async () => {
    const stage = await connected();
    assert.equal(stage.socket.url, "wss://clarion.example/ws/v1/player");
    assert.deepEqual(stage.socket.protocols, ["clarion.v1"]);
    const [first] = stage.socket.sent;
    assert.equal(first.type, "connect");
    assert.equal(first.token, tokenOf("alice", { clock: stage.clock, mark: 1 }).toString());
    assert.match(first.device, /^d-[0-9a-f]{16}$/);
    assert.deepEqual(
        stage.heard("state").map(({ state }) => state),
        ["connecting", "connected"],
    );
});

test("the address may be a path, insecure for a developer, or that of the page; nothing else", () => {
    const page = new Page();
    const opened = (url) => {
        const sockets = [];
        const clarion = new Clarion({
            url, page, token: "t.e.xt", storage: new Storage(),
            WebSocket: class { constructor(address) { sockets.push(address); } close() {} },
        });
        clarion.connect();
        return settled().then(() => {
            clarion.close();
            return sockets[0];
        });
    };
    return Promise.all([
        opened("http://127.0.0.1:8000/").then((url) => assert.equal(url, "ws://127.0.0.1:8000/ws/v1/player")),
        opened("https://g.example/clarion/").then((url) =>
            assert.equal(url, "wss://g.example/clarion/ws/v1/player"),
        ),
        opened(undefined).then((url) => assert.equal(url, "wss://clarion.example/ws/v1/player")),
    ]).then(() => {
        assert.throws(() => new Clarion({ url: "ftp://clarion.example", token: "t" }), /https:/);
        assert.throws(() => new Clarion({ url: URL_OF_CLARION }), /token is needed/);
        assert.throws(() => new Clarion({ page: {}, token: "t" }), /url is needed/);
    });
});

test("connecting twice makes one connection, and disconnecting ends it and every timer", async () => {
    const stage = await connected();
    stage.clarion.connect();
    await settled();
    assert.equal(stage.sockets.length, 1);
    stage.changes(0, 1);
    stage.clarion.disconnect();
    assert.equal(stage.socket.closedWith, 1000);
    assert.deepEqual(stage.socket.messages("ack"), [{ type: "ack", seq: 1 }], "the last ack is not lost");
    assert.equal(stage.clock.waiting, 0);
    assert.equal(stage.clarion.state, "idle");
    await stage.connect();
    assert.equal(stage.socket.messages("connect")[0].since.seq, 1);
});

test("disconnecting while the token is fetched or the socket opens leaves nothing behind", async () => {
    const stage = new Stage();
    stage.clarion.connect();
    stage.clarion.disconnect();
    await settled();
    assert.equal(stage.sockets.length, 0);
    stage.clarion.connect();
    await settled();
    stage.clarion.disconnect();
    stage.socket.open();
    assert.deepEqual(stage.socket.sent, []);
    assert.equal(stage.clock.waiting, 0);
});

test("closing forgets the cursor and the shown ids: the next connection is a new one", async () => {
    const stage = await connected({}, { head: 4, unread: 2 });
    stage.changes(4, 5);
    stage.clarion.close();
    assert.equal(stage.storage.items.size, 0);
    assert.deepEqual([stage.clarion.state, stage.clarion.head, stage.clarion.unread], ["stopped", 0, 0]);
    await stage.connect();
    assert.equal(stage.socket.messages("connect")[0].since, undefined);
    stage.clarion.disconnect();
    stage.clarion.close();
    assert.equal(stage.storage.items.size, 0);
});

for (const code of [4001, 4002, 4003, 4004, 4050]) {
    test(`the server's ${code} stops the client, with what the server has said`, async () => {
        const stage = await connected();
        stage.say({ type: "error", re: "connection", code: String(code), detail: "because" });
        stage.socket.cut(code);
        await stage.clock.pass(600_000);
        assert.equal(stage.sockets.length, 1);
        const told = { state: "stopped", code, detail: "because", retryInMs: null };
        assert.deepEqual(stage.heard("state").at(-1), told);
        assert.deepEqual(stage.heard("error"), [], "the state tells it already");
        await stage.connect();
        assert.equal(stage.clarion.state, "connected", "the page may try again");
    });
}

for (const code of [4100, 4103, 4150, 1006, 1000, 1011, 3000, 4300, 4999]) {
    test(`after ${code} the client comes back with backoff and full jitter, up to 30 s`, async () => {
        const stage = new Stage({ random: () => 1 });
        stage.clarion.connect();
        await settled();
        const most = await waits(stage, 9, () => stage.socket.cut(code));
        assert.deepEqual(most, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
        assert.equal(stage.sockets.length, 10);
    });
}

test("the jitter is full: any moment from at once on", async () => {
    const stage = new Stage({ random: () => 0 });
    stage.clarion.connect();
    await settled();
    assert.deepEqual(await waits(stage, 3), [0, 0, 0]);
});

test("only a connection that lasted 30 s makes the waits short again", async () => {
    const stage = new Stage({ random: () => 1 });
    stage.clarion.connect();
    await settled();
    await waits(stage, 3);
    await stage.welcome();
    await stage.clock.pass(29_000);
    assert.equal((await waits(stage, 1)).at(-1), 4_000);
    await stage.welcome();
    stage.say({ type: "heartbeat", head: 0, announcements: 0, now: stage.time() });
    await stage.clock.pass(30_000);
    assert.equal((await waits(stage, 1)).at(-1), 500);
});

test("a socket that never gets ready counts as failed", async () => {
    const stage = new Stage();
    stage.clarion.connect();
    await settled();
    stage.socket.open();
    await stage.clock.pass(10_000);
    assert.equal(stage.clarion.state, "waiting");
    assert.equal(stage.socket.closedWith, 1000);
});

test("after a good-bye the client resumes at a random moment of those that the server names", async () => {
    const stage = await connected({ random: () => 0.25 }, { head: 7 });
    stage.say({ type: "bye", code: 4205, after: [2, 42], detail: "deploy" });
    stage.changes(7, 8);
    assert.deepEqual(stage.shown, ["n8"], "until the end all is heard");
    await stage.clock.pass(3_000);
    stage.socket.cut(4205);
    const last = stage.heard("state").at(-1);
    assert.deepEqual(last, { state: "waiting", code: 4205, detail: "deploy", retryInMs: 9_000 });
    await stage.clock.pass(8_999);
    assert.equal(stage.sockets.length, 1);
    await stage.clock.pass(1);
    await stage.welcome({ head: 8 });
    assert.deepEqual(stage.socket.messages("connect")[0].since, { epoch: "e1", seq: 8, announcements: 0 });
});

test("a server that says good-bye and then hangs is left at that moment", async () => {
    const stage = await connected();
    stage.say({ type: "bye", code: 4205, after: [2, 4], detail: "deploy" });
    await stage.clock.pass(3_000);
    await settled();
    assert.equal(stage.sockets.length, 2);
});

for (const code of [4200, 4202, 4203, 4205, 4250]) {
    test(`after ${code} without a good-bye the client comes back soon, at a random moment`, async () => {
        const stage = await connected();
        stage.socket.cut(code);
        assert.deepEqual(stage.heard("state").at(-1).retryInMs, 250);
        await stage.clock.pass(250);
        await stage.welcome();
        assert.equal(stage.clarion.state, "connected");
    });
}

test("after 4201 the client comes back with a fresh token", async () => {
    const stage = await connected();
    stage.socket.cut(4201);
    await stage.clock.pass(500);
    await stage.welcome();
    const tokens = stage.sockets.map((socket) => socket.messages("connect")[0].token);
    assert.notEqual(tokens[0], tokens[1]);
    assert.equal(stage.tokens, 2);
});

test("after 4201 a client that has one token for ever stops", async () => {
    const stage = await connected({ token: tokenOf("alice") });
    stage.socket.cut(4201);
    assert.deepEqual([stage.clarion.state, stage.heard("state").at(-1).code], ["stopped", 4201]);
});

test("a token that cannot be fetched is told, and tried again with backoff", async () => {
    const faults = [() => Promise.reject(new Error("offline")), () => 7, () => tokenOf("alice")];
    const stage = new Stage({ token: () => faults.shift()() });
    stage.clarion.connect();
    await stage.clock.pass(250);
    await stage.clock.pass(500);
    await stage.welcome();
    assert.deepEqual(
        stage.heard("error").map(({ code }) => code),
        ["token", "token"],
    );
    assert.match(stage.heard("error")[0].detail, /offline/);
    assert.equal(stage.clarion.state, "connected");
});

test("a token function that never answers does not hold the client for ever", async () => {
    const stage = new Stage({ token: () => new Promise(() => {}) });
    stage.clarion.connect();
    await stage.clock.pass(30_000);
    assert.equal(stage.clarion.state, "waiting");
});

test("without a token nobody is logged in, and the client stops", async () => {
    const stage = new Stage({ token: () => null });
    stage.clarion.connect();
    await settled();
    assert.deepEqual([stage.clarion.state, stage.sockets.length], ["stopped", 0]);
});

test("the token is renewed on the socket before it ends", async () => {
    const clock = new Clock();
    let asked = 0;
    const token = () => tokenOf("alice", { life: 600, clock, mark: (asked += 1) });
    const stage = new Stage({ clock, token });
    await stage.connect({ token_expires: stage.time(600_000) });
    const alive = async (ms) => {
        for (let passed = 0; passed < ms; passed += 20_000) {
            await clock.pass(20_000);
            stage.say({ type: "heartbeat", head: 0, announcements: 0, now: stage.time() });
        }
    };
    await alive(400_000);
    assert.deepEqual(stage.socket.messages("token"), []);
    await alive(100_000);
    assert.equal(stage.socket.messages("token").length, 1);
    assert.notEqual(stage.socket.messages("token")[0].token, stage.socket.messages("connect")[0].token);
    await alive(500_000);
    assert.equal(stage.socket.messages("token").length, 2, "and again before the new one ends");
    assert.equal(stage.sockets.length, 1);
});

test("a renewal that fails is tried again while the old token lasts", async () => {
    const clock = new Clock();
    const answers = [
        tokenOf("alice", { life: 60, clock }),
        new Error("busy"),
        tokenOf("alice", { life: 120, clock }),
    ];
    const token = async () => {
        const answer = answers.shift();
        if (answer instanceof Error) throw answer;
        return answer;
    };
    const stage = new Stage({ clock, token });
    await stage.connect({ token_expires: stage.time(60_000), heartbeat: 60 });
    await clock.pass(50_000);
    assert.equal(stage.heard("error")[0].code, "token");
    await clock.pass(9_000);
    assert.equal(stage.socket.messages("token").length, 1);
});

test("another player who logs in gets a connection and a cursor of their own", async () => {
    const clock = new Clock();
    let player = "alice";
    const stage = new Stage({ clock, token: () => tokenOf(player, { life: 600, clock }) });
    await stage.connect({ head: 40, token_expires: stage.time(60_000), heartbeat: 60 });
    player = "bob";
    await clock.pass(45_000);
    await stage.welcome({ head: 3 });
    assert.equal(stage.sockets.length, 2);
    assert.equal(stage.socket.messages("connect")[0].since, undefined);
    assert.equal(stage.heard("reset").length, 1);
    assert.equal(stage.clarion.head, 3);
    player = "alice";
    stage.socket.cut();
    await clock.pass(1_000);
    await settled();
    stage.socket.open();
    assert.equal(stage.socket.messages("connect")[0].since.seq, 40, "and hers is still there");
});

test("the server hears something in every heartbeat, and no more than needed", async () => {
    const stage = await connected({}, { heartbeat: 10 });
    let silence = 0;
    for (let second = 1; second < 60; second += 1) {
        const before = stage.socket.sent.length;
        await stage.clock.pass(1_000);
        if (second % 19 === 0) stage.say({ type: "heartbeat", head: 0, announcements: 0, now: stage.time() });
        silence = stage.socket.sent.length > before ? 0 : silence + 1;
        assert.ok(silence < 10);
    }
    assert.ok(stage.socket.messages("ping").length < 14);
});

test("a tab whose timers sleep answers the server's heartbeat all the same", async () => {
    const stage = await connected();
    stage.clock.ms += 24_000;
    stage.say({ type: "heartbeat", head: 0, announcements: 0, now: stage.time() });
    assert.equal(stage.socket.messages("ping").length, 1);
});

test("a server whose heartbeat is not heard for twice its time is left, whatever else it says", async () => {
    const stage = await connected({}, { heartbeat: 10 });
    for (let second = 0; second < 19; second += 1) {
        await stage.clock.pass(1_000);
        stage.say({ type: "pong", now: stage.time() });
    }
    assert.equal(stage.clarion.state, "connected");
    await stage.clock.pass(1_000);
    assert.equal(stage.clarion.state, "waiting");
    assert.equal(stage.heard("state").at(-1).detail, "no heartbeat for 20 s");
});

test("a heartbeat that tells of more than the client has makes it ask", async () => {
    const stage = await connected({}, { head: 5, announcements: 2 });
    stage.say({ type: "heartbeat", head: 5, announcements: 2, now: stage.time() });
    assert.deepEqual(stage.socket.messages("sync"), []);
    stage.say({ type: "heartbeat", head: 6, announcements: 2, now: stage.time() });
    assert.deepEqual(stage.socket.messages("sync")[0].since, { epoch: "e1", seq: 5, announcements: 2 });
    assert.equal(stage.clarion.head, 6);
    stage.ready({ head: 6 });
    await stage.clock.pass(1_000);
    stage.say({ type: "heartbeat", head: 5, announcements: 3, now: stage.time() });
    assert.equal(stage.socket.messages("sync").length, 2);
});

test("a client that waits for the network tries at once when it is back or somebody looks", async () => {
    const looks = [
        (page) => page.dispatchEvent(new Event("online")),
        (page) => page.dispatchEvent(new Event("pageshow")),
        (page) => page.document.dispatchEvent(new Event("visibilitychange")),
        (page) => page.document.dispatchEvent(new Event("resume")),
    ];
    for (const look of looks) {
        const stage = await connected();
        stage.socket.cut();
        look(stage.page);
        await settled();
        assert.equal(stage.sockets.length, 2);
        await stage.welcome();
        await stage.clock.pass(10_000);
        assert.equal(stage.sockets.length, 2, "the wait is over");
    }
});

test("nobody looks at a hidden page, and a browser without network is not asked for any", async () => {
    const stage = await connected();
    stage.socket.cut();
    stage.page.document.visibilityState = "hidden";
    stage.page.document.dispatchEvent(new Event("visibilitychange"));
    stage.page.navigator.onLine = false;
    stage.page.dispatchEvent(new Event("pageshow"));
    await settled();
    assert.equal(stage.sockets.length, 1);
});

test("a server that has asked for a pause gets it, also when the network comes and goes", async () => {
    const stage = await connected();
    stage.socket.cut(4100);
    stage.page.dispatchEvent(new Event("online"));
    await settled();
    assert.equal(stage.sockets.length, 1);
    stage.clarion.connect();
    await settled();
    assert.equal(stage.sockets.length, 2, "the page itself may insist");
});

test("a line that may be dead is asked, and left if it does not answer", async () => {
    for (const event of ["online", "offline"]) {
        const stage = await connected();
        stage.page.dispatchEvent(new Event(event));
        assert.equal(stage.socket.messages("ping").length, 1);
        await stage.clock.pass(1_000);
        stage.say({ type: "pong", now: stage.time() });
        await stage.clock.pass(10_000);
        assert.equal(stage.clarion.state, "connected");
        stage.page.dispatchEvent(new Event(event));
        await stage.clock.pass(5_000);
        assert.equal(stage.clarion.state, "waiting");
    }
});

test("a client that was disconnected does not listen to the window any more", async () => {
    const stage = await connected();
    stage.clarion.disconnect();
    stage.page.dispatchEvent(new Event("online"));
    await settled();
    assert.equal(stage.sockets.length, 1);
});

test("a socket class that refuses is told and tried again", async () => {
    const stage = new Stage({
        WebSocket: class {
            constructor() {
                throw new Error("blocked by policy");
            }
        },
    });
    stage.clarion.connect();
    await settled();
    assert.deepEqual([stage.clarion.state, stage.heard("error")[0].code], ["waiting", "connection"]);
    stage.clarion.disconnect();
});
