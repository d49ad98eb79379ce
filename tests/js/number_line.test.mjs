// The number line's arithmetic against sorted lists of all values, and its state without a page.
import assert from "node:assert/strict";
import test from "node:test";

import * as core from "../../amp_helpers/static/widgets/core.js";
import widget, { readState } from "../../amp_helpers/static/widgets/number_line.js";
import * as math from "../../amp_helpers/static/widgets/number_line_math.js";
import { placeOf, summary, verdict } from "../../amp_helpers/static/widgets/number_line_words.js";
import { parseNumber } from "../../amp_helpers/static/widgets/text.js";

const ALL = Object.values(core.FORMATS);
const TINY = ALL.filter((fmt) => fmt.bits <= 8);
const SMALL = ALL.filter((fmt) => fmt.bits <= 16);

/** Every finite value as a JavaScript number, in order, each once. */
function sortedValues(fmt) {
  const values = new Set();
  for (let code = 0n; code < 1n << BigInt(fmt.bits); code++) {
    const value = core.decode(code, fmt);
    if (value.kind === "finite") values.add(core.toNumber(value) + 0);
  }
  return [...values].sort((a, b) => a - b);
}
const SORTED = Object.fromEntries(SMALL.map((fmt) => [fmt.name, sortedValues(fmt)]));

let seed = 7;
const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
/** A number of either sign around the format's range; often one of its values. */
function someNumber(fmt) {
  const values = SORTED[fmt.name];
  const value = values[Math.floor(random() * values.length)];
  return random() < 0.3 ? value : value * (0.5 + random()) + (random() - 0.5) * 2 ** fmt.min_exponent;
}

test("ordinals count the values in order", () => {
  for (const fmt of SMALL) {
    const values = SORTED[fmt.name];
    assert.equal(BigInt(values.length), math.highest(fmt) - math.lowest(fmt) + 1n, fmt.name);
    values.forEach((value, index) => assert.equal(core.toNumber(math.valueOf(math.lowest(fmt) + BigInt(index), fmt)), value, fmt.name));
  }
});

test("counts and lists of values agree with a filter over all of them", () => {
  for (const fmt of SMALL) {
    const values = SORTED[fmt.name];
    for (let round = 0; round < 40; round++) {
      const [low, high] = [someNumber(fmt), someNumber(fmt)].sort((a, b) => a - b);
      const expected = values.filter((value) => low <= value && value <= high);
      assert.equal(math.countIn(low, high, fmt), BigInt(expected.length), `${fmt.name} ${low} ${high}`);
      const ordinals = math.ordinalsIn(low, high, fmt, 100);
      if (expected.length > 100) assert.equal(ordinals, null);
      else assert.deepEqual(ordinals.map((ordinal) => core.toNumber(math.valueOf(ordinal, fmt))), expected, `${fmt.name} ${low} ${high}`);
    }
  }
});

test("density counts every value once, in its cell", () => {
  for (const fmt of SMALL) {
    const values = SORTED[fmt.name];
    for (const view of [{ low: -4, high: 4, scale: "linear" }, { low: 2 ** -20, high: 2 ** 20, scale: "log" }, { low: -1e9, high: 1e9, scale: "linear" }]) {
      const edges = Array.from({ length: 33 }, (_, index) => math.numberAt(index / 32, view));
      const counts = math.density(edges, fmt);
      counts.forEach((count, index) => {
        const [low, high] = [edges[index], edges[index + 1]];
        const expected = values.filter((value) => value <= high && (value > low || (index === 0 && value === low))).length;
        assert.equal(count, expected, `${fmt.name} ${low} ${high}`);
      });
    }
  }
});

const sum = (a, b) => core.subtract(a, { ...b, sign: 1 - b.sign });
const ordinalOf = (x, fmt, mode) => {
  const value = core.decode(core.encode(x, fmt, mode), fmt);
  return value.kind === "finite" ? math.ordinalAtMost(value, fmt) : null;
};

test("rounding turns exactly at the edges, in every mode", () => {
  const hair = core.scaled(0, 1n, -400);
  let checked = 0;
  for (const fmt of [...TINY, core.FORMATS.float16]) {
    const stride = fmt.bits > 8 ? 97n : 1n;
    for (const mode of core.MODES) {
      const ordinals = [math.lowest(fmt) - 1n, math.highest(fmt)];
      for (let ordinal = math.lowest(fmt); ordinal < math.highest(fmt); ordinal += stride) ordinals.push(ordinal);
      for (const ordinal of ordinals) {
        const { at, up } = math.edge(ordinal, fmt, mode);
        const label = `${fmt.name} ${mode} ${ordinal}`;
        if (at.kind === "infinity") {
          const far = core.scaled(at.sign, 1n, 3000);
          assert.equal(ordinalOf(far, fmt, mode), at.sign ? math.lowest(fmt) : math.highest(fmt), label);
          continue;
        }
        const inside = (number) => (number < math.lowest(fmt) || number > math.highest(fmt) ? null : number);
        assert.equal(ordinalOf(core.subtract(at, hair), fmt, mode), inside(ordinal), `${label}, just below`);
        assert.equal(ordinalOf(sum(at, hair), fmt, mode), inside(ordinal + 1n), `${label}, just above`);
        assert.equal(ordinalOf(at, fmt, mode), inside(up ? ordinal + 1n : ordinal), `${label}, at the edge`);
        checked += 1;
      }
    }
  }
  assert.ok(checked > 8000, checked);
});

