// The underflow explorer's counts against Python's, the reading of a paste, and its state, without a page.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import * as counting from "../../amp_helpers/static/widgets/gradient_counts.js";
import { RECORDED } from "../../amp_helpers/static/widgets/recorded_gradients.js";
import widget, { lookAt, readState } from "../../amp_helpers/static/widgets/underflow_explorer.js";
import { span, zones } from "../../amp_helpers/static/widgets/underflow_explorer_chart.js";
import { limitText, percent, rangeText, scaleText, side, verdict } from "../../amp_helpers/static/widgets/underflow_explorer_words.js";

const { gradient_shares: cases } = JSON.parse(readFileSync(process.env.AMP_VECTORS, "utf8"));
const groupOf = (data, index) => (index < 0 ? counting.wholeModel(data) : data.groups[index]);

test("every count is Python's, for made-up and for recorded gradients", () => {
  let checked = 0;
  for (const { data, counts, limits } of cases) {
    const read = counting.readHistograms(JSON.stringify(data));
    for (const [index, name, k, ...expected] of counts) {
      const { zero, subnormal, normal, infinite, total } = counting.countAt(groupOf(read, index), k, read.edges, name);
      assert.deepEqual([zero, subnormal, normal, infinite], expected, `${data.model} ${index} ${name} 2^${k}`);
      assert.equal(total, expected.reduce((a, b) => a + b));
      checked += 1;
    }
    for (const [index, name, safe, useful] of limits) {
      const group = groupOf(read, index);
      assert.equal(counting.largestSafe(group, read.edges, name), safe, `${data.model} ${index} ${name}`);
      assert.equal(counting.smallestUseful(group, read.edges, name), useful, `${data.model} ${index} ${name}`);
    }
  }
  assert.ok(cases.length === 5 && checked > 2000, `${cases.length} ${checked}`);
});

test("the places where a format changes its mind follow from its parameters", () => {
  assert.deepEqual(counting.LIMITS, {
    float16: { m: 10, emin: -14, emax: 15, below: [2 - 2 ** -10, ">="], top: [2 - 2 ** -11, ">="] },
    bfloat16: { m: 7, emin: -126, emax: 127, below: [2 - 2 ** -7, ">="], top: [2 - 2 ** -8, ">="] },
    float8_e5m2: { m: 2, emin: -14, emax: 15, below: [1.75, ">="], top: [1.875, ">="] },
    float8_e4m3fn: { m: 3, emin: -6, emax: 8, below: [1.875, ">="], top: [1.8125, ">"] },
  });
});

const EDGES = RECORDED.cnn_start.edges;
const GROUP = { name: "w", kind: "parameter", zeros: 1, infinite: 0, nan: 0, low: -3, counts: [[1, 2], [], [0, 3]] };
const GOOD = { format: "amp_helpers gradients 1", model: "mine", loss: 1.5, edges: EDGES, groups: [GROUP], missing: [] };

test("a paste is told what is wrong with it", () => {
  assert.equal(counting.readHistograms(JSON.stringify(GOOD)).groups[0].name, "w");
  const group = (change) => ({ groups: [{ ...GROUP, ...change }] });
  for (const [change, message] of [
    ["", /Paste the text that json\.dumps/],
    ["{'a'}", /This is not JSON/],
    ["[]", /a JSON object in braces, not \[\]/],
    ["null", /in braces, not null/],
    ["{}", /"format" must be "amp_helpers gradients 1", not undefined/],
    [{ format: "other" }, /not "other"/],
    [{ model: 3 }, /"model" must be a name, not 3/],
    [{ edges: [[1, ">"]] }, /"edges" lack \[1\.9990234375, ">="\], which float16 needs/],
    [{ edges: EDGES.filter(([x]) => x !== 1.8125) }, /"edges" lack \[1\.8125, ">"\], which float8_e4m3fn needs/],
    [{ edges: [[1, "="]] }, /"edges" must be a list of pairs/],
    [{ edges: null }, /"edges" must be a list of pairs/],
    [{ groups: [] }, /"groups" must be a list with at least one entry/],
    [{ groups: [3] }, /groups\[0\] must be an object with a name, not 3/],
    [{ groups: [GROUP, GROUP] }, /Two groups have the name "w"/],
    [{ missing: [1] }, /"missing" must be a list of names/],
    [group({ kind: "other" }), /"kind" must be parameter or activation, not "other"/],
    [group({ zeros: -1 }), /"zeros" must be a count, not -1/],
    [group({ nan: 0.5 }), /"nan" must be a count/],
    [group({ low: -150 }), /"low" must be an exponent from -149 to 127/],
    [group({ counts: 3 }), /"counts" must be a list of rows/],
    [group({ low: 126 }), /rows up to exponent 127/],
    [group({ counts: [[1, -1]] }), /a row must be a list of at most 9 counts, not \[1,-1\]/],
    [group({ counts: [Array(10).fill(1)] }), /at most 9 counts/],
  ]) {
    const text = typeof change === "string" ? change : JSON.stringify({ ...GOOD, ...change });
    assert.throws(() => counting.readHistograms(text), (error) => error instanceof RangeError && message.test(error.message), `${message}`);
  }
  assert.throws(() => counting.readHistograms(" ".repeat(2 * counting.MOST_TEXT) + "1"), /characters; 1000000 at most/);
});

