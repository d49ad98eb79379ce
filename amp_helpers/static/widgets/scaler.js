// torch.amp.GradScaler's rule, and the runs that the player plays: plain data and arithmetic, no page.
//
// A run is the settings and the steps, as text: "s20" twenty steps, "i" a step with an injected inf, "=128;" a step
// after which update(128.0) set the scale ("=128!;" if it also found an inf).

import { toNumber } from "./core.js";
import { parseNumber } from "./text.js";

export const MOST = 100_000; // steps
export const LONGEST = 20_000; // characters of steps, so that a state stays below 30 kB
export const LARGEST = 2 ** 128 - 2 ** 104; // of float32
export const DEFAULTS = {
  init_scale: 65536, growth_factor: 2, backoff_factor: 0.5, growth_interval: 2000, init_growth_tracker: 0, overflow_above: 0, steps: "",
};

const fail = (text) => {
  throw new RangeError(text);
};
const named = (value) => (typeof value === "string" ? `"${value.length > 40 ? value.slice(0, 40) + "…" : value}"` : String(JSON.stringify(value)).slice(0, 40));
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const whole = (value, low) => Number.isInteger(value) && value >= low && value <= 2 ** 31 - 1;
const RULES = {
  init_scale: [(x) => isNumber(x) && Math.fround(x) > 0 && x <= LARGEST, "a number above 0 that float32 holds"],
  growth_factor: [(x) => isNumber(x) && x > 1, "a number above 1"],
  backoff_factor: [(x) => isNumber(x) && x >= 0 && x < 1, "a number from 0 to below 1"],
  growth_interval: [(x) => whole(x, 1), "a whole number from 1 to 2147483647"],
  init_growth_tracker: [(x) => whole(x, 0), "a whole number from 0 to 2147483647"],
  overflow_above: [(x) => isNumber(x) && x >= 0, "0 (never) or a scale"],
};

/** The settings and steps that traits describe; throws RangeError naming what is wrong. */
export function readState(traits) {
  const all = { ...DEFAULTS, ...traits };
  for (const [name, [fits, wanted]] of Object.entries(RULES)) {
    if (!fits(all[name])) fail(`${name} must be ${wanted}, not ${named(all[name])}`);
  }
  return { ...Object.fromEntries(Object.keys(RULES).map((name) => [name, all[name]])), steps: writeSteps(parseSteps(all.steps)) };
}

/** A number as a reader types it (65536, 2^16, 1e4, 1/2); throws RangeError. */
export function readNumber(text) {
  const value = parseNumber(text);
  return value.kind === "finite" ? toNumber(value) : fail(`Type a finite number, not ${named(text.trim())}.`);
}

// --- steps as text --------------------------------------------------------------------------------------------------

const TOKEN = /([si])(\d*)|=(Infinity|NaN|[-+.\de]+)(!?);/gy;

/** [{ kind: "step" | "inf" | "set", count, value, found }] of a text of steps; throws RangeError. */
export function parseSteps(text) {
  if (typeof text !== "string") fail(`steps must be text such as "s20i", not ${named(text)}`);
  if (text.length > LONGEST) fail(`steps hold ${text.length} characters; ${LONGEST} at most`);
  const runs = [];
  TOKEN.lastIndex = 0;
  let total = 0;
  for (let place = 0; place < text.length; place = TOKEN.lastIndex) {
    const match = TOKEN.exec(text) ?? fail(`steps cannot be read at ${named(text.slice(place))}; write "s20" for twenty steps, "i" for an inf`);
    const [, letter, count, value, found] = match;
    if (value !== undefined && value !== "NaN" && Number.isNaN(Number(value))) fail(`steps set the scale to ${named(value)}, which is no number`);
    const run = letter ? { kind: letter === "s" ? "step" : "inf", count: count === "" ? 1 : Number(count) }
      : { kind: "set", count: 1, value: Math.fround(Number(value)), found: found === "!" };
    total += run.count;
    if (!(total <= MOST)) fail(`steps hold more than ${MOST} steps`);
    const last = runs.at(-1);
    if (last && last.kind === run.kind && run.kind !== "set") last.count += run.count;
    else if (run.count) runs.push(run);
  }
  return runs;
}

export const writeSteps = (runs) => runs.map(({ kind, count, value, found }) =>
  kind === "set" ? `=${value}${found ? "!" : ""};` : `${kind[0]}${count === 1 ? "" : count}`).join("");

export const countSteps = (steps) => parseSteps(steps).reduce((sum, { count }) => sum + count, 0);

// --- the rule -------------------------------------------------------------------------------------------------------

/** update(): the scale and the growth tracker after a step, as torch._amp_update_scale_ computes them. */
export function update({ scale, tracker }, found, { growth_factor, backoff_factor, growth_interval }) {
  if (found) return { scale: Math.fround(scale * backoff_factor), tracker: 0 };
  if (tracker + 1 !== growth_interval) return { scale, tracker: tracker + 1 };
  const grown = Math.fround(scale * growth_factor);
  return { scale: Number.isFinite(grown) ? grown : scale, tracker: 0 };
}

/** What unscale_ multiplies with: the reciprocal in float64, rounded to float32. */
export const inverse = (scale) => Math.fround(1 / scale);

/** Whether a step that finds no inf writes infinite or NaN weights at this scale: at 2^-128 and below. */
export const ruins = (scale) => inverse(scale) === Infinity;