test("bins meet without a gap and each holds its value", () => {
  for (const fmt of TINY) {
    for (const mode of core.MODES) {
      for (let ordinal = math.lowest(fmt); ordinal <= math.highest(fmt); ordinal++) {
        const { low, high, hasLow, hasHigh } = math.bin(ordinal, fmt, mode);
        const value = math.valueOf(ordinal, fmt);
        const label = `${fmt.name} ${mode} ${ordinal}`;
        const above = low.kind === "infinity" ? 1 : math.compare(value, low);
        const below = high.kind === "infinity" ? 1 : math.compare(high, value);
        assert.ok(above > 0 || (above === 0 && hasLow), label);
        assert.ok(below > 0 || (below === 0 && hasHigh), label);
        if (ordinal < math.highest(fmt)) {
          const next = math.bin(ordinal + 1n, fmt, mode);
          assert.ok(math.compare(next.low, high) === 0 && next.hasLow === !hasHigh, label);
        }
      }
    }
  }
});

test("ties are the midpoints of neighbours and nothing else", () => {
  for (const fmt of TINY) {
    const values = SORTED[fmt.name];
    const midpoints = new Set(values.slice(1).map((value, index) => (value + values[index]) / 2));
    for (const value of [...midpoints, ...values, ...Array.from({ length: 200 }, () => someNumber(fmt))]) {
      const tie = math.tieOf(core.fromNumber(value), fmt);
      if (value < values[0] || value > values.at(-1)) continue;
      assert.equal(tie !== null, midpoints.has(value), `${fmt.name} ${value}`);
      if (tie) assert.ok(tie[1] === tie[0] + 1n && core.toNumber(math.valueOf(tie[0], fmt)) < value);
    }
  }
  const { float16, float8_e4m3fn, float4_e2m1fn, float8_e8m0fnu } = core.FORMATS;
  assert.deepEqual(math.tieOf(parseNumber("65520"), float16), [0x7bffn, 0x7c00n]);
  assert.deepEqual(math.tieOf(parseNumber("-464"), float8_e4m3fn), [-0x7fn, -0x7en]);
  for (const [text, fmt] of [["7", float4_e2m1fn], ["0", float8_e8m0fnu], ["-3", float8_e8m0fnu], ["inf", float16], ["nan", float16]]) {
    assert.equal(math.tieOf(parseNumber(text), fmt), null, text);
  }
});

test("a landing tells the code, the exact error and what happened", () => {
  for (const fmt of SMALL) {
    for (const mode of core.MODES) {
      for (let round = 0; round < 20; round++) {
        const x = core.fromNumber(someNumber(fmt));
        const result = math.landing(x, fmt, mode);
        assert.equal(result.code, core.encode(x, fmt, mode));
        if (result.error) assert.equal(math.compare(sum(x, result.error), result.stored), 0);
        assert.equal(result.kind === "exact", result.stored.kind === "finite" && math.compare(x, result.stored) === 0);
        assert.ok(verdict(result, x, fmt).length > 4);
      }
    }
  }
  for (const [text, name, mode, expected] of [
    ["1.3", "float8_e4m3fn", "nearest_even", "rounded down"], ["1.3", "float8_e4m3fn", "toward_positive", "rounded up"],
    ["1.3125", "float8_e4m3fn", "nearest_even", "rounded down, a tie of 1.25 and 1.375"],
    ["1.3125", "float8_e4m3fn", "nearest_away", "rounded up, a tie of 1.25 and 1.375"],
    ["65519", "float16", "nearest_even", "rounded down"], ["65520", "float16", "nearest_even", "overflow to infinity"],
    ["1e9", "float16", "toward_zero", "held at the largest value"], ["-1e9", "float16", "toward_positive", "held at the lowest value"],
    ["6.9", "float4_e2m1fn", "nearest_even", "rounded down"], ["7", "float4_e2m1fn", "nearest_even", "held at the largest value"],
    ["500", "float8_e4m3fn", "nearest_even", "overflow to NaN"], ["inf", "float8_e4m3fn", "nearest_even", "no infinity: NaN"],
    ["-inf", "float16", "nearest_even", "exact"], ["-1e9", "float16", "nearest_even", "overflow to −infinity"],
    ["nan", "float4_e2m1fn", "nearest_even", "no NaN to hold it"], ["nan", "float16", "nearest_even", "exact"],
    ["inf", "float4_e2m1fn", "nearest_even", "held at the largest value"], ["1e-9", "float16", "nearest_even", "underflow to 0"],
    ["2^-25", "float16", "nearest_even", "underflow to 0, a tie of 0 and 5.960464477539063e-08"], ["2^-24", "float16", "nearest_even", "exact, subnormal"],
    ["1e-7", "float16", "nearest_even", "rounded up, subnormal"], ["-2", "float8_e8m0fnu", "nearest_even", "no sign: NaN"],
    ["0", "float8_e8m0fnu", "nearest_even", "no zero: NaN"], ["1e60", "float8_e8m0fnu", "nearest_even", "overflow to NaN"],
    ["nan", "float8_e8m0fnu", "nearest_even", "exact"], ["inf", "float8_e8m0fnu", "toward_zero", "no infinity: NaN"],
    ["-inf", "float8_e8m0fnu", "nearest_even", "no sign: NaN"],
  ]) {
    const x = parseNumber(text), fmt = core.FORMATS[name];
    assert.equal(verdict(math.landing(x, fmt, mode), x, fmt), expected, `${text} ${name} ${mode}`);
  }
});

