// The swamping widget's arithmetic against exact fractions, step by step, and its state, without a page.
import assert from "node:assert/strict";
import test from "node:test";

import { FORMATS, decode, encode, finite, fromNumber, subtract, toNumber } from "../../amp_helpers/static/widgets/core.js";
import widget, { readState, startAll } from "../../amp_helpers/static/widgets/swamping.js";
import * as math from "../../amp_helpers/static/widgets/swamping_math.js";
import { errorText, fateText, stepText, sumText } from "../../amp_helpers/static/widgets/swamping_parts.js";
import { parseNumber } from "../../amp_helpers/static/widgets/text.js";

const CASES = [ // start, addend
  [1, 1], [0.02, 1e-5], [1, 1e-4], [0, 0.1], [-1, -1e-3], [3, -0.004], [-0.02, 1e-5], [60000, 40], [-65000, -3], [1e6, 1], [1, 1e-30],
  [0, 6e-8], [1e-7, 1e-8], [1e-40, 3e-41], [1e30, -1e27], [0.5, 0], [256, 1], [257, 1], [100, 1 / 3], [-1, 0.0078125],
];
const STEPS = 1500;

const opposite = (x) => ({ ...x, sign: 1 - x.sign });
const plus = (a, b) => subtract(a, opposite(b));
const down = (x, fmt) => encode(x, fmt, "toward_negative");

/** One more addition in exact fractions, rounded by core.js alone; null where a sum is no longer finite. */
function exactStep({ sum, lost }, { format, method }, addend, seed, n) {
  const fmt = FORMATS[format];
  const round = (x) => decode(encode(x, fmt), fmt);
  const finiteAll = (...all) => all.every((x) => x.kind === "finite");
  if (method === "kahan") {
    const corrected = round(subtract(addend, lost));
    const next = round(plus(sum, corrected));
    if (!finiteAll(next)) return null;
    return { sum: next, lost: round(subtract(round(subtract(next, sum)), corrected)) };
  }
  const exact = plus(sum, addend);
  let next = round(exact);
  if (method === "stochastic") {
    const below = decode(down(exact, fmt), fmt), above = decode(encode(exact, fmt, "toward_positive"), fmt);
    const rest = subtract(exact, below), gap = subtract(above, below);
    const random = fromNumber(math.draw(seed, n));
    next = gap.num !== 0n && random.num * rest.den * gap.num < rest.num * gap.den * random.den ? above : below;
  }
  return finiteAll(next) ? { sum: next, lost } : null;
}

const same = (a, b) => subtract(a, b).num === 0n;

test("every sum equals the one in exact fractions", () => {
  let checked = 0, stuck = 0;
  for (const [start, addend] of CASES) {
    for (const one of [...math.accumulators("bfloat16"), math.accumulators("float16")[3]]) {
      const fmt = FORMATS[one.format];
      const run = math.startRun(one, start, addend, 7);
      const round = (x) => decode(encode(fromNumber(x), fmt), fmt);
      const small = round(addend);
      let state = { sum: round(start), lost: finite(0, 0n) };
      if (state.sum.kind !== "finite") {
        assert.equal(math.fate(run, 0).kind, "infinite");
        continue;
      }
      for (let n = 0; n <= STEPS; n++) {
        const where = `${one.name} ${start} + ${addend}, step ${n}`;
        assert.ok(same(fromNumber(run.at(n)), state.sum), where);
        if (one.method === "kahan") assert.ok(same(opposite(fromNumber(run.owed(n))), state.lost), where);
        const next = exactStep(state, one, small, 7, n);
        if (!next) {
          assert.ok(!Number.isFinite(run.at(n + 1)), where);
          break;
        }
        const unchanged = same(next.sum, state.sum) && same(next.lost, state.lost);
        if (run.stuck(n) !== null) {
          assert.ok(unchanged, where);
          stuck += 1;
        } else assert.ok(!unchanged || one.method === "stochastic", where);
        state = next;
        checked += 1;
      }
    }
  }
  assert.ok(checked > 60000 && stuck > 20000, `${checked} ${stuck}`);
});

test("rounding is core.js's for every kind of number", () => {
  let seed = 1;
  for (let i = 0; i < 20000; i++) {
    seed = Math.imul(seed, 48271) >>> 0;
    const x = (math.draw(seed, i) - 0.5) * 2 ** ((seed % 300) - 150);
    for (const name of ["float32", "bfloat16", "float16"]) {
      const fmt = FORMATS[name];
      const largest = toNumber(decode(fmt.max_code, fmt));
      const expected = toNumber(decode(encode(fromNumber(x), fmt), fmt));
      assert.equal(math.nearest(x, fmt, largest) + 0, expected + 0, `${x} ${name}`);
      if (name === "float32") assert.equal(expected, Math.fround(x));
    }
  }
});

