// The picture of the number line: one lane per format on a shared axis, drawn with SVG elements.

import { fromNumber, toNumber } from "./core.js";
import { svg as s } from "./dom.js";
import {
  axisTicks, bin, countIn, density, highest, lowest, numberAt, ordinalAtMost, ordinalsIn, shareOf, valueOf,
} from "./number_line_math.js";
import { beyondText, countText, placeOf } from "./number_line_words.js";

export const MARGIN = 22; // half the 44 px of the probe's handle, which travels along the whole line
const CELL = 4;
const LANE = { height: 92, name: 13, zone: 29, top: 34, base: 62, strip: 67, stripHeight: 11 };

/** The markers of the book's figures, and others for the formats that have none there; radius 6 around the origin. */
export const MARKERS = {
  float64: "M-2,-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
  float32: "M-6,0a6,6 0 1,0 12,0a6,6 0 1,0 -12,0z",
  tfloat32: "M0,-7L7,0L0,7L-7,0z",
  bfloat16: "M-5.5,-5.5h11v11h-11z",
  float16: "M0,-7L6.5,5H-6.5z",
  float8_e4m3fn: "M0,7L-6.5,-5H6.5z",
  float8_e5m2: "M-6,-3L-3,-6L0,-3L3,-6L6,-3L3,0L6,3L3,6L0,3L-3,6L-6,3L-3,0z",
  float8_e4m3fnuz: "M-7,0L5,-6.5V6.5z",
  float8_e5m2fnuz: "M7,0L-5,-6.5V6.5z",
  float8_e8m0fnu: "M0,-7L1.8,-2.2L6.8,-2.2L2.8,0.9L4.3,5.8L0,2.9L-4.3,5.8L-2.8,0.9L-6.8,-2.2L-1.8,-2.2z",
  float6_e2m3fn: "M0,-7L6.7,-2.2L4.1,5.7H-4.1L-6.7,-2.2z",
  float6_e3m2fn: "M-3.3,-6H3.3L6.8,0L3.3,6H-3.3L-6.8,0z",
  float4_e2m1fn: "M0,-7L4.2,0L0,7L-4.2,0z",
};

export const markerOf = (name, attributes = {}) => s("path", { d: MARKERS[name], class: `marker ${name}`, ...attributes });

const rect = (name, x, y, width, height) => s("rect", { class: name, x, y, width, height });
const line = (name, x1, y1, x2, y2) => s("line", { class: name, x1, y1, x2, y2 });
const label = (name, x, y, text, anchor = "start") => s("text", { class: name, x, y, "text-anchor": anchor }, text);

function pattern(id, size, ...shapes) {
  return s("pattern", { id, width: size, height: size, patternUnits: "userSpaceOnUse" }, ...shapes);
}

const patterns = () => s("defs", {},
  pattern("dots", 6, s("circle", { class: "dot", cx: 1.5, cy: 1.5, r: 0.9 }), s("circle", { class: "dot", cx: 4.5, cy: 4.5, r: 0.9 })),
  pattern("stripes", 8, s("path", { class: "stripe", d: "M-2,2L2,-2M0,8L8,0M6,10L10,6" })));

/** Draw a state into `svg`, `width` pixels wide; results as landing() gives them, one per format. */
export function draw(svg, state, results, width) {
  const { view, exact } = state;
  const plot = { view, left: MARGIN, width: width - 2 * MARGIN, at: (x) => MARGIN + shareOf(x, view) * (width - 2 * MARGIN) };
  const cells = Math.max(1, Math.round(plot.width / CELL));
  const edges = Array.from({ length: cells + 1 }, (_, index) => numberAt(index / cells, view));
  [edges[0], edges[cells]] = [view.low, view.high];
  const counts = results.map(({ fmt }) => density(edges, fmt));
  const most = Math.max(...counts.flat());
  const bottom = results.length * LANE.height;
  const lanes = results.map(({ fmt, result }, index) =>
    s("g", { transform: `translate(0,${index * LANE.height})` }, ...lane(fmt, result, state, plot, edges, counts[index], most)));
  const ticks = axisTicks(view, plot.width).map(({ x, text }) => s("g", {},
    line("tick", plot.at(x), bottom, plot.at(x), bottom + 5), label("axis", plot.at(x), bottom + 20, text, "middle")));
  svg.setAttribute("viewBox", `0 0 ${width} ${bottom + 28}`);
  svg.setAttribute("height", bottom + 28);
  svg.replaceChildren(patterns(), ...probeLine(placeOf(exact), plot, bottom), ...lanes,
    line("axisline", MARGIN, bottom, width - MARGIN, bottom), ...ticks);
}

