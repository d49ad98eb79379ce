// Which gradients become zero, subnormal, normal or infinite at a loss scale: exact counts from exported histograms.
//
// A row of a histogram holds the values of one binade; its bins divide it where a format changes its mind, so that the
// counts are those of rounding every gradient to nearest even. Plain data and arithmetic, no page.

import { FORMATS, decode, divide, scaled, toNumber } from "./core.js";

export const NAMES = ["float16", "bfloat16", "float8_e5m2", "float8_e4m3fn"];
export const CLASSES = ["zero", "subnormal", "normal", "infinite"];
export const SLIDER = { low: -10, high: 40 }; // loss scales 2^-10 to 2^40
export const MOST_TEXT = 1_000_000;
const LEAST_SCALE = -126, MOST_SCALE = 127; // powers of two that a float32 scale holds as normal numbers
const USEFUL = 0.001; // a scale is useful when at most this share becomes zero

const fail = (text) => {
  throw new RangeError(text);
};
const named = (value) => (typeof value === "string" ? `"${value.length > 40 ? value.slice(0, 40) + "…" : value}"` : String(JSON.stringify(value)).slice(0, 40));

/** The places at which a format changes its mind: { m, emin, emax, below: [x, op], top: [x, op] }. */
export const LIMITS = Object.fromEntries(NAMES.map((name) => {
  const fmt = FORMATS[name];
  const m = fmt.significand_bits, emax = fmt.max_exponent;
  const last = toNumber(divide(decode(fmt.max_code, fmt), scaled(0, 1n, emax))); // significand of the largest value
  const odd = fmt.max_code & 1n;
  return [name, { m, emin: fmt.min_exponent, emax, below: [2 - 2 ** -m, ">="], top: [last + 2 ** (-m - 1), odd ? ">=" : ">"] }];
}));

// --- reading --------------------------------------------------------------------------------------------------------

const whole = (value) => Number.isSafeInteger(value) && value >= 0;

/** Histograms as `GradientReport.export()` writes them; throws RangeError saying what is wrong. */
export function readHistograms(text) {
  if (!text.trim()) fail("Paste the text that json.dumps(report.export()) printed.");
  if (text.length > MOST_TEXT) fail(`The text has ${text.length} characters; ${MOST_TEXT} at most.`);
  let data;
  try {
    data = JSON.parse(text);
  } catch (error) {
    fail(`This is not JSON (${error.message.slice(0, 80)}). Python prints it with json.dumps(report.export()).`);
  }
  if (data === null || typeof data !== "object" || Array.isArray(data)) fail(`Histograms are a JSON object in braces, not ${named(data)}.`);
  if (data.format !== "amp_helpers gradients 1") fail(`"format" must be "amp_helpers gradients 1", not ${named(data.format)}.`);
  if (typeof data.model !== "string") fail(`"model" must be a name, not ${named(data.model)}.`);
  readEdges(data.edges);
  if (!Array.isArray(data.groups) || !data.groups.length) fail('"groups" must be a list with at least one entry.');
  const groups = data.groups.map((group, n) => readGroup(group, n, data.edges.length));
  const names = groups.map(({ name }) => name);
  const twice = names.find((name, n) => names.indexOf(name) !== n);
  if (twice !== undefined) fail(`Two groups have the name ${named(twice)}.`);
  const missing = data.missing ?? [];
  if (!Array.isArray(missing) || missing.some((name) => typeof name !== "string")) fail('"missing" must be a list of names.');
  return { model: data.model, edges: data.edges, groups, missing };
}

function readEdges(edges) {
  const good = Array.isArray(edges) && edges.every((edge) => Array.isArray(edge) && edge.length === 2 && edge[0] >= 1 && edge[0] < 2 && [">", ">="].includes(edge[1]));
  if (!good) fail('"edges" must be a list of pairs such as [1.5, ">="], from 1 to below 2.');
  for (const [name, { below, top }] of Object.entries(LIMITS)) {
    for (const [x, op] of [[1, ">"], below, top]) {
      if (edgeAt(edges, [x, op]) < 0) fail(`"edges" lack [${x}, "${op}"], which ${name} needs: export with the default formats.`);
    }
  }
}