test("the known places where sums stop", () => {
  const stops = (format, start, addend) => {
    const run = math.startRun({ format, method: "nearest" }, start, addend, 0);
    return [run.stuck(math.MOST), run.at(math.MOST)];
  };
  assert.deepEqual(stops("float16", 1, 1), [2047, 2048]);
  assert.deepEqual(stops("bfloat16", 1, 1), [255, 256]);
  assert.deepEqual(stops("float32", 1, 1), [null, 100001]);
  assert.deepEqual(stops("bfloat16", 0.02, 1e-5), [0, 0.02001953125]);
  assert.deepEqual(stops("float16", 0.02, 1e-5), [737, 0.03125]);
  assert.deepEqual(stops("float32", 2 ** 24, 1), [0, 2 ** 24]);
  assert.deepEqual(stops("float16", 0, 1e-8), [0, 0]);
});

test("counts may be asked for in any order", () => {
  for (const one of math.accumulators("float16")) {
    const [forth, back] = [math.startRun(one, 1, 0.001, 3), math.startRun(one, 1, 0.001, 3)];
    const counts = [5000, 0, 17, 4999, math.MOST, 1];
    const expected = [...counts].sort((a, b) => a - b).map((n) => [n, forth.at(n)]);
    assert.deepEqual(counts.map((n) => [n, back.at(n)]).sort((a, b) => a[0] - b[0]), expected);
  }
});

test("a draw is uniform, and no other seed's", () => {
  const mean = (seed) => Array.from({ length: 10000 }, (_, n) => math.draw(seed, n)).reduce((a, b) => a + b) / 10000;
  for (const seed of [0, 1, 2, math.LARGEST_SEED]) assert.ok(Math.abs(mean(seed) - 0.5) < 0.012, `${seed} ${mean(seed)}`); // four deviations
  const ends = [0, 1, 2, 3].map((seed) => math.startRun({ format: "bfloat16", method: "stochastic" }, 1, 1e-4, seed).at(10000));
  assert.ok(new Set(ends).size > 1 && ends.every((sum) => sum > 1.5 && sum < 2.5), String(ends));
});

test("the exact sum is exact", () => {
  const third = parseNumber("1/3");
  assert.ok(same(math.exactSum(parseNumber("0.02"), third, 3), parseNumber("1.02")));
  assert.ok(same(math.exactSum(parseNumber("5"), parseNumber("-1e-3"), 10000), parseNumber("-5")));
  assert.ok(same(math.exactSum(parseNumber("-1"), parseNumber("1/7"), 0), parseNumber("-1")));
});

test("aligned bits are those of the numbers, and what falls off is below the last place kept", () => {
  for (const [start, addend] of CASES) {
    for (const one of math.accumulators("bfloat16")) {
      const run = math.startRun(one, start, addend, 7);
      for (const n of [0, 1, 5, 300]) {
        const step = math.nextStep(run, n);
        const columns = math.alignment(step);
        if (!Number.isFinite(step.result)) continue;
        for (const row of ["sum", "added", "result"]) {
          const value = columns.reduce((total, column) => total + (column[row] === "1" ? 2 ** column.place : 0), 0);
          assert.equal(value, Math.abs(step[row]), `${one.name} ${start} + ${addend}, step ${n}: ${row}`);
        }
        const off = columns.filter(({ falls }) => falls);
        assert.ok(off.every(({ result }) => result !== "1"));
        const lost = off.some(({ sum, added }) => sum === "1" || added === "1");
        const exact = same(plus(fromNumber(step.sum), fromNumber(step.added)), fromNumber(step.result));
        assert.equal(step.exact, exact, `${one.name} ${start} + ${addend}, ${n}`);
        assert.ok(lost || exact, "what is lost is shown");
        assert.ok(columns.length <= 54, `${columns.length} columns`);
      }
    }
  }
});

test("the sentence follows the numbers", () => {
  const said = (format, start, addend, n, method = "nearest") => stepText(math.nextStep(math.startRun({ format, method }, start, addend, 0), n));
  assert.match(said("bfloat16", 1, 1, 255), /half an ulp of the sum. A tie goes to the even last bit, here the old sum: the addend is lost/);
  assert.match(said("float16", 1, 1e-4, 0), /0\.102 ulp of the sum. Rounding to the nearest gives the old sum: the addend is lost/);
  assert.match(said("float16", 0.02, 1e-5, 0), /moves the sum by \+1\.526e-5 instead of \+1\.001e-5/);
  assert.match(said("float32", 1, 1, 5), /this addition is exact/);
  assert.match(said("float16", 1, 1e-9, 5), /The addend is 0 in float16/);
  assert.match(said("float16", 1e6, 1, 5), /Nothing can be added/);
  assert.match(said("float16", 65504, 32, 0), /beyond the largest value/);
  assert.match(said("bfloat16", 1, 1e-4, 9, "stochastic"), /rounded up with probability 1.3 %; this time it is rounded (down and stays|up and moves by \+0.007813)/);
  assert.match(said("bfloat16", 1, 1e-4, 9, "kahan"), /what earlier additions lost \(\+8\.965e-4\) make \+9\.995e-4, 0\.128 ulp/);
});