function probeLine(place, { view, at, left, width }, bottom) {
  const share = shareOf(place, view);
  if (!(share >= 0 && share <= 1)) {
    if (Number.isNaN(share)) return [];
    const text = share < 0 ? "◂ probe" : "probe ▸";
    return [label("outside", share < 0 ? left : left + width, bottom - 6, text, share < 0 ? "start" : "end")];
  }
  return [line("probe", at(place), 0, at(place), bottom + 5)];
}

function lane(fmt, result, state, plot, edges, counts, most) {
  const dense = counts.map((count, index) => count > 2 || (count > 0 && sumAround(counts, index) > 6));
  const count = countText(countIn(state.view.low, state.view.high, fmt));
  const [seen, many] = plot.width < 420 ? ["", " · solid: too many"] : [" in view", " · solid: too many to draw"];
  return [
    ...zones(fmt, plot),
    line(`base ${fmt.name}`, plot.left, LANE.base, plot.left + plot.width, LANE.base),
    ...blocks(fmt, plot, counts, dense, most),
    ...values(fmt, state.mode, result, plot, edges, counts, dense),
    ...arrow(fmt, result, state, plot),
    title(fmt, count + seen + (dense.includes(true) ? many : ""), plot),
  ];
}

function title(fmt, text, { left }) {
  const name = s("tspan", { class: "name" }, fmt.name);
  return s("g", {}, markerOf(fmt.name, { transform: `translate(${left + 7},${LANE.name - 4})` }),
    s("text", { class: "title", x: left + 20, y: LANE.name }, name, ` ${text}`));
}

const sumAround = (counts, index) => counts.slice(Math.max(0, index - 2), index + 3).reduce((sum, count) => sum + count, 0);

/** Few values fall unevenly into cells of four pixels; their mean shows the density itself. */
const smooth = (counts, index) => (counts[index] < 40 ? sumAround(counts, index) / counts.slice(Math.max(0, index - 2), index + 3).length : counts[index]);

// --- zones: subnormal numbers, beyond the largest value ----------------------------------------------------------------

function zones(fmt, { at, left, width, view }) {
  const clip = (x) => Math.min(left + width, Math.max(left, x));
  const parts = [];
  const zone = (kind, low, high, text) => {
    const [from, to] = [clip(at(low)), clip(at(high))];
    if (!(to > from)) return;
    parts.push(rect(`zone ${kind}`, from, LANE.top, Math.max(to - from, 1.5), LANE.base - LANE.top));
    const short = [text, kind].find((one) => to - from > one.length * 6 + 8);
    if (short) parts.push(label("zonetext", (from + to) / 2, LANE.zone, short, "middle"));
  };
  const top = toNumber(valueOf(highest(fmt), fmt));
  zone("beyond", top, Infinity, beyondText(fmt));
  if (!fmt.signed) {
    zone("beyond", -Infinity, view.scale === "log" ? -(2 ** -1074) : 0, "no sign: NaN");
    return parts;
  }
  zone("beyond", -Infinity, -top, beyondText(fmt).replace("largest", "lowest"));
  const normal = 2 ** fmt.min_exponent, least = toNumber(valueOf(1n, fmt));
  if (view.scale === "linear") zone("subnormal", -normal, normal, "subnormal");
  else if (view.high > 0) zone("subnormal", least, normal, "subnormal");
  else zone("subnormal", -normal, -least, "subnormal");
  return parts;
}

// --- values: ticks where there is room, blocks as tall as they are dense where there is none ---------------------------