function readGroup(group, n, edges) {
  const where = `groups[${n}]`;
  if (group === null || typeof group !== "object" || typeof group.name !== "string") fail(`${where} must be an object with a name, not ${named(group)}.`);
  if (!["parameter", "activation"].includes(group.kind)) fail(`${where}: "kind" must be parameter or activation, not ${named(group.kind)}.`);
  for (const key of ["zeros", "infinite", "nan"]) if (!whole(group[key])) fail(`${where}: "${key}" must be a count, not ${named(group[key])}.`);
  if (!(Number.isInteger(group.low) && group.low >= -149 && group.low <= 127)) fail(`${where}: "low" must be an exponent from -149 to 127, not ${named(group.low)}.`);
  if (!Array.isArray(group.counts) || group.low + group.counts.length > 128) fail(`${where}: "counts" must be a list of rows up to exponent 127.`);
  for (const row of group.counts) {
    if (!Array.isArray(row) || row.length > edges + 1 || !row.every(whole)) fail(`${where}: a row must be a list of at most ${edges + 1} counts, not ${named(row)}.`);
  }
  const { name, kind, zeros, infinite, nan, low, counts } = group;
  return { name, kind, zeros, infinite, nan, low, counts };
}

/** All parameters together, as one group. */
export function wholeModel({ groups }) {
  const parts = groups.filter(({ kind }) => kind === "parameter");
  const filled = parts.filter(({ counts }) => counts.length);
  const low = filled.length ? Math.min(...filled.map((group) => group.low)) : 0;
  const high = Math.max(low, ...filled.map((group) => group.low + group.counts.length));
  const counts = Array.from({ length: high - low }, () => []);
  for (const group of filled) {
    group.counts.forEach((row, i) => row.forEach((count, bin) => {
      const into = counts[group.low + i - low];
      into[bin] = (into[bin] ?? 0) + count;
    }));
  }
  for (const row of counts) for (let bin = 0; bin < row.length; bin++) row[bin] ??= 0;
  const sum = (key) => parts.reduce((all, group) => all + group[key], 0);
  return { name: "", kind: "model", zeros: sum("zeros"), infinite: sum("infinite"), nan: sum("nan"), low, counts };
}

// --- counting -------------------------------------------------------------------------------------------------------

const edgeAt = (edges, [x, op]) => edges.findIndex(([other, sign]) => other === x && sign === op);
const sumOf = (row) => row.reduce((all, count) => all + count, 0);
const tail = (row, edges, edge) => sumOf(row.slice(edgeAt(edges, edge) + 1));

/** Counts of one row, of exponent `e` after scaling: { zero, subnormal, normal, infinite }. */
export function countRow(row, e, edges, name) {
  const { m, emin, emax, below, top } = LIMITS[name];
  const total = sumOf(row);
  const half = emin - m - 1; // half the smallest subnormal: exactly that is a tie and goes to zero
  const zero = e < half ? total : e === half ? row[0] ?? 0 : 0;
  const under = e < emin - 1 ? total : e === emin - 1 ? total - tail(row, edges, below) : 0;
  const infinite = e > emax ? total : e === emax ? tail(row, edges, top) : 0;
  return { zero, subnormal: under - zero, normal: total - under - infinite, infinite };
}

/** Counts of a group's nonzero finite gradients at loss scale 2^k: { zero, subnormal, normal, infinite, total }. */
export function countAt({ low, counts }, k, edges, name) {
  const all = { zero: 0, subnormal: 0, normal: 0, infinite: 0, total: 0 };
  counts.forEach((row, i) => {
    const found = countRow(row, low + i + k, edges, name);
    for (const part of CLASSES) all[part] += found[part];
  });
  all.total = all.zero + all.subnormal + all.normal + all.infinite;
  return all;
}

/** The exponent of the largest loss scale at which nothing becomes infinite; null where the gradients are not finite already. */
export function largestSafe(group, edges, name) {
  if (group.infinite || group.nan) return null;
  const last = group.counts.findLastIndex((row) => sumOf(row));
  if (last < 0) return MOST_SCALE;
  const { emax, top } = LIMITS[name];
  const beyond = tail(group.counts[last], edges, top) > 0 ? 1 : 0;
  return Math.min(MOST_SCALE, emax - beyond - group.low - last);
}

/** The exponent of the smallest loss scale at which at most 0.1 % become zero; null if there is none. */
export function smallestUseful(group, edges, name) {
  const total = group.counts.reduce((all, row) => all + sumOf(row), 0);
  for (let k = LEAST_SCALE; k <= MOST_SCALE; k++) if (countAt(group, k, edges, name).zero <= USEFUL * total) return k;
  return null;
}
