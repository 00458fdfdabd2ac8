/** The connection in plain words, the switch that cuts it, and what came of the time without. */

import { byId, counted, say } from "./dom.js";

const SETTLED_MS = 700;
const PILLS = {
    idle: "Not connected",
    cut: "Cut",
    connecting: "Connecting",
    connected: "Live",
    waiting: "Reconnecting",
    stopped: "Stopped",
    degraded: "Slow",
};

export class Connection {
    #client;
    #cut = false;
    #awaySince = null; // by the server's clock
    #resumedAt = null;
    #missed = new Set();
    #outageS = 0;
    #retryAt = 0;
    #weather = "";
    #problem = "";
    #detail = "";

    /** `client` is not connected yet. */
    constructor(client) {
        this.#client = client;
        client.on("state", (change) => this.#become(change));
        client.on("status", ({ mode, detail }) => {
            this.#weather = mode === "normal" ? "" : detail || "Clarion is slow at the moment.";
            this.#show();
        });
        client.on("error", (error) => {
            this.#problem = error.message;
            this.#show();
        });
    }

    get isCut() {
        return this.#cut;
    }

    start() {
        this.#say("");
        this.#client.connect();
    }

    toggle() {
        if (this.#client.state === "stopped") this.#client.connect();
        else if (this.#cut) {
            this.#cut = false;
            this.#client.connect();
        } else {
            this.#cut = true;
            this.#client.disconnect();
            this.#say("The game goes on. Switch it on again to catch up.", true);
        }
        this.#show();
    }

    /** Tell whether a notification was made before this connection: it is caught up on, not news. */
    missed({ id, created }) {
        if (this.#resumedAt === null || Date.parse(created) > this.#resumedAt) return false;
        this.#count(id);
        return true;
    }

    /** What another device has seen meanwhile comes as a change, but it had come meanwhile too. */
    changed({ id, created }) {
        if (this.#awaySince !== null && Date.parse(created) > this.#awaySince) this.#count(id);
    }

    /** Once a second: times pass. */
    tick() {
        if (this.#client.state === "waiting") this.#show();
    }

    #become({ state, detail, retryInMs }) {
        this.#detail = detail;
        if (state === "connected") this.#resumed();
        else if (this.#resumedAt !== null) this.#lost();
        if (state === "waiting") this.#retryAt = performance.now() + retryInMs;
        if (state !== "waiting") this.#problem = "";
        this.#show();
    }

    #lost() {
        this.#awaySince ??= Number(this.#client.serverNow());
        this.#resumedAt = null;
        this.#missed.clear();
        this.#weather = "";
    }

    #resumed() {
        this.#resumedAt = Number(this.#client.serverNow());
        if (this.#awaySince === null) return;
        this.#outageS = Math.max(1, Math.round((this.#resumedAt - this.#awaySince) / 1000));
        const resumedAt = this.#resumedAt;
        this.#say("Catching up …");
        setTimeout(() => {
            if (this.#resumedAt === resumedAt) {
                this.#tellMissed();
                this.#awaySince = null;
            }
        }, SETTLED_MS);
    }

    #count(id) {
        if (this.#awaySince === null || this.#resumedAt === null) return;
        this.#missed.add(id);
        this.#tellMissed();
    }

    #tellMissed() {
        const many = this.#missed.size;
        const what = many ? `${counted(many, "notification")} had come meanwhile` : "nothing had come meanwhile";
        this.#say(`Back after ${this.#outageS} s: ${what}.`);
    }

    #say(text, away = false) {
        say(byId("resumed"), text);
        byId("resumed").toggleAttribute("data-away", away);
    }

    #show() {
        const state = this.#cut ? "cut" : this.#client.state;
        const tone = state === "connected" && this.#weather ? "degraded" : state;
        byId("pill").dataset.state = tone;
        say(byId("pill-text"), PILLS[tone]);
        byId("switch").setAttribute("aria-checked", String(!this.#cut && state !== "stopped"));
        say(byId("state"), this.#sentence(state));
    }

    #sentence(state) {
        const seconds = Math.max(1, Math.ceil((this.#retryAt - performance.now()) / 1000));
        const why = this.#problem ? ` (${this.#problem})` : "";
        return {
            idle: "Not connected.",
            cut: "You have cut the connection. This device hears nothing.",
            connecting: "Connecting …",
            connected: this.#weather || "Connected. News arrives as it happens.",
            waiting: `The connection is lost${why}. Trying again in ${seconds} s; nothing gets lost.`,
            stopped: `The server has ended this for good: ${this.#detail}. The switch tries once more.`,
        }[state];
    }
}
