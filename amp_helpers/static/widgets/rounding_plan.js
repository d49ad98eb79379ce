// How one number is rounded to a format: the bits that are kept, what is left over, and what each mode makes of it.
// Plain data; the words are in rounding_words.js. Codes and counts are BigInt, nothing is approximated.

import { MODES, decode, encode, finite, floorLog2, isZero } from "./core.js";

export const ALL_MODES = [...MODES, "stochastic"];
const LONGEST_TAIL = 32; // digits shown behind the cut

const shift = ({ num, den }, power) => (power < 0 ? { num, den: den << BigInt(-power) } : { num: num << BigInt(power), den });

/** The first `most` binary digits of a fraction num / den < 1, and whether they are all. */
export function binaryDigits({ num, den }, most) {
  let digits = "";
  while (num && digits.length < most) {
    num *= 2n;
    digits += num >= den ? "1" : "0";
    if (num >= den) num -= den;
  }
  return { digits, ended: num === 0n };
}

function gcd(a, b) {
  while (b) [a, b] = [b, a % b];
  return a;
}

/** How many binary digits follow the leading 1 of a positive magnitude; null if they never end. */
export function fractionLength({ num, den }) {
  const common = gcd(num, den);
  const below = den / common;
  if (below & (below - 1n)) return null;
  return (num / common).toString(2).replace(/0+$/, "").length - 1;
}

/** Why there is nothing to round, as a key, or null: nan, infinity, unsigned, zero. */
export function exception(x, fmt) {
  if (x.kind === "nan") return "nan";
  if (!fmt.signed && (x.sign || isZero(x))) return "unsigned";
  if (x.kind === "infinity") return "infinity";
  return isZero(x) ? "zero" : null;
}

/**
 * A positive or negative finite number cut into bits for a format, as if exponents had no upper end.
 *
 * |x| = (count + rest) * 2**quantum with 0 <= rest < 1; `kept` is count in binary, one leading digit and the fraction;
 * `tail` is rest in binary. `lower` is the code of the neighbour towards zero, unbounded above.
 */
export function plan(x, fmt) {
  const own = floorLog2(x);
  const exponent = Math.max(own, fmt.min_exponent);
  const quantum = exponent - fmt.significand_bits;
  const { num, den } = shift(x, -quantum);
  const count = num / den;
  const rest = finite(0, num % den, den);
  const { digits: tail, ended } = binaryDigits(rest, LONGEST_TAIL);
  const beyond = 4n * rest.num;
  const size = 1n << BigInt(fmt.significand_bits);
  const lower = count + BigInt(exponent - fmt.min_exponent) * size - (fmt.has_zero ? 0n : size);
  return {
    sign: x.sign, own, exponent, quantum, count, rest, tail, ended, lower,
    kept: count.toString(2).padStart(fmt.significand_bits + 1, "0"),
    guard: Number(tail[0] ?? 0),
    round: Number(tail[1] ?? 0),
    sticky: Number(beyond % den > 0n),
    fraction: binaryDigits(fractionOf(x, own), fmt.significand_bits + LONGEST_TAIL),
    raised: lower < 0n, // below the smallest value of a format without zero
  };
}

/** What follows the leading 1, at 2**own, of a finite number, as a fraction below 1. */
export function fractionOf(x, own) {
  const { num, den } = shift(x, -own);
  return { num: num - den, den };
}

/** Whether a mode goes up, one ulp away from zero; null for the coin, unless nothing is left to toss for. */
export function goesUp({ guard, round, sticky, lower, sign, rest }, mode) {
  if (rest.num === 0n) return false;
  switch (mode) {
    case "nearest_even": return guard === 1 && (round === 1 || sticky === 1 || lower % 2n !== 0n);
    case "nearest_away": return guard === 1;
    case "toward_zero": return false;
    case "toward_positive": return sign === 0;
    case "toward_negative": return sign === 1;
    default: return null;
  }
}

/** The code that going up or down ends at, and how: "stored", "stopped" at the largest, "infinity", "nan" or "largest". */
export function finish({ sign, lower, raised }, fmt, mode, up) {
  const signBit = sign ? fmt.sign_bit : 0n;
  if (raised) return { code: 0n, end: "stored" };
  const code = up ? lower + 1n : lower;
  if (code <= fmt.max_code) return { code: code === 0n && !fmt.has_negative_zero ? 0n : signBit | code, end: "stored" };
  const towardZero = mode === "toward_zero" || mode === (sign ? "toward_positive" : "toward_negative");
  if (towardZero) return { code: signBit | fmt.max_code, end: "stopped" };
  if (fmt.has_infinity) return { code: signBit | (fmt.max_code + 1n), end: "infinity" };
  return fmt.has_nan ? { code: fmt.nan_code, end: "nan" } : { code: signBit | fmt.max_code, end: "largest" };
}

/** One rounding: { code, value }; code is null where the format has no NaN to hold one. */
export function roundOnce(x, fmt, mode) {
  try {
    const code = encode(x, fmt, mode);
    return { code, value: decode(code, fmt) };
  } catch {
    return { code: null, value: { kind: "nan", sign: 0 } };
  }
}

/** Directly to a format against by way of another: { once, middle, twice, differ, madeTie }. */
export function compare(x, fmt, via, mode) {
  const once = roundOnce(x, fmt, mode);
  const middle = roundOnce(x, via, mode);
  const twice = middle.code === null ? { code: null, value: middle.value } : roundOnce(middle.value, fmt, mode);
  const isTie = (number) => {
    if (exception(number, fmt)) return false;
    const { rest } = plan(number, fmt);
    return 2n * rest.num === rest.den;
  };
  return { once, middle, twice, differ: once.code !== twice.code, madeTie: isTie(middle.value) && !isTie(x) };
}

const MASK = (1n << 64n) - 1n;

/** A function that gives 64 random bits per call, the same for the same seed (splitmix64: Steele, Lea, Flood, 2014). */
export function generator(seed) {
  let state = BigInt(seed) & MASK;
  return () => {
    state = (state + 0x9e3779b97f4a7c15n) & MASK;
    let z = state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
    return z ^ (z >> 31n);
  };
}

/** Whether a draw of 64 bits means up: draw / 2**64 < rest. */
export const isUp = (draw, { num, den }) => draw * den < num << 64n;