// --- views -----------------------------------------------------------------------------------------------------------

const VIEWS = [
  { low: 0, high: 4, scale: "linear" }, { low: -1e300, high: 1e300, scale: "linear" }, { low: 1, high: 1 + 2 ** -30, scale: "linear" },
  { low: -3e-300, high: 1e-300, scale: "linear" }, { low: 2 ** -24, high: 65504, scale: "log" }, { low: -1e9, high: -1e-9, scale: "log" },
  { low: 5e-324, high: 1.7e308, scale: "log" }, { low: 1, high: 1.001, scale: "log" },
];

test("places and numbers are each other's inverse", () => {
  for (const view of VIEWS) {
    assert.ok(Math.abs(math.shareOf(view.low, view)) < 1e-9 && Math.abs(math.shareOf(view.high, view) - 1) < 1e-9);
    for (const share of [0.1, 0.5, 0.9]) assert.ok(Math.abs(math.shareOf(math.numberAt(share, view), view) - share) < 1e-6, JSON.stringify(view));
  }
  const [right, left] = [VIEWS[4], VIEWS[5]];
  assert.equal(math.shareOf(0, right), -Infinity);
  assert.equal(math.shareOf(-5, right), -Infinity);
  assert.equal(math.shareOf(0, left), Infinity);
  assert.ok(Number.isNaN(math.shareOf(NaN, right)) && Number.isNaN(math.shareOf(placeOf(core.NAN), left)));
});

test("zooming keeps the number under the pointer, moving keeps the width", () => {
  for (const view of [VIEWS[0], VIEWS[4], VIEWS[5]]) {
    for (const share of [0, 0.25, 0.8]) {
      const fixed = math.numberAt(share, view);
      assert.ok(Math.abs(math.shareOf(fixed, math.zoomed(view, 0.5, share)) - share) < 2e-3, JSON.stringify([view, share]));
    }
    const moved = math.panned(view, 0.25);
    assert.ok(Math.abs(math.shareOf(moved.low, view) - 0.25) < 1e-3 && Math.abs(math.shareOf(moved.high, view) - 1.25) < 1e-3);
    const there = math.centred(view, math.numberAt(0.9, view));
    assert.ok(Math.abs(math.shareOf(math.numberAt(0.9, view), there) - 0.5) < 1e-3);
  }
  assert.deepEqual(math.centred(VIEWS[4], 0), { low: -1, high: 1, scale: "linear" });
  assert.ok(math.centred(VIEWS[4], -3).high < 0);
});

test("no amount of zooming, moving and switching leaves what can be drawn", () => {
  for (const start of VIEWS) {
    for (const work of [(view) => math.zoomed(view, 0.5, 0.3), (view) => math.zoomed(view, 2, 0.9), (view) => math.panned(view, 0.9), (view) => math.panned(view, -5)]) {
      let view = start;
      for (let step = 0; step < 2500; step++) {
        view = work(view);
        if (step % 100 && step > 60) continue;
        math.checkView(view);
        const ticks = math.axisTicks(view, 346);
        assert.ok(ticks.length < 20 && ticks.every(({ x, text }) => x >= view.low * (1 - 1e-9 * Math.sign(view.low)) && text), JSON.stringify(view));
        math.checkView(math.rescaled(view, ALL));
        const places = [0, 250, 500, 750, 1000].map((place) => math.tidyAt(place / 1000, view));
        assert.ok(places.every((x, index) => Number.isFinite(x) && (!index || x > places[index - 1])), JSON.stringify([view, places]));
      }
    }
  }
});

