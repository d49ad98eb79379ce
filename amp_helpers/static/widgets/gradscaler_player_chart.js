// The chart of the GradScaler player: the scale in use, on a log2 axis, against steps.

import { roundCount } from "./swamping_math.js";
import { ticks } from "./swamping_chart.js";
import { h, svg } from "./dom.js";

const HEIGHT = 300, LEFT = 62, RIGHT = 16, TOP = 14, BOTTOM = 46;
const CLIFF = -128, FLOOR = -150; // log2; at and below the first 1/scale is infinite, below the second there is only 0
const NEAR = 7; // pixels between two markers of a kind

const SHAPES = { skipped: "M-5,-9H5L0,-1Z", grew: "M-5,9H5L0,1Z", ruined: "M-6,-6L6,6M-6,6L6,-6" };
const real = (n) => String(n).replace("-", "−");

/** log2 of a scale, with 0 at the floor; null where there is nothing to draw. */
export function height(scale) {
  if (scale === 0) return FLOOR;
  return scale > 0 && Number.isFinite(scale) ? Math.max(FLOOR, Math.log2(scale)) : null;
}

/** The frame of a run: { last, low, high } with low and high in powers of two. */
export function frame({ count, used }) {
  let low = Infinity, high = -Infinity;
  for (const scale of used) {
    const y = height(scale);
    if (y === null) continue;
    low = Math.min(low, y);
    high = Math.max(high, y);
  }
  if (low > high) [low, high] = [0, 0];
  high = Math.ceil(high) + 1;
  low = Math.min(Math.floor(low) - 1, high - 6);
  if (low < -100) low = Math.min(low, FLOOR);
  return { last: Math.max(10, roundCount(count)), low: Math.max(low, FLOOR), high };
}

/** The steps at which the line turns: the first, every change and the last. */
export function turns(used) {
  const places = [0];
  for (let n = 1; n < used.length; n++) if (used[n] !== used[n - 1]) places.push(n);
  if (places.at(-1) !== used.length - 1) places.push(used.length - 1);
  return places;
}

/** Markers that do not pile up: of steps closer than a few pixels only the first is drawn. */
export function thin(places, x) {
  let last = -Infinity;
  return places.filter((n) => x(n) - last >= NEAR && ((last = x(n)), true));
}

export const marker = (kind, x = 0, y = 0) => svg("path", { d: SHAPES[kind], class: `mark ${kind}`, transform: `translate(${x} ${y})` });
const key = (kind, text) => h("span", { class: "key" }, svg("svg", { width: 18, height: 18, viewBox: "-9 -9 18 18", "aria-hidden": "true" },
  marker(kind, 0, { skipped: 5, grew: -5, ruined: 0 }[kind])), ` ${text}`);

export function chart() {
  const area = h("div", { class: "chart" });
  let shown = null, width = 0;
  function draw() {
    if (!shown || !width) return;
    const { last, low, high } = frame(shown);
    const across = width - LEFT - RIGHT, down = HEIGHT - TOP - BOTTOM;
    const x = (n) => Number((LEFT + (across * n) / last).toFixed(1));
    const y = (power) => Number((TOP + (down * (high - power)) / (high - low)).toFixed(1));
    const at = (n) => y(height(shown.used[n]) ?? high);
    const spacing = [1, 2, 4, 8, 16, 32].find((size) => (high - low) / size <= 8);
    const rows = [];
    for (let power = Math.ceil(low / spacing) * spacing; power <= high; power += spacing) if (power > FLOOR) rows.push(power);
    const marked = ticks(0, last).filter((_, i, all) => width > 480 || all.length < 5 || i % 2 === 0);
    const nodes = [
      ...rows.map((power) => svg("g", {}, svg("path", { class: "grid", d: `M${LEFT},${y(power)}H${width - RIGHT}` }),
        svg("text", { x: LEFT - 8, y: y(power) + 4, "text-anchor": "end" }, `2^${real(power)}`))),
      ...marked.map((n) => svg("g", {}, svg("path", { class: "grid", d: `M${x(n)},${HEIGHT - BOTTOM}v5` }),
        svg("text", { x: x(n), y: HEIGHT - BOTTOM + 20, "text-anchor": n === last ? "end" : "middle" }, n.toLocaleString("en-US")))),
      svg("text", { x: LEFT + across / 2, y: HEIGHT - 6, "text-anchor": "middle" }, "steps"),
    ];
    if (low <= FLOOR) {
      nodes.push(svg("text", { x: LEFT - 8, y: y(FLOOR) + 4, "text-anchor": "end" }, "0"),
        svg("rect", { class: "beyond", x: LEFT, y: y(CLIFF), width: across, height: y(low) - y(CLIFF) }),
        svg("path", { class: "cliff", d: `M${LEFT},${y(CLIFF)}H${width - RIGHT}` }),
        svg("text", { class: "warns", x: LEFT + 8, y: y(CLIFF) + 16 }, "the cliff: 1/scale is infinite"));
    }
    const limit = height(shown.overflow_above);
    if (shown.overflow_above && limit > low && limit < high) {
      nodes.push(svg("path", { class: "limit", d: `M${LEFT},${y(limit)}H${width - RIGHT}` }));
    }
    const line = turns(shown.used).map((n, i) => (i ? `H${x(n)}V${at(n)}` : `M${x(n)},${at(n)}`)).join("");
    nodes.push(svg("path", { class: "line", d: line }), svg("circle", { class: "now", cx: x(shown.count), cy: at(shown.count), r: 4.5 }));
    const skipped = Array.from(shown.found.keys()).filter((n) => shown.found[n]);
    for (const [kind, places] of [["grew", shown.grew], ["skipped", skipped]]) {
      for (const n of thin(places, x)) nodes.push(marker(kind, x(kind === "grew" ? n + 1 : n), at(kind === "grew" ? n + 1 : n)));
    }
    if (shown.ruined !== null) nodes.push(marker("ruined", x(shown.ruined), at(shown.ruined)));
    const label = "Chart of the scale, in powers of two, against steps. The text and the table below say the same.";
    area.replaceChildren(svg("svg", { role: "img", "aria-label": label, width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}` }, ...nodes));
  }
  const observer = new ResizeObserver(([entry]) => {
    width = Math.round(entry.contentRect.width);
    draw();
  });
  observer.observe(area);
  const dotted = h("span", { class: "key" }, svg("svg", { width: 26, height: 18, "aria-hidden": "true" },
    svg("path", { class: "limit", d: "M1,9H25" })), " gradients overflow above it");
  const legend = h("p", { class: "legend" }, key("skipped", "skipped step"), key("grew", "growth"), key("ruined", "weights ruined"), dotted);
  return {
    node: h("div", {}, area, legend),
    unmount: () => observer.disconnect(),
    paint(state) {
      shown = state;
      dotted.hidden = !state.overflow_above;
      draw();
    },
  };
}
