/** Calls over HTTP: a definite answer, or an error that says why. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { ClarionError } from "../../notifications/static/clarion/clarion.js";
import { Stage, tokenOf } from "./stage.mjs";

const PAGE = { items: [], epoch: "e1", head: 5, unread: 2, next: null };

test("read, seen and archive take an id, several or a mark, and answer where the player stands", async () => {
    const stage = new Stage();
    const { clarion } = stage;
    const answer = { head: 9, unread: 1 };
    for (let turn = 0; turn < 5; turn += 1) stage.answer(200, answer);
    assert.deepEqual(await clarion.read("n1"), answer);
    await clarion.read(new Set(["n1", "n2"]));
    await clarion.read({ through: 7 });
    await clarion.seen({ through: 8 });
    await clarion.archive(["n3"]);
    assert.deepEqual(
        stage.asked.map(({ method, url, body }) => [
            method,
            url.replace("https://clarion.example/api/v1", ""),
            body,
        ]),
        [
            ["POST", "/inbox/read", { ids: ["n1"] }],
            ["POST", "/inbox/read", { ids: ["n1", "n2"] }],
            ["POST", "/inbox/read", { through: 7 }],
            ["POST", "/inbox/seen", { through: 8 }],
            ["POST", "/inbox/archive", { ids: ["n3"] }],
        ],
    );
    const { headers, credentials } = stage.asked[0];
    assert.deepEqual(headers, {
        Authorization: `Bearer ${tokenOf("alice", { clock: stage.clock, mark: 1 })}`,
        "Content-Type": "application/json",
    });
    assert.equal(credentials, "omit", "cookies are none of its business");
    assert.deepEqual([clarion.head, clarion.unread], [9, 1]);
});

test("more ids than one request may carry become several, and none become none", async () => {
    const stage = new Stage();
    stage.answer(200, { head: 200, unread: 50 });
    stage.answer(200, { head: 250, unread: 0 });
    const ids = Array.from({ length: 250 }, (_, index) => `n${index}`);
    assert.deepEqual(await stage.clarion.read(ids), { head: 250, unread: 0 });
    assert.deepEqual(
        stage.asked.map(({ body }) => body.ids.length),
        [200, 50],
    );
    assert.deepEqual(await stage.clarion.archive([]), { head: 250, unread: 0 });
    assert.equal(stage.asked.length, 2);
});

test("claiming answers what the server says, for repeats too", async () => {
    const stage = new Stage();
    stage.answer(200, { head: 3, unread: 0, claimed: "2026-11-25T12:00:00Z" });
    assert.equal((await stage.clarion.claim("a/b")).claimed, "2026-11-25T12:00:00Z");
    assert.equal(stage.asked[0].url, "https://clarion.example/api/v1/inbox/a%2Fb/claim");
    stage.answer(410, { type: "/problems/expired", detail: "the reward has expired" });
    await assert.rejects(stage.clarion.claim("n2"), { status: 410, code: "expired" });
});

test("the inbox is asked for what is wanted only", async () => {
    const stage = new Stage();
    stage.answer(200, PAGE);
    stage.answer(200, PAGE);
    assert.deepEqual(await stage.clarion.inbox(), PAGE);
    await stage.clarion.inbox({ before: 40, limit: 10, unread: true, category: "social" });
    assert.deepEqual(
        stage.asked.map(({ url }) => url),
        [
            "https://clarion.example/api/v1/inbox",
            "https://clarion.example/api/v1/inbox?before=40&limit=10&unread=true&category=social",
        ],
    );
    assert.deepEqual(stage.heard("unread"), [2]);
});

test("a page of the inbox is never older than what events have told", async () => {
    const stage = new Stage();
    await stage.connect({ head: 4 });
    stage.answer(200, {
        ...PAGE,
        get head() {
            stage.changes(4, 6); // arrives while the answer is on its way
            return 5;
        },
    });
    stage.answer(200, { ...PAGE, head: 6, unread: 6 });
    const page = await stage.clarion.inbox();
    assert.equal(page.head, 6);
    assert.deepEqual(stage.heard("unread"), [0, 6]);
});

test("a game that changes all the time does not keep an inbox from its page for ever", async () => {
    const stage = new Stage();
    await stage.connect({ head: 9 });
    for (let turn = 0; turn < 3; turn += 1) stage.answer(200, PAGE);
    assert.equal((await stage.clarion.inbox()).head, 5);
    assert.deepEqual(stage.heard("unread"), [0], "and what is old changes no badge");
});

test("announcements are read as they are", async () => {
    const stage = new Stage();
    stage.answer(200, { items: [{ id: "a1" }], announcements: 8 });
    assert.deepEqual(await stage.clarion.announcements(), { items: [{ id: "a1" }], announcements: 8 });
    assert.equal(stage.asked[0].method, "GET");
});

test("a problem becomes an error that says what and when to try again", async () => {
    const stage = new Stage();
    stage.answer(
        503,
        { type: "/problems/unavailable", detail: "the database does not answer" },
        { "Retry-After": "3" },
    );
    const problem = { name: "ClarionError", status: 503, code: "unavailable", retryAfter: 3 };
    await assert.rejects(stage.clarion.read("n1"), { ...problem, detail: "the database does not answer" });
    const errors = [{ pointer: "/ids/0", detail: "is no UUID" }];
    stage.answer(422, { type: "/problems/invalid", detail: "the request breaks a rule", errors });
    await assert.rejects(stage.clarion.read("n1"), {
        status: 422,
        code: "invalid",
        errors,
        retryAfter: null,
    });
    stage.answer(502, "<html>a proxy's page", { "Retry-After": new Date(Date.now() + 5_000).toUTCString() });
    const refused = await stage.clarion.read("n1").catch((error) => error);
    assert.ok(refused instanceof ClarionError && refused instanceof Error);
    assert.deepEqual(
        [refused.status, refused.code, refused.message],
        [502, "unreadable", "the server answered 502"],
    );
    assert.ok(refused.retryAfter > 0 && refused.retryAfter <= 5);
});

test("a network that is away and a server that does not answer are told apart", async () => {
    const stage = new Stage();
    stage.answer(0, () => Promise.reject(new TypeError("Failed to fetch")));
    await assert.rejects(stage.clarion.read("n1"), { status: 0, code: "network" });
    stage.answer(
        0,
        ({ signal }) =>
            new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    );
    const asked = stage.clarion.read("n1").catch((error) => error);
    await stage.clock.pass(15_000);
    assert.equal((await asked).code, "timeout");
});

test("a refused token is replaced once", async () => {
    const stage = new Stage();
    const refusal = { type: "/problems/unauthorized", detail: "the token has expired; get a new one" };
    stage.answer(401, refusal);
    stage.answer(200, { head: 1, unread: 0 });
    await stage.clarion.read("n1");
    assert.equal(stage.tokens, 2);
    assert.notEqual(stage.asked[0].headers.Authorization, stage.asked[1].headers.Authorization);
    stage.answer(401, refusal);
    stage.answer(401, refusal);
    await assert.rejects(stage.clarion.read("n1"), { status: 401, code: "unauthorized" });
    assert.equal(stage.asked.length, 4);
});

test("calls share a token while it lasts", async () => {
    const stage = new Stage();
    for (let turn = 0; turn < 4; turn += 1) stage.answer(200, { head: 1, unread: 0 });
    await Promise.all([stage.clarion.read("n1"), stage.clarion.seen("n1")]);
    await stage.connect();
    assert.equal(stage.tokens, 2, "a connection takes a new one");
    await stage.clarion.read("n1");
    assert.equal(stage.tokens, 2);
    stage.clarion.disconnect();
    await stage.clock.pass(3_595_000);
    await stage.clarion.read("n1");
    assert.equal(stage.tokens, 3, "one that is about to end is of no use");
});

test("a client that was closed does not speak for who was logged in before", async () => {
    const players = ["alice", "bob"];
    const stage = new Stage({ token: () => tokenOf(players.shift()) });
    for (let turn = 0; turn < 2; turn += 1) stage.answer(200, { head: 1, unread: 0 });
    await stage.clarion.read("n1");
    stage.clarion.close();
    await stage.clarion.read("n2");
    assert.equal(stage.asked[1].headers.Authorization, `Bearer ${tokenOf("bob")}`);
});

test("calls without a token are refused before they are sent", async () => {
    const stage = new Stage({ token: () => "" });
    await assert.rejects(stage.clarion.read("n1"), { code: "token", status: 0 });
    await assert.rejects(stage.clarion.announcements(), { code: "token" });
    assert.deepEqual(stage.asked, []);
});
