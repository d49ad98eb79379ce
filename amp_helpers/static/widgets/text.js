// Numbers and codes as text: what a reader may type, and how a value is printed.

import { NAN, encode, finite, infinity, isZero, scaled, toNumber } from "./core.js";

// Caps keep exact arithmetic instant whatever is typed; both are far beyond every format.
const LONGEST_TEXT = 1000;
const LARGEST_EXPONENT = 5000;

const quote = (text) => `"${text.length > 40 ? text.slice(0, 40) + "…" : text}"`;

function exponentOf(text) {
  const exponent = Number(text || 0);
  if (Math.abs(exponent) <= LARGEST_EXPONENT) return exponent;
  throw new RangeError(`The exponent ${text.length > 12 ? "" : text + " "}is too large: ±${LARGEST_EXPONENT} at most.`);
}

function parseDecimal(match) {
  const [, whole, part = "", exponent] = match;
  const shift = exponentOf(exponent) - part.length;
  const num = BigInt(whole + part || "0");
  return shift < 0 ? finite(0, num, 10n ** BigInt(-shift)) : finite(0, num * 10n ** BigInt(shift));
}

function parseHexFloat(match) {
  const [, whole, part = "", exponent] = match;
  return scaled(0, BigInt(`0x0${whole}${part}`), exponentOf(exponent) - 4 * part.length);
}

function parseFraction(match) {
  const [above, below] = [parseNumber(match[1]), parseNumber(match[2])];
  if (isZero(below)) throw new RangeError("Division by zero. For infinity type inf.");
  return finite(above.sign ^ below.sign, above.num * below.den, above.den * below.num);
}

