// What the widget says about a code must be true: formulas are evaluated, verdicts checked against the numbers.
import assert from "node:assert/strict";
import test from "node:test";

import * as core from "../../amp_helpers/static/widgets/core.js";
import { CLASS_NAMES, convert, formula, pythonCode, rule } from "../../amp_helpers/static/widgets/explain.js";
import { parseNumber } from "../../amp_helpers/static/widgets/text.js";

const CUSTOM = core.floatFormat("custom", 3, 2, 3, "all_ones", false);
const SMALL = [...Object.values(core.FORMATS), CUSTOM].filter((fmt) => fmt.bits <= 16);
const codesOf = (fmt) => Array.from({ length: Math.min(2 ** fmt.bits, 4096) }, (_, index) => (BigInt(index) * (1n << BigInt(fmt.bits))) / BigInt(Math.min(2 ** fmt.bits, 4096)));

/** Evaluate the tokens of a formula as a reader would. */
function evaluate(tokens) {
  const of = (field, place) => tokens.find((token) => token.field === field && token.place === place)?.text;
  const [first, operator, second] = of("exponent", "sup").split(" ");
  const exponent = Number(first) + (operator === "−" ? -1 : 1) * Number(second);
  const sign = Number(of("sign", "sup") ?? 0);
  const significand = of("fraction") ?? (tokens.some(({ text }) => text === "0 × ") ? "0" : "1");
  const [whole, part = ""] = significand.split(".");
  return core.scaled(sign, BigInt(`0b${whole}${part}`), exponent - part.length);
}

test("the formula of every finite code gives its value", () => {
  for (const fmt of SMALL) {
    for (const code of codesOf(fmt)) {
      const tokens = formula(code, fmt);
      const value = core.decode(code, fmt);
      assert.equal(tokens.length === 0, value.kind !== "finite", `${fmt.name} ${code}`);
      if (!tokens.length) continue;
      const result = evaluate(tokens);
      assert.ok(result.sign === value.sign && result.num * value.den === value.num * result.den, `${fmt.name} ${code}`);
    }
  }
});

test("the rule names the class and never an exponent that subnormals do not have", () => {
  for (const fmt of SMALL) {
    for (const code of codesOf(fmt)) {
      const kind = core.classify(code, fmt);
      const said = rule(code, fmt);
      assert.ok(kind in CLASS_NAMES && said.length > 20 && !said.includes("undefined"), `${fmt.name} ${code}: ${said}`);
      const word = { nan: "NaN", infinity: "infinity", zero: "zero", subnormal: "no leading 1", normal: "exponent" }[kind];
      assert.ok(said.includes(word), `${fmt.name} ${code}: ${said}`);
      if (kind === "subnormal") assert.ok(said.endsWith(`= ${String(1 - fmt.bias).replace("-", "−")}.`), said);
    }
  }
  const { float8_e4m3fn, float8_e4m3fnuz, float8_e8m0fnu, float4_e2m1fn, float16, bfloat16 } = core.FORMATS;
  assert.match(rule(0x7en, float8_e4m3fn), /not reserved/);
  assert.match(rule(0x7fn, float8_e4m3fn), /no infinity/);
  assert.match(rule(0x80n, float8_e4m3fnuz), /negative zero.*only NaN/);
  assert.match(rule(0x7fn, float8_e8m0fnu), /power of two.*no sign, no zero/);
  assert.match(rule(0x7n, float4_e2m1fn), /neither infinity nor NaN/);
  assert.match(rule(0x7e00n, float16), /quiet/);
  assert.match(rule(0x7d00n, float16), /signalling/);
  assert.match(rule(0x1n, bfloat16), /1 − 127 = −126/);
});

test("verdicts", () => {
  const verdict = (typed, name) => convert(parseNumber(typed), core.FORMATS[name]).verdict;
  for (const [typed, name, expected] of [
    ["1.5", "float16", "exact"], ["2^-24", "float16", "exact, subnormal"], ["0.1", "float16", "rounded"],
    ["1e-7", "float16", "rounded, subnormal"], ["1e-9", "float16", "underflow to 0"], ["1e6", "float16", "overflow to infinity"],
    ["65519", "float16", "rounded"], ["inf", "float16", "exact"], ["nan", "float16", "NaN"], ["0", "float16", "exact"],
    ["464", "float8_e4m3fn", "rounded"], ["465", "float8_e4m3fn", "overflow to NaN"], ["-inf", "float8_e4m3fn", "no infinity: NaN"],
    ["6.9", "float4_e2m1fn", "rounded"], ["7", "float4_e2m1fn", "saturates at the largest"], ["-1e9", "float6_e3m2fn", "saturates at the largest"],
    ["inf", "float4_e2m1fn", "saturates: no infinity"], ["nan", "float4_e2m1fn", "no NaN to hold it"],
    ["0", "float8_e8m0fnu", "no zero: NaN"], ["-2", "float8_e8m0fnu", "no sign: NaN"], ["1e-60", "float8_e8m0fnu", "raised to the smallest"],
    ["3", "float8_e8m0fnu", "rounded"], ["1e60", "float8_e8m0fnu", "overflow to NaN"], ["0.1", "float64", "rounded"],
  ]) assert.equal(verdict(typed, name), expected, `${typed} in ${name}`);
  assert.equal(convert(parseNumber("3"), core.FORMATS.float8_e8m0fnu).relative, "-0.333"); // 2, the even code
  assert.equal(convert(parseNumber("-0.1"), core.FORMATS.float16).relative, "-2.44e-4");
});

test("the Python code names the code and the format", () => {
  for (const fmt of [...Object.values(core.FORMATS), CUSTOM]) assert.match(pythonCode(1n, fmt), new RegExp(`0x0*1\\b[^]*${fmt.name}|${fmt.name}[^]*0x0*1\\b`));
});
