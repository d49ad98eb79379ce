// The roofline without a page: its numbers against Python's, its state and its part of the address.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { grouped, readWhole, three, withUnit } from "../../amp_helpers/static/widgets/form.js";
import widget, { readState } from "../../amp_helpers/static/widgets/roofline.js";
import { frame } from "../../amp_helpers/static/widgets/roofline_chart.js";
import { DTYPES, dtypesOf, nearestDtype, roofline, squareIntensity } from "../../amp_helpers/static/widgets/roofline_math.js";

const { gpus, rows } = JSON.parse(readFileSync(process.env.AMP_VECTORS, "utf8")).roofline;
const near = (a, b, where) => assert.ok(Math.abs(a - b) <= 1e-12 * Math.abs(b), `${where}: ${a}, not ${b}`);

test("every number is Python's", () => {
  assert.ok(rows.length > 200);
  for (const { state, result } of rows) {
    const found = roofline(state, gpus[state.gpu]);
    for (const [here, there] of [["flops", "flops"], ["bytes", "bytes"], ["intensity", "intensity"], ["ridge", "ridge"], ["ceiling", "flops_per_s"], ["seconds", "seconds"]]) {
      near(found[here], result[there], `${JSON.stringify(state)} ${here}`);
    }
    assert.equal(found.bound, result.bound);
  }
});

test("both limits occur, and the longer of both times is the time", () => {
  const bounds = new Set(rows.map(({ result }) => result.bound));
  assert.deepEqual([...bounds].sort(), ["compute", "memory"]);
  for (const { state } of rows) {
    const found = roofline(state, gpus[state.gpu]);
    near(found.seconds, Math.max(found.flops / found.peak, found.bytes / found.bandwidth), JSON.stringify(state));
  }
});

test("by hand: a product of 4096 on an A100", () => {
  const found = roofline({ op: "matmul", dtype: "bfloat16", m: 4096, n: 4096, k: 4096 }, gpus["A100 80 GB"]);
  assert.equal(found.flops, 2 * 4096 ** 3);
  assert.equal(found.bytes, 3 * 4096 ** 2 * 2);
  near(found.intensity, 4096 / 3, "n / 3 in 16 bits");
  near(squareIntensity("bfloat16", 4096), 4096 / 3, "the same");
  near(squareIntensity("float8_e4m3fn", 4096), 4096 / 2, "one byte each for the operands, two for the result");
  assert.equal(found.bound, "compute");
});

test("a GPU has the dtypes of its table, and a missing one is replaced by the nearest", () => {
  assert.deepEqual(dtypesOf(gpus.T4, "matmul"), ["float32", "float16"]);
  assert.deepEqual(dtypesOf(gpus.H200, "matmul"), DTYPES);
  assert.deepEqual(dtypesOf(gpus.H200, "elementwise"), ["float32", "float16", "bfloat16"]);
  assert.equal(nearestDtype("bfloat16", dtypesOf(gpus.T4, "matmul")), "float16");
  assert.equal(nearestDtype("float8_e4m3fn", dtypesOf(gpus.L4, "elementwise")), "bfloat16");
  assert.equal(nearestDtype("tfloat32", dtypesOf(gpus.V100, "matmul")), "float32");
});

test("roofs, op and record are inside the chart's frame", () => {
  const record = { gemm: [["float32", 16, 1e-4], ["bfloat16", 16384, 700]] };
  for (const { state } of rows) {
    const card = gpus[state.gpu], result = roofline(state, card);
    const { low, high, bottom, top } = frame({ card, result, record });
    for (const x of [result.intensity, result.ridge, squareIntensity("float32", 16), squareIntensity("bfloat16", 16384)]) assert.ok(low < Math.log10(x) && Math.log10(x) < high);
    for (const y of [result.ceiling, result.peak, 1e8, 7e14]) assert.ok(bottom < Math.log10(y) && Math.log10(y) < top);
  }
});

test("a state names what is wrong with it", () => {
  assert.equal(readState({ gpus }).dtype, "bfloat16");
  assert.throws(() => readState({}), /no GPUs/);
  assert.throws(() => readState({ gpus, gpu: "P100" }), /unknown gpu 'P100'; choose from V100, T4/);
  assert.throws(() => readState({ gpus, gpu: "T4" }), /no bfloat16 for matmul on T4; choose from float32, float16/);
  assert.throws(() => readState({ gpus, op: "elementwise", dtype: "tfloat32" }), /no tfloat32 for elementwise/);
  assert.throws(() => readState({ gpus, m: 0 }), /m must be a whole number from 1 to 1,000,000, not 0/);
  assert.throws(() => readState({ gpus, elements: 1.5 }), /elements must be a whole number/);
  assert.throws(() => readState({ gpus, op: "toString" }), /unknown op/);
});

test("an address round-trips, and one that makes no sense is left alone", () => {
  const { read, write } = widget.address;
  for (const text of ["A100%2080%20GB:bfloat16:matmul:1:2:3", "T4:float16:linear:1:4096:1000000", "H200:float32:elementwise:1000000000000"]) {
    const traits = read(text);
    assert.equal(write((name) => traits[name]), text);
  }
  for (const text of ["", ":", "T4:float16:matmul", "T4:float16:matmul:1:2", "T4:float16:matmul:1:2:x", "T4:float16:matmul:1:2:3:4", "T4:float16:matmul:0:2:3",
    "T4:float16:matmul:1e3:2:3", "<b>:float16:matmul:1:2:3", "T4:<b>:matmul:1:2:3", "T4:float16:toString:1", "%:float16:matmul:1:2:3"]) assert.equal(read(text), null, text);
});

test("numbers are read and written for people", () => {
  for (const [text, value] of [["4096", 4096], [" 4,096 ", 4096], ["4 096", 4096], ["1_000", 1000], ["4k", 4000], ["1.5M", 1.5e6], ["7b", 7e9], ["0", 0]]) assert.equal(readWhole(text), value);
  for (const text of ["", "x", "1.5", "-3", "1e5", "4kk", "1..2k"]) assert.equal(readWhole(text), text);
  assert.deepEqual([0.08333, 312, 1365.3, 999.9, 1e6, 2.04e-5].map(three), ["0.0833", "312", "1,370", "1,000", "1e6", "2.04e-5"]);
  assert.deepEqual([4.41e-4, 1.5, 2e-9, 0.9999e-3].map((x) => withUnit(x, "s")), ["441 µs", "1.5 s", "2 ns", "1 ms"]);
  assert.equal(grouped(1234567), "1,234,567");
});
