/** What the page asks of the demo itself; everything else goes through Clarion's client. */

const SAMPLES = 5;

/** POST to the demo, as its own page. */
async function post(url, body) {
    const token = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? "";
    const answer = await fetch(url, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRFToken": token },
        body: JSON.stringify(body),
    });
    const found = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(found.detail ?? `the demo answered ${answer.status}`);
    return found;
}

/** A token for one of the demo's players, asked for anew whenever the client needs one. */
export const tokenFor = (config, player) => async () => (await post(config.token_url, { player })).token;

/** Have the game server send an event; returns its id, and the ids of the notifications it should come to. */
export const sendEvent = (config, player, type) => post(config.send_url, { player, type });

/**
 * Compares this page's monotonic clock with the server's: of a few questions, the one that was
 * answered fastest is the truest, and half of the time that it took is how wrong it may be.
 */
export class SharedClock {
    #url;
    #offset = null;
    errorMs = Infinity;

    constructor(url) {
        this.#url = url;
    }

    async compare() {
        let best = { took: Infinity };
        for (let n = 0; n < SAMPLES; n += 1) {
            const asked = performance.now();
            const answer = await fetch(this.#url, { cache: "no-store" });
            const took = performance.now() - asked;
            if (!answer.ok) return;
            const { now } = await answer.json();
            if (took < best.took) best = { took, offset: now - (asked + took / 2) };
        }
        this.#offset = best.offset;
        this.errorMs = best.took / 2;
    }

    /** The server's time at a moment of ours, in milliseconds; null while it is not known. */
    at(moment) {
        return this.#offset === null ? null : this.#offset + moment;
    }
}
