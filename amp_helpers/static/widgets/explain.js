// What a reader is told about a code: its class, the rule that gives its value, what rounding did to a number, and
// the line of Python that makes it. Plain data and text; how it looks is the widget's business.

import { FORMATS, classify, decode, divide, encode, fields, isZero, subtract } from "./core.js";
import { brief, binaryFields, hexCode } from "./text.js";

export const CLASS_NAMES = {
  normal: "normal", subnormal: "subnormal", zero: "zero", infinity: "infinity", nan: "NaN",
};

const real = (n) => String(n).replace("-", "−"); // a true minus sign, for prose only: values must stay copyable
const minus = (a, b) => (b < 0 ? `${a} + ${-b}` : `${a} − ${b}`);

/** The formula of a finite value as tokens { text, field, place }; place is "sup", "sub" or undefined. */
export function formula(code, fmt) {
  const kind = classify(code, fmt);
  if (kind === "nan" || kind === "infinity") return [];
  const { sign, exponent } = fields(code, fmt);
  const fraction = binaryFields(code, fmt)[2];
  const implied = kind === "normal";
  const tokens = [];
  if (fmt.signed) tokens.push({ text: "(−1)", field: "sign" }, { text: `${sign}`, field: "sign", place: "sup" }, { text: " × " });
  if (fraction) {
    tokens.push({ text: `${Number(implied)}.${fraction}`, field: "fraction" }, { text: "2", place: "sub" }, { text: " × " });
  } else if (!implied) {
    tokens.push({ text: "0 × " });
  }
  tokens.push({ text: "2", field: "exponent" });
  tokens.push({ text: minus(implied ? exponent : 1, fmt.bias), field: "exponent", place: "sup" });
  return tokens;
}

/** The encoding rule behind the class of this code, for this format, as a sentence or two. */
export function rule(code, fmt) {
  const { sign, exponent, fraction } = fields(code, fmt);
  const top = (1 << fmt.exponent_bits) - 1;
  switch (classify(code, fmt)) {
    case "zero":
      if (sign) return "Exponent and fraction are all zeros: negative zero. It equals 0; only its sign differs.";
      return fmt.has_negative_zero
        ? "Exponent and fraction are all zeros: zero."
        : "All bits are zeros: the only zero. There is no negative zero; its code is this format's NaN.";
    case "subnormal":
      return (
        "Exponent field 0 is kept for zero and the subnormals: no leading 1 is implied, and the exponent is that of " +
        `the smallest normal number, ${minus(1, fmt.bias)} = ${real(fmt.min_exponent)}.`
      );
    case "infinity":
      return `The top exponent field, ${top}, is reserved: with fraction 0 it is ${sign ? "negative " : ""}infinity.`;
    case "nan":
      return nanRule(fmt, fraction, top);
    default:
      return normalRule(fmt, exponent, top);
  }
}

function nanRule(fmt, fraction, top) {
  if (fmt.specials === "negative_zero") {
    return "Sign 1 and nothing else would be negative zero; this format has none and uses the code as its only NaN.";
  }
  if (fmt.specials === "all_ones") {
    const where = fmt.signed ? "Every exponent and fraction bit is set: the format's NaN, one for each sign." : "All ones: the only NaN.";
    return `${where} There is no infinity.`;
  }
  const quiet = fraction >> BigInt(fmt.significand_bits - 1);
  return (
    `The top exponent field, ${top}, is reserved: with any fraction but 0 it is NaN, ` +
    (quiet ? "quiet because the first fraction bit is 1." : "signalling because the first fraction bit is 0.")
  );
}

function normalRule(fmt, exponent, top) {
  const power = `${minus(exponent, fmt.bias)} = ${real(exponent - fmt.bias)}`;
  if (!fmt.signed) {
    const missing = "no sign, no zero and no subnormals";
    if (fmt.significand_bits) return `A leading 1 is implied and the exponent is ${power}. The format has ${missing}.`;
    return `Every code but the NaN is a power of two, here with exponent ${power}. The format has ${missing}.`;
  }
  const start = `Exponent field ${exponent}: a leading 1 is implied and the exponent is ${power}.`;
  if (exponent !== top) return start;
  return {
    all_ones: `${start} The top exponent is not reserved here; only all ones in the fraction too would be NaN.`,
    negative_zero: `${start} The top exponent is not reserved here; NaN is the code of negative zero.`,
    none: `${start} The top exponent is not reserved: this format has neither infinity nor NaN.`,
  }[fmt.specials];
}

