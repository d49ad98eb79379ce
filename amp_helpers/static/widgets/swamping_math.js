// Adding the same number again and again in a narrow format: the arithmetic of the swamping widget.
//
// Sums are JavaScript numbers, so that 100,000 additions take milliseconds. That is exact enough to be right: a float64
// sum of two values of a format with p <= 24 digits, rounded once more to the nearest, is the correctly rounded sum,
// because 53 >= 2p + 2 (Figueroa 1995). tests/js/swamping.test.mjs compares every sum with exact fractions.

import { FORMATS, decode, finite, toNumber } from "./core.js";

export const MOST = 100000; // additions
export const KAHAN_FORMATS = ["bfloat16", "float16"];
export const LARGEST_SEED = 2 ** 32 - 1;

/** The five accumulators, in the order of the table; `id` names them apart. */
export const accumulators = (kahanFormat) => [
  { id: "float32", format: "float32", method: "nearest", name: "float32" },
  { id: "bfloat16", format: "bfloat16", method: "nearest", name: "bfloat16" },
  { id: "float16", format: "float16", method: "nearest", name: "float16" },
  { id: "kahan", format: kahanFormat, method: "kahan", name: `${kahanFormat}, Kahan` },
  { id: "stochastic", format: "bfloat16", method: "stochastic", name: "bfloat16, stochastic" },
];

const view = new DataView(new ArrayBuffer(8));

/** floor(log2(|x|)), held at the smallest normal exponent of the format. */
export function exponentOf(x, fmt) {
  view.setFloat64(0, x);
  return Math.max(((view.getUint16(0) >> 4) & 0x7ff) - 1023, fmt.min_exponent);
}

/** The exponent of the last place that the format keeps of x. */
export const lastPlace = (x, fmt) => exponentOf(x, fmt) - fmt.significand_bits;

const WHOLE = 1.5 * 2 ** 52; // added and taken off again, it leaves a whole number, ties to even

/** x rounded to the nearest value of the format, ties to even; infinite beyond the largest. */
export function nearest(x, fmt, largest) {
  const ulp = 2 ** lastPlace(x, fmt);
  const rounded = (x / ulp + WHOLE - WHOLE) * ulp;
  return Math.abs(rounded) > largest ? Math.sign(x) * Infinity : rounded;
}

/** A number from 0 up to but not 1 for a seed and a step, the same in any order: murmur3's finalizer over a counter. */
export const draw = (seed, step) => mixed((mixed(seed) + Math.imul(step, 0x9e3779b9)) >>> 0) / 2 ** 32;

function mixed(word) {
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return (word ^ (word >>> 16)) >>> 0;
}

/** How many ulps lie between x and the next value of the format below it: 0 up to but not 1. */
export function overhang(x, fmt) {
  const count = x / 2 ** lastPlace(x, fmt);
  return count - Math.floor(count);
}

/** x rounded up with a probability equal to its overhang. */
export function stochastic(x, fmt, largest, random) {
  if (!Number.isFinite(x)) return x;
  const ulp = 2 ** lastPlace(x, fmt);
  const rounded = (Math.floor(x / ulp) + (random < overhang(x, fmt))) * ulp;
  return Math.abs(rounded) > largest ? Math.sign(x) * Infinity : rounded;
}

/**
 * One accumulator's sums, worked out as far as they are asked for.
 *
 * at(n) is the sum after n additions and owed(n) Kahan's compensation: what the sum still lacks. `stuck(n)` is the
 * first step from which on nothing changes any more, if that is n or before, else null.
 */
export function startRun({ format, method }, start, addend, seed) {
  const fmt = FORMATS[format];
  const largest = toNumber(decode(fmt.max_code, fmt));
  const round = (x) => nearest(x, fmt, largest);
  const small = round(addend);
  const sums = [round(start)], compensations = [0];
  let stuck = null;
  function step() {
    const n = sums.length - 1, sum = sums[n], before = compensations[n];
    let next, after = 0, settled = true;
    if (method === "kahan") {
      const corrected = round(small - before);
      next = round(sum + corrected);
      after = round(round(next - sum) - corrected);
    } else if (method === "stochastic") {
      next = stochastic(sum + small, fmt, largest, draw(seed, n));
      settled = !Number.isFinite(next) || overhang(sum + small, fmt) === 0; // else another draw may move it
    } else next = round(sum + small);
    if (settled && Object.is(next, sum) && Object.is(after, before)) stuck = n;
    else {
      sums.push(next);
      compensations.push(after);
    }
  }
  const reach = (n) => {
    while (stuck === null && sums.length < n + 2) step();
    return Math.min(n, sums.length - 1);
  };
  return {
    fmt, method, seed, addend: small,
    at: (n) => sums[reach(n)],
    owed: (n) => -compensations[reach(n)],
    stuck: (n) => (reach(n), stuck !== null && stuck <= n ? stuck : null),
  };
}

