// The AMP loop builder: the training loop for a few choices, as code that runs, with the reason for the place of each line.

import { connect } from "./dom.js";
import { ACCUMULATE, DEFAULTS, IDS, OPTIMIZERS, PRECISIONS, build, codeOf } from "./loop_builder_code.js";
import { controls, listing, reason, spoken } from "./loop_builder_parts.js";
import { CSS } from "./loop_builder_style.js";

const CHOICES = { precision: PRECISIONS, clip: [false, true], accumulate: ACCUMULATE, optimizers: OPTIMIZERS, scheduler: [false, true], explain: IDS };
const FIRST = { ...DEFAULTS, explain: "forward" };
const KEYS = Object.keys(CHOICES);

/** The state that traits describe, with its blocks and its code; throws RangeError naming what is wrong. */
export function readState(traits) {
  const state = { ...FIRST, ...traits };
  for (const key of KEYS) {
    if (!CHOICES[key].includes(state[key])) throw new RangeError(`unknown ${key} '${String(state[key]).slice(0, 40)}'; choose from ${CHOICES[key].join(", ")}`);
  }
  const blocks = build(state);
  return { ...Object.fromEntries(KEYS.map((key) => [key, state[key]])), blocks, code: codeOf(blocks) };
}

/** The part of the address behind "#loop=", and back: "16-mixed:clip:4:2:scheduler:unscale". */
export const address = {
  key: "loop",
  write: (get) => KEYS.map((key) => (typeof get(key) === "boolean" ? (get(key) ? key : "") : get(key))).join(":"),
  read(text) {
    const fields = text.split(":");
    if (fields.length !== KEYS.length) return null;
    const pairs = KEYS.map((key, i) => [key, CHOICES[key].find((value) => String(typeof value === "boolean" ? (value ? key : "") : value) === fields[i])]);
    return pairs.some(([, value]) => value === undefined) ? null : Object.fromEntries(pairs); // what makes no sense is left alone
  },
};

function render({ model, el }) {
  const link = connect({ model, el, css: CSS, keys: KEYS, read: readState, adopt: show });
  const initial = link.state;
  let state = initial;
  function show(next) {
    state = next;
    paint();
  }
  const act = {
    set(next) {
      show(readState({ ...state, ...next }));
      link.write(Object.fromEntries(KEYS.map((key) => [key, state[key]])));
      model.save_changes();
    },
    explain: (id) => act.set({ explain: id }),
    reset: () => act.set(Object.fromEntries(KEYS.map((key) => [key, initial[key]]))),
  };
  const parts = [controls, listing, reason, spoken].map((part) => part({ act }));
  const [choices, code, why, voice] = parts.map((part) => part.node);
  code.lastChild.append(why); // beside the code it stays in view, and over nothing else
  link.root.append(choices, code, voice);
  link.root.setAttribute("aria-label", "AMP loop builder");
  const paint = () => parts.forEach((part) => part.paint(state));
  paint();
  return () => {
    parts.forEach((part) => part.unmount?.());
    link.unmount();
  };
}

export default { render, address };
