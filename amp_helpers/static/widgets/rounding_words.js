// What the rounding stepper says at each step, true for every number, format and mode.

import { classify, decode, divide, floorLog2, scaled, subtract, toNumber } from "./core.js";
import { ALL_MODES, binaryDigits, compare, exception, finish, fractionLength, fractionOf, goesUp, plan, roundOnce } from "./rounding_plan.js";
import { brief, parseNumber, readable } from "./text.js";

export const STEPS = ["Number", "Cut", "Rest", "Decide", "Result", "Compare"];

export const RULES = {
  nearest_even: "To the nearer neighbour; a tie goes to the one whose last bit is 0.",
  nearest_away: "To the nearer neighbour; a tie goes away from zero.",
  toward_zero: "Always down: the rest is dropped.",
  toward_positive: "To the larger neighbour: up for positive numbers, down for negative ones.",
  toward_negative: "To the smaller neighbour: down for positive numbers, up for negative ones.",
  stochastic: "A coin decides: up with probability rest / ulp.",
};

export const shortened = (text) => (text.length > 40 ? text.slice(0, 40) + "…" : text);

const some = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
const power = (exponent) => `2^${exponent}`;

/** A probability or share as a percentage, four digits. */
export function percent(ratio) {
  const exact = 100 * toNumber(ratio);
  if (exact === 0 && ratio.num) return "almost 0 %";
  if (exact > 99.99 && ratio.num < ratio.den) return "just under 100 %";
  return `${exact < 1e-4 && exact > 0 ? exact.toExponential(1) : Number(exact.toPrecision(4))} %`;
}

/** Everything about one state that the page shows. `coin` is { ups, downs, last }; last is true, false or null. */
export function story({ value, fmt, via, mode, step }, coin) {
  const x = parseNumber(value);
  const special = exception(x, fmt);
  const cut = special ? null : plan(x, fmt);
  const decisions = cut && Object.fromEntries(ALL_MODES.map((name) => [name, goesUp(cut, name)]));
  let up = cut ? decisions[mode] : false;
  if (cut && up === null && coin.last !== null) up = coin.last;
  let end = "stored", result = null;
  if (special) result = roundOnce(x, fmt, mode === "stochastic" ? "nearest_even" : mode);
  else if (up !== null || cut.raised) {
    const ending = finish(cut, fmt, mode, up);
    end = ending.end;
    result = { code: ending.code, value: decode(ending.code, fmt) };
  }
  const twice = via && mode !== "stochastic" ? compare(x, fmt, via, mode) : null;
  const all = { value, fmt, via, mode, step, x, special, cut, decisions, up, end, result, twice, coin };
  return { ...all, sentence: [number, kept, leftOver, decision, outcome, verdict][step - 1](all) };
}

function nothing({ special, fmt, x, result }) {
  switch (special) {
    case "nan":
      return fmt.has_nan ? "NaN is not rounded: it stays NaN." : `${fmt.name} has no NaN: it cannot hold this.`;
    case "unsigned":
      return `${fmt.name} has neither a sign nor zero: the result is NaN.`;
    case "infinity":
      if (fmt.has_infinity) return "Infinity is not rounded: it stays infinity.";
      return fmt.has_nan ? `${fmt.name} has no infinity: the result is NaN.`
        : `${fmt.name} has neither infinity nor NaN: the result is its largest value, ${readable(result.value)}.`;
    default:
      return x.sign && !fmt.has_negative_zero ? `Zero needs no rounding; ${fmt.name} has no negative zero.` : "Zero needs no rounding.";
  }
}

function number(all) {
  const { value, x, cut } = all;
  if (all.special) return nothing(all);
  const length = fractionLength(x);
  const behind = length === null ? "its digits never end" : `${length ? some(length, "digit") : "nothing"} behind it`;
  return `In binary, ${shortened(value)} has its leading 1 at ${power(cut.own)}, and ${behind}.${sum(x, cut.own, length)}`;
}

