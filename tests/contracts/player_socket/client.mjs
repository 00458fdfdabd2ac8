/** Clarion's JavaScript client, as tests/contracts/conformance.py wants a client to be. */

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Clarion } from "../../../notifications/static/clarion/clarion.js";
import { MinimalWebSocket } from "./websocket.mjs";

const { CLARION_URL: url, CLARION_DEVICE: device, CLARION_STATE: folder } = process.env;

/** What a tab's storage is to a page. */
const storage = {
    getItem(key) {
        try {
            return readFileSync(this.file(key), "utf8");
        } catch {
            return null;
        }
    },
    setItem(key, text) {
        writeFileSync(this.file(key), text);
    },
    removeItem(key) {
        rmSync(this.file(key), { force: true });
    },
    file(key) {
        return join(folder, encodeURIComponent(key));
    },
};

const clarion = new Clarion({
    url,
    device,
    storage,
    token: async () => (await fetch(`${url}/token`)).text(),
    WebSocket: globalThis.WebSocket ?? MinimalWebSocket,
});
clarion.on("notification", ({ id }) => console.log(JSON.stringify({ shown: id })));
clarion.on("reset", () => clarion.inbox().catch((error) => console.error(error)));
clarion.on("state", (state) => console.log(JSON.stringify(state)));
clarion.on("error", (error) => console.error(error));
clarion.connect();
setInterval(() => {}, 1_000_000); // until it is killed
