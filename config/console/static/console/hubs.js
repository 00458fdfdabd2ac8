// The Hubs screen's numbers: asked for every two seconds while somebody looks. The server words them;
// only a single checkpoint's rate and trend are taken here, from the answers of the last half minute.

const STALE_MS = 6000;
const WINDOW_MS = 30000;
const RATE_MS = 10000;
const SHOWN_LEAST = 15; // samples that fill a curve
const WORDS = { growing: "growing ↗", shrinking: "shrinking ↘", steady: "steady →" };

const section = document.getElementById("hubs");
const stateButton = document.getElementById("hubs-state");
const keep = document.getElementById("hubs-keep");
const spots = new Map(); // by id, its cells in the list
for (const cell of document.querySelectorAll("[data-spot]")) {
    spots.set(cell.dataset.spot, [...(spots.get(cell.dataset.spot) ?? []), cell]);
}
const samples = []; // {time, spots}
let fetchedAt = 0; // by the monotonic clock
let failure = "";
let paused = "";
let asking = null;

function show(cell, text, chip) {
    if (text !== undefined) cell.textContent = text;
    if ("chip" in cell.dataset && chip !== undefined) cell.dataset.chip = chip;
}

function points(values) {
    const highest = Math.max(...values, 1);
    const step = 120 / (Math.max(values.length, SHOWN_LEAST) - 1);
    const begin = 120 - (values.length - 1) * step;
    return values
        .map((value, index) => `${(begin + index * step).toFixed(1)},${(26 - (24 * value) / highest).toFixed(1)}`)
        .join(" ");
}

function showLane({ key, cells, chips, curve }) {
    const row = section.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (!row) return;
    for (const cell of row.querySelectorAll("[data-cell]")) show(cell, cells[cell.dataset.cell], chips[cell.dataset.cell] ?? "");
    row.querySelector("polyline").setAttribute("points", points(curve));
}

function since(id, milliseconds) {
    const last = samples.at(-1);
    const first = samples.find((each) => last.time - each.time <= milliseconds && id in each.spots);
    const seconds = first ? (last.time - first.time) / 1000 : 0;
    return seconds > 0 ? { seconds, before: first.spots[id], now: last.spots[id] } : null;
}

function rateText(id) {
    const found = since(id, RATE_MS);
    if (!found) return "…";
    const rate = Math.max(0, found.now.passed - found.before.passed) / found.seconds;
    return rate < 100 ? `${rate.toFixed(1)}/s` : `${Math.round(rate).toLocaleString("en")}/s`;
}

function trend(id) {
    const found = since(id, WINDOW_MS);
    if (!found) return "";
    const change = found.now.events - found.before.events;
    if (Math.abs(change) <= Math.max(10, 0.05 * found.before.events)) return "steady";
    return change > 0 ? "growing" : "shrinking";
}

function showSpots() {
    const found = samples.at(-1).spots;
    for (const [id, cells] of spots) {
        const spot = found[id];
        if (!spot) continue;
        for (const cell of cells) {
            const name = cell.dataset.cell;
            if (name === "rate") show(cell, rateText(id));
            else if (name === "trend") show(cell, WORDS[trend(id)] ?? "…", trend(id));
            else show(cell, spot.cells[name], spot.chips[name] ?? "");
        }
    }
}

function showState() {
    const age = performance.now() - fetchedAt;
    const state = paused ? "paused" : age > STALE_MS ? "stale" : "live";
    section.dataset.state = state;
    stateButton.querySelector("[data-name]").textContent = state;
    const seconds = Math.round(age / 1000);
    const said = seconds < 1 ? "measured now" : `measured ${seconds} s ago`;
    const why = state === "paused" ? paused : state === "stale" ? failure || "no answer yet" : "";
    section.querySelector("[data-age]").textContent = why ? `${said}; ${why}` : said;
}

function take(answer) {
    for (const lane of answer.lanes) showLane(lane);
    fetchedAt = performance.now();
    failure = "";
    if (!Object.keys(answer.spots).length) return;
    samples.push({ time: Date.parse(answer.at), spots: answer.spots });
    while (samples.at(-1).time - samples[0].time > WINDOW_MS) samples.shift();
    showSpots();
}

async function ask() {
    if (paused || asking) return;
    asking = new AbortController();
    const timeout = setTimeout(() => asking?.abort(), STALE_MS);
    try {
        const url = `${section.dataset.url}?ids=${[...spots.keys()].join(",")}`;
        const answer = await fetch(url, { signal: asking.signal, headers: { Accept: "application/json" } });
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

take(JSON.parse(document.getElementById("hubs-first").textContent));
showState();
ask();
setInterval(ask, Number(section.dataset.poll));
setInterval(showState, 1000);