/** Round `exact` to a format and say what happened: { code, stored, kind, verdict, relative }; code is null if it has none. */
export function convert(exact, fmt) {
  let code;
  try {
    code = encode(exact, fmt);
  } catch {
    return { code: null, stored: null, kind: "none", verdict: "no NaN to hold it", relative: "" };
  }
  return { code, stored: decode(code, fmt), ...judge(exact, code, fmt) };
}

function judge(exact, code, fmt) {
  const kind = classify(code, fmt);
  const stored = decode(code, fmt);
  if (exact.kind === "nan") return { kind: "exact", verdict: "NaN", relative: "" };
  if (kind === "nan") return { kind: "none", verdict: missing(exact, fmt), relative: "" };
  if (kind === "infinity") {
    return exact.kind === "infinity"
      ? { kind: "exact", verdict: "exact", relative: "0" }
      : { kind: "overflow", verdict: "overflow to infinity", relative: "" };
  }
  if (exact.kind === "infinity") return { kind: "overflow", verdict: "saturates: no infinity", relative: "" };
  const error = subtract(stored, exact);
  if (error.num === 0n) return { kind: "exact", verdict: kind === "subnormal" ? "exact, subnormal" : "exact", relative: "0" };
  const relative = brief(divide(error, exact));
  if (kind === "zero") return { kind: "underflow", verdict: "underflow to 0", relative };
  if (saturates(exact, code, fmt)) return { kind: "overflow", verdict: "saturates at the largest", relative };
  if (!fmt.has_zero && code === 0n && error.sign === 0) {
    return { kind: "underflow", verdict: "raised to the smallest", relative };
  }
  if (kind === "subnormal") return { kind: "subnormal", verdict: "rounded, subnormal", relative };
  return { kind: "rounded", verdict: "rounded", relative };
}

function missing(exact, fmt) {
  if (!fmt.signed && isZero(exact)) return "no zero: NaN";
  if (!fmt.signed && exact.sign) return "no sign: NaN";
  return exact.kind === "infinity" ? "no infinity: NaN" : "overflow to NaN";
}

/** Half an ulp or more beyond the largest value, in a format that can only answer with the largest. */
function saturates(exact, code, fmt) {
  if (fmt.has_nan || (code & ~fmt.sign_bit) !== fmt.max_code) return false;
  const top = decode(fmt.max_code, fmt);
  const below = decode(fmt.max_code - 1n, fmt);
  const beyond = subtract({ ...exact, sign: 0 }, top);
  const gap = subtract(top, below);
  return !beyond.sign && 2n * beyond.num * gap.den >= gap.num * beyond.den;
}

const CARRIERS = { 8: "uint8", 16: "uint16", 32: "uint32", 64: "uint64" };

/** Python that makes exactly this value: a torch tensor where torch has the dtype, else our own decode. */
export function pythonCode(code, fmt) {
  const hex = hexCode(code, fmt);
  if (FORMATS[fmt.name] !== fmt) {
    const parameters = `${fmt.exponent_bits}, ${fmt.significand_bits}, ${fmt.bias}, "${fmt.specials}", ${fmt.signed ? "True" : "False"}`;
    return (
      "import torch\nfrom amp_helpers.formats import FloatFormat, decode\n\n" +
      `fmt = FloatFormat("${fmt.name}", ${parameters})\nx = torch.tensor(decode(${hex}, fmt), dtype=torch.float64)`
    );
  }
  if (!(fmt.bits in CARRIERS)) {
    return (
      "import torch\nfrom amp_helpers.formats import decode\n\n" +
      `x = torch.tensor(decode(${hex}, "${fmt.name}"))  # torch has no dtype for this format`
    );
  }
  return `import torch\n\nx = torch.tensor(${hex}, dtype=torch.${CARRIERS[fmt.bits]}).view(torch.${fmt.name})`;
}
