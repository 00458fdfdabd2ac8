// The front page's numbers: asked for every two seconds while somebody looks, and never taken for
// newer than they are. Rates are differences of totals, so any process may answer.

const STALE_MS = 6000;
const WINDOW_MS = 10000; // over so long a rate is taken
const KEPT = 60; // samples
const SHOWN_LEAST = 15; // samples that fill a curve

const section = document.getElementById("pulse");
const stateButton = document.getElementById("pulse-state");
const keep = document.getElementById("pulse-keep");
const samples = [];
const whole = new Intl.NumberFormat("en");
let fetchedAt = 0; // by the monotonic clock
let failure = "";
let paused = "";
let asking = null;

function rate(key) {
    const last = samples.at(-1);
    const first = samples.find((each) => last.time - each.time <= WINDOW_MS);
    const seconds = (last.time - first.time) / 1000;
    return seconds > 0 ? Math.max(0, (last.pulse[key] - first.pulse[key]) / seconds) : null;
}

function rates(key) {
    return samples.slice(1).map((each, index) => {
        const seconds = (each.time - samples[index].time) / 1000;
        return seconds > 0 ? Math.max(0, (each.pulse[key] - samples[index].pulse[key]) / seconds) : 0;
    });
}

function rateText(value) {
    if (value === null) return "…";
    return value < 100 ? value.toFixed(1) : whole.format(Math.round(value));
}

function lagText(seconds) {
    if (seconds === 0) return "0 ms";
    return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
}

function points(values) {
    const highest = Math.max(...values, 1e-9);
    const step = 120 / (Math.max(values.length, SHOWN_LEAST) - 1);
    const begin = 120 - (values.length - 1) * step;
    return values
        .map((value, index) => `${(begin + index * step).toFixed(1)},${(26 - (24 * value) / highest).toFixed(1)}`)
        .join(" ");
}

function showNumbers() {
    const { pulse } = samples.at(-1);
    for (const card of section.querySelectorAll("[data-key]")) {
        const key = card.dataset.key;
        const value = card.querySelector("[data-value]");
        if ("rate" in card.dataset) {
            value.textContent = rateText(rate(key));
            card.querySelector("[data-total]").textContent = whole.format(pulse[key]);
            card.querySelector("polyline").setAttribute("points", points(rates(key)));
        } else {
            value.textContent = whole.format(pulse[key]);
        }
        card.classList.toggle("console-bad", key === "dead_letters" && pulse[key] > 0);
    }
    for (const card of section.querySelectorAll("[data-lane]")) {
        const lane = pulse.lanes[card.dataset.lane];
        card.querySelector("[data-value]").textContent = lagText(lane.lag_s);
        card.querySelector("[data-unit]").textContent = `oldest event waiting; limit ${lagText(lane.limit_s)}`;
        card.classList.toggle("console-bad", lane.lag_s > 5 * lane.limit_s);
    }
    showWarnings(pulse.warnings);
}

function showWarnings(warnings) {
    const list = document.getElementById("pulse-warnings");
    const rows = warnings.map(({ text, url }) => {
        const row = document.createElement("li");
        const link = document.createElement("a");
        link.href = url;
        link.textContent = text;
        row.append(link);
        return row;
    });
    if (!rows.length) {
        const row = document.createElement("li");
        row.className = "console-fine";
        row.textContent = "All is well: nothing waits, nothing is parked, no rule fails.";
        rows.push(row);
    }
    list.replaceChildren(...rows);
}

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

function take(pulse) {
    samples.push({ time: Date.parse(pulse.at), pulse });
    if (samples.length > 1 && samples.at(-2).time >= samples.at(-1).time) samples.splice(-2, 1);
    if (samples.length > KEPT) samples.shift();
    fetchedAt = performance.now();
    failure = "";
    showNumbers();
}

async function ask() {
    if (paused || asking) return;
    asking = new AbortController();
    const timeout = setTimeout(() => asking?.abort(), STALE_MS);
    try {
        const answer = await fetch(section.dataset.url, { signal: asking.signal, headers: { Accept: "application/json" } });
        if (answer.redirected) failure = "you are logged out";
        else if (!answer.ok) failure = `Clarion answers ${answer.status}`;
        else take(await answer.json());
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

stateButton.addEventListener("click", () => (paused ? goOn() : pause("you paused it")));
window.addEventListener("blur", () => {
    if (!keep.checked && !paused) pause("you looked away");
});
window.addEventListener("focus", () => {
    if (paused === "you looked away") goOn();
});
document.addEventListener("visibilitychange", () => {
    if (document.hidden && !keep.checked && !paused) pause("you looked away");
    else if (!document.hidden && paused === "you looked away") goOn();
});
keep.checked = localStorage.getItem("clarion.pulse.keep") === "1";
keep.addEventListener("change", () => localStorage.setItem("clarion.pulse.keep", keep.checked ? "1" : "0"));

take(JSON.parse(document.getElementById("pulse-first").textContent));
showState();
setInterval(ask, Number(section.dataset.poll));
setInterval(showState, 1000);
