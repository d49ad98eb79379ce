// The number line without a page: which values of a format lie where, what rounds to them, how a view moves.
//
// An ordinal counts the finite values of a format in order: 0 is zero, 1 the smallest positive value, −1 the smallest
// negative one. In an unsigned format (E8M0) 0 is the smallest value. Ordinals are BigInt, values exact (see core.js).

import { decode, divide, encode, finite, fromNumber, infinity, isZero, subtract, toNumber, ulp } from "./core.js";

export const highest = (fmt) => fmt.max_code;
export const lowest = (fmt) => (fmt.signed ? -fmt.max_code : 0n);
export const codeOf = (ordinal, fmt) => (ordinal < 0n ? fmt.sign_bit | -ordinal : ordinal);
export const valueOf = (ordinal, fmt) => decode(codeOf(ordinal, fmt), fmt);

const magnitude = (x) => ({ ...x, sign: 0 });
const negate = (x) => (isZero(x) ? x : { ...x, sign: 1 - x.sign });

/** -1, 0 or 1 as a < b, a = b or a > b; finite numbers only. */
export function compare(a, b) {
  const { sign, num } = subtract(a, b);
  return num === 0n ? 0 : sign ? -1 : 1;
}

/** The ordinal of the largest value at or below x; one less than the lowest where there is none. */
export function ordinalAtMost(x, fmt) {
  const none = lowest(fmt) - 1n;
  if (!fmt.signed) {
    if (x.sign || isZero(x)) return none;
    const code = encode(x, fmt, "toward_zero");
    return compare(decode(code, fmt), x) > 0 ? none : code;
  }
  if (isZero(x)) return 0n;
  if (!x.sign) return encode(x, fmt, "toward_zero");
  const code = encode(magnitude(x), fmt, "toward_positive", "saturate");
  return compare(decode(code, fmt), magnitude(x)) < 0 ? none : -code;
}

/** The ordinal of the smallest value at or above x; one more than the highest where there is none. */
export function ordinalAtLeast(x, fmt) {
  const below = ordinalAtMost(x, fmt);
  return below >= lowest(fmt) && compare(valueOf(below, fmt), x) === 0 ? below : below + 1n;
}

/** How many values lie from low to high, both included; low and high are JavaScript numbers. A BigInt. */
export function countIn(low, high, fmt) {
  return ordinalAtMost(fromNumber(high), fmt) - ordinalAtLeast(fromNumber(low), fmt) + 1n;
}

/** The ordinals of the values from low to high, or null if there are more than `most`. */
export function ordinalsIn(low, high, fmt, most = 1000) {
  const start = ordinalAtLeast(fromNumber(low), fmt);
  const count = ordinalAtMost(fromNumber(high), fmt) - start + 1n;
  return count > BigInt(most) ? null : Array.from({ length: Number(count) }, (_, index) => start + BigInt(index));
}

/** Values per cell between rising edges; a cell holds its upper edge, the first one its lower edge as well. */
export function density(edges, fmt) {
  const ends = edges.map((edge) => ordinalAtMost(fromNumber(edge), fmt));
  ends[0] = ordinalAtLeast(fromNumber(edges[0]), fmt) - 1n;
  return ends.slice(1).map((end, index) => Number(end - ends[index]));
}

// --- rounding: which numbers go where -----------------------------------------------------------------------------

/** Where rounding turns from a value to the next one up: { at, up }; `up` says that `at` itself goes to the upper one. */
export function edge(ordinal, fmt, mode) {
  if (ordinal === highest(fmt)) return topEdge(fmt, mode);
  if (ordinal < lowest(fmt)) {
    if (!fmt.signed) return { at: finite(0, 0n), up: false };
    const mirrored = { toward_positive: "toward_negative", toward_negative: "toward_positive" }[mode] ?? mode;
    const { at, up } = topEdge(fmt, mirrored);
    return { at: negate(at), up: !up };
  }
  const below = valueOf(ordinal, fmt), above = valueOf(ordinal + 1n, fmt);
  if (mode === "nearest_even") return { at: middle(below, above), up: ordinal % 2n !== 0n };
  if (mode === "nearest_away") return { at: middle(below, above), up: ordinal >= 0n };
  const goesUp = mode === "toward_positive" || (mode === "toward_zero" && ordinal < 0n);
  return goesUp ? { at: below, up: false } : { at: above, up: true };
}

function topEdge(fmt, mode) {
  if (!fmt.has_nan || mode === "toward_zero" || mode === "toward_negative") return { at: infinity(), up: true };
  const top = decode(fmt.max_code, fmt);
  if (mode === "toward_positive") return { at: top, up: false };
  const gap = ulp(fmt.max_code, fmt); // beyond the top the format goes on as if its range had no end
  const next = finite(0, top.num * gap.den + gap.num * top.den, top.den * gap.den);
  return { at: middle(top, next), up: mode === "nearest_away" || fmt.max_code % 2n === 1n };
}

function middle(a, b) {
  const sum = subtract(a, negate(b));
  return finite(sum.sign, sum.num, 2n * sum.den);
}

