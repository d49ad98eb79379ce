// The JavaScript float core against the vectors that Python exported (tests/test_javascript.py runs this).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import * as core from "../../amp_helpers/static/widgets/core.js";
import * as text from "../../amp_helpers/static/widgets/text.js";

const vectors = JSON.parse(readFileSync(process.env.AMP_VECTORS, "utf8"));
const PARAMETERS = ["exponent_bits", "significand_bits", "bias", "specials", "signed"];

const formats = Object.fromEntries(Object.entries(vectors.formats).map(([name, row]) => [
  name, core.FORMATS[name] ?? core.floatFormat(name, ...PARAMETERS.map((key) => row[key])),
]));
const fromPattern = (pattern) => core.decode(BigInt(pattern), core.FORMATS.float64);

test("the tables agree with Python's, field by field", () => {
  assert.deepEqual(Object.keys(core.FORMATS), vectors.named);
  assert.deepEqual(core.SPECIALS, vectors.specials);
  assert.deepEqual(core.MODES, vectors.modes);
  assert.deepEqual(core.OVERFLOWS, vectors.overflows);
  for (const [name, row] of Object.entries(vectors.formats)) {
    for (const [key, expected] of Object.entries(row)) {
      const isCode = ["max_code", "nan_code", "sign_bit"].includes(key) && expected !== null;
      assert.equal(formats[name][key], isCode ? BigInt(expected) : expected, `${name}.${key}`);
    }
  }
});

test("a format that cannot be is refused with its name, value and choices", () => {
  for (const [row, message] of [
    [["f", 0, 3, 1], /f: exponent_bits must be an integer from 1 to 11, not 0/],
    [["f", 12, 3, 1], /exponent_bits/],
    [["f", 4, 53, 7], /significand_bits must be an integer from 1 to 52, not 53/],
    [["f", 4, 0, 7], /significand_bits/],
    [["f", 4, 2.5, 7], /significand_bits/],
    [["f", 4, 3, NaN], /bias must be an integer/],
    [["f", 4, 3, 7, "toString"], /unknown specials 'toString'; choose from ieee, all_ones/],
    [["f", 4, 3, 7, "negative_zero", false], /needs a sign bit/],
    [["f", 1, 3, 0], /no normal number is left/],
    [["f", 11, 52, 2000], /do not fit in float64; change bias 2000/],
  ]) assert.throws(() => core.floatFormat(...row), message);
});

test("every code has Python's class and exact value", () => {
  let count = 0;
  for (const [name, rows] of Object.entries(vectors.codes)) {
    const fmt = formats[name];
    for (const [hex, kind, exact] of rows) {
      const code = BigInt(hex);
      const value = core.decode(code, fmt);
      assert.equal(core.classify(code, fmt), kind, `${name} ${hex}`);
      count += 1;
      if (exact === null) {
        assert.equal(value.kind, kind, `${name} ${hex}`);
        continue;
      }
      const [sign, odd, exponent] = exact;
      const expected = core.scaled(sign, BigInt(odd), exponent);
      assert.ok(value.num * expected.den === expected.num * value.den && value.sign === sign, `${name} ${hex}`);
    }
  }
  const whole = Object.values(formats).filter((fmt) => fmt.bits <= 16);
  assert.ok(count >= whole.reduce((sum, fmt) => sum + 2 ** fmt.bits, 0), `only ${count} codes`);
});

test("every rounding case gives Python's code, in all modes and for both overflow policies", () => {
  for (const [name, { inputs, ...results }] of Object.entries(vectors.rounding)) {
    const numbers = inputs.map(fromPattern);
    assert.equal(Object.keys(results).length, core.MODES.length * core.OVERFLOWS.length);
    for (const [key, codes] of Object.entries(results)) {
      const [mode, overflow] = key.split("/");
      codes.forEach((code, index) => {
        const label = `${name} ${key} ${inputs[index]}`;
        if (code === null) assert.throws(() => core.encode(numbers[index], formats[name], mode, overflow), /cannot hold a NaN/, label);
        else assert.equal(core.encode(numbers[index], formats[name], mode, overflow), BigInt(code), label);
      });
    }
  }
  assert.throws(() => core.encode(core.NAN, core.FORMATS.float16, "up"), /unknown mode 'up'; choose from nearest_even/);
  assert.throws(() => core.encode(core.NAN, core.FORMATS.float16, "nearest_even", "wrap"), /unknown overflow 'wrap'/);
});

test("a fraction between two float64 values is rounded once", () => {
  assert.ok(vectors.fractions.length > 500);
  for (const [typed, name, code] of vectors.fractions) {
    assert.equal(core.encode(text.parseNumber(typed), formats[name]), BigInt(code), `${name} ${typed}`);
  }
});

test("typed numbers mean what they mean in Python", () => {
  for (const [typed, pattern] of vectors.numbers) {
    assert.equal(core.encode(text.parseNumber(typed), core.FORMATS.float64), BigInt(pattern), typed);
  }
  for (const typed of vectors.bad_numbers) assert.throws(() => text.parseNumber(typed), RangeError, typed);
});