test("a step of the probe's handle never stands still", () => {
  for (const view of VIEWS) {
    for (let place = 0; place < 1000; place++) {
      assert.ok(math.tidyAt((place + 1) / 1000, view) > math.tidyAt(place / 1000, view), JSON.stringify([view, place]));
    }
  }
});

test("switching to a log scale shows down to the subnormals", () => {
  const view = math.rescaled({ low: -4, high: 4, scale: "linear" }, [core.FORMATS.float16, core.FORMATS.float8_e4m3fn]);
  assert.ok(view.scale === "log" && view.low < 2 ** -24 && view.low > 2 ** -28 && view.high === 4);
  assert.ok(math.rescaled({ low: -4, high: 0, scale: "linear" }, [core.FORMATS.float16]).high < 0);
  assert.deepEqual(math.rescaled({ low: 1, high: 4, scale: "log" }, []), { low: 1, high: 4, scale: "linear" });
});

test("labels are round numbers where they stand", () => {
  const texts = (view, width) => math.axisTicks(view, width).map(({ text }) => text);
  assert.deepEqual(texts({ low: 0, high: 4, scale: "linear" }, 346), ["0", "0.5", "1", "1.5", "2", "2.5", "3", "3.5", "4"]);
  assert.deepEqual(texts({ low: -2, high: 2, scale: "linear" }, 200), ["−2", "−1", "0", "1", "2"]);
  assert.deepEqual(texts({ low: 2 ** -3, high: 2 ** 3, scale: "log" }, 700), ["2⁻³", "2⁻²", "2⁻¹", "2⁰", "2¹", "2²", "2³"]);
  assert.deepEqual(texts({ low: -4, high: -1, scale: "log" }, 700), ["−2²", "−2¹", "−2⁰"]);
  const deep = texts({ low: 1, high: 1 + 1e-9, scale: "linear" }, 346);
  assert.ok(deep.length >= 2 && new Set(deep).size === deep.length && deep.at(-1).length > 8, String(deep));
});

// --- state and address -------------------------------------------------------------------------------------------------

test("an address round-trips", () => {
  const write = (traits) => widget.address.write((name) => traits[name]);
  for (const text of [
    "float16:linear:0:2:nearest_even:0.1", "float16,bfloat16:log:1e-8:65504:toward_zero:1%2F3", "float4_e2m1fn:linear:-8:8:nearest_away",
  ]) assert.equal(write(widget.address.read(text)), text);
});

test("an address that makes no sense is left alone", () => {
  for (const text of [
    "", ":", "half:linear:0:2:nearest_even", "float16:linear:2:0:nearest_even", "float16:log:0:2:nearest_even", "float16:linear::2:nearest_even",
    "float16:linear:0:inf:nearest_even", "float16:cubic:0:2:nearest_even", "float16:linear:0:2:up", "float16:linear:0:2:nearest_even:<b>",
    "float16:linear:0:2:nearest_even:%", "float16,float16:linear:0:2:nearest_even", "__proto__:linear:0:2:nearest_even", "%",
    "float64,float32,tfloat32,bfloat16,float16,float8_e5m2,float4_e2m1fn:linear:0:2:nearest_even",
  ]) assert.equal(widget.address.read(text), null, text);
});

test("a state that cannot be is refused with its value and the choices", () => {
  assert.throws(() => readState({ formats: ["half"] }), /unknown format 'half'; choose from float64/);
  assert.throws(() => readState({ formats: [] }), /one to 6 different ones, not none/);
  assert.throws(() => readState({ mode: "up" }), /unknown mode 'up'; choose from nearest_even/);
  assert.throws(() => readState({ low: 4, high: 4 }), /low 4 must lie below high 4/);
  assert.throws(() => readState({ low: -1, high: 4, scale: "log" }), /one side of zero, not -1 and 4/);
  assert.throws(() => readState({ probe: "<b>" }), /is not a number/);
  assert.equal(readState({ probe: " " }).exact, null);
});

test("the spoken sentence names the view, the probe and every format", () => {
  const state = readState({ formats: ["float16", "float8_e4m3fn"], probe: "1.3125" });
  const landings = state.formats.map((fmt) => ({ fmt, result: math.landing(state.exact, fmt, state.mode) }));
  assert.equal(summary(state, landings), "View 0 to 4, linear scale. Probe 1.3125, rounded to nearest, ties to even. " +
    "float16: 1.3125, exact; float8_e4m3fn: 1.25, rounded down, a tie of 1.25 and 1.375.");
  assert.match(summary(readState({ probe: "" }), []), /No probe/);
});
