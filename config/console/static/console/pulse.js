// The front page's numbers: asked for every two seconds while somebody looks, and never taken for
// newer than they are. Rates are differences of totals, so any process may answer.

import { follow, points } from "./live.js";

const WINDOW_MS = 10000; // over so long a rate is taken
const KEPT = 60; // samples
const BAD = new Set(["dead_letters", "deliveries_dead"]); // unless they are 0

const section = document.getElementById("pulse");
const samples = [];
const whole = new Intl.NumberFormat("en");

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
            const most = Number(card.dataset.most ?? Infinity);
            value.textContent = pulse[key] > most ? `${whole.format(most)}+` : whole.format(pulse[key]);
        }
        card.classList.toggle("console-bad", BAD.has(key) && pulse[key] > 0);
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

function take(pulse) {
    samples.push({ time: Date.parse(pulse.at), pulse });
    if (samples.length > 1 && samples.at(-2).time >= samples.at(-1).time) samples.splice(-2, 1);
    if (samples.length > KEPT) samples.shift();
    showNumbers();
}

follow(section, take);
