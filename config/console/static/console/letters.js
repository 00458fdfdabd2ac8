// The Dead letters screen's numbers: the server words them, this puts them where they belong. Times come as
// HTML of the server's own making.

import { follow } from "./live.js";

const section = document.getElementById("letters");
const news = document.getElementById("letters-news");
const rows = new Map([...section.querySelectorAll("tr[data-key]")].map((row) => [row.dataset.key, row]));

function take({ groups }) {
    const keys = new Set(groups.map((group) => group.key));
    for (const { key, cells } of groups) {
        const row = rows.get(key);
        if (!row) continue;
        for (const cell of row.querySelectorAll("[data-cell]")) cell.innerHTML = cells[cell.dataset.cell];
    }
    news.hidden = keys.size === rows.size && [...keys].every((key) => rows.has(key));
}

follow(section, take, () => location.search);
