// The autocast map: which dtype autocast runs an op in, and why, on both devices and in several versions of torch.

import { connect } from "./dom.js";
import { oneOf } from "./form.js";
import { changesPart, controls, headline, layersPart, listing, opPicker, spoken, versionTable } from "./autocast_map_parts.js";
import { CSS } from "./autocast_map_style.js";
import { DEVICES, LOW, minor, readPolicies } from "./autocast_map_rules.js";

const DEFAULTS = { device: "cuda", dtype: "bfloat16", torch: "", op: "linear", layers: "" };
const KEYS = Object.keys(DEFAULTS);
const MOST = 10_000; // characters of a pasted text

/** The state that traits describe; throws RangeError naming what is wrong. */
export function readState(traits) {
  const all = { ...DEFAULTS, ...traits };
  const policies = readPolicies(all.policies);
  if (all.layers.length > MOST) throw new RangeError(`layers has ${all.layers.length} characters; at most ${MOST}`);
  return {
    device: oneOf(all.device, DEVICES, "device"),
    dtype: oneOf(all.dtype, LOW, "dtype"),
    torch: readVersion(all.torch, policies),
    op: readOp(all.op),
    layers: all.layers,
    policies,
  };
}

function readOp(name) {
  if (/^\w{1,80}$/.test(name)) return name;
  throw new RangeError(`op '${name.slice(0, 40)}' is not an op's name, such as 'linear'`);
}

/** "" is the newest; "2.11" and "2.11.0" are one. */
function readVersion(text, { versions }) {
  if (text === "") return versions.at(-1);
  return versions.find((version) => text === version || text === minor(version)) ?? oneOf(text, versions, "torch");
}

const KEPT = 2000; // an address should stay one that can be sent

/** The part of the address behind "#autocast=", and back. What is wrong in it is left alone by the model's own check. */
export const address = {
  key: "autocast",
  write(get) {
    const layers = get("layers");
    const fields = [get("device"), get("dtype"), get("torch"), get("op"), ...(layers && layers.length <= KEPT ? [layers] : [])];
    return fields.map(encodeURIComponent).join(":");
  },
  read(text) {
    try {
      const [device, dtype, torch, op, layers = ""] = text.split(":").map(decodeURIComponent);
      oneOf(device, DEVICES, "device");
      oneOf(dtype, LOW, "dtype");
      if (!/^[\w.+]*$/.test(torch) || !/^\w+$/.test(op ?? "") || layers.length > KEPT) return null;
      return { device, dtype, torch, op, layers };
    } catch {
      return null; // an address may hold anything; what makes no sense is left alone
    }
  },
};

function render({ model, el }) {
  const link = connect({ model, el, css: CSS, keys: [...KEYS, "policies"], read: readState, adopt: show });
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
    reset: () => act.set(Object.fromEntries(KEYS.map((key) => [key, initial[key]]))),
  };
  const parts = [controls, opPicker, headline, versionTable, layersPart, listing, changesPart, spoken].map((part) => part({ act, most: MOST }));
  link.root.append(...parts.map((part) => part.node));
  link.root.setAttribute("aria-label", "Autocast map");
  const paint = () => parts.forEach((part) => part.paint(state));
  paint();
  return () => {
    parts.forEach((part) => part.unmount?.());
    link.unmount();
  };
}

export default { render, address };
