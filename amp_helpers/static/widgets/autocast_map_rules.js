// The autocast map without a page: reading policies, what a category does to dtypes and why, and reading pasted layers.

import { COMMON_UNLISTED, CONTAINERS, FAMILIES, GENERAL, LAYERS, PARTS } from "./autocast_map_families.js";

export const CATEGORIES = ["lower precision", "float32", "widest", "banned", "not classified"];
export const DEVICES = ["cpu", "cuda"];
export const LOW = ["bfloat16", "float16"];

const number = (version) => version.split(/[.+]/).slice(0, 3).map(Number);

/** Earlier torch first. */
export function byVersion(a, b) {
  const [x, y] = [number(a), number(b)];
  const at = [0, 1, 2].find((i) => (x[i] || 0) !== (y[i] || 0));
  return at === undefined ? 0 : (x[at] || 0) - (y[at] || 0);
}

/** "2.15" of "2.15.0+cpu". */
export const minor = (version) => version.split(".").slice(0, 2).join(".");

/** The packed trait { version: { device: { category: "op op" } } } as { versions, ops, category(version, device, op), of(version, device, category) }. */
export function readPolicies(packed) {
  const versions = Object.keys(packed ?? {}).sort(byVersion);
  if (!versions.length) throw new RangeError("no policies");
  const ops = new Set(), table = new Map();
  for (const version of versions) {
    for (const device of DEVICES) {
      const categories = new Map();
      for (const [category, names] of Object.entries(packed[version][device] ?? {})) {
        if (!CATEGORIES.includes(category)) throw new RangeError(`unknown category '${category}'; choose from ${CATEGORIES.join(", ")}`);
        for (const name of names.split(" ").filter(Boolean)) {
          categories.set(name, category);
          ops.add(name);
        }
      }
      table.set(`${version} ${device}`, categories);
    }
  }
  const all = [...new Set([...ops, ...COMMON_UNLISTED])].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  const known = new Set(all);
  const unlisted = (device, op) => (PARTS[device].has(op) ? "composed" : known.has(op) ? "unlisted" : "unknown");
  return {
    versions,
    ops: all,
    category: (version, device, op) => table.get(`${version} ${device}`).get(op) ?? unlisted(device, op),
    of: (version, device, category) => [...table.get(`${version} ${device}`)].filter(([, one]) => one === category).map(([op]) => op).sort(),
  };
}

const rank = (op) => Number(op.startsWith("_")); // torch's own helpers last

/** What an op of a category computes in: a short word, and its results given float32 and given the low dtype. */
export function verdict(category, low) {
  switch (category) {
    case "lower precision": return { word: low, dtype: low, given: [low, low] };
    case "float32": return { word: "float32", dtype: "float32", given: ["float32", "float32"] };
    case "widest": return { word: "widest input", dtype: null, given: ["float32", low] };
    case "banned": return { word: "raises an error", dtype: null, given: ["error", "error"] };
    case "not classified": case "unknown": return { word: "not known", dtype: null, given: ["not known", "not known"] };
    case "composed": return { word: "as its parts", dtype: null, given: ["as its parts", "as its parts"] };
    default: return { word: "as its input", dtype: null, given: ["float32", low] };
  }
}

/** Why, in one or two sentences. */
export function reason(op, category, device) {
  const fits = ({ ops, when, device: only = device }) => only === device && when.includes(category) && ops.includes(op);
  return FAMILIES.find(fits)?.reason ?? GENERAL[category];
}

/** The ops by which an op's dtype is decided on a device: itself, or the listed ops that it is made of. */
export function deciding({ policies, torch }, device, op) {
  return policies.category(torch, device, op) === "composed" ? PARTS[device].get(op) : [op];
}

/** What changed on a device from each stored torch to the next: [{ from, to, lines }]. */
export function changes(policies, device) {
  return policies.versions.slice(1).map((to, i) => {
    const from = policies.versions[i];
    const lines = policies.ops.map((op) => ({ op, before: policies.category(from, device, op), after: policies.category(to, device, op) }))
      .filter(({ before, after }) => before !== after);
    return { from, to, lines };
  });
}

/** Layers by the ops they call. */
export function layersOf(op) {
  return [...LAYERS].filter(([layer, ops]) => ops.includes(op) && layer !== op).map(([layer]) => layer);
}

/** Ops whose name, or the name of a layer that calls them, holds what was typed; names that begin so come first. */
export function search(policies, typed) {
  const wanted = bare(typed).toLowerCase();
  if (!wanted) return policies.ops;
  const score = (op) => {
    const names = [op, ...layersOf(op)].map((name) => name.toLowerCase());
    if (names.includes(wanted)) return 0;
    if (names.some((name) => name.startsWith(wanted))) return 1;
    return names.some((name) => name.includes(wanted)) ? 2 : 3;
  };
  return policies.ops.map((op) => [score(op), op]).filter(([points]) => points < 3).sort(([a], [b]) => a - b).map(([, op]) => op);
}

const bare = (name) => name.trim().replace(/^(torch\.)?(nn\.)?(functional\.)?/, "").replace(/^F\./, "");

/**
 * Read a pasted list of layers or a printed model:
 * { layers: [{ name, count, ops }], containers: [name], unknown: [name] }, each name once, in the order of the text.
 */
export function readLayers(text, policies) {
  const layers = new Map(), containers = new Set(), unknown = new Set();
  for (const line of text.split("\n")) {
    for (const { name, times, open } of namesIn(line)) {
      const ops = LAYERS.get(name) ?? (policies.ops.includes(name) ? [name] : null);
      if (ops) layers.set(name, { name, ops, count: (layers.get(name)?.count ?? 0) + times });
      else if (open || CONTAINERS.includes(name)) containers.add(name);
      else unknown.add(name);
    }
  }
  return { layers: [...layers.values()], containers: [...containers], unknown: [...unknown] };
}

function namesIn(line) {
  let rest = line.trim().replace(/^\([^()]*\):\s*/, "").replace(/^[\w.]+\s*=(?!=)\s*/, ""); // "(fc): " and "self.fc = "
  const [, many = "1"] = rest.match(/^(\d+) x /) ?? [];
  rest = rest.replace(/^\d+ x /, "");
  const open = /^[\w.]+\($/.test(rest); // its parts stand on the lines below
  rest = rest.replace(/\b(Sequential|ModuleList)\(/g, "$1 "); // their parts may stand in the same line
  for (let before = ""; before !== rest; ) {
    before = rest;
    rest = rest.replace(/\([^()]*\)/g, " ");
  }
  rest = rest.replace(/\(.*$/, ""); // a call that goes on in the next line
  return rest.split(/[\s,;[\]{}()"'`]+/).map(bare).filter((name) => /[a-z]/i.test(name)).map((name) => ({ name, times: Number(many), open }));
}
