// The underflow explorer: which gradients become zero, subnormal or infinite at a loss scale, format by format and layer by layer.

import { NAMES, SLIDER, countAt, largestSafe, readHistograms, smallestUseful, wholeModel } from "./gradient_counts.js";
import { RECORDED } from "./recorded_gradients.js";
import { connect } from "./dom.js";
import { spoken } from "./form.js";
import { chart } from "./underflow_explorer_chart.js";
import { CSS } from "./underflow_explorer_style.js";
import { formats, headline, layers, paste, sentence, slider, source } from "./underflow_explorer_parts.js";

const DEFAULTS = { recording: "gpt_trained", scale_exponent: 0, format: "float16", group: "", histogram: "" };
const KEYS = ["recording", "scale_exponent", "format", "group"]; // what the page may change

const choose = (name, value, choices) => {
  if (!choices.includes(value)) throw new RangeError(`unknown ${name} '${value}'; choose from ${choices.join(", ")}`);
};

/** The state that traits describe, with its data; throws RangeError naming what is wrong. `own` is a report that was pasted. */
export function readState(traits, own = null) {
  const all = { ...DEFAULTS, ...traits };
  choose("recording", all.recording, Object.keys(RECORDED));
  choose("format", all.format, NAMES);
  const { scale_exponent: k } = all;
  if (!Number.isInteger(k) || k < SLIDER.low || k > SLIDER.high) {
    throw new RangeError(`scale_exponent must be a whole number from ${SLIDER.low} to ${SLIDER.high}, not ${k}`);
  }
  const given = all.histogram === "" ? null : readHistograms(all.histogram);
  const data = own ?? given ?? { missing: [], ...RECORDED[all.recording] };
  const names = data.groups.map(({ name }) => name);
  if (all.group !== "") choose("group", all.group, names);
  const whole = wholeModel(data);
  return { ...Object.fromEntries(KEYS.map((key) => [key, all[key]])), histogram: all.histogram, data, whole, pasted: Boolean(own ?? given) };
}

/** What the parts paint: the state, and the counts of the whole model and of the chosen group. */
export function lookAt(state) {
  const { data, whole, format, scale_exponent } = state;
  return {
    ...state,
    edges: data.edges,
    group: state.group === "" ? whole : data.groups.find(({ name }) => name === state.group),
    counts: countAt(whole, scale_exponent, data.edges, format),
    safe: largestSafe(whole, data.edges, format),
    useful: smallestUseful(whole, data.edges, format),
  };
}

/** The part of the address behind "#underflow=", and back. Gradients of the reader's own are never in it. */
const address = {
  key: "underflow",
  write: (get) => KEYS.map((key) => encodeURIComponent(get(key) ?? DEFAULTS[key])).join(":"),
  read(text) {
    try {
      const [recording, scale, format, group, ...rest] = text.split(":").map(decodeURIComponent);
      if (rest.length || scale.trim() === "") return null;
      const { data, whole, pasted, histogram, ...traits } = readState({ recording, scale_exponent: Number(scale), format, group });
      return traits;
    } catch {
      return null; // an address may hold anything; what makes no sense is left alone
    }
  },
};

function render({ model, el }) {
  let own = null; // a report that was pasted
  const adopt = (next) => {
    own = null;
    show(next);
  };
  const link = connect({ model, el, css: CSS, keys: [...KEYS, "histogram"], read: readState, adopt });
  const initial = link.state;
  let state = initial;
  function show(next) {
    state = next;
    paint();
  }
  function change(next) {
    show(next);
    if (own) return; // gradients of the reader's own stay in this page, and their layers' names too
    link.write(Object.fromEntries([...KEYS, "histogram"].map((key) => [key, state[key]])));
    model.save_changes();
  }
  const act = {
    set(next) {
      const other = next.recording !== undefined;
      if (other) own = null;
      change(readState({ ...state, ...(other ? { group: "", histogram: "" } : {}), ...next }, own));
    },
    show(data) {
      own = data;
      change(readState({ ...state, group: "" }, own));
    },
    reset() {
      own = null;
      change(initial);
    },
  };
  const parts = [source, headline, slider, formats, chart, layers, paste, () => spoken(sentence)].map((part) => part({ act }));
  link.root.append(...parts.map((part) => part.node));
  link.root.setAttribute("aria-label", "Underflow explorer");
  const paint = () => {
    const all = lookAt(state);
    parts.forEach((part) => part.paint(all));
  };
  paint();
  return () => {
    parts.forEach((part) => part.unmount?.());
    link.unmount();
  };
}

export default { render, address };
