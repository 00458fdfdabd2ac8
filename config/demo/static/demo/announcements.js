/** What the whole game is told: there until it ends, or until the player has read it on any device. */

import { byId, copyOf, left, say } from "./dom.js";

export class Announcements {
    #client;
    #shown = new Map(); // id -> { element, expires }

    constructor(client) {
        this.#client = client;
        client.on("announcement", (item) => this.#put(item));
        client.on("announcementGone", ({ id }) => this.#drop(id));
        client.on("announcementsRead", (ids) => ids.forEach((id) => this.#drop(id)));
        client.on("reset", () => this.load());
    }

    async load() {
        const { items } = await this.#client.announcements();
        this.clear();
        for (const item of items) if (!item.read) this.#put(item);
    }

    clear() {
        for (const id of [...this.#shown.keys()]) this.#drop(id);
    }

    /** Once a second: what has ended goes, what will end counts down. */
    tick() {
        const now = Number(this.#client.serverNow());
        for (const [id, { element, expires }] of this.#shown) {
            if (expires === null) continue;
            if (expires <= now) this.#drop(id);
            else say(element.querySelector(".until"), left(expires - now));
        }
    }

    #put({ id, title, body, expires }) {
        const known = this.#shown.get(id);
        const element = known?.element ?? copyOf("t-announcement");
        say(element.querySelector("h3"), title);
        say(element.querySelector("p"), body);
        this.#shown.set(id, { element, expires: expires ? Date.parse(expires) : null });
        if (!known) {
            const button = element.querySelector("button");
            button.setAttribute("aria-label", `Read: ${title}`);
            button.addEventListener("click", () => this.#read(id));
            byId("announcements").prepend(element);
        }
        byId("announcements").hidden = false;
        this.tick();
    }

    #read(id) {
        this.#drop(id);
        this.#client.read([id]).catch(() => this.load()); // not stored: show it again
    }

    #drop(id) {
        this.#shown.get(id)?.element.remove();
        this.#shown.delete(id);
        byId("announcements").hidden = this.#shown.size === 0;
    }
}
