// The memory calculator: bytes of a training step by kind, against the memory of the cards that people have.

import { connect } from "./dom.js";
import { oneOf, spoken, within } from "./form.js";
import { CHOICES, LARGEST, SIZES, neededOf, stepBytes, totalOf } from "./memory_calculator_math.js";
import { assumptions, cardsPart, controls, headline, kindsPart, sentence } from "./memory_calculator_parts.js";
import { CSS } from "./memory_calculator_style.js";

const DEFAULTS = {
  model: "gpt", layers: 12, width: 768, heads: 12, vocabulary: 50304, context: 1024, inputs: 1024, outputs: 10, parameters: 7e9,
  optimizer: "adamw", recipe: "bf16-mixed", batch: 16, checkpointing: false, attention: "fused", device: "cuda",
};
const KEYS = Object.keys(DEFAULTS);

/** The state that traits describe; throws RangeError naming what is wrong. */
export function readState(traits) {
  const all = { ...DEFAULTS, ...traits };
  for (const name of Object.keys(CHOICES)) oneOf(all[name], CHOICES[name], name);
  for (const name of Object.keys(LARGEST)) within(all[name], 1, LARGEST[name], name);
  if (all.model === "gpt" && all.width % all.heads) throw new RangeError(`width ${all.width} is not a multiple of ${all.heads} heads`);
  if (!all.cards || !Object.keys(all.cards).length) throw new RangeError("no cards: the table of their memory is missing");
  return { ...Object.fromEntries(KEYS.map((key) => [key, all[key]])), checkpointing: all.checkpointing === true, cards: all.cards };
}

const WORDS = ["model", "recipe", "optimizer", "device", "attention", "checkpointing"];

/** The part of the address behind "#memory=", and back. */
export const address = {
  key: "memory",
  write: (get) => [...WORDS, "batch", ...SIZES[get("model")]].map((name) => encodeURIComponent(get(name))).join(":"),
  read(text) {
    try {
      const fields = text.split(":").map(decodeURIComponent);
      const state = Object.fromEntries(WORDS.map((name, i) => [name, fields[i]]));
      for (const name of Object.keys(CHOICES)) oneOf(state[name], CHOICES[name], name);
      state.checkpointing = oneOf(state.checkpointing, ["true", "false"], "checkpointing") === "true";
      const names = ["batch", ...SIZES[state.model]], sizes = fields.slice(WORDS.length);
      if (sizes.length !== names.length) return null;
      names.forEach((name, i) => (state[name] = within(/^\d+$/.test(sizes[i]) ? Number(sizes[i]) : NaN, 1, LARGEST[name], name)));
      return state.model === "gpt" && state.width % state.heads ? null : state;
    } catch {
      return null; // an address may hold anything; what makes no sense is left alone
    }
  },
};

function render({ model, el }) {
  const link = connect({ model, el, css: CSS, keys: [...KEYS, "cards"], read: readState, adopt: show });
  const initial = link.state;
  let state = initial;
  function show(next) {
    state = next;
    paint();
  }
  const act = {
    /** Take over new values; returns what is wrong with them, or null. */
    set(next) {
      try {
        state = readState({ ...state, ...next });
      } catch (error) {
        return error.message;
      }
      paint();
      link.write(Object.fromEntries(KEYS.map((key) => [key, state[key]])));
      model.save_changes();
      return null;
    },
    reset: () => act.set(initial),
  };
  const parts = [controls, headline, kindsPart, cardsPart, assumptions, () => spoken(sentence)].map((part) => part({ act }));
  link.root.append(...parts.map((part) => part.node));
  link.root.setAttribute("aria-label", "Memory calculator");
  const paint = () => {
    const bytes = stepBytes(state), wide = stepBytes({ ...state, recipe: "32-true" });
    parts.forEach((part) => part.paint({ ...state, bytes, wide, total: totalOf(bytes), needed: neededOf(bytes) }));
  };
  paint();
  return () => {
    parts.forEach((part) => part.unmount?.());
    link.unmount();
  };
}

export default { render, address };
