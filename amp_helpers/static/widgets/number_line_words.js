// What the number line says: modes, verdicts, counts and the sentence that a screen reader hears.

import { classify, isZero, toNumber } from "./core.js";
import { lowest, highest, plain, tidyView, valueOf } from "./number_line_math.js";
import { brief, readable } from "./text.js";

export const MODE_WORDS = {
  nearest_even: "to nearest, ties to even",
  nearest_away: "to nearest, ties away from zero",
  toward_zero: "toward zero",
  toward_positive: "toward +infinity",
  toward_negative: "toward −infinity",
};

const signed = (x) => (isZero(x) ? "0" : brief(x).replace(/^-/, "−"));
const short = (text) => (text.length > 40 ? text.slice(0, 40) + "…" : text);

/** A stored value for the table. */
export const storedText = (result) => (result.code === null ? "–" : readable(result.stored));

export const errorText = ({ error }) => (error ? signed(error) : "–");

export const ulpText = ({ ulps }) => (ulps ? signed(ulps) : "–");

/** What happened, in a few words; a tie says which two values it lies between. */
export function verdict(result, x, fmt) {
  const { kind, stored, code, tie } = result;
  if (code === null) return "no NaN to hold it";
  if (kind === "none") return fmt.signed ? (x.kind === "infinity" ? "no infinity: NaN" : "overflow to NaN") : unsigned(x);
  if (kind === "overflow") return stored.sign ? "overflow to −infinity" : "overflow to infinity";
  if (kind === "saturated") return stored.sign ? "held at the lowest value" : "held at the largest value";
  if (kind === "exact") return classify(code, fmt) === "subnormal" ? "exact, subnormal" : "exact";
  const way = result.error.sign ? "down" : "up";
  const what = kind === "underflow" ? "underflow to 0" : `rounded ${way}`;
  const between = tie && tieText(tie, fmt);
  return [what, classify(code, fmt) === "subnormal" && "subnormal", between].filter(Boolean).join(", ");
}

function unsigned(x) {
  if (x.kind === "infinity") return x.sign ? "no sign: NaN" : "no infinity: NaN";
  if (x.num === 0n) return "no zero: NaN";
  return x.sign ? "no sign: NaN" : "overflow to NaN";
}

function tieText([below, above], fmt) {
  if (below < lowest(fmt) || above > highest(fmt)) return "a tie with overflow";
  return `a tie of ${readable(valueOf(below, fmt))} and ${readable(valueOf(above, fmt))}`;
}

/** How many values a view holds. */
export function countText(count) {
  if (count === 1n) return "1 value";
  if (count < 100_000n) return `${count.toString().replace(/\B(?=(\d{3})+$)/g, " ")} values`;
  return `about ${Number(count).toExponential(1).replace("e+", "e")} values`;
}

export function viewText(view) {
  const { low, high, scale } = tidyView(view);
  return `${plain(low)} to ${plain(high)}, ${scale} scale`;
}

/** The sentence that a screen reader hears after a change. */
export function summary({ view, probe, exact, mode }, results) {
  const seen = `View ${viewText(view)}.`;
  if (!exact) return `${seen} No probe.`;
  const each = results.map(({ fmt, result }) => `${fmt.name}: ${storedText(result)}, ${verdict(result, exact, fmt)}`);
  return `${seen} Probe ${short(probe)}, rounded ${MODE_WORDS[mode]}. ${each.join("; ")}.`;
}

/** What a format makes of a number beyond its largest value, for the label of that zone. */
export const beyondText = (fmt) => (fmt.has_infinity ? "overflow: infinity" : fmt.has_nan ? "overflow: NaN" : "held at the largest");

/** A probe's number for the axis; NaN if it has no place there. */
export const placeOf = (exact) => (exact && exact.kind === "finite" ? toNumber(exact) : NaN);
