/**
 * Types of Clarion's JavaScript client, clarion.js beside this file.
 *
 * A page loads its inbox when it starts and whenever "reset" comes, and between both keeps it up to date
 * with "notification", "changed", "gone" and "marks". Of two versions of a notification, the one with the
 * greater `seq` is the later one.
 */

/** `live` is shown and not kept, `inbox` is kept, `reward` can be claimed, `announcement` is for all. */
export type NotificationClass = "live" | "inbox" | "reward" | "announcement";

/** Why something is not there any more. */
export type GoneReason = "recalled" | "withdrawn" | "replaced" | "expired";

/** What a player gets. Times are RFC 3339 in UTC, or null for what has not happened. */
export interface Notification {
    /** Its place in the player's inbox, which never changes. Announcements have none. */
    number: number | null;
    /** The sequence of its latest change. */
    seq: number;
    /** The same in the inbox, on the socket and in every other channel. */
    id: string;
    class: NotificationClass;
    category: string;
    title: string;
    body: string;
    /** What the rule adds for the game to use. */
    data: Record<string, unknown>;
    /** Buttons that the notification offers. */
    actions: unknown[];
    created: string;
    /** From then on it must not be shown any more; compare it with `serverNow()`. */
    expires: string | null;
    seen: string | null;
    read: string | null;
    archived: string | null;
    claimed: string | null;
    /** The id of the notification whose place this one takes. */
    replaces: string | null;
}

/** Something that a page has to remove. */
export interface Gone {
    id: string;
    /** Null for an announcement. */
    number: number | null;
    gone: GoneReason;
}

/** `idle` before `connect()` and after `disconnect()`; `stopped` where coming back would not help. */
export type State = "idle" | "connecting" | "connected" | "waiting" | "stopped";

/** The connection's state, and why. */
export interface StateChange {
    state: State;
    /** The close code of the protocol, or null where the network or the page itself was the reason. */
    code: number | null;
    /** A sentence for developers. */
    detail: string;
    /** While `waiting`: when the next attempt is made. */
    retryInMs: number | null;
}

/** Everything up to these numbers is seen or read, whatever the single notifications say; null: not known. */
export interface Marks {
    seenThrough: number | null;
    readThrough: number | null;
}

/** How the service is: `degraded` while its database is away; nothing is lost then, it only comes later. */
export interface ServiceStatus {
    mode: "normal" | "degraded";
    detail: string;
}

/** What each event's listener gets. */
export interface ClarionEvents {
    /** The connection's state has changed. */
    state: StateChange;
    /** A new notification, to be shown: each once in this tab, in order, none that has expired. */
    notification: Notification;
    /** The current state of a notification: read or archived, or new here but looked at elsewhere. */
    changed: Notification;
    /** A notification is to be removed, whether the page knows it or not. */
    gone: Gone;
    /** The number of unread notifications has changed. */
    unread: number;
    /** "Everything up to here" was marked as seen or read, on whichever device. */
    marks: Marks;
    /** An announcement was made or changed: show it, in the place of one with the same id. */
    announcement: Notification;
    /** An announcement is over. */
    announcementGone: Pick<Gone, "id" | "gone">;
    /** The player has read these announcements, on whichever device. */
    announcementsRead: string[];
    /** Changes were missed or another player has come: load the inbox and the announcements again. */
    reset: undefined;
    /** The service is in bad weather, or out of it again. */
    status: ServiceStatus;
    /** Something failed that the client copes with by itself, such as a token that could not be fetched. */
    error: ClarionError;
}

/** What a tab's storage has to offer; `sessionStorage` does. It must not be shared with other tabs. */
export interface TabStorage {
    getItem(key: string): string | null;
    setItem(key: string, value: string): void;
    removeItem(key: string): void;
}

/** How a client is made. */
export interface ClarionOptions {
    /**
     * A player's token, or a function that gets one from the game's own server: for each connection, before
     * the old one ends and after a refusal. Null means that nobody is logged in; the client stops then.
     */
    token: string | (() => string | null | Promise<string | null>);
    /** Clarion's address; without one, that of the page. */
    url?: string;
    /**
     * The name of this tab or installation. Without one each tab gets its own, a duplicated one too. The
     * server closes a connection when another one with the same player and device comes.
     */
    device?: string;
    /** Where the tab's cursor and the ids that were shown are kept; without it `sessionStorage`. */
    storage?: TabStorage;
    /** Another WebSocket class. */
    WebSocket?: typeof WebSocket;
    /** Another fetch. */
    fetch?: typeof fetch;
    /** A monotonic clock in milliseconds; without it `performance.now`. */
    now?: () => number;
    /** Random numbers from 0 to 1; without it `Math.random`. */
    random?: () => number;
    /** Another timer. */
    setTimeout?: (work: () => void, ms: number) => unknown;
    /** The end of such a timer. */
    clearTimeout?: (timer: any) => void;
    /**
     * What is used of the window: its events, `document`, `navigator`, `location`, `sessionStorage` and
     * `reportError`, which gets what listeners throw.
     */
    page?: Partial<typeof globalThis>;
}