test("sums, errors and verdicts as text", () => {
  assert.equal(sumText(Math.fround(2.0001657), FORMATS.float32), "2.0001657");
  assert.equal(sumText(0.030029296875, FORMATS.bfloat16), "0.0300292969");
  assert.equal(sumText(Infinity, FORMATS.float16), "infinity");
  assert.equal(errorText(256, parseNumber("3001")), "−2745 (−91.5 %)");
  assert.equal(errorText(3001, parseNumber("3001")), "0");
  assert.equal(errorText(Infinity, parseNumber("1")), "–");
  assert.equal(errorText(1e-9, parseNumber("0")), "+1e-9");
  assert.equal(errorText(-5, parseNumber("-4")), "−1 (−25 %)");
  const verdict = (format, method, start, addend, n) => fateText(math.startRun({ format, method }, start, addend, 0), n);
  assert.equal(verdict("float16", "nearest", 1, 1, 2046), "still moves");
  assert.equal(verdict("float16", "nearest", 1, 1, 2047), "stuck since step 2,047");
  assert.equal(verdict("float16", "nearest", 1, 1e-9, 5), "stuck: the addend is 0 here");
  assert.equal(verdict("float16", "nearest", 1e6, 1, 5), "infinite: beyond 65504");
  assert.equal(verdict("float16", "kahan", 65000, 100, 50), "NaN: its correction met infinity");
  assert.equal(verdict("bfloat16", "stochastic", 1, 1e-4, 50), "moves by chance");
  assert.equal(verdict("bfloat16", "kahan", 1, 1e-4, 100000), "stuck since step 67,729");
});

test("the slider's stops and the chart's steps", () => {
  assert.equal(math.STOPS.at(-1), math.MOST);
  assert.ok(math.STOPS.every((stop, i) => i === 0 || stop > math.STOPS[i - 1]));
  for (const stop of math.STOPS) assert.equal(math.STOPS[math.stopFor(stop)], stop);
  assert.equal(math.STOPS[math.stopFor(1004)], 1000);
  assert.deepEqual([0, 1, 3, 10, 11, 2001, 100000].map(math.roundCount), [1, 1, 5, 10, 20, 5000, 100000]);
  for (const logarithmic of [true, false]) {
    for (const last of [0, 1, 7, 100000]) {
      const steps = math.sampleSteps(last, 240, logarithmic);
      assert.ok(steps[0] === 0 && steps.at(-1) === last && steps.length <= 241 && steps.every((n, i) => i === 0 || n > steps[i - 1]));
    }
  }
});

test("an address round-trips, and one that makes no sense is left alone", () => {
  const { read, write } = widget.address;
  for (const text of ["1:1:3000:bfloat16:0", "0.02:1e-5:0:float16:4294967295", "1%2F3:2%5E-9:100000:bfloat16:12"]) {
    const traits = read(text);
    assert.equal(write((name) => traits[name]), text);
  }
  for (const text of [
    "", ":", "1:1", "1:1:3000:bfloat16", "x:1:1:bfloat16:0", "1:inf:1:bfloat16:0", "1:1e31:1:bfloat16:0", "1:1:-1:bfloat16:0", "1:1:100001:bfloat16:0",
    "1:1:1.5:bfloat16:0", "1:1::bfloat16:0", "1:1:1:toString:0", "1:1:1:bfloat16:", "1:1:1:bfloat16:4294967296", "%:1:1:bfloat16:0", "<b>:1:1:bfloat16:0",
  ]) assert.equal(read(text), null, text);
});

test("a state names what is wrong with it", () => {
  assert.throws(() => readState({ kahan_format: "half" }), /unknown kahan_format 'half'; choose from bfloat16, float16/);
  assert.throws(() => readState({ count: 100001 }), /count must be a whole number from 0 to 100000, not 100001/);
  assert.throws(() => readState({ start: "nan" }), /from -1e30 to 1e30/);
  assert.throws(() => readState({ addend: "one" }), /"one" is not a number/);
  assert.equal(startAll(readState({})).runs.length, 5);
});
