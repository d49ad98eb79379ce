// Swamping: add a small number again and again, in five accumulators side by side.

import { subtract, toNumber } from "./core.js";
import { KAHAN_FORMATS, LARGEST_SEED, MOST, accumulators, exactSum, roundCount, startRun } from "./swamping_math.js";
import { parseNumber } from "./text.js";
import { connect } from "./dom.js";
import { chart } from "./swamping_chart.js";
import { CSS } from "./swamping_style.js";
import { alignmentPanel, counter, headline, inputs, presets, results, spoken } from "./swamping_parts.js";

const DEFAULTS = { start: "1", addend: "1", count: 3000, kahan_format: "bfloat16", seed: 0 };
const KEYS = Object.keys(DEFAULTS);
const LARGEST = 1e30; // 100,000 additions of it still fit float32 and bfloat16

// --- state ----------------------------------------------------------------------------------------------------------

/** A typed start or addend, exactly; throws RangeError. */
export function readTerm(text) {
  const value = parseNumber(text);
  if (value.kind !== "finite" || Math.abs(toNumber(value)) > LARGEST) throw new RangeError("Type a number from -1e30 to 1e30.");
  return value;
}

const wholeUpTo = (value, most, name) => {
  if (Number.isInteger(value) && value >= 0 && value <= most) return value;
  throw new RangeError(`${name} must be a whole number from 0 to ${most}, not ${value}`);
};

/** The state that traits describe; throws RangeError naming what is wrong. */
export function readState(traits) {
  const all = { ...DEFAULTS, ...traits };
  if (!KAHAN_FORMATS.includes(all.kahan_format)) {
    throw new RangeError(`unknown kahan_format '${all.kahan_format}'; choose from ${KAHAN_FORMATS.join(", ")}`);
  }
  readTerm(all.start);
  readTerm(all.addend);
  return {
    start: all.start.trim(), addend: all.addend.trim(), kahan_format: all.kahan_format,
    count: wholeUpTo(all.count, MOST, "count"), seed: wholeUpTo(all.seed, LARGEST_SEED, "seed"),
  };
}

/** The five runs of a state, and what they are measured against. */
export function startAll({ start, addend, kahan_format, seed }) {
  const first = readTerm(start), small = readTerm(addend);
  const [from, by] = [toNumber(first), toNumber(small)]; // as torch.tensor reads them: a float64, then rounded
  const runs = accumulators(kahan_format).map((one) => ({ ...one, run: startRun(one, from, by, seed) }));
  return { runs, small, exactly: (n) => exactSum(first, small, n), exact: (n) => from + n * by, subtract };
}

/** The part of the address behind "#sum=", and back. */
const address = {
  key: "sum",
  write: (get) => KEYS.map((key) => encodeURIComponent(get(key))).join(":"),
  read(text) {
    try {
      const [start, addend, count, kahan_format, seed] = text.split(":").map(decodeURIComponent);
      return readState({ start, addend, count: Number(count || NaN), kahan_format, seed: Number(seed || NaN) });
    } catch {
      return null; // an address may hold anything; what makes no sense is left alone
    }
  },
};

// --- running --------------------------------------------------------------------------------------------------------

/** Raise the count by itself: smoothly, or once a second to the next round count where motion is unwelcome. */
function runner({ state, change, save }) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let timer = null, saved = 0;
  function tick() {
    const { count } = state();
    const next = calm.matches ? roundCount(count + 1) : count + Math.max(1, Math.floor(count * 0.03));
    change({ count: Math.min(MOST, next) });
    if (next >= MOST) return stop();
    if (Date.now() - saved > 500) { // a kernel and an address need not follow every step
      save();
      saved = Date.now();
    }
    wait();
  }
  const wait = () => (timer = setTimeout(tick, calm.matches ? 1000 : 50));
  function stop() {
    if (timer === null) return;
    clearTimeout(timer);
    timer = null;
    save();
    change({});
  }
  return {
    stop,
    running: () => timer !== null,
    toggle() {
      if (timer !== null) return stop();
      if (state().count < MOST) wait();
      change({});
    },
  };
}

// --- the widget -----------------------------------------------------------------------------------------------------

function render({ model, el }) {
  const link = connect({ model, el, css: CSS, keys: KEYS, read: readState, adopt: show });
  const initial = link.state;
  let state = initial, all = startAll(state), selected = "bfloat16";
  function show(next) {
    const same = ["start", "addend", "kahan_format", "seed"].every((key) => next[key] === state[key]);
    state = next;
    if (!same) all = startAll(state);
    paint();
  }
  function change(next) {
    show({ ...state, ...next });
    link.write(state);
  }
  const run = runner({ state: () => state, change, save: () => model.save_changes() });
  const settle = (next) => {
    run.stop();
    change(next);
    model.save_changes();
  };
  const attempt = (next) => {
    try {
      readState({ ...state, ...next });
    } catch (error) {
      return error.message;
    }
    settle(next);
    return null;
  };
  const act = {
    set: attempt,
    add: (more) => settle({ count: Math.min(MOST, state.count + more) }),
    reset: () => settle(initial),
    toggle: run.toggle,
    select(id) {
      selected = id;
      paint();
    },
  };
  const parts = [presets, inputs, headline, counter, chart, results, alignmentPanel, spoken].map((part) => part({ act }));
  link.root.append(...parts.map((part) => part.node));
  link.root.setAttribute("aria-label", "Swamping");
  const paint = () => parts.forEach((part) => part.paint({ ...state, ...all, selected, running: run.running() }));
  paint();
  return () => {
    run.stop();
    parts.forEach((part) => part.unmount?.());
    link.unmount();
  };
}

export default { render, address };