test("the whole model is the sum of its parameters", () => {
  const other = { ...GROUP, name: "b", low: -5, counts: [[4], [0, 0, 1], [2]], nan: 2 };
  const output = { ...GROUP, name: "out", kind: "activation" };
  const whole = counting.wholeModel({ groups: [GROUP, other, output, { ...GROUP, name: "e", counts: [], low: 0 }] });
  assert.deepEqual([whole.low, whole.counts, whole.zeros, whole.nan], [-5, [[4], [0, 0, 1], [3, 2], [], [0, 3]], 3, 2]);
  assert.equal(counting.largestSafe(whole, EDGES, "float16"), null, "NaN stays NaN at every scale");
  const nothing = counting.wholeModel({ groups: [output] });
  assert.deepEqual(nothing.counts, []);
  assert.equal(counting.countAt(nothing, 5, EDGES, "float16").total, 0);
  assert.equal(counting.largestSafe(nothing, EDGES, "float16"), 127);
});

test("shares and scales as text", () => {
  for (const [count, total, text] of [[0, 0, "0 %"], [0, 9, "0 %"], [9, 9, "100 %"], [1, 100000, "< 0.01 %"], [99999, 100000, "> 99.99 %"], [1, 3, "33.3 %"], [1, 30, "3.3 %"], [995, 1000, "99.50 %"], [1, 1000, "0.1 %"]]) assert.equal(percent(count, total), text);
  assert.deepEqual([0, 1, 16, 40, -3].map(scaleText), ["1", "2^1 = 2", "2^16 = 65,536", "2^40", "2^−3"]);
  assert.deepEqual([null, 17, -2].map(limitText), ["none", "2^17", "2^−2"]);
  assert.deepEqual([-11, -10, 40, 41].map(side), ["left", "inside", "inside", "right"]);
  assert.match(rangeText(17, 5, "float16"), /Scales from 2\^5 to 2\^17 lose at most 0\.1 %/);
  for (const [safe, useful] of [[4, 5], [null, 5], [5, null]]) assert.match(rangeText(safe, useful, "float16"), /No single scale/);
  const base = { format: "float16", counts: { infinite: 0, total: 10 }, safe: 17, useful: 5, bad: 0, missing: 0 };
  assert.match(verdict(base), /^No gradient becomes infinite: GradScaler would take this step\. Scales from/);
  assert.match(verdict({ ...base, counts: { infinite: 5, total: 10 } }), /^50 % of the gradients become infinite: GradScaler would skip/);
  assert.match(verdict({ ...base, format: "float8_e4m3fn", counts: { infinite: 5, total: 10 } }), /become NaN, for this format has no infinity/);
  assert.match(verdict({ ...base, bad: 2, missing: 1 }), /2 gradients are infinite or NaN before any scaling: no loss scale helps\. 1 parameter has no gradient/);
});

test("the chart's ranges cover the axis once", () => {
  for (const group of [counting.wholeModel(RECORDED.gpt_trained), { low: -149, counts: [[1]] }, { low: 0, counts: [] }]) {
    const axis = span(group);
    assert.ok(axis.low <= group.low - 10 && axis.high >= group.low + group.counts.length + 40);
    for (const name of counting.NAMES) {
      const parts = zones(name, axis);
      assert.equal(parts[0][1], axis.low);
      assert.equal(parts.at(-1)[2], axis.high);
      parts.slice(1).forEach(([, from], i) => assert.equal(from, parts[i][2]));
    }
  }
  assert.deepEqual(zones("float16", { low: -60, high: 45 }), [["zero", -60, -25], ["subnormal", -25, -14], ["normal", -14, 16], ["infinite", 16, 45]]);
});

test("an address round-trips, and one that makes no sense is left alone", () => {
  const { read, write } = widget.address;
  for (const text of ["gpt_trained:0:float16:", "cnn_start:-10:float8_e4m3fn:conv1.0.weight"]) {
    const traits = read(text);
    assert.equal(write((name) => traits[name]), text);
  }
  for (const text of ["", ":::", "gpt_trained:0:float16", "nope:0:float16:", "gpt_trained::float16:", "gpt_trained:41:float16:", "gpt_trained:1.5:float16:", "gpt_trained:0:float32:", "gpt_trained:0:toString:", "toString:0:float16:", "gpt_trained:0:float16:nope", "gpt_trained:0:float16::x", "%:0:float16:"]) assert.equal(read(text), null, text);
});

test("a state names what is wrong with it", () => {
  assert.throws(() => readState({ recording: "x" }), /unknown recording 'x'; choose from cnn_start, cnn_trained, gpt_start, gpt_trained/);
  assert.throws(() => readState({ format: "half" }), /unknown format 'half'; choose from float16, bfloat16/);
  assert.throws(() => readState({ scale_exponent: 41 }), /scale_exponent must be a whole number from -10 to 40, not 41/);
  assert.throws(() => readState({ group: "x" }), /unknown group 'x'; choose from tokens\.weight/);
  assert.throws(() => readState({ histogram: "x" }), /This is not JSON/);
  const own = lookAt(readState({ histogram: JSON.stringify(GOOD), group: "w" }));
  assert.deepEqual([own.pasted, own.group.name, own.counts.total, own.data.model], [true, "w", 6, "mine"]);
});