/** A number of two to four ones as a sum of powers of two. */
function sum(x, own, length) {
  const { digits, ended } = binaryDigits(fractionOf(x, own), 64);
  const places = [own, ...[...digits].flatMap((digit, index) => (digit === "1" ? [own - index - 1] : []))];
  if (!length || !ended || places.length > 4) return "";
  return ` ${x.sign ? "Without its sign it" : "It"} is ${places.map((place) => (place ? power(place) : "1")).join(" + ")}.`;
}

function kept(all) {
  const { fmt, cut } = all;
  if (all.special) return nothing(all);
  const unit = `1 ulp, the last bit kept, is worth ${power(cut.quantum)}.`;
  const bits = fmt.significand_bits;
  if (cut.raised) return `${fmt.name} ends at ${power(fmt.min_exponent)} and has no zero.`;
  if (cut.own < fmt.min_exponent) {
    return `${fmt.name}'s exponent stops at ${fmt.min_exponent}, so the number is written with that exponent and zeros in front: ` +
      `it is subnormal. ${some(bits, "fraction bit")} are kept. ${unit}`;
  }
  const fraction = bits ? `the leading 1 and ${some(bits, "fraction bit")}` : "the leading 1 and no fraction";
  return `${fmt.name} keeps ${fraction}. ${unit}`;
}

/** nothing, less, half or more: the rest against half an ulp. */
export function size({ rest }) {
  if (rest.num === 0n) return "nothing";
  if (2n * rest.num === rest.den) return "half";
  return 2n * rest.num < rest.den ? "less" : "more";
}

const SIZES = { less: "less than half an ulp", half: "exactly half an ulp, a tie", more: "more than half an ulp" };

/** The rest in ulps, three digits, never on the wrong side of a half or of one. */
export function restText(cut) {
  const text = brief(cut.rest).replace("+", "");
  if (text === "1") return "just under 1";
  if (toNumber(cut.rest) === 0) return "just over 0";
  return text === "0.5" && size(cut) !== "half" ? `just ${size(cut) === "more" ? "over" : "under"} 0.5` : text;
}

function leftOver(all) {
  const { cut } = all;
  if (all.special) return nothing(all);
  if (size(cut) === "nothing") return "Guard, round and sticky are 0: nothing is left over, the number is a value of the format.";
  const { guard, round, sticky } = cut;
  return `Of what is left over, the first bit is the guard bit, ${guard}, and the second the round bit, ${round}. The sticky bit is ${sticky}: ` +
    `${sticky ? "some" : "no"} later bit is 1. The rest is ${restText(cut)} ulp, ${SIZES[size(cut)]}.`;
}

const parity = ({ cut, fmt }) => {
  const odd = cut.lower % 2n !== 0n;
  return fmt.significand_bits ? `the last kept bit is ${odd ? "1, odd" : "0, even"}` : `the exponent code is ${odd ? "odd" : "even"}`;
};

function decision(all) {
  const { cut, mode, fmt, up } = all;
  if (all.special) return nothing(all);
  if (cut.raised) return `The number is below the smallest value of ${fmt.name}, which has no zero: every mode goes to the smallest value.`;
  if (size(cut) === "nothing") return "Nothing is left over, so every mode keeps the value.";
  const way = up ? "up" : "down";
  switch (mode) {
    case "nearest_even":
      if (size(cut) === "half") return `A tie, and ${parity(all)}: ${mode} goes ${way}.`;
      return `Guard is ${cut.guard}, so the rest is ${SIZES[size(cut)]}: ${mode} goes ${way}.`;
    case "nearest_away":
      return size(cut) === "half" ? `A tie: ${mode} goes up, away from zero.` : `Guard is ${cut.guard}, so the rest is ${SIZES[size(cut)]}: ${mode} goes ${way}.`;
    case "toward_zero":
      return `${mode} drops the rest, whatever it is: down.`;
    case "stochastic": {
      const { last, ups, downs } = all.coin;
      const tossed = last === null ? "Toss the coin." : `Toss ${ups + downs}: ${last ? "up" : "down"}.`;
      return `${mode} goes up with probability rest / ulp = ${percent(cut.rest)}. ${tossed}`;
    }
    default:
      return `Something is left over and the number is ${cut.sign ? "negative" : "positive"}: ${mode} goes ${way}.`;
  }
}

