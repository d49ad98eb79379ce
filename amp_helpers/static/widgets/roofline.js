// The roofline: is an op limited by memory or by arithmetic on this GPU, and what was measured there?

import { connect } from "./dom.js";
import { oneOf, spoken, within } from "./form.js";
import { chart } from "./roofline_chart.js";
import { OPS, dtypesOf, nearestDtype, roofline } from "./roofline_math.js";
import { assumptions, controls, headline, recordPart, results, sentence } from "./roofline_parts.js";
import { CSS } from "./roofline_style.js";

const DEFAULTS = {
  gpu: "A100 80 GB", dtype: "bfloat16", op: "matmul", m: 4096, n: 4096, k: 4096, elements: 16_777_216, batch: 512, in_features: 4096, out_features: 4096,
};
const KEYS = Object.keys(DEFAULTS);
const SIZES = KEYS.slice(3);
const MOST = { elements: 1e12 }; // of every other size, a million

/** The state that traits describe; throws RangeError naming what is wrong. */
export function readState(traits) {
  const all = { ...DEFAULTS, ...traits };
  if (!all.gpus || !Object.keys(all.gpus).length) throw new RangeError("no GPUs: the table of stated rates is missing");
  const gpu = all.gpus[oneOf(all.gpu, Object.keys(all.gpus), "gpu")];
  oneOf(all.op, Object.keys(OPS), "op");
  const allowed = dtypesOf(gpu, all.op);
  if (!allowed.includes(all.dtype)) throw new RangeError(`no ${String(all.dtype).slice(0, 40)} for ${all.op} on ${all.gpu}; choose from ${allowed.join(", ")}`);
  for (const name of SIZES) within(all[name], 1, MOST[name] ?? 1e6, name);
  return { ...Object.fromEntries(KEYS.map((key) => [key, all[key]])), gpus: all.gpus, records: all.records ?? [] };
}

/** The part of the address behind "#roofline=", and back. Whether a dtype fits the GPU is left to the model's own check. */
export const address = {
  key: "roofline",
  write: (get) => [get("gpu"), get("dtype"), get("op"), ...OPS[get("op")].map(get)].map(encodeURIComponent).join(":"),
  read(text) {
    try {
      const [gpu, dtype, op, ...sizes] = text.split(":").map(decodeURIComponent);
      const names = OPS[oneOf(op, Object.keys(OPS), "op")];
      if (sizes.length !== names.length || !/^[\w. -]+$/.test(gpu) || !/^\w+$/.test(dtype)) return null;
      const numbers = sizes.map((size, i) => within(/^\d+$/.test(size) ? Number(size) : NaN, 1, MOST[names[i]] ?? 1e6, names[i]));
      return { gpu, dtype, op, ...Object.fromEntries(names.map((name, i) => [name, numbers[i]])) };
    } catch {
      return null; // an address may hold anything; what makes no sense is left alone
    }
  },
};

function render({ model, el }) {
  const link = connect({ model, el, css: CSS, keys: [...KEYS, "gpus", "records"], read: readState, adopt: show });
  const initial = link.state;
  let state = initial;
  function show(next) {
    state = next;
    paint();
  }
  const act = {
    set(next) {
      show({ ...state, ...next });
      link.write(Object.fromEntries(KEYS.map((key) => [key, state[key]])));
      model.save_changes();
    },
    /** A GPU or an op that does not have the dtype gets the nearest one that it has. */
    pick(next) {
      const all = { ...state, ...next };
      act.set({ ...next, dtype: nearestDtype(all.dtype, dtypesOf(all.gpus[all.gpu], all.op)) });
    },
    attempt(next) {
      try {
        readState({ ...state, ...next });
      } catch (error) {
        return error.message;
      }
      act.set(next);
      return null;
    },
    reset: () => act.set(Object.fromEntries(KEYS.map((key) => [key, initial[key]]))),
  };
  const parts = [(options) => controls({ ...options, gpus: state.gpus }), headline, chart, results, recordPart, assumptions, () => spoken(sentence)].map((part) => part({ act }));
  link.root.append(...parts.map((part) => part.node));
  link.root.setAttribute("aria-label", "Roofline");
  const paint = () => {
    const gpu = state.gpus[state.gpu];
    const all = { ...state, card: gpu, result: roofline(state, gpu), record: state.records.find((one) => one.gpu === state.gpu) ?? null };
    parts.forEach((part) => part.paint(all));
  };
  paint();
  return () => {
    parts.forEach((part) => part.unmount?.());
    link.unmount();
  };
}

export default { render, address };
