// The rounding stepper's pure functions: cut, decision and result against the core's encode and against brute force.
import assert from "node:assert/strict";
import test from "node:test";

import * as core from "../../amp_helpers/static/widgets/core.js";
import * as rounding from "../../amp_helpers/static/widgets/rounding_plan.js";
import * as words from "../../amp_helpers/static/widgets/rounding_words.js";
import widget, { lastStep, makeCoin, readState } from "../../amp_helpers/static/widgets/rounding_stepper.js";
import { PRESETS } from "../../amp_helpers/static/widgets/rounding_stepper_parts.js";
import { parseNumber } from "../../amp_helpers/static/widgets/text.js";

const ALL = Object.values(core.FORMATS);
const { float16, float32, float8_e4m3fn, float8_e8m0fnu, float4_e2m1fn } = core.FORMATS;
const same = (a, b) => a.kind === b.kind && (a.kind !== "finite" || (a.sign === b.sign && a.num * b.den === b.num * a.den));
const add = (a, b) => core.subtract(a, { ...b, sign: 1 - b.sign });
const HALF = core.finite(0, 1n, 2n);
const scale = (x, factor) => core.finite(x.sign, x.num * factor.num, x.den * factor.den);
const ratio = (num, den) => core.finite(0, BigInt(num), BigInt(den));

/** Values of a format, points between them and past both ends, of both signs. */
function numbers(fmt) {
  const last = fmt.max_code;
  const spread = Array.from({ length: 90 }, (_, index) => (index < 40 ? BigInt(index) : (last * BigInt(index - 40)) / 50n));
  const codes = [...new Set([...spread, last - 3n, last - 2n, last - 1n, last])].filter((code) => code >= 0n && code <= last);
  const values = codes.map((code) => core.decode(code, fmt));
  const top = core.decode(fmt.max_code, fmt);
  const gap = core.subtract(top, core.decode(fmt.max_code - 1n, fmt));
  const smallest = core.decode(1n, fmt);
  const points = [...values, add(top, gap), add(top, scale(gap, HALF)), scale(top, ratio(7, 1)), scale(smallest, ratio(1, 1000))];
  for (const [share, other] of [[1, 2], [1, 3], [1, 4], [3, 4], [2 ** 40 + 1, 2 ** 41], [2 ** 40 - 1, 2 ** 41], [999, 1000]]) {
    for (const code of codes.filter((code) => code < last)) {
      const [low, high] = [core.decode(code, fmt), core.decode(code + 1n, fmt)];
      points.push(add(low, scale(core.subtract(high, low), ratio(share, other))));
    }
  }
  return points.flatMap((x) => [{ ...x, sign: 0 }, { ...x, sign: 1 }]);
}

test("cut, decision and ending give what encode gives, in every format and mode", () => {
  let count = 0;
  for (const fmt of ALL) {
    for (const x of numbers(fmt)) {
      if (rounding.exception(x, fmt)) continue;
      const cut = rounding.plan(x, fmt);
      for (const mode of core.MODES) {
        const { code } = rounding.finish(cut, fmt, mode, rounding.goesUp(cut, mode));
        assert.equal(code, core.encode(x, fmt, mode), `${fmt.name} ${mode} ${x.sign} ${x.num}/${x.den}`);
        count += 1;
      }
    }
  }
  assert.ok(count > 30_000, `${count}`);
});

test("guard, round and sticky are the bits behind the kept ones", () => {
  for (const fmt of ALL) {
    for (const x of numbers(fmt)) {
      if (rounding.exception(x, fmt)) continue;
      const { count, rest, guard, round, sticky, kept, tail, ended, quantum, exponent } = rounding.plan(x, fmt);
      const whole = add(core.finite(0, count), rest);
      assert.ok(same(scale(whole, core.scaled(0, 1n, quantum)), { ...x, sign: 0 }), "kept and rest make up the number");
      assert.ok(rest.num >= 0n && rest.num < rest.den);
      assert.equal(BigInt(`0b${kept}`), count);
      assert.equal(kept.length, fmt.significand_bits + 1);
      assert.equal(exponent - quantum, fmt.significand_bits);
      const quarters = Number((4n * rest.num) / rest.den);
      assert.deepEqual([guard, round, sticky], [quarters >> 1, quarters & 1, Number((4n * rest.num) % rest.den !== 0n)]);
      const shown = core.scaled(0, BigInt(`0b0${tail}`), -tail.length);
      const missing = core.subtract(rest, shown);
      assert.ok(ended ? missing.num === 0n : missing.sign === 0 && missing.num * (1n << 32n) < missing.den, "the tail is the rest in binary");
      assert.match(tail, ended ? /^([01]*1)?$/ : /^[01]{32}$/);
    }
  }
});

