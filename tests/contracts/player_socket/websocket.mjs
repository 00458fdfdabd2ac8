/** As much of WebSocket as Clarion's client needs, for a Node that has none of its own (before 22). */

import { randomBytes } from "node:crypto";
import { request } from "node:http";

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

export class MinimalWebSocket {
    #connection = null;
    #unread = Buffer.alloc(0);
    #ended = false;
    readyState = 0;
    onopen = null;
    onmessage = null;
    onclose = null;

    constructor(url, protocols) {
        const { hostname, port, pathname } = new URL(url);
        const headers = {
            Connection: "Upgrade",
            Upgrade: "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
            "Sec-WebSocket-Protocol": protocols.join(", "),
        };
        const opening = request({ hostname, port, path: pathname, headers });
        opening.on("upgrade", (_response, connection, head) => this.#open(connection, head));
        opening.on("response", () => this.#end(1006));
        opening.on("error", () => this.#end(1006));
        opening.end();
    }

    send(text) {
        this.#write(TEXT, Buffer.from(text));
    }

    close(code = 1000) {
        if (this.readyState === 0) this.#ended = true;
        if (this.readyState === 1) this.#write(CLOSE, Buffer.from([code >> 8, code & 255]));
        this.readyState = 2;
        this.#connection?.end();
    }

    #open(connection, head) {
        this.#connection = connection;
        if (this.#ended) {
            connection.destroy();
            return;
        }
        this.readyState = 1;
        connection.on("data", (data) => this.#read(data));
        connection.on("close", () => this.#end(1006));
        connection.on("error", () => this.#end(1006));
        this.onopen?.({});
        if (head.length) this.#read(head);
    }

    #read(data) {
        this.#unread = Buffer.concat([this.#unread, data]);
        while (true) {
            const frame = parsed(this.#unread);
            if (frame === null) return;
            this.#unread = this.#unread.subarray(frame.end);
            this.#take(frame);
        }
    }

    #take({ opcode, payload }) {
        if (opcode === TEXT) this.onmessage?.({ data: payload.toString() });
        else if (opcode === PING) this.#write(PONG, payload);
        else if (opcode === CLOSE) {
            this.#write(CLOSE, payload);
            this.#end(payload.length >= 2 ? payload.readUInt16BE(0) : 1005);
            this.#connection.end();
        }
    }

    #write(opcode, payload) {
        if (this.readyState !== 1) return;
        const mask = randomBytes(4);
        const size = payload.length < 126 ? [128 | payload.length] : [128 | 126, payload.length >> 8, payload.length & 255];
        const masked = payload.map((byte, index) => byte ^ mask[index % 4]);
        this.#connection.write(Buffer.concat([Buffer.from([128 | opcode, ...size]), mask, masked]));
    }

    #end(code) {
        if (this.readyState === 3) return;
        this.readyState = 3;
        this.onclose?.({ code, reason: "" });
    }
}

/** The first frame of some bytes; the server's are not masked, and this one's are not cut in pieces. */
function parsed(bytes) {
    if (bytes.length < 2) return null;
    let [size, start] = [bytes[1] & 127, 2];
    if (size === 126) {
        if (bytes.length < 4) return null;
        [size, start] = [bytes.readUInt16BE(2), 4];
    } else if (size === 127) {
        if (bytes.length < 10) return null;
        [size, start] = [Number(bytes.readBigUInt64BE(2)), 10];
    }
    const end = start + size;
    return bytes.length < end ? null : { opcode: bytes[0] & 15, payload: bytes.subarray(start, end), end };
}
