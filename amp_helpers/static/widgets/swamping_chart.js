// The chart of the swamping widget: sum against number of additions, a line and a marker per accumulator.

import { roundCount, sampleSteps } from "./swamping_math.js";
import { h, svg } from "./dom.js";

const around = (...points) => `M${points.map(([x, y]) => `${x},${y}`).join("L")}Z`;
const CIRCLE = "M4,0A4,4 0 1 1 -4,0A4,4 0 1 1 4,0Z";
const SQUARE = around([-4, -4], [4, -4], [4, 4], [-4, 4]);
// The book's markers (DTYPE_STYLE in plots.py) for the formats; hollow shapes for the two that lose less.
export const SHAPES = {
  float32: CIRCLE,
  bfloat16: SQUARE,
  float16: around([0, -5], [5, 4], [-5, 4]),
  kahan: around([-5, -5], [5, -5], [5, 5], [-5, 5]),
  stochastic: around([0, -6], [6, 0], [0, 6], [-6, 0]),
};
const DASHES = { float32: "", bfloat16: "", float16: "", kahan: "7 4", stochastic: "2 3" };

const shape = (id, format, x, y) => {
  const hollow = id === "kahan" || id === "stochastic" ? "hollow" : "";
  return svg("path", { d: SHAPES[id], class: `marker ${format} ${hollow}`, transform: `translate(${x} ${y})` });
};

/** The marker of an accumulator beside its name, with a piece of its line. */
export const key = ({ id, format }) => svg("svg", { class: "key", width: 34, height: 16, viewBox: "0 0 34 16", "aria-hidden": "true" },
  svg("path", { d: "M1,8H33", class: `line ${format}`, "stroke-dasharray": DASHES[id] }), shape(id, format, 17, 8));

/** Round values that divide a range into at most six parts. */
export function ticks(low, high) {
  const step = roundTo125((high - low) / 5);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
}

function roundTo125(x) {
  const unit = 10 ** Math.floor(Math.log10(x));
  return [1, 2, 5, 10].map((factor) => factor * unit).find((size) => size >= x * (1 - 1e-9));
}

const short = (x) => {
  const text = String(Number(x.toPrecision(6)));
  return text.length > 8 ? x.toExponential(2).replace(/\.?0+e/, "e") : text;
};
const count = (n) => n.toLocaleString("en-US");

const HEIGHT = 300, LEFT = 64, RIGHT = 16, TOP = 12, BOTTOM = 46;

/** The frame that a chart of these runs needs: { last, low, high }. */
function frame({ runs, exact, count: now }) {
  const last = Math.max(10, roundCount(now));
  const values = runs.flatMap(({ run }) => [0, 0.25, 0.5, 0.75, 1].map((share) => run.at(Math.round(share * now))));
  const seen = [...values, exact(0), exact(last)].filter(Number.isFinite);
  const low = Math.min(...seen), high = Math.max(...seen);
  const margin = (high - low || Math.abs(high) || 1) * 0.06;
  return { last, low: low - margin, high: high + margin };
}

export function chart() {
  const area = h("div", { class: "chart" });
  let logarithmic = false, shown = null, width = 0;
  const scale = h("button", { type: "button", "aria-pressed": "false", class: "scale", click: () => {
    logarithmic = !logarithmic;
    scale.setAttribute("aria-pressed", logarithmic);
    draw();
  } }, "Logarithmic steps");
  function draw() {
    if (!shown || !width) return;
    const { last, low, high } = frame(shown);
    const across = width - LEFT - RIGHT, down = HEIGHT - TOP - BOTTOM;
    const x = (n) => LEFT + across * (logarithmic ? Math.log1p(n) / Math.log1p(last) : n / last);
    const y = (value) => TOP + (down * (high - value)) / (high - low);
    const path = (steps, value) => steps.filter((n) => Number.isFinite(value(n)))
      .map((n, i) => `${i ? "L" : "M"}${x(n).toFixed(1)},${y(value(n)).toFixed(1)}`).join("");
    const stepsAcross = sampleSteps(shown.count, 240, logarithmic);
    const marked = logarithmic ? ticksOfTen(last) : ticks(0, last);
    const places = marked.filter((n) => logarithmic || width > 480 || marked.length < 5 || marked.indexOf(n) % 2 === 0);
    const nodes = [
      ...ticks(low, high).map((value) => svg("g", {}, svg("path", { class: "grid", d: `M${LEFT},${y(value)}H${width - RIGHT}` }),
        svg("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, short(value)))),
      ...places.map((n) => svg("g", {}, svg("path", { class: "grid", d: `M${x(n)},${HEIGHT - BOTTOM}v5` }),
        svg("text", { x: x(n), y: HEIGHT - BOTTOM + 20, "text-anchor": n === last && !logarithmic ? "end" : "middle" }, count(n)))),
      svg("text", { x: LEFT + across / 2, y: HEIGHT - 6, "text-anchor": "middle" }, "additions"),
      svg("path", { class: "exact", d: path(sampleSteps(last, logarithmic ? 60 : 1, logarithmic), shown.exact) }),
      svg("path", { class: "now", d: `M${x(shown.count)},${TOP}V${HEIGHT - BOTTOM}` }),
    ];
    shown.runs.forEach(({ id, format, run }, index) => {
      nodes.push(svg("path", { class: `line ${format}`, "stroke-dasharray": DASHES[id], d: path(stepsAcross, run.at) }));
      // Staggered, so that markers of lines that lie on one another stay visible.
      const spots = [0.05, 0.3, 0.55, 0.8].map((share) => stepsAcross[Math.round((share + index * 0.05) * (stepsAcross.length - 1))]);
      for (const n of new Set([...spots, shown.count])) {
        if (Number.isFinite(run.at(n))) nodes.push(shape(id, format, x(n).toFixed(1), y(run.at(n)).toFixed(1)));
      }
    });
    const label = "Line chart of each sum against the number of additions. The table below holds the sums.";
    area.replaceChildren(svg("svg", { role: "img", "aria-label": label, width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}` }, ...nodes));
  }
  const observer = new ResizeObserver(([entry]) => {
    width = Math.round(entry.contentRect.width);
    draw();
  });
  observer.observe(area);
  const exactKey = svg("svg", { class: "key", width: 34, height: 16, "aria-hidden": "true" }, svg("path", { d: "M1,8H33", class: "exact" }));
  const node = h("div", { class: "figure" }, area, h("div", { class: "row under" }, h("span", { class: "legend" }, exactKey, " exact sum"), scale));
  return {
    node,
    unmount: () => observer.disconnect(),
    paint(state) {
      shown = state;
      draw();
    },
  };
}

/** 0 and the powers of ten up to `last`. */
function ticksOfTen(last) {
  const powers = [0];
  for (let n = 1; n <= last; n *= 10) powers.push(n);
  return powers;
}