test("both ways of the coin are the neighbours, and overflow follows", () => {
  const ways = (text, fmt) => [false, true].map((up) => rounding.finish(rounding.plan(parseNumber(text), fmt), fmt, "stochastic", up));
  const values = (text, fmt) => ways(text, fmt).map(({ code }) => words.shown({ code, value: core.decode(code, fmt) }));
  assert.deepEqual(values("2049", float16), ["2048", "2050"]);
  assert.deepEqual(values("65510", float16), ["65504", "infinity"]);
  assert.deepEqual(values("-1e9", float16), ["-infinity", "-infinity"]);
  assert.deepEqual(values("2^-26", float16), ["0", "5.960464477539063e-08"]);
  assert.deepEqual(values("460", float8_e4m3fn), ["448", "NaN"]);
  assert.deepEqual(values("7", float4_e2m1fn), ["6", "6"]);
  assert.deepEqual(values("2^-140", float8_e8m0fnu).slice(0, 1), values("2^-140", float8_e8m0fnu).slice(1));
  assert.equal(rounding.goesUp(rounding.plan(parseNumber("2049"), float16), "stochastic"), null);
  assert.equal(rounding.goesUp(rounding.plan(parseNumber("2048"), float16), "stochastic"), false);
});

test("the digits of a number: how many, or never ending", () => {
  const length = (text) => rounding.fractionLength(parseNumber(text));
  for (const [text, expected] of [["1", 0], ["2^-24", 0], ["3", 1], ["65520", 11], ["0x1.0020000001p0", 40], ["0.1", null], ["1/3", null], ["2/4", 0], ["5e-1", 0], ["1e22", 51]]) {
    assert.equal(length(text), expected, text);
  }
  assert.deepEqual(rounding.binaryDigits({ num: 1n, den: 3n }, 6), { digits: "010101", ended: false });
  assert.deepEqual(rounding.binaryDigits({ num: 5n, den: 8n }, 6), { digits: "101", ended: true });
});

test("double rounding against both roundings done by encode", () => {
  let differ = 0, ties = 0;
  for (const fmt of ALL) {
    for (const via of ALL) {
      for (const x of numbers(fmt).filter((_, index) => index % 17 === 0)) {
        const got = rounding.compare(x, fmt, via, "nearest_even");
        const encode = (value, target) => {
          try {
            return core.encode(value, target);
          } catch {
            return null;
          }
        };
        const middle = encode(x, via);
        const twice = middle === null ? null : encode(core.decode(middle, via), fmt);
        assert.deepEqual([got.once.code, got.middle.code, got.twice.code], [encode(x, fmt), middle, twice]);
        assert.equal(got.differ, encode(x, fmt) !== twice);
        differ += Number(got.differ);
        ties += Number(got.differ && got.madeTie);
      }
    }
  }
  assert.ok(differ > 100 && ties > 0);
  const preset = rounding.compare(parseNumber(PRESETS["double rounding"].value), float16, float32, "nearest_even");
  assert.deepEqual([preset.once.code, preset.twice.code, preset.differ, preset.madeTie], [0x3c01n, 0x3c00n, true, true]);
  assert.ok(same(parseNumber("0x1.0020000001p0"), add(core.finite(0, 1n), add(core.scaled(0, 1n, -11), core.scaled(0, 1n, -40)))));
});