/** start + n * addend, exactly; both are exact numbers. */
export function exactSum(start, addend, n) {
  const signed = (x) => (x.sign ? -x.num : x.num);
  const num = signed(start) * addend.den + BigInt(n) * signed(addend) * start.den;
  return finite(num < 0n ? 1 : 0, num < 0n ? -num : num, start.den * addend.den);
}

/** What the next addition does: the addends, the rounded result, and how much of the small one fits. */
export function nextStep(run, n) {
  const { fmt, method, addend, seed } = run;
  const sum = run.at(n), result = run.at(n + 1), owed = run.owed(n);
  const largest = toNumber(decode(fmt.max_code, fmt));
  const added = method === "kahan" ? nearest(addend + owed, fmt, largest) : addend;
  const whole = sum + added;
  const place = lastPlace(whole, fmt);
  return {
    fmt, method, sum, addend, owed, added, result, place, ulps: Math.abs(added) / 2 ** place,
    chance: method === "stochastic" ? overhang(whole, fmt) : null,
    random: method === "stochastic" ? draw(seed, n) : null,
    exact: result - sum === added && result - added === sum, // result === whole would miss what float64 itself drops
  };
}

const EMPTY_RUN = 3; // more empty places than this between the two numbers are drawn as one gap

/** The significands of a step below one another: columns { place, sum, added, result, falls } and one { gap } at most. */
export function alignment({ fmt, sum, added, result, place }) {
  const rows = { sum, added, result };
  const known = Object.entries(rows).filter(([, x]) => Number.isFinite(x) && x !== 0);
  const extent = Object.fromEntries(known.map(([key, x]) => [key, [exponentOf(x, fmt), lastPlace(x, fmt)]]));
  const tops = Object.values(extent).map(([top]) => top), ends = Object.values(extent).map(([, end]) => end);
  const top = Math.max(place, ...tops), end = Math.min(place, ...ends);
  const digit = (key, at) => {
    const [from, to] = extent[key] ?? [];
    return from >= at && at >= to ? String(Math.floor(Math.abs(rows[key]) / 2 ** at) % 2) : "";
  };
  const columns = [];
  for (let at = top; at >= end; at--) {
    const column = { place: at, sum: digit("sum", at), added: digit("added", at), result: digit("result", at), falls: at < place };
    const empty = !column.sum && !column.added && !column.result;
    if (empty && columns.at(-1)?.gap) columns.at(-1).gap += 1;
    else columns.push(empty ? { gap: 1, falls: column.falls } : column);
  }
  return columns.flatMap((column) => (column.gap && column.gap <= EMPTY_RUN
    ? Array.from({ length: column.gap }, () => ({ sum: "", added: "", result: "", falls: column.falls })) : [column]));
}

/** What became of an accumulator after n additions: { kind: "moves" | "stuck" | "infinite" | "nan", since }. */
export function fate(run, n) {
  const sum = run.at(n), since = run.stuck(n);
  if (Number.isNaN(sum)) return { kind: "nan", since };
  if (!Number.isFinite(sum)) return { kind: "infinite", since };
  return { kind: since === null ? "moves" : "stuck", since };
}

// --- the slider's stops and the chart's steps ----------------------------------------------------------------------

/** Counts that the slider stops at: every one up to 100, then a hundredth of the next power of ten apart. */
export const STOPS = [...Array(101).keys()];
for (let unit = 10; unit <= MOST / 100; unit *= 10) {
  for (let count = 11 * unit; count <= 100 * unit; count += unit) STOPS.push(count);
}

/** The position of the stop nearest to a count. */
export function stopFor(count) {
  const above = STOPS.findIndex((stop) => stop >= count);
  return above > 0 && count - STOPS[above - 1] < STOPS[above] - count ? above - 1 : above;
}

/** The next of 1, 2, 5, 10, 20 ... at or above x. */
export function roundCount(x) {
  const unit = 10 ** Math.floor(Math.log10(Math.max(1, x)));
  return [1, 2, 5, 10].map((factor) => factor * unit).find((size) => size >= x);
}

/** At most `most` increasing counts from 0 to `last`, evenly spread on a linear or logarithmic axis. */
export function sampleSteps(last, most, logarithmic) {
  const counts = new Set();
  for (let i = 0; i <= most; i++) {
    const share = i / most;
    counts.add(Math.round(logarithmic ? Math.expm1(share * Math.log1p(last)) : share * last));
  }
  return [...counts];
}
