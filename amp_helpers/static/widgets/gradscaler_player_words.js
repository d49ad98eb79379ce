// What the GradScaler player says: scales as text, what the next step does, a line per step.

import { inverse, ruins, update } from "./scaler.js";

export const grouped = (n) => n.toLocaleString("en-US");
export const steps = (n) => `${grouped(n)} ${n === 1 ? "step" : "steps"}`;

const power = (x) => {
  const exponent = Math.round(Math.log2(x));
  return 2 ** exponent === x ? exponent : null;
};
const real = (n) => String(n).replace("-", "−");
const decimal = (x) => (x === 0 || (x >= 1e-3 && x < 1e9) ? String(Number(x.toPrecision(7))) : x.toExponential(3).replace("e+", "e").replace(/\.?0+e/, "e"));

/** A scale in full: "2^16 = 65536". */
export function scaleText(x) {
  if (Number.isNaN(x)) return "NaN";
  if (x === Infinity) return "infinity";
  const exponent = x > 0 ? power(x) : null;
  return exponent === null || (x >= 1 && x < 64) ? decimal(x) : `2^${real(exponent)} = ${decimal(x)}`;
}

/** A scale in short: "2^16", "0", "3.5". */
export const shortScale = (x) => scaleText(x).split(" = ")[0];

/** A setting as a reader may type it again. */
export const typed = (x) => (x >= 1024 && power(x) !== null ? `2^${power(x)}` : String(x));

const CLIFF = "1/scale is infinite in float32. The check for infs looks at the scaled gradients, which are finite; unscaling then turns " +
  "every 0 into NaN and everything else into infinity, and the optimizer writes them into the weights.";

/** What the next step does, in a sentence: { good, bad }, without and with an inf. */
export function outlook(state, { scale, tracker }) {
  const good = update({ scale, tracker }, false, state), bad = update({ scale, tracker }, true, state);
  let sentence;
  if (ruins(scale)) sentence = CLIFF;
  else {
    sentence = `Gradients are multiplied by 1/scale = ${shortScale(inverse(scale))} and the optimizer steps. The growth tracker goes from ${grouped(tracker)} to `;
    if (tracker + 1 !== state.growth_interval) sentence += `${grouped(good.tracker)}; the scale stays.`;
    else if (good.scale > scale) sentence += `${grouped(tracker + 1)}, which is the growth interval: the scale becomes ${scaleText(good.scale)} and the tracker 0.`;
    else sentence += "0, but the scale stays: one more growth would be infinite.";
    if (tracker + 1 > state.growth_interval) sentence += " It has passed the growth interval, and only equality lets the scale grow.";
  }
  const smaller = bad.scale < scale ? `The scale becomes ${scaleText(bad.scale)}` : `The scale stays ${scaleText(bad.scale)}`;
  return { good: sentence, bad: `The optimizer does not step. ${smaller} and the growth tracker 0.` };
}

/** What happened in step n: { found, did, kind }. */
export function stepWords({ used, found, ruined, trackers }, n) {
  const [before, after] = [used[n], used[n + 1]];
  const moved = after === before ? "scale stays" : `scale → ${shortScale(after)}`;
  if (found[n]) return { kind: "skipped", mark: "▼", did: `skipped, ${moved}` };
  if (ruins(before)) return { kind: "ruined", mark: "✕", did: n === ruined ? `weights ruined, ${moved}` : `stepped, ${moved}` };
  const grew = after > before && trackers[n + 1] === 0;
  return { kind: grew ? "grew" : "good", mark: grew ? "▲" : "→", did: `stepped, ${moved}` };
}

/** The one sentence about the whole run. */
export function verdict({ count, skipped, ruined, scale }) {
  if (ruined !== null) return `✕ Step ${grouped(ruined + 1)} wrote infinite or NaN weights: no later step can repair them.`;
  if (ruins(scale)) return "✕ Beyond the cliff: the next step without an inf ruins the weights.";
  if (scale < 1) return "▼ The scale is below 1: it makes gradients smaller. Something else is wrong with this run.";
  return count === 0 ? "Nothing has happened yet." : `${grouped(skipped)} of ${steps(count)} skipped.`;
}