test("the generator is splitmix64, and the coin keeps its probability", () => {
  const draw = rounding.generator(1234567);
  assert.deepEqual([draw(), draw(), draw()], [6457827717110365317n, 3203168211198807973n, 9817491932198370423n]); // the published sequence
  for (const [num, den] of [[1, 2], [3, 8], [1, 10], [999, 1000], [0, 1]]) {
    const { coin, toss } = makeCoin(7);
    for (let index = 0; index < 4000; index++) toss(ratio(num, den));
    const expected = (4000 * num) / den;
    assert.equal(coin.ups + coin.downs, 4000);
    assert.ok(Math.abs(coin.ups - expected) <= 4 * Math.sqrt(expected * (1 - num / den)), `${num}/${den}: ${coin.ups}`);
  }
  const sequence = (seed) => {
    const { coin, toss } = makeCoin(seed);
    return Array.from({ length: 64 }, () => (toss(HALF), coin.last)).join();
  };
  assert.equal(sequence(3), sequence(3));
  assert.notEqual(sequence(3), sequence(4));
  assert.equal(rounding.isUp(0n, ratio(0, 1)), false);
  assert.equal(rounding.isUp((1n << 63n) - 1n, HALF), true);
  assert.equal(rounding.isUp(1n << 63n, HALF), false);
});

// --- words ------------------------------------------------------------------------------------------------------------

const NO_COIN = { ups: 0, downs: 0, last: null };
const tell = (value, step, more = {}, coin = NO_COIN) => words.story(readState({ value, step, ...more }), coin).sentence;