const written = (count, fmt) => {
  const digits = count.toString(2).padStart(fmt.significand_bits + 1, "0");
  const whole = digits.slice(0, digits.length - fmt.significand_bits);
  return fmt.significand_bits ? `${whole}.${digits.slice(-fmt.significand_bits)}` : whole;
};

function addition({ cut, fmt, up, end }) {
  const before = written(cut.count, fmt), after = written(cut.count + 1n, fmt);
  const bits = BigInt(fmt.significand_bits);
  if (size(cut) === "nothing") return `${before} is kept as it is.`;
  if (!up) return `The rest is dropped: ${before} stays.`;
  if (cut.count + 1n === 2n << bits) {
    const moved = end === "stored" ? ` into the exponent: ${power(cut.exponent)} becomes ${power(cut.exponent + 1)}` : " past the leading bit";
    return `One ulp more than ${before} is ${after}: the carry moves${moved}.`;
  }
  if (cut.kept[0] === "0" && cut.count + 1n === 1n << bits) {
    return `One ulp more than ${before} is ${after}: the carry reaches the leading bit, the smallest normal number.`;
  }
  return `One ulp more than ${before} is ${after}.`;
}

function ending({ fmt, end, result, mode, cut }) {
  const largest = `the largest value, ${readable(decode(fmt.max_code, fmt))}`;
  switch (end) {
    case "stopped": return `Beyond ${largest}: ${mode} stops there.`;
    case "infinity": return `Beyond ${largest}: overflow to ${cut.sign ? "negative " : ""}infinity.`;
    case "nan": return `Beyond ${largest}: overflow, and since there is no infinity, NaN.`;
    case "largest": return `Beyond ${largest}, and there is neither infinity nor NaN: the largest value.`;
  }
  const kind = classify(result.code, fmt);
  if (kind === "zero") return cut.sign && !fmt.has_negative_zero ? "It underflows to zero, which has no sign here." : "It underflows to zero.";
  return kind === "subnormal" ? "The result is subnormal: no leading 1." : "";
}

/** The result against the number, in ulps of the place where it was cut. */
export function error({ cut, result, x }) {
  if (!cut || result?.value.kind !== "finite") return "";
  const difference = subtract(result.value, x);
  if (difference.num === 0n) return "exactly the number";
  const ulps = brief(divide({ ...difference, sign: 0 }, scaled(0, 1n, cut.quantum))).slice(1);
  return `${ulps} ulp ${difference.sign ? "below" : "above"} the number`;
}

function outcome(all) {
  const { fmt, cut, result, coin } = all;
  if (all.special) return nothing(all);
  if (cut.raised) return `There is no zero: the result is the smallest value, ${power(floorLog2(result.value))}.`;
  if (!result) return `Toss the coin: up with probability ${percent(cut.rest)}, else down.`;
  const start = all.mode === "stochastic" && coin.last !== null && cut.rest.num ? `Toss ${coin.ups + coin.downs}: ${coin.last ? "up" : "down"}. ` : "";
  return `${start}${addition(all)} ${ending(all)}`.trim();
}

export const shown = ({ code, value }) => (code === null ? "no NaN to hold it" : readable(value));

function verdict({ fmt, via, twice }) {
  if (!twice) return "A coin has no one result to compare: choose another rounding mode.";
  const { once, twice: second, differ, madeTie } = twice;
  if (!differ) return `Once or twice, the result is the same: ${shown(once)}.`;
  const why = madeTie ? ` The first rounding, to ${via.name}, made a tie where there was none.` : "";
  return `Rounded once to ${fmt.name}: ${shown(once)}. By way of ${via.name}: ${shown(second)}. They differ.${why}`;
}