test("nothing that can be typed runs away or gives a long message", () => {
  for (const typed of ["9".repeat(1000), `1e5000/${"7".repeat(990)}`, "1e-5000", "2^-5000", "9".repeat(1e6), "1e999999999", "/".repeat(1000)]) {
    try {
      const value = text.parseNumber(typed);
      for (const fmt of Object.values(core.FORMATS)) core.encode(value, fmt);
    } catch (error) {
      assert.ok(error instanceof RangeError && error.message.length < 120, error.message);
    }
  }
});

test("neighbours lead through all values in order and back", () => {
  for (const fmt of Object.values(formats).filter((one) => one.bits <= 16)) {
    const start = fmt.signed ? fmt.sign_bit | (fmt.has_infinity ? fmt.max_code + 1n : fmt.max_code) : 0n;
    let code = start, steps = 1, before = core.decode(start, fmt);
    assert.equal(core.neighbours(start, fmt).below, null, fmt.name);
    for (let next; (next = core.neighbours(code, fmt).above) !== null; code = next, steps += 1) {
      const value = core.decode(next, fmt);
      if (before.kind === "finite" && value.kind === "finite") {
        const rise = core.subtract(value, before);
        assert.ok(rise.sign === 0 && rise.num > 0n, `${fmt.name} ${next}`);
      }
      const back = core.neighbours(next, fmt).below;
      const zero = code === 0n || code === fmt.sign_bit; // both zeros are one value
      assert.ok(back === code || (zero && core.classify(back, fmt) === "zero"), `${fmt.name} ${next}`);
      before = value;
    }
    const codes = vectors.codes[fmt.name];
    const distinct = codes.filter(([, kind]) => kind !== "nan").length - Number(fmt.has_negative_zero);
    assert.equal(steps, distinct, `${fmt.name}: every value is on the way`);
  }
});

test("ulp is the distance to the next larger magnitude", () => {
  for (const [name, rows] of Object.entries(vectors.codes)) {
    const fmt = formats[name];
    for (const [hex] of rows.slice(0, 4000)) {
      const code = BigInt(hex);
      const size = core.ulp(code, fmt);
      const value = core.decode(code, fmt);
      assert.equal(size === null, value.kind !== "finite");
      if (size === null || (code & ~fmt.sign_bit) >= fmt.max_code) continue;
      const gap = core.subtract({ ...core.decode(code + 1n, fmt), sign: 0 }, { ...value, sign: 0 });
      assert.ok(gap.num * size.den === size.num * gap.den, `${name} ${hex}`);
    }
  }
});

test("printed decimals read back as the same code", () => {
  for (const [name, rows] of Object.entries(vectors.codes)) {
    const fmt = formats[name];
    for (const [hex, kind] of rows.length > 5000 ? rows.filter((_, index) => index % 61 === 0) : rows) {
      if (kind === "nan") continue;
      const code = BigInt(hex);
      const value = core.decode(code, fmt);
      const again = (digits) => core.encode(text.parseNumber(digits), fmt);
      const exact = text.parseNumber(text.exactDecimal(value));
      if (kind !== "infinity") assert.ok(exact.num * value.den === value.num * exact.den, `${name} ${hex}`);
      assert.equal(again(text.exactDecimal(value)), code, `${name} ${hex}`);
      assert.equal(again(text.shortest(value, code, fmt)), code, `${name} ${hex}`);
      assert.equal(again(text.readable(value)), code, `${name} ${hex}`);
      assert.equal(text.parseCode(text.hexCode(code, fmt), fmt), code);
      assert.equal(text.parseCode("0b " + text.binaryFields(code, fmt).join(" "), fmt, 2), code);
    }
  }
});

test("numbers are printed as a reader expects", () => {
  const show = (typed, name) => {
    const fmt = core.FORMATS[name];
    const code = core.encode(text.parseNumber(typed), fmt);
    const value = core.decode(code, fmt);
    return [text.readable(value), text.exactDecimal(value), text.shortest(value, code, fmt)];
  };
  assert.deepEqual(show("0.1", "float16"), ["0.0999755859375", "0.0999755859375", "0.1"]);
  assert.deepEqual(show("-2^-24", "float16"), ["-5.960464477539063e-08", "-0.000000059604644775390625", "-6e-08"]);
  assert.deepEqual(show("65504", "float16"), ["65504", "65504", "65500"]);
  assert.deepEqual(show("inf", "float16"), ["infinity", "infinity", "infinity"]);
  assert.deepEqual(show("nan", "float16"), ["NaN", "NaN", null]);
  assert.deepEqual(show("-0", "float16"), ["-0", "-0", "-0"]);
  assert.match(show("5e-324", "float64")[1], /^4\.\d{750}e-324$/);
});

test("a code that is none is refused", () => {
  const { float16 } = core.FORMATS;
  assert.throws(() => text.parseCode("0x10000", float16), /needs 17 bits; float16 has 16/);
  assert.throws(() => text.parseCode("", float16), /not a hexadecimal code/);
  assert.throws(() => text.parseCode("0b12", float16, 2), /not a binary code/);
  assert.throws(() => text.parseCode("f".repeat(2000), float16), /Too long/);
  assert.equal(text.parseCode(" 3C00 ", float16), 0x3c00n);
});
