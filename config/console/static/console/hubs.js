// The Hubs screen's numbers: asked for every two seconds while somebody looks. The server words them;
// only a single checkpoint's rate and trend are taken here, from the answers of the last half minute.

import { follow, points } from "./live.js";

const WINDOW_MS = 30000;
const RATE_MS = 10000;
const WORDS = { growing: "growing ↗", shrinking: "shrinking ↘", steady: "steady →" };

const section = document.getElementById("hubs");
const spots = new Map(); // by id, its cells in the list
for (const cell of document.querySelectorAll("[data-spot]")) {
    spots.set(cell.dataset.spot, [...(spots.get(cell.dataset.spot) ?? []), cell]);
}
const samples = []; // {time, spots}

function show(cell, text, chip) {
    if (text !== undefined) cell.textContent = text;
    if ("chip" in cell.dataset && chip !== undefined) cell.dataset.chip = chip;
}

function showLane({ key, cells, chips, curve }) {
    const row = section.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (!row) return;
    for (const cell of row.querySelectorAll("[data-cell]")) show(cell, cells[cell.dataset.cell], chips[cell.dataset.cell] ?? "");
    row.querySelector("polyline").setAttribute("points", points(curve, 1));
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

function take(answer) {
    for (const lane of answer.lanes) showLane(lane);
    if (!Object.keys(answer.spots).length) return;
    samples.push({ time: Date.parse(answer.at), spots: answer.spots });
    while (samples.at(-1).time - samples[0].time > WINDOW_MS) samples.shift();
    showSpots();
}

follow(section, take, () => `?ids=${[...spots.keys()].join(",")}`);
