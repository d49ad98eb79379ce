// The claims table without a page: which rows are seen, its state and its part of the address.
import assert from "node:assert/strict";
import test from "node:test";

import widget, { counted, matches, readState } from "../../amp_helpers/static/widgets/claims_table.js";

const ROW = { text: "autocast halves the memory. false", topic: "memory", verdict: "true|false", kind: "run" };
const ALL = { search: "", topic: "", verdict: "", kind: "" };

test("every word must be there, in any order and case", () => {
  for (const search of ["", " ", "memory AUTOCAST", "halv", "false"]) assert.ok(matches(ROW, { ...ALL, search }), search);
  for (const search of ["memory speed", "castauto"]) assert.ok(!matches(ROW, { ...ALL, search }), search);
});

test("filters join; of two verdicts each is found, and no part of one", () => {
  assert.ok(matches(ROW, { search: "memory", topic: "memory", verdict: "true", kind: "run" }));
  assert.ok(matches(ROW, { ...ALL, verdict: "false" }));
  for (const wrong of [{ topic: "speed" }, { verdict: "fal" }, { verdict: "true|false" }, { kind: "record" }]) {
    assert.ok(!matches(ROW, { ...ALL, ...wrong }), JSON.stringify(wrong));
  }
});

test("the count in words", () => {
  assert.deepEqual([counted(5, 5), counted(2, 5), counted(0, 5)], ["5 claims", "2 of 5 claims", "None of 5 claims"]);
});

test("the address goes there and back, and nonsense is left alone", () => {
  const { key, read, write } = widget.address;
  const state = { search: "a:b/c d%", topic: "memory", verdict: "true with limits", kind: "run" };
  assert.equal(key, "claims");
  assert.deepEqual(read(write((name) => state[name])), state);
  for (const text of ["", "a:b", "%E0%A4%A:::", "x:<img>::", `${"x".repeat(201)}:::`]) assert.equal(read(text), null, text);
});

test("a state that is too long is named", () => {
  assert.throws(() => readState({ search: "x".repeat(201) }), /search has 201 characters/);
  assert.deepEqual(readState({}), ALL);
});
