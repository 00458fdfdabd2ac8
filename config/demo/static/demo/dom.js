/** What the page's parts need of the document. */

export const ICONS = new Set(["social", "match", "progress", "gift", "service"]);

export const byId = (id) => document.getElementById(id);

/** A fresh copy of a template's one element. */
export function copyOf(templateId) {
    return byId(templateId).content.firstElementChild.cloneNode(true);
}

/** Set an element's text, unless it is that already: what is read aloud is not read again. */
export function say(element, text) {
    if (element.textContent !== text) element.textContent = text;
}

/** Show a category by its icon and its colour. */
export function dress(tile, category) {
    tile.dataset.category = category;
    tile.querySelector("use").setAttribute("href", `#i-${ICONS.has(category) ? category : "bell"}`);
}

/** Take an element away after it has faded; at once where motion is not wanted. */
export function leave(element) {
    if (!element.isConnected) return;
    element.classList.add("leaving");
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    setTimeout(() => element.remove(), still ? 0 : 200);
}

export function capital(text) {
    return text.charAt(0).toUpperCase() + text.slice(1).replaceAll(/[-_]/g, " ");
}

export function counted(n, one, many = `${one}s`) {
    return `${n} ${n === 1 ? one : many}`;
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const STEPS = [
    [60, "second"],
    [3600, "minute"],
    [86_400, "hour"],
    [Infinity, "day"],
];
const UNIT_S = { second: 1, minute: 60, hour: 3600, day: 86_400 };

/** How long ago something was, in words. */
export function ago(text, now) {
    const seconds = Math.max(0, (now - Date.parse(text)) / 1000);
    if (seconds < 10) return "just now";
    const unit = STEPS.find(([limit]) => seconds < limit)[1];
    return relative.format(-Math.floor(seconds / UNIT_S[unit]), unit);
}

/** How long something still lasts, in words. */
export function left(ms) {
    const seconds = Math.ceil(ms / 1000);
    if (seconds < 60) return `${seconds} s left`;
    if (seconds < 5400) return `${Math.round(seconds / 60)} min left`;
    return `${Math.round(seconds / 3600)} h left`;
}
