// What the underflow explorer says: shares, scales and verdicts as text.

import { SLIDER } from "./gradient_counts.js";

export const MARKS = { zero: "∅", subnormal: "◔", normal: "●", infinite: "∞" };
export const TITLES = { float16: "float16", bfloat16: "bfloat16", float8_e5m2: "float8_e5m2", float8_e4m3fn: "float8_e4m3fn" };

export const grouped = (n) => n.toLocaleString("en-US");
const real = (n) => String(n).replace("-", "−");

/** count / total in percent; 0 and 100 only where that is exact. */
export function percent(count, total) {
  if (!count) return "0 %";
  if (count === total) return "100 %";
  const share = (100 * count) / total;
  if (share < 0.01) return "< 0.01 %";
  if (share > 99.99) return "> 99.99 %";
  return `${share >= 99 ? share.toFixed(2) : Number(share.toPrecision(share < 10 ? 2 : 3))} %`;
}

export const power = (k) => `2^${real(k)}`;
export const scaleText = (k) => (k === 0 ? "1" : k > 30 || k < 0 ? power(k) : `${power(k)} = ${grouped(2 ** k)}`);

/** A safe or useful scale; `null` is none. */
export const limitText = (k) => (k === null ? "none" : power(k));

/** Where a limit lies on the slider: "inside", "left" or "right" of it. */
export const side = (k) => (k < SLIDER.low ? "left" : k > SLIDER.high ? "right" : "inside");

/** The verdict on a whole model: what the current scale does, and which scales would do. */
export function verdict({ format, counts, safe, useful, bad, missing }) {
  const said = [];
  const overflow = format === "float8_e4m3fn" ? "become NaN, for this format has no infinity" : "become infinite";
  if (bad) said.push(`${grouped(bad)} gradients are infinite or NaN before any scaling: no loss scale helps.`);
  else if (counts.infinite) said.push(`${percent(counts.infinite, counts.total)} of the gradients ${overflow}: GradScaler would skip this step and halve the scale.`);
  else said.push("No gradient becomes infinite: GradScaler would take this step.");
  if (!bad) said.push(rangeText(safe, useful, format));
  if (missing) said.push(`${grouped(missing)} ${missing === 1 ? "parameter has" : "parameters have"} no gradient.`);
  return said.join(" ");
}

/** Which scales keep all but 0.1 % from zero and none from being finite. */
export function rangeText(safe, useful, format) {
  if (useful === null || safe === null || useful > safe) {
    return `No single scale keeps 99.9 % of the gradients above zero in ${format} without making some infinite.`;
  }
  return `Scales from ${power(useful)} to ${power(safe)} lose at most 0.1 % of the gradients to zero, and none to infinity.`;
}
