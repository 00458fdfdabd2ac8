/** A player's page: Clarion's client, and one part of the page for each thing that it tells. */

import { Clarion } from "/static/clarion/clarion.js";
import { Announcements } from "./announcements.js";
import { Connection } from "./connection.js";
import { byId, say } from "./dom.js";
import { Inbox } from "./inbox.js";
import { Latency } from "./latency.js";
import { SharedClock, sendEvent, tokenFor } from "./server.js";
import { Toasts } from "./toasts.js";

const config = JSON.parse(byId("demo-config").textContent);
const clock = new SharedClock(config.clock_url);
const latency = new Latency(clock);
const narrow = matchMedia("(max-width: 1000px)");
const PATIENCE_MS = 5000;

/** One player on this page, until another is chosen. */
class Visit {
    constructor(player) {
        this.player = player;
        this.client = new Clarion({ token: tokenFor(config, player.key) });
        this.connection = new Connection(this.client);
        this.announcements = new Announcements(this.client);
        this.inbox = new Inbox(this.client, player.locale, config.categories);
        this.toasts = new Toasts(this.client, player.locale);
        this.client.on("notification", (notification) => this.#arrived(notification));
        this.client.on("changed", (item) => this.#changed(item));
        this.client.on("gone", ({ id }) => this.toasts.remove(id));
        this.client.on("marks", () => bell(this.client.unread));
        this.client.on("unread", bell);
        this.client.on("state", ({ state }) => state === "connected" && clock.compare().catch(() => {}));
    }

    begin() {
        bell(0);
        this.connection.start();
        this.inbox.load();
        this.announcements.load().catch(() => {}); // the socket brings later ones
    }

    end() {
        this.client.disconnect();
        this.toasts.clear();
        this.announcements.clear();
        this.inbox.close();
    }

    tick() {
        this.connection.tick();
        this.announcements.tick();
        this.inbox.tick();
    }

    #arrived(notification) {
        const missed = this.connection.missed(notification);
        this.inbox.put(notification);
        if (!missed || notification.class === "live") this.toasts.show(notification);
        if (!missed) latency.shown(notification);
    }

    #changed(item) {
        this.connection.changed(item);
        if (item.read || item.archived) this.toasts.remove(item.id);
    }
}

let visit = null;

function play(key) {
    const player = config.players.find((each) => each.key === key) ?? config.players[0];
    visit?.end();
    const address = `?player=${player.key}`;
    history.replaceState(null, "", address);
    byId("second").href = address;
    byId("player").value = player.key;
    introduce(player);
    visit = new Visit(player);
    visit.begin();
}

function introduce({ key, name, locale, timezone }) {
    for (const id of ["who", "avatar"]) byId(id).lang = locale;
    say(byId("who"), name);
    say(byId("avatar"), name.charAt(0));
    say(byId("curl-player"), key);
    say(byId("sent"), "");
    place({ locale, timezone });
}

function place({ locale, timezone }) {
    const language = new Intl.DisplayNames("en", { type: "language" }).of(locale);
    const time = new Intl.DateTimeFormat("en-GB", { timeZone: timezone, timeStyle: "short" }).format();
    say(byId("where"), `${language} · ${time} in ${timezone.split("/")[1].replace("_", " ")}`);
}

function bell(unread) {
    const before = Number(byId("badge").dataset.unread ?? 0);
    byId("badge").dataset.unread = unread;
    byId("badge").hidden = unread === 0;
    say(byId("badge"), unread > 99 ? "99+" : String(unread));
    byId("bell").setAttribute("aria-label", unread ? `Inbox, ${unread} unread` : "Inbox, nothing unread");
    document.title = unread ? `(${unread}) Lanternfall` : "Lanternfall";
    if (unread <= before) return;
    byId("bell").classList.remove("rung");
    requestAnimationFrame(() => byId("bell").classList.add("rung"));
}

/** Open or close the inbox; on a narrow screen it lies over everything else, which must not be reached then. */
function openInbox(open) {
    byId("layout").dataset.inbox = open ? "open" : "closed";
    byId("bell").setAttribute("aria-expanded", String(open));
    const covered = open && narrow.matches;
    const parts = document.querySelectorAll(".skip, .top, main > :not(.hud)");
    for (const part of parts) part.inert = covered;
    visit?.inbox.look();
}

async function press(button, at) {
    const { player, connection } = visit;
    const what = button.querySelector("b").textContent;
    const tell = (text) => visit.player === player && say(byId("sent"), text);
    let arrived = false;
    const answered = latency.click(at, (ms) => {
        arrived = true;
        tell(`${what}: on this screen ${Math.round(ms)} ms after your click.`);
    });
    try {
        const { notifications } = await sendEvent(config, player.key, button.dataset.type);
        if (connection.isCut) tell(`${what}: sent. It will be here when you connect again.`);
        else if (notifications.length === 0) tell(`${what}: sent, but no rule tells anybody of it.`);
        else tell(`${what}: sent …`);
        answered(notifications);
    } catch (error) {
        answered();
        tell(`${what}: not sent. ${error.message}`);
        return;
    }
    setTimeout(() => {
        if (!arrived && byId("sent").textContent === `${what}: sent …`) tell(`${what}: sent, but nothing came of it.`);
    }, PATIENCE_MS);
}

byId("player").addEventListener("change", (event) => play(event.target.value));
byId("switch").addEventListener("click", () => visit.connection.toggle());
byId("events").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) press(button, event.timeStamp);
});
byId("bell").addEventListener("click", () => {
    const open = byId("layout").dataset.inbox !== "open";
    openInbox(open);
    if (open) byId("inbox").focus({ preventScroll: true });
});
byId("close").addEventListener("click", () => {
    openInbox(false);
    byId("bell").focus();
});
document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && narrow.matches && byId("layout").dataset.inbox === "open") byId("close").click();
});
byId("copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText(byId("curl").textContent);
    const label = byId("copy").querySelector("span");
    say(label, "Copied");
    setTimeout(() => say(label, "Copy"), 2000);
});
narrow.addEventListener("change", () => openInbox(!narrow.matches));
setInterval(() => {
    visit.tick();
    place(visit.player);
}, 1000);

openInbox(!narrow.matches);
play(new URLSearchParams(location.search).get("player"));
