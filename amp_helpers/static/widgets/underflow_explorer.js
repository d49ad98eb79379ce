// The underflow explorer: which gradients become zero, subnormal or infinite at a loss scale, format by format and layer by layer.

import { NAMES, SLIDER, countAt, largestSafe, readHistograms, smallestUseful, wholeModel } from "./gradient_counts.js";
import { RECORDED } from "./recorded_gradients.js";
import { mount } from "./dom.js";
import { chart } from "./underflow_explorer_chart.js";
import { CSS } from "./underflow_explorer_style.js";
import { formats, headline, layers, paste, slider, source, spoken } from "./underflow_explorer_parts.js";

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
  const names = [...KEYS, "histogram"];
  const pull = () => readState(Object.fromEntries(names.map((key) => [key, model.get(key)]).filter(([, value]) => value !== undefined)));
  let own = null, state = pull();
  const initial = state;
  const { root, unmount } = mount(el, CSS);
  let writing = false;
  function change(next) {
    state = next;
    paint();
    if (own) return; // gradients of the reader's own stay in this page, and their layers' names too
    writing = true;
    for (const key of KEYS) model.set(key, state[key]);
    model.set("histogram", state.histogram);
    writing = false;
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
  const parts = [source, headline, slider, formats, chart, layers, paste, spoken].map((part) => part({ act }));
  root.append(...parts.map((part) => part.node));
  root.setAttribute("aria-label", "Underflow explorer");
  const paint = () => {
    const all = lookAt(state);
    parts.forEach((part) => part.paint(all));
  };
  paint();
  const follow = () => {
    if (writing) return;
    try {
      state = pull();
      own = null;
    } catch {
      return; // Python checks what it sends; an address in between may not fit
    }
    paint();
  };
  const events = names.map((key) => `change:${key}`).join(" ");
  model.on(events, follow);
  return () => {
    model.off(events, follow);
    parts.forEach((part) => part.unmount?.());
    unmount();
  };
}

export default { render, address };