const GRAMMAR = [
  [/^(?=\.?\d)(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?$/i, parseDecimal],
  [/^0x(?=\.?[\da-f])([\da-f]*)(?:\.([\da-f]*))?p([+-]?\d+)$/i, parseHexFloat],
  [/^2(?:\^|\*\*)([+-]?\d+)$/, (match) => scaled(0, 1n, exponentOf(match[1]))],
  [/^([^/]*\d[^/]*)\/([^/]*\d[^/]*)$/, parseFraction],
  [/^inf(?:inity)?$|^∞$/i, () => infinity()],
  [/^nan$/i, () => NAN],
];

/** Read a decimal, fraction, power of two, hexadecimal float, inf or nan, exactly; throws RangeError. */
export function parseNumber(text) {
  const clean = text.trim().replaceAll("−", "-");
  if (clean.length > LONGEST_TEXT) throw new RangeError(`Too long: ${LONGEST_TEXT} characters at most.`);
  const [, sign, magnitude] = /^([+-]?)(.*)$/s.exec(clean);
  for (const [pattern, read] of GRAMMAR) {
    const match = pattern.exec(magnitude);
    if (!match) continue;
    const value = read(match);
    return value.kind === "nan" ? value : { ...value, sign: value.sign ^ Number(sign === "-") };
  }
  if (/^0[xb]/i.test(magnitude)) throw new RangeError("That looks like a code: type it into the hex or binary field.");
  throw new RangeError(`${quote(clean)} is not a number. Try 0.1, 6e-8, 1/3, 2^-24, 0x1.8p3, inf or nan.`);
}

/** Read a code in base 16 or 2, with or without prefix, spaces and underscores; throws RangeError. */
export function parseCode(text, fmt, base = 16) {
  const clean = text.trim().toLowerCase();
  if (clean.length > LONGEST_TEXT) throw new RangeError(`Too long: ${LONGEST_TEXT} characters at most.`);
  const [prefix, pattern, kind] = base === 16 ? ["0x", /^[\da-f]+$/, "hexadecimal"] : ["0b", /^[01]+$/, "binary"];
  const digits = clean.replace(prefix, "").replace(/[\s_]/g, "");
  if (!pattern.test(digits)) throw new RangeError(`${quote(text.trim())} is not a ${kind} code.`);
  const code = BigInt(prefix + digits);
  if (code >> BigInt(fmt.bits)) {
    throw new RangeError(`That code needs ${code.toString(2).length} bits; ${fmt.name} has ${fmt.bits}.`);
  }
  return code;
}

export const hexCode = (code, fmt) => "0x" + code.toString(16).padStart(Math.ceil(fmt.bits / 4), "0");

/** The code in base 2 as its fields, [sign, exponent, fraction]; an absent field is "". */
export function binaryFields(code, fmt) {
  const bits = code.toString(2).padStart(fmt.bits, "0");
  const start = Number(fmt.signed);
  const middle = start + fmt.exponent_bits;
  return [bits.slice(0, start), bits.slice(start, middle), bits.slice(middle)];
}

/** digits d and exponent e mean d[0].d[1]d[2]... * 10**e; written out if that takes at most `widest` characters. */
function layout(sign, digits, exponent, widest, leastExponent = -4) {
  const d = digits.replace(/0+$/, "") || "0";
  let text;
  if (exponent >= 0 && Math.max(exponent + 1, d.length + 1) <= widest) {
    text = d.padEnd(exponent + 1, "0");
    if (d.length > exponent + 1) text = `${d.slice(0, exponent + 1)}.${d.slice(exponent + 1)}`;
  } else if (exponent < 0 && exponent >= leastExponent && d.length + 1 - exponent <= widest) {
    text = `0.${"0".repeat(-exponent - 1)}${d}`;
  } else {
    const size = String(Math.abs(exponent)).padStart(2, "0");
    text = `${d[0]}${d.length > 1 ? "." + d.slice(1) : ""}e${exponent < 0 ? "-" : "+"}${size}`;
  }
  return (sign ? "-" : "") + text;
}

const specialText = (x) => (x.kind === "nan" ? "NaN" : `${x.sign ? "-" : ""}infinity`);

/** Every decimal digit of a finite number whose denominator is a power of two. */
export function exactDecimal(x, widest = 60) {
  if (x.kind !== "finite") return specialText(x);
  if (isZero(x)) return x.sign ? "-0" : "0";
  const places = BigInt(x.den.toString(2).length - 1);
  const digits = (x.num * 5n ** places).toString();
  return layout(x.sign, digits, digits.length - 1 - Number(places), widest, -widest);
}

/** The value as a float64 prints: the fewest digits that identify it among all float64 values. */
export function readable(x) {
  if (x.kind !== "finite") return specialText(x);
  if (isZero(x)) return x.sign ? "-0" : "0";
  const [mantissa, exponent] = Math.abs(toNumber(x)).toExponential().split("e");
  return layout(x.sign, mantissa.replace(".", ""), Number(exponent), 21);
}

/** A small figure for an error: three significant digits, with a sign. */
export function brief(x) {
  const number = toNumber(x);
  const [mantissa, exponent] = number.toExponential(2).split("e");
  const plain = Math.abs(number) >= 1e-3 && Math.abs(number) < 1e4;
  const text = plain ? String(Number(number.toPrecision(3))) : `${Number(mantissa)}e${exponent}`;
  return number > 0 ? `+${text}` : text;
}

/** The fewest significant digits that round to this code, or null for NaN; x is the value of the code. */
export function shortest(x, code, fmt) {
  if (x.kind !== "finite") return x.kind === "nan" ? null : specialText(x);
  if (isZero(x)) return x.sign ? "-0" : "0";
  for (let count = 1; ; count++) {
    const { digits, exponent } = roundDigits(x, count);
    const shift = exponent - count + 1;
    const power = 10n ** BigInt(Math.abs(shift));
    const candidate = shift < 0 ? finite(x.sign, digits, power) : finite(x.sign, digits * power);
    if (encode(candidate, fmt) === code) return layout(x.sign, digits.toString(), exponent, 21);
  }
}

/** A positive magnitude rounded to `count` decimal digits: digits * 10**(exponent - count + 1). */
function roundDigits({ num, den }, count) {
  let exponent = num.toString().length - den.toString().length;
  const below = exponent >= 0 ? num < den * 10n ** BigInt(exponent) : num * 10n ** BigInt(-exponent) < den;
  if (below) exponent -= 1;
  const shift = exponent - count + 1;
  const above = shift < 0 ? num * 10n ** BigInt(-shift) : num;
  const under = shift < 0 ? den : den * 10n ** BigInt(shift);
  const digits = (2n * above + under) / (2n * under);
  return digits === 10n ** BigInt(count) ? { digits: digits / 10n, exponent: exponent + 1 } : { digits, exponent };
}