test("every sentence is whole, and says the way that was taken", () => {
  const texts = ["0.1", "-0.1", "0", "-0", "1", "inf", "-inf", "nan", "1e-9", "-1e9", "65520", "1e5000", "1e-5000", "0.9999", "2^-150", "6.1e-5"];
  for (const fmt of ALL) {
    for (const value of texts) {
      for (const mode of rounding.ALL_MODES) {
        for (let step = 1; step <= 6; step++) {
          const said = tell(value, step, { format: fmt.name, mode, via: "bfloat16" }, { ups: 1, downs: 0, last: true });
          assert.match(said, /^[^]{15,}[.]$/, `${fmt.name} ${value} ${mode} ${step}: ${said}`);
          assert.doesNotMatch(said, /undefined|null|NaN ulp|object|\[|  /, said);
        }
        const told = words.story(readState({ value, step: 4, format: fmt.name, mode }), NO_COIN);
        const moves = told.cut && !told.cut.raised && told.cut.rest.num !== 0n && mode !== "stochastic";
        if (moves) assert.ok(told.sentence.includes(told.up ? "up" : "down") && !told.sentence.includes(told.up ? "down" : " up"), told.sentence);
      }
    }
  }
});

test("what is said at the interesting places", () => {
  for (const [said, pattern] of [
    [tell("0.1", 1), /leading 1 at 2\^-4, and its digits never end/],
    [tell("65520", 1), /at 2\^15, and 11 digits behind it/],
    [tell("0x1.0020000001p0", 1), /40 digits behind it\. It is 1 \+ 2\^-11 \+ 2\^-40\.$/],
    [tell("-6", 1), /Without its sign it is 2\^2 \+ 2\^1\.$/],
    [tell("15.5", 1), /4 digits behind it\.$/],
    [tell("2^-24", 1), /nothing behind it/],
    [tell("1e-6", 2), /exponent stops at -14.*subnormal.*10 fraction bits.*2\^-24/],
    [tell("0.1", 2, { format: "float8_e8m0fnu" }), /the leading 1 and no fraction/],
    [tell("0x1.002p0", 3), /guard bit, 1.*round bit, 0.*sticky bit is 0.*0\.5 ulp, exactly half an ulp, a tie/],
    [tell("0x1.0020000001p0", 3), /sticky bit is 1.*just over 0\.5 ulp, more than half/],
    [tell("1.5", 3), /nothing is left over/],
    [tell("0x1.002p0", 4), /last kept bit is 0, even: nearest_even goes down/],
    [tell("0x1.006p0", 4), /last kept bit is 1, odd: nearest_even goes up/],
    [tell("3", 4, { format: "float8_e8m0fnu" }), /exponent code is even: nearest_even goes down/],
    [tell("-0.1", 4, { mode: "toward_positive" }), /negative: toward_positive goes down/],
    [tell("0x1.001p0", 4, { mode: "stochastic" }), /= 25 %\. Toss the coin/],
    [tell("0x1.001p0", 4, { mode: "stochastic" }, { ups: 1, downs: 2, last: false }), /Toss 3: down/],
    [tell("0.9999", 5), /1\.1111111111 is 10\.0000000000: the carry moves into the exponent: 2\^-1 becomes 2\^0/],
    [tell("0x0.fff8p-14", 5), /the smallest normal number/],
    [tell("1e-6", 5), /result is subnormal/],
    [tell("1e-9", 5), /underflows to zero/],
    [tell("-1e-9", 5, { format: "float8_e5m2fnuz" }), /zero, which has no sign here/],
    [tell("65520", 5), /Beyond the largest value, 65504: overflow to infinity/],
    [tell("1e6", 5, { mode: "toward_zero" }), /toward_zero stops there/],
    [tell("1e6", 5, { format: "float8_e4m3fn" }), /no infinity, NaN/],
    [tell("1e6", 5, { format: "float4_e2m1fn" }), /neither infinity nor NaN: the largest value/],
    [tell("nan", 5, { format: "float4_e2m1fn" }), /has no NaN/],
    [tell("-1", 5, { format: "float8_e8m0fnu" }), /neither a sign nor zero: the result is NaN/],
    [tell("2^-150", 5, { format: "float8_e8m0fnu" }), /smallest value, 2\^-127/],
    [tell("inf", 5, { format: "float4_e2m1fn" }), /largest value, 6/],
    [tell("0x1.0020000001p0", 6, { via: "float32" }), /1\.0009765625.*float32: 1\. They differ.*made a tie/],
    [tell("0.1", 6, { via: "float32" }), /the same/],
    [tell("0.1", 6, { via: "float32", mode: "stochastic" }), /choose another rounding mode/],
  ]) assert.match(said, pattern);
  assert.equal(words.percent(ratio(1, 3)), "33.33 %");
  assert.equal(words.percent(ratio(2 ** 30 - 1, 2 ** 30)), "just under 100 %");
  assert.equal(words.percent(ratio(1, 1)), "100 %");
  assert.equal(words.percent(core.scaled(0, 1n, -5000)), "almost 0 %");
});

test("the presets show what they are called", () => {
  const after = (name) => words.story(readState({ ...PRESETS[name], step: 5 }), NO_COIN);
  const isTie = ({ cut }) => words.size(cut) === "half";
  assert.ok(isTie(after("tie, down")) && after("tie, down").up === false);
  assert.ok(isTie(after("tie, up")) && after("tie, up").up === true);
  assert.match(after("carry").sentence, /carry/);
  assert.equal(core.classify(after("subnormal").result.code, float16), "subnormal");
  assert.equal(after("overflow").end, "infinity");
  assert.equal(after("double rounding").twice.differ, true);
});

// --- state and address ------------------------------------------------------------------------------------------------

test("an address round-trips", () => {
  const write = (traits) => widget.address.write((name) => traits[name]);
  for (const text of ["float16,,nearest_even,1,0:0.1", "bfloat16,float32,toward_zero,6,0:1%2F3", "float4_e2m1fn,,stochastic,4,4294967295:2%5E-3"]) {
    assert.equal(write(widget.address.read(text)), text);
  }
});

test("an address that makes no sense is left alone", () => {
  for (const text of [
    "", ":", "float16", "half,,nearest_even,1,0:0.1", "float16,half,nearest_even,1,0:0.1", "float16,,up,1,0:0.1", "float16,,nearest_even,0,0:0.1",
    "float16,,nearest_even,7,0:0.1", "float16,,nearest_even,1.5,0:1", "float16,,nearest_even,x,0:1", "float16,,nearest_even,1,-1:1", "__proto__,,nearest_even,1,0:1",
    "float16,,nearest_even,1,0:<b>", "float16,,nearest_even,1,0:%", "float16,,nearest_even,1,0:", "float16,,nearest_even,1,0",
  ]) assert.equal(widget.address.read(text), null, text);
});

test("a state names what is wrong, and ends at the last step there is", () => {
  assert.throws(() => readState({ format: "half" }), /unknown format 'half'; choose from float64, float32/);
  assert.throws(() => readState({ mode: "up" }), /unknown mode 'up'; choose from nearest_even, .*stochastic/);
  assert.throws(() => readState({ seed: 2 ** 32 }), /seed must be an integer from 0 to 4294967295, not 4294967296/);
  assert.throws(() => readState({ value: "x" }), /not a number/);
  assert.equal(readState({ step: 6 }).step, 5);
  assert.equal(readState({ step: 6, via: "float32" }).step, 6);
  assert.equal(lastStep({ via: null }), 5);
});