/** All numbers that round to one value: { low, high, hasLow, hasHigh }, exact; infinite where there is no end. */
export function bin(ordinal, fmt, mode) {
  const below = edge(ordinal - 1n, fmt, mode), above = edge(ordinal, fmt, mode);
  return { low: below.at, high: above.at, hasLow: below.up, hasHigh: !above.up };
}

/** The two ordinals that x lies exactly between, or null. One of them may be beyond the lowest or highest value. */
export function tieOf(x, fmt) {
  if (x.kind !== "finite" || (!fmt.signed && (x.sign || isZero(x)))) return null;
  const below = ordinalAtMost(x, fmt);
  const { at } = edge(below, fmt, "nearest_away");
  return at.kind === "finite" && compare(at, x) === 0 ? [below, below + 1n] : null;
}

/** Where a probe lands that a format cannot hold at all. */
export const NOWHERE = Object.freeze({ code: null, stored: null, kind: "none", error: null, ulps: null, tie: null });

/**
 * What a format makes of x: { code, stored, kind, error, ulps, tie }. `kind` is exact, rounded, underflow, overflow,
 * saturated or none (NaN for want of anything better); error = stored − x, exact, and ulps = error / ulp, else null.
 */
export function landing(x, fmt, mode) {
  let code;
  try {
    code = encode(x, fmt, mode);
  } catch {
    return NOWHERE;
  }
  const stored = decode(code, fmt);
  const tie = tieOf(x, fmt);
  const result = (kind, error = null) => ({
    code, stored, kind, error, ulps: error && divide(error, ulp(code, fmt)), tie,
  });
  if (stored.kind === "nan") return result(x.kind === "nan" ? "exact" : "none");
  if (stored.kind === "infinity") return result(x.kind === "infinity" ? "exact" : "overflow");
  if (x.kind === "infinity") return result("saturated");
  const error = subtract(stored, x);
  if (error.num === 0n) return result("exact", error);
  if (isZero(stored)) return result("underflow", error);
  const ulps = divide(error, ulp(code, fmt));
  const beyond = compare(magnitude(x), decode(fmt.max_code, fmt)) > 0;
  const far = beyond && 2n * ulps.num >= ulps.den; // half an ulp beyond the largest value counts as overflow
  return result(far ? "saturated" : "rounded", error);
}

// --- views: { low, high, scale }, as positions u on the axis ---------------------------------------------------------

const LEAST_EXPONENT = -1074, MOST_EXPONENT = 1023.999;
const WIDEST = 2 ** 1022; // the width of a linear view must not overflow
const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

/** The ends of a view on its axis, and which side of zero a log view shows. */
function span({ low, high, scale }) {
  if (scale === "linear") return { start: low, end: high, side: 0 };
  return high > 0
    ? { start: Math.log2(low), end: Math.log2(high), side: 1 }
    : { start: -Math.log2(-low), end: -Math.log2(-high), side: -1 };
}

/** Where a number lies in a view: 0 at its low end, 1 at its high end; infinite for what a log axis cannot show. */
export function shareOf(x, view) {
  const { start, end, side } = span(view);
  if (!side) return x / (end - start) - start / (end - start);
  if (x * side <= 0) return -side * Infinity;
  return (side * Math.log2(x * side) - start) / (end - start);
}

/** The number at a share of a view. */
export function numberAt(share, view) {
  const { start, end, side } = span(view);
  const place = start * (1 - share) + end * share;
  return side ? side * 2 ** (side * place) : place;
}

/** As numberAt, with no more digits than a thousandth of the view needs. */
export function tidyAt(share, view) {
  const { start, end, side } = span(view);
  const number = numberAt(share, view);
  if (side) {
    const rounded = Number(number.toPrecision(clamp(1 + Math.ceil(-Math.log10((end - start) / 1500)), 1, 17)));
    return Number.isFinite(rounded) ? rounded : number; // the largest numbers may round up to infinity
  }
  const step = 10 ** Math.floor(Math.log10((end - start) / 1000));
  const steps = Math.round(number / step);
  return step > 1e-290 && Math.abs(steps) < 2 ** 53 ? Number((steps * step).toPrecision(15)) : number;
}

function viewFrom({ start, end, side }, scale) {
  if (!side) {
    const most = Math.max(Math.abs(start), Math.abs(end));
    const least = Math.max(most * 2 ** -44, 2 ** -1060); // positions are JavaScript numbers
    const middle = start / 2 + end / 2;
    const half = clamp(end / 2 - start / 2, least / 2, WIDEST);
    const place = clamp(middle, half - WIDEST, WIDEST - half);
    return { low: place - half, high: place + half, scale };
  }
  const [bottom, top] = side > 0 ? [LEAST_EXPONENT, MOST_EXPONENT] : [-MOST_EXPONENT, -LEAST_EXPONENT];
  const width = clamp(end - start, 1e-8, top - bottom);
  const from = clamp(start + (end - start - width) / 2, bottom, top - width);
  const [low, high] = [from, from + width].map((place) => side * 2 ** (side * place));
  return { low, high, scale };
}