/** Play a run from its start. `used[n]` is the scale in use in step n, `used[count]` the current one. */
export function play(state) {
  const runs = parseSteps(state.steps);
  const count = runs.reduce((sum, run) => sum + run.count, 0);
  const used = new Float64Array(count + 1), trackers = new Float64Array(count + 1), found = new Uint8Array(count);
  let now = { scale: Math.fround(state.init_scale), tracker: state.init_growth_tracker };
  let n = 0, skipped = 0, ruined = null;
  const grew = [];
  for (const run of runs) {
    for (let i = 0; i < run.count; i++, n++) {
      used[n] = now.scale;
      trackers[n] = now.tracker;
      const inf = run.kind === "set" ? run.found : run.kind === "inf" || (state.overflow_above > 0 && now.scale > state.overflow_above);
      found[n] = inf ? 1 : 0;
      skipped += found[n];
      if (!inf && ruined === null && ruins(now.scale)) ruined = n;
      const next = run.kind === "set" ? { ...now, scale: run.value } : update(now, inf, state);
      if (!inf && next.scale > now.scale) grew.push(n);
      now = next;
    }
  }
  used[n] = now.scale;
  trackers[n] = now.tracker;
  return { count, used, trackers, found, skipped, ruined, grew, scale: now.scale, tracker: now.tracker };
}

// --- recorded histories ---------------------------------------------------------------------------------------------

const SPECIAL = { Infinity: Infinity, NaN: NaN };
const KEYS = ["init_scale", "growth_factor", "backoff_factor", "growth_interval", "found_inf", "scale", "growth_tracker"];
const OPTIONAL = ["set_scale", "init_growth_tracker"];

/** The state of an exported history (LossScaler.export(), ScalerMonitor.export()); throws RangeError saying what is wrong. */
export function readHistory(text) {
  const data = parseJson(text);
  const missing = KEYS.filter((key) => !Object.hasOwn(data, key));
  if (missing.length) fail(`The history lacks ${missing.join(", ")}.`);
  const strange = Object.keys(data).filter((key) => !KEYS.includes(key) && !OPTIONAL.includes(key));
  if (strange.length) fail(`Unknown key ${named(strange[0])}; a history has ${[...KEYS, ...OPTIONAL].join(", ")}.`);
  const lists = KEYS.slice(4);
  for (const key of lists) if (!Array.isArray(data[key])) fail(`${key} must be a list, one entry per iteration.`);
  const lengths = lists.map((key) => data[key].length);
  if (new Set(lengths).size > 1) fail(`The lists differ in length: ${lists.map((key, i) => `${key} ${lengths[i]}`).join(", ")}.`);
  if (lengths[0] > MOST) fail(`The history holds ${lengths[0]} iterations; ${MOST} at most.`);
  const sets = readSets(data.set_scale, lengths[0]);
  const runs = data.found_inf.map((found, n) => {
    if (found !== 0 && found !== 1) fail(`found_inf[${n}] must be 0 or 1, not ${named(found)}.`);
    return sets.has(n) ? { kind: "set", count: 1, value: sets.get(n), found: found === 1 } : { kind: found ? "inf" : "step", count: 1 };
  });
  const steps = writeSteps(merge(runs));
  if (steps.length > LONGEST) fail("The history changes too often to be kept: export a part of it.");
  const settings = Object.fromEntries(KEYS.slice(0, 4).map((key) => [key, data[key]]));
  const state = readState({ ...settings, init_growth_tracker: data.init_growth_tracker ?? 0, overflow_above: 0, steps });
  compare(data, play(state));
  return state;
}

function parseJson(text) {
  if (!text.trim()) fail("Paste the text that json.dumps(scaler.export()) printed.");
  let data;
  try {
    data = JSON.parse(text);
  } catch (error) {
    fail(`This is not JSON (${error.message.slice(0, 80)}). Python prints it with json.dumps(scaler.export()).`);
  }
  if (data === null || typeof data !== "object" || Array.isArray(data)) fail(`A history is a JSON object in braces, not ${named(data)}.`);
  return data;
}

function readSets(sets = {}, length) {
  if (sets === null || typeof sets !== "object" || Array.isArray(sets)) fail("set_scale must be an object: iteration to scale.");
  return new Map(Object.entries(sets).map(([key, value]) => {
    if (!/^\d+$/.test(key) || Number(key) >= length) fail(`set_scale names iteration ${named(key)}, which the history does not have.`);
    return [Number(key), Math.fround(readScale(value, `set_scale[${key}]`))];
  }));
}

function readScale(value, where) {
  if (isNumber(value)) return value;
  return Object.hasOwn(SPECIAL, value) ? SPECIAL[value] : fail(`${where} must be a number, "Infinity" or "NaN", not ${named(value)}.`);
}

const merge = (runs) => runs.reduce((all, run) => {
  const last = all.at(-1);
  if (last && last.kind === run.kind && run.kind !== "set") last.count += 1;
  else all.push({ ...run });
  return all;
}, []);

/** The recorded scales must be those of the rule; the first that is not is named. */
function compare({ scale, growth_tracker }, played) {
  for (let n = 0; n < played.count; n++) {
    const recorded = readScale(scale[n], `scale[${n}]`);
    const [due, tracker] = [played.used[n + 1], played.trackers[n + 1]];
    if (!Object.is(recorded, due)) fail(`After iteration ${n} the history has scale ${recorded}; these settings give ${due}.`);
    if (growth_tracker[n] !== tracker) {
      fail(`After iteration ${n} the history has growth tracker ${named(growth_tracker[n])}; these settings give ${tracker}.`);
    }
  }
}
