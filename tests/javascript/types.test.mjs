/** The types say what the module has: no name more, none less. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as module from "../../notifications/static/clarion/clarion.js";
import { Stage } from "./stage.mjs";

const FOLDER = new URL("../../notifications/static/clarion/", import.meta.url);
const TYPES = readFileSync(new URL("clarion.d.ts", FOLDER), "utf8");
const SOURCE = readFileSync(new URL("clarion.js", FOLDER), "utf8");

/** The lines between a declaration's braces. */
function body(declaration) {
    const [, rest] = TYPES.split(`export ${declaration} `);
    return rest.slice(0, rest.indexOf("\n}")).split("\n").slice(1);
}

/** The names that a declaration's body declares, each with the line before it. */
function members(declaration) {
    const lines = body(declaration);
    const found = lines.map((line, index) => [
        line.match(/^ {4}(?:readonly )?([a-zA-Z]+)[?<(:]/)?.[1],
        lines[index - 1],
    ]);
    return found.filter(([name]) => name);
}

function names(declaration) {
    return [...new Set(members(declaration).map(([name]) => name))].sort();
}

test("exported classes are those that the types export", () => {
    const classes = [...TYPES.matchAll(/^export (?:declare )?class (\w+)/gm)].map(([, name]) => name);
    assert.deepEqual(classes.sort(), Object.keys(module).sort());
});

for (const name of ["Clarion", "ClarionError"]) {
    test(`the members of ${name} are those that the types have`, () => {
        const made = name === "Clarion" ? {} : new module.ClarionError("detail");
        const own = Object.keys(made).filter((each) => each !== "name");
        const inherited = Object.getOwnPropertyNames(module[name].prototype);
        assert.deepEqual(
            names(name === "Clarion" ? "class Clarion" : "class ClarionError extends Error"),
            [...inherited, ...own].sort(),
        );
    });
}

test("the options of the types are those that the constructor reads", () => {
    const read = [...SOURCE.matchAll(/\boptions\.(\w+)/g)].map(([, name]) => name);
    assert.deepEqual(names("interface ClarionOptions"), [...new Set(read)].sort());
});

test("the events of the types are those that the client tells", () => {
    const told = [...SOURCE.matchAll(/(?:#emit\(|\[)"(\w+)", [^\]]/g)].map(([, name]) => name);
    const events = names("interface ClarionEvents");
    assert.deepEqual(
        events.filter((name) => !told.includes(name)),
        [],
    );
    assert.deepEqual(new Stage().events.sort(), events);
});

test("the query of an inbox is what the types have", () => {
    const [, query] = SOURCE.match(/async inbox\(\{ ([\w, ]+) \} = \{\}\)/);
    assert.deepEqual(query.split(", ").sort(), names("interface InboxQuery"));
});

test("every member of the client and every event has its sentence", () => {
    for (const declaration of ["class Clarion", "interface ClarionEvents", "interface ClarionOptions"]) {
        for (const [name, before] of members(declaration))
            assert.match(before, /\*\/$/, `${declaration}: ${name}`);
    }
});

test("the client stands alone: it imports nothing, and has no address of anybody", () => {
    assert.doesNotMatch(
        SOURCE.replace(/^ \*.*$/gm, ""),
        /\bimport\b|\brequire\(|https?:\/\/(?!clarion\.example)/,
    );
});
