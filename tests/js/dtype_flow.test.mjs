// The dtype flow without a page: the packed trace, its sentences, its state.
import assert from "node:assert/strict";
import test from "node:test";

import { readState } from "../../amp_helpers/static/widgets/dtype_flow.js";
import { amount, castText, nextCast, notes, readFlow, runs } from "../../amp_helpers/static/widgets/dtype_flow_data.js";

/** As Python packs it: a linear layer with two casts of weights under autocast, an add outside, and a cast in backward. */
const PACKED = {
  words: ["linear", "fc", "_to_copy", "addmm", "add", "(outside)", "ToCopyBackward0"],
  dtypes: ["float32", "bfloat16", "int64"],
  ops: [
    [2, 1, [[0, 4, 4]], [[1, 4, 4]], 0, 96], [2, 1, [[0, 4]], [[1, 4]], 0, 24], [3, 0, [[1, 4], [1, 2, 4], [1, 4, 4]], [[1, 2, 4]], 64, 72],
    [4, 0, [[0, 2, 4], [2]], [[0, 2, 4]], 0, 72], [2, 3, [[1, 4, 4]], [[0, 4, 4]], 0, 96],
  ],
  forward: [[1, 0, [0], [1], 1, 2, [0, 1, 1, 3, 2, 1], 5], [5, 4, [1, 2, 0], [0], -1, 0, [3, 1], 0], [5, 4, [0], [0], -2, 0, [3, 1], 0]],
  backward: [[1, 6, [1], [0], -2, 0, [4, 2], 0]],
  totals: { forward: [7, 1, 4, 168, 312, 64], backward: [1, 0, 2, 192, 192, 0] },
};
const flow = readFlow(PACKED);

test("a packed trace is read", () => {
  const [linear, add, loose] = flow.forward.rows;
  assert.deepEqual([linear.module, linear.name, linear.inputs, linear.outputs, linear.region, linear.hits, linear.more], ["fc", "linear", ["float32"], ["bfloat16"], "bfloat16", 2, 5]);
  assert.deepEqual([add.region, loose.region], ["off", "unknown"]);
  assert.deepEqual(linear.ops.map(({ name, by, times }) => [name, by, times]), [["_to_copy", "autocast", 1], ["_to_copy", "autocast", 3], ["addmm", "", 1]]);
  assert.deepEqual(linear.ops[2].inputs, [{ dtype: "bfloat16", shape: [4] }, { dtype: "bfloat16", shape: [2, 4] }, { dtype: "bfloat16", shape: [4, 4] }]);
  assert.deepEqual(add.ops[0].inputs[1], { dtype: "int64", shape: [] });
  assert.deepEqual([linear.bytes, linear.flops, linear.castBytes], [96 + 3 * 24 + 72, 64, 168]);
  assert.deepEqual(flow.lanes, ["float32", "bfloat16", "int64"]);
  assert.equal(flow.most, 192);
});

test("casts of one kind are one line", () => {
  assert.deepEqual(flow.forward.rows[0].casts.map(castText), ["4 casts float32 → bfloat16, 168 B, by autocast"]);
  assert.deepEqual(flow.backward.rows[0].casts.map(castText), ["2 casts bfloat16 → float32, 192 B, by autograd"]);
  assert.deepEqual(flow.forward.rows[1].casts, []);
});

test("totals and what is left out", () => {
  assert.deepEqual(notes("forward", flow.forward), {
    title: "4 casts moved 168 B, 54 % of the 312 B that the forward pass read and wrote.",
    hint: "Left out: 1 call without work: only views or fresh memory. Only the first 3 of 7 rows are shown.",
  });
  const none = { rows: [], totals: { rows: 0, hidden: 0, casts: 0, castBytes: 0, bytes: 5, flops: 0 } };
  assert.equal(notes("backward", none).title, "The backward pass read and wrote 5 B. It has no casts.");
  const few = { rows: [], totals: { ...none.totals, casts: 1, castBytes: 1, bytes: 1000 } };
  assert.match(notes("backward", few).title, /^1 cast moved 1 B, under 1 % of the 1\.00 kB/);
});

test("amounts have three digits", () => {
  for (const [count, text] of [[0, "0 B"], [999, "999 B"], [1000, "1.00 kB"], [1125, "1.13 kB"], [87168, "87.2 kB"], [323_000, "323 kB"], [1_203_000_000, "1.20 GB"]]) assert.equal(amount(count), text);
  assert.equal(amount(786432, "FLOP"), "786 kFLOP");
});

test("rows in runs of a region", () => {
  assert.deepEqual(runs(flow.forward.rows).map(({ title, rows }) => [title, rows.map(([number]) => number)]),
    [["Inside autocast, bfloat16", [0]], ["Outside of autocast", [1]], ["", [2]]]);
});

test("the next cast, around the end", () => {
  const rows = [0, 1, 0, 1].map((casts) => ({ casts: Array(casts).fill({}) }));
  assert.deepEqual([0, 1, 2, 3].map((from) => nextCast(rows, from)), [1, 3, 3, 1]);
  assert.equal(nextCast([{ casts: [] }], 0), -1);
});

test("lanes stand in the order of precision", () => {
  const dtypes = ["bool", "float16", "float64", "bfloat16", "float8_e5m2", "float32"];
  const all = dtypes.map((_, i) => i);
  const packed = { ...PACKED, dtypes, ops: [], forward: [[0, 0, all, all, -1, 0, [], 0]], backward: [] };
  assert.deepEqual(readFlow(packed).lanes, ["float64", "float32", "bfloat16", "float16", "float8_e5m2", "bool"]);
});

test("state: what is wrong is named", () => {
  const state = (traits) => readState({ flow: PACKED, ...traits });
  assert.deepEqual([state({}).direction, state({}).selected], ["forward", 0]);
  assert.equal(state({ direction: "backward" }).direction, "backward");
  for (const [traits, message] of [
    [{ direction: "sideways" }, /unknown direction 'sideways'; choose from forward, backward/],
    [{ flow: { ...PACKED, backward: [] }, direction: "backward" }, /choose from forward$/],
    [{ selected: 3 }, /selected is 3; choose a row from 0 to 2/], [{ selected: -1 }, /selected is -1/], [{ selected: 0.5 }, /selected is 0.5/],
    [{ flow: {} }, /no flow/], [{ flow: { ...PACKED, words: [] } }, /no word 2 in the flow/], [{ flow: { ...PACKED, ops: [] } }, /no op 0/],
  ]) assert.throws(() => state(traits), message);
});