function blocks(fmt, { left, width }, counts, dense, most) {
  const cell = width / counts.length;
  const tall = (count) => 6 + 20 * (Math.log2(Math.max(count, 1)) / Math.log2(Math.max(most, 4)));
  const paths = [];
  for (let index = 0; index < counts.length; index++) {
    if (!dense[index]) continue;
    let path = `M${left + index * cell},${LANE.base}`;
    for (; dense[index]; index++) path += `V${(LANE.base - tall(smooth(counts, index))).toFixed(1)}H${(left + (index + 1) * cell).toFixed(1)}`;
    paths.push(s("path", { class: `dense ${fmt.name}`, d: `${path}V${LANE.base}z` }));
  }
  return paths;
}

function values(fmt, mode, result, plot, edges, counts, dense) {
  const shown = new Set();
  counts.forEach((count, index) => {
    if (!count || dense[index]) return;
    const ordinals = ordinalsIn(edges[index], edges[index + 1], fmt, 4) ?? [];
    for (const ordinal of ordinals) shown.add(ordinal);
  });
  const ticks = [...shown].map((ordinal) => {
    const x = plot.at(toNumber(valueOf(ordinal, fmt)));
    return line(ordinal === 0n && fmt.signed ? "value zero" : "value", x, LANE.base - 11, x, LANE.base);
  });
  const landed = result.error && ordinalAtMost(result.stored, fmt);
  const near = edges.length > 1 ? ordinalAtMost(fromNumber(edges[0]), fmt) : null; // its bin may reach into the view
  const around = new Set([...shown, near, near + 1n, ordinalAtMost(fromNumber(edges.at(-1)), fmt) + 1n]);
  if (landed !== null) around.add(landed);
  const strips = [...around].filter((ordinal) => ordinal >= lowest(fmt) && ordinal <= highest(fmt))
    .flatMap((ordinal) => strip(ordinal, fmt, mode, ordinal === landed, plot));
  return [...strips, ...ticks];
}

const ends = (x) => (x.kind === "infinity" ? (x.sign ? -Infinity : Infinity) : toNumber(x));

/** The numbers that round to one value, as a piece of the strip under the line; a dot stands at an end that belongs to it. */
function strip(ordinal, fmt, mode, landed, { at, left, width }) {
  const { low, high, hasLow, hasHigh } = bin(ordinal, fmt, mode);
  const [start, end] = [at(ends(low)), at(ends(high))];
  const [from, to] = [Math.max(left, start), Math.min(left + width, end)];
  if (!(to - from >= (landed ? 1.5 : 5))) return [];
  const parity = ordinal % 2n === 0n ? "even" : "odd";
  const { strip: y, stripHeight: height } = LANE;
  const parts = [rect(`bin ${parity} ${fmt.name}${landed ? " landed" : ""}`, from + 0.75, y, Math.max(to - from - 1.5, 1), height)];
  if (to - from < 12) return parts;
  const dot = (x) => s("circle", { class: `end ${fmt.name}`, cx: x, cy: y + height / 2, r: 2 });
  if (hasLow && start >= left) parts.push(dot(start + 4.5));
  if (hasHigh && end <= left + width) parts.push(dot(end - 4.5));
  return parts;
}

// --- where the probe lands ---------------------------------------------------------------------------------------------

function arrow(fmt, result, { view, exact }, { at, left, width }) {
  const place = placeOf(exact);
  const share = shareOf(place, view);
  const inView = share >= 0 && share <= 1;
  if (result.stored === null || result.stored.kind === "nan") {
    return inView ? [s("path", { class: "miss", d: `M${at(place) - 5},${LANE.base - 5}l10,10m0,-10l-10,10` })] : [];
  }
  const goal = result.stored.kind === "infinity" ? ends(result.stored) : toNumber(result.stored);
  const clip = (x) => Math.min(left + width, Math.max(left, at(x)));
  const [from, to] = [clip(place), clip(goal)];
  const goalShare = shareOf(goal, view);
  const parts = [];
  if (Math.abs(to - from) > 1) parts.push(line("way", from, LANE.base, to, LANE.base));
  if (goalShare >= 0 && goalShare <= 1) parts.push(markerOf(fmt.name, { transform: `translate(${to},${LANE.base})` }));
  else if (inView) {
    const turn = goalShare > 1 ? 1 : -1;
    parts.push(s("path", { class: "way", d: `M${to - 7 * turn},${LANE.base - 6}L${to},${LANE.base}L${to - 7 * turn},${LANE.base + 6}` }));
  }
  return parts;
}