/** The view without digits that it cannot show, for the address and for sentences; rounding the view itself would make it drift. */
export function tidyView(view) {
  const { start, end, side } = span(view);
  const relative = side ? end - start : (end - start) / Math.max(Math.abs(start), Math.abs(end));
  const round = (x) => Number(x.toPrecision(clamp(Math.ceil(-Math.log10(relative)) + 4, 6, 17)));
  const [low, high] = [round(view.low), round(view.high)];
  return low < high && (view.scale === "linear" || low * high > 0) ? { ...view, low, high } : view;
}

/** The view with its width times `factor`; the number at `share` stays where it is. */
export function zoomed(view, factor, share = 0.5) {
  const { start, end, side } = span(view);
  const fixed = start * (1 - share) + end * share;
  return viewFrom({ start: fixed - (fixed - start) * factor, end: fixed + (end - fixed) * factor, side }, view.scale);
}

/** The view moved by a share of its width. */
export function panned(view, share) {
  const { start, end, side } = span(view);
  const by = (end - start) * share;
  return viewFrom({ start: start + by, end: end + by, side }, view.scale);
}

/** The view as wide as before, with a finite number in its middle; zero has no place on a log axis. */
export function centred(view, number) {
  if (view.scale === "linear") return panned(view, shareOf(number, view) - 0.5);
  if (number === 0) return { low: -1, high: 1, scale: "linear" };
  const { start, end } = span(view);
  const side = Math.sign(number), place = side * Math.log2(Math.abs(number));
  return viewFrom({ start: place - (end - start) / 2, end: place + (end - start) / 2, side }, view.scale);
}

/** The same stretch on the other scale; a log axis starts below the formats' smallest positive value instead of at zero. */
export function rescaled(view, formats) {
  if (view.scale === "log") return { ...view, scale: "linear" };
  if (view.low > 0 || view.high < 0) return { ...view, scale: "log" };
  const least = Math.min(...formats.map((fmt) => toNumber(valueOf(fmt.signed ? 1n : 0n, fmt))));
  const side = view.high > 0 ? 1 : -1;
  const far = side > 0 ? view.high : -view.low;
  const near = Math.max(Math.min(least, far) / 4, 2 ** LEAST_EXPONENT);
  const ends = [near, Math.max(far, near * 4)];
  return { low: side > 0 ? ends[0] : -ends[1], high: side > 0 ? ends[1] : -ends[0], scale: "log" };
}

/** A view must be drawable; throws RangeError naming what is wrong. */
export function checkView({ low, high, scale }) {
  if (scale !== "linear" && scale !== "log") throw new RangeError(`unknown scale '${scale}'; choose from linear, log`);
  if (!(Number.isFinite(low) && Number.isFinite(high) && low < high && Number.isFinite(high - low))) {
    throw new RangeError(`low ${low} must lie below high ${high}, both finite`);
  }
  if (scale === "log" && !(low > 0 || high < 0)) {
    throw new RangeError(`a log scale needs low and high on one side of zero, not ${low} and ${high}`);
  }
  return { low, high, scale };
}

// --- the axis --------------------------------------------------------------------------------------------------------

const SUPERSCRIPTS = Object.fromEntries([..."-0123456789"].map((digit, index) => [digit, "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"[index]]));
const power = (exponent) => "2" + [...String(exponent)].map((digit) => SUPERSCRIPTS[digit]).join("");

/** Round numbers to label a view with, as [{ x, text }]; labels of `size` pixels a character fit into `width` pixels. */
export function axisTicks(view, width, size = 7.5) {
  const { start, end, side } = span(view);
  const fits = (ticks) => ticks.reduce((sum, { text }) => sum + text.length * size + 20, 0) <= width;
  if (side && Math.floor(end) - Math.ceil(start) >= 2) {
    for (const step of [1, 2, 4, 5, 8, 10, 16, 20, 32, 50, 64, 100, 128, 200, 256, 500]) {
      const ticks = [];
      for (let place = Math.ceil(start / step) * step; place <= end; place += step) {
        ticks.push({ x: side * 2 ** (side * place), text: (side < 0 ? "−" : "") + power(side * place + 0) });
      }
      if (fits(ticks)) return ticks;
    }
  }
  for (let most = 10; most > 1; most--) {
    const ticks = roundNumbers(view, most);
    if (fits(ticks)) return ticks;
  }
  return roundNumbers(view, 1);
}

function roundNumbers({ low, high }, most) {
  const raw = high / most - low / most;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * ([1, 2, 5].find((times) => times * unit >= raw) ?? 10);
  const digits = clamp(Math.ceil(Math.log10(Math.max(Math.abs(low), Math.abs(high)) / step)) + 1, 1, 17);
  const ticks = [];
  for (let index = Math.ceil(low / step); index <= high / step && ticks.length < 20; index++) {
    const x = Number((index * step).toPrecision(digits));
    if (x >= low && x <= high) ticks.push({ x, text: plain(x) });
  }
  return ticks;
}

/** A short number for an axis or a sentence, with a true minus sign. */
export function plain(x) {
  const size = Math.abs(x);
  const text = size && (size >= 1e6 || size < 1e-4) ? x.toExponential() : String(x);
  return text.replace("e+", "e").replaceAll("-", "−");
}
