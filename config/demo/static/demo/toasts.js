/** What lies over the game: toasts that pass by, and matches that count down. */

import { byId, copyOf, dress, leave, say } from "./dom.js";

const TOASTS_MAX = 3;
const narrow = matchMedia("(max-width: 1000px)"); // where one toast is all that there is room for
const TOAST_MS = 6500;
const TICK_MS = 200;

export class Toasts {
    #client;
    #language;
    #toasts = new Map(); // notification id -> element
    #matches = new Map(); // notification id -> { element, created, expires }
    #ticking = null;

    constructor(client, language) {
        this.#client = client;
        this.#language = language;
    }

    /** Show a notification for a while: one that lives for seconds, for exactly these. */
    show(notification) {
        if (notification.class === "live" && notification.category === "match") this.#match(notification);
        else this.#toast(notification);
    }

    /** Somebody dealt with it, here or on another device, or it was taken back. */
    remove(id) {
        const toast = this.#toasts.get(id);
        if (toast) leave(toast);
        this.#toasts.delete(id);
        const match = this.#matches.get(id);
        if (match) leave(match.element);
        this.#matches.delete(id);
    }

    clear() {
        for (const id of [...this.#toasts.keys(), ...this.#matches.keys()]) this.remove(id);
        clearInterval(this.#ticking);
        this.#ticking = null;
    }

    #toast({ id, category, title, body, expires }) {
        const toast = copyOf("t-toast");
        toast.dataset.id = id;
        dress(toast.querySelector(".tile"), category);
        this.#write(toast, title, body);
        toast.querySelector("button").addEventListener("click", () => this.remove(id));
        this.#toasts.set(id, toast);
        byId("toasts").prepend(toast);
        const lasts = expires ? Date.parse(expires) - this.#client.serverNow() : Infinity;
        this.#fadeLater(toast, id, Math.min(TOAST_MS, lasts));
        for (const old of [...this.#toasts.keys()].slice(0, narrow.matches ? -1 : -TOASTS_MAX)) this.remove(old);
    }

    /** Who reads a toast, or has the keyboard in it, keeps it. */
    #fadeLater(toast, id, ms) {
        const fade = () => {
            if (toast.matches(":hover, :focus-within")) setTimeout(fade, 1000);
            else this.remove(id);
        };
        setTimeout(fade, ms);
    }

    #match({ id, title, body, created, expires }) {
        const element = copyOf("t-match");
        element.dataset.id = id;
        this.#write(element, title, body);
        const match = { element, created: Date.parse(created), expires: Date.parse(expires) };
        const seconds = Math.round((match.expires - this.#client.serverNow()) / 1000);
        say(element.querySelector(".hidden-text"), `Expires in ${seconds} seconds.`);
        element.querySelector(".acts").addEventListener("click", (event) => {
            if (event.target.closest("[data-act]")) this.#answer(id);
        });
        this.#matches.set(id, match);
        byId("matches").prepend(element);
        this.#tick();
        this.#ticking ??= setInterval(() => this.#tick(), TICK_MS);
    }

    /** Joined or declined: read, so that the player's other devices stop asking. */
    #answer(id) {
        this.remove(id);
        this.#client.read([id]).catch(() => {}); // it ends within seconds anyway
    }

    #tick() {
        const now = this.#client.serverNow();
        for (const [id, { element, created, expires }] of this.#matches) {
            const ms = expires - now;
            if (ms <= 0) {
                this.remove(id);
                continue;
            }
            say(element.querySelector("b"), String(Math.ceil(ms / 1000)));
            const rest = Math.min(1, ms / (expires - created));
            element.querySelector(".left").style.strokeDashoffset = 100 * (1 - rest);
        }
        if (this.#matches.size > 0) return;
        clearInterval(this.#ticking);
        this.#ticking = null;
    }

    #write(element, title, body) {
        const [heading, text] = element.querySelectorAll("h3, p");
        heading.lang = text.lang = this.#language;
        heading.textContent = title;
        text.textContent = body;
    }
}
