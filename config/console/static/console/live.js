// What the console's live screens share: numbers asked for every so often while somebody looks, never taken
// for newer than they are, paused on a click or when one looks away.

const STALE_MS = 6000;
const SHOWN_LEAST = 15; // samples that fill a curve
const LOOKED_AWAY = "you looked away";

/** The points of a curve in a box of 120 x 26, its highest value at the top. */
export function points(values, least = 1e-9) {
    const highest = Math.max(...values, least);
    const step = 120 / (Math.max(values.length, SHOWN_LEAST) - 1);
    const begin = 120 - (values.length - 1) * step;
    return values
        .map((value, index) => `${(begin + index * step).toFixed(1)},${(26 - (24 * value) / highest).toFixed(1)}`)
        .join(" ");
}

/**
 * Show what the page came with, then keep asking `section.dataset.url` + `query()` and handing the answers
 * to `take`. The section's id names the elements of its state, its switch and its first answer.
 */
export function follow(section, take, query = () => "") {
    const part = (name) => document.getElementById(`${section.id}-${name}`);
    const stateButton = part("state");
    const keep = part("keep");
    let fetchedAt = 0; // by the monotonic clock
    let failure = "";
    let paused = "";
    let asking = null;

    function showState() {
        const age = performance.now() - fetchedAt;
        const state = paused ? "paused" : age > STALE_MS ? "stale" : "live";
        section.dataset.state = state;
        stateButton.querySelector("[data-name]").textContent = state;
        const seconds = Math.round(age / 1000);
        const said = seconds < 1 ? "measured now" : `measured ${seconds} s ago`;
        for (const card of section.querySelectorAll(".console-number")) card.title = said;
        const why = state === "paused" ? paused : state === "stale" ? failure || "no answer yet" : "";
        section.querySelector("[data-age]").textContent = why ? `${said}; ${why}` : said;
    }

    function taken(answer) {
        fetchedAt = performance.now();
        failure = "";
        take(answer);
    }

    async function ask() {
        if (paused || asking) return;
        asking = new AbortController();
        const timeout = setTimeout(() => asking?.abort(), STALE_MS);
        try {
            const url = section.dataset.url + query();
            const answer = await fetch(url, { signal: asking.signal, headers: { Accept: "application/json" } });
            if (answer.redirected) failure = "you are logged out";
            else if (!answer.ok) failure = `Clarion answers ${answer.status}`;
            else taken(await answer.json());
        } catch {
            failure = "Clarion does not answer";
        } finally {
            clearTimeout(timeout);
            asking = null;
            showState();
        }
    }

    function pause(why) {
        paused = why;
        showState();
    }

    function goOn() {
        paused = "";
        showState();
        ask();
    }

    function lookAway() {
        if (!keep.checked && !paused) pause(LOOKED_AWAY);
    }

    function lookAgain() {
        if (paused === LOOKED_AWAY) goOn();
    }

    stateButton.addEventListener("click", () => (paused ? goOn() : pause("you paused it")));
    window.addEventListener("blur", lookAway);
    window.addEventListener("focus", lookAgain);
    document.addEventListener("visibilitychange", () => (document.hidden ? lookAway() : lookAgain()));
    keep.checked = localStorage.getItem("clarion.pulse.keep") === "1";
    keep.addEventListener("change", () => localStorage.setItem("clarion.pulse.keep", keep.checked ? "1" : "0"));

    taken(JSON.parse(part("first").textContent));
    showState();
    ask();
    setInterval(ask, Number(section.dataset.poll));
    setInterval(showState, 1000);
}