/** Where a player stands after a call. */
export interface Standing {
    head: number;
    unread: number;
}

/** What to ask an inbox for. */
export interface InboxQuery {
    /** Only numbers below this one: `next` of the page before. */
    before?: number;
    /** At most so many, up to 100; 30 without it. */
    limit?: number;
    /** Only what is unread. */
    unread?: boolean;
    /** Only this category. */
    category?: string;
}

/** A page of an inbox, newest first. */
export interface InboxPage extends Standing {
    items: Notification[];
    /** The numbering that `head` belongs to. */
    epoch: string;
    /** What to ask for as `before` to go on, or null at the end. */
    next: number | null;
}

/** The current announcements, oldest first. */
export interface Announcements {
    items: Notification[];
    /** The game's announcement sequence. */
    announcements: number;
}

/** A notification, several, or everything up to a number. */
export type Which = string | Iterable<string> | { through: number };

/** Why a call was refused or failed, or what went wrong by itself. */
export class ClarionError extends Error {
    constructor(
        detail: string,
        more?: {
            status?: number;
            code?: string;
            retryAfter?: number | null;
            errors?: { pointer: string; detail: string }[];
            cause?: unknown;
        },
    );
    /** The HTTP status; 0 if there was no answer. */
    readonly status: number;
    /**
     * The problem's type, such as `invalid`, `unauthorized`, `unavailable`; of the client's own: `network`,
     * `timeout`, `unreadable`, `token`, `storage`, `connection`.
     */
    readonly code: string;
    /** A sentence for developers; the same as `message`. */
    readonly detail: string;
    /** Seconds after which it may be tried again, if the server has said so. */
    readonly retryAfter: number | null;
    /** Which parts of a request were wrong, as JSON pointers. */
    readonly errors: { pointer: string; detail: string }[];
}

/** A player's notifications: connects, resumes, shows each once and in order. */
export class Clarion {
    /** Make a client; nothing happens before `connect()` or a call. Throws a TypeError for a wrong option. */
    constructor(options: ClarionOptions);

    /** The connection's state. */
    readonly state: State;
    /** How many notifications are unread, as far as is known; 0 before anything is. */
    readonly unread: number;
    /** The player's sequence of changes, as far as is known. */
    readonly head: number;
    /** The game's sequence of announcements, as far as is known. */
    readonly announcementsHead: number;

    /** The server's time, from what it said last and a clock that nobody adjusts. */
    serverNow(): Date;

    /** Call a function at each event; returns what ends that. What it throws is only reported. */
    on<Name extends keyof ClarionEvents>(
        name: Name,
        listener: (value: ClarionEvents[Name]) => void,
    ): () => void;
    /** Call a function at the next event only; returns what ends the wait. */
    once<Name extends keyof ClarionEvents>(
        name: Name,
        listener: (value: ClarionEvents[Name]) => void,
    ): () => void;
    /** Stop calling a function; without one, all of that event. */
    off<Name extends keyof ClarionEvents>(name: Name, listener?: (value: ClarionEvents[Name]) => void): void;

    /** Connect and stay so, at once if it waits for its next attempt. Resumes where this tab was. */
    connect(): void;
    /** End the connection for now: `connect()`, here or after a reload, goes on from this tab's cursor. */
    disconnect(): void;
    /** End the connection and forget where it was, as when the player logs out. */
    close(): void;

    /** Read a page of the inbox. It is never older than what events have told. */
    inbox(query?: InboxQuery): Promise<InboxPage>;
    /** Read the current announcements. */
    announcements(): Promise<Announcements>;
    /** Mark as read; it comes back as changes on all of the player's devices. Rejects with a ClarionError. */
    read(which: Which): Promise<Standing>;
    /** Mark as seen. */
    seen(which: Which): Promise<Standing>;
    /** Put away. */
    archive(ids: string | Iterable<string>): Promise<Standing>;
    /** Claim a reward; repeats get the first time's answer. 409 if it was recalled, 410 if it has expired. */
    claim(id: string): Promise<Standing & Record<string, unknown>>;
}
