// The rounding stepper: one number rounded to one format, step by step, in every mode; and by way of another format.

import { FORMATS } from "./core.js";
import { ALL_MODES, generator, isUp, plan } from "./rounding_plan.js";
import { STEPS, story } from "./rounding_words.js";
import { parseNumber } from "./text.js";
import { connect } from "./dom.js";
import { CSS } from "./rounding_stepper_style.js";
import { coinPanel, comparison, controls, decisions, narration, picture, presets, stepping, word } from "./rounding_stepper_parts.js";

const DEFAULTS = { value: "0.1", format: "float16", via: "", mode: "nearest_even", step: 1, seed: 0 };
const KEYS = Object.keys(DEFAULTS);
const LARGEST_SEED = 2 ** 32 - 1;

const choose = (what, value, choices) => {
  if (!choices.includes(value)) throw new RangeError(`unknown ${what} '${value}'; choose from ${choices.join(", ")}`);
  return value;
};

const whole = (what, value, low, high) => {
  if (Number.isInteger(value) && low <= value && value <= high) return value;
  throw new RangeError(`${what} must be an integer from ${low} to ${high}, not ${value}`);
};

export const lastStep = ({ via }) => (via ? STEPS.length : STEPS.length - 1);

/** The state that traits describe; throws RangeError naming what is wrong. */
export function readState(traits) {
  const { value, format, via, mode, step, seed } = { ...DEFAULTS, ...traits };
  const names = Object.keys(FORMATS);
  parseNumber(value);
  const state = {
    value: value.trim(),
    fmt: FORMATS[choose("format", format, names)],
    via: via ? FORMATS[choose("via", via, names)] : null,
    mode: choose("mode", mode, ALL_MODES),
    step: whole("step", step, 1, STEPS.length),
    seed: whole("seed", seed, 0, LARGEST_SEED),
  };
  return { ...state, step: Math.min(state.step, lastStep(state)) };
}

const writeState = ({ value, fmt, via, mode, step, seed }) => ({ value, format: fmt.name, via: via?.name ?? "", mode, step, seed });

/** The part of the address behind "#round=", and back. */
const address = {
  key: "round",
  write: (get) => [["format", "via", "mode", "step", "seed"].map(get).join(), encodeURIComponent(get("value"))].join(":"),
  read(text) {
    try {
      const [head, value] = text.split(":");
      const [format, via, mode, step, seed] = head.split(",");
      return writeState(readState({ value: decodeURIComponent(value), format, via, mode, step: Number(step), seed: Number(seed) }));
    } catch {
      return null; // an address may hold anything; what makes no sense is left alone
    }
  },
};

/** The coin of one state: the same seed gives the same tosses. */
export function makeCoin(seed) {
  const draw = generator(seed);
  const coin = { ups: 0, downs: 0, last: null };
  const toss = (rest) => {
    coin.last = isUp(draw(), rest);
    coin[coin.last ? "ups" : "downs"] += 1;
  };
  return { coin, toss };
}

/** What a reader can do; those who take text return what was wrong with it, or null. */
function actions(state, change, toss) {
  const attempt = (work) => {
    try {
      change(work());
      return null;
    } catch (error) {
      return error.message;
    }
  };
  const inRange = (next) => readState({ ...writeState({ ...state(), ...next }) });
  return {
    typed: (value) => attempt(() => inRange({ value })),
    seed: (seed) => attempt(() => inRange({ seed })),
    format: (name) => change({ fmt: FORMATS[name] }),
    via: (name) => change(inRange({ via: FORMATS[name] ?? null })),
    mode: (mode) => change({ mode }),
    step: (step) => change({ step: Math.min(Math.max(step, 1), lastStep(state())) }),
    preset: (traits) => change(readState({ ...DEFAULTS, step: state().step, ...traits })),
    toss,
  };
}

/** What the tosses of a coin are about; when it changes the counts start again. */
const coinKey = ({ value, fmt, seed }) => [value, fmt.name, seed].join("|");

function render({ model, el }) {
  const link = connect({ model, el, css: CSS, keys: KEYS, read: readState, adopt: set });
  let state = link.state;
  let purse = makeCoin(state.seed);
  function set(next) {
    if (coinKey(next) !== coinKey(state)) purse = makeCoin(next.seed);
    state = next;
    paint();
  }
  function change(next) {
    set({ ...state, ...next });
    link.write(writeState(state));
    model.save_changes();
  }
  function toss(times) {
    const { rest } = plan(parseNumber(state.value), state.fmt);
    for (let count = 0; count < times; count++) purse.toss(rest);
    paint();
  }
  const act = actions(() => state, change, toss);
  const parts = [controls, presets, stepping, picture, narration, decisions, coinPanel, word, comparison].map((part) => part({ act }));
  link.root.append(...parts.map((part) => part.node));
  link.root.setAttribute("aria-label", "Rounding stepper");
  function paint() {
    const told = { ...story(state, { ...purse.coin }), seed: state.seed, last: lastStep(state) };
    for (const part of parts) part.paint(told);
  }
  paint();
  return link.unmount;
}

export default { render, address };
