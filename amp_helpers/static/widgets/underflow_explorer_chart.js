// The chart of the underflow explorer: the histogram of |gradient| * scale over the ranges of a format.

import { CLASSES, LIMITS, countRow } from "./gradient_counts.js";
import { h, svg } from "./dom.js";

const HEIGHT = 240, LEFT = 26, RIGHT = 26, TOP = 30, BOTTOM = 46;
const real = (n) => String(n).replace("-", "−");

/** The exponents that the axis shows, whatever the scale: { low, high }. */
export function span({ low, counts }) {
  return { low: Math.min(-60, 10 * Math.floor((low - 10) / 10)), high: Math.max(45, low + counts.length + 40) };
}

/** The ranges of a format on the axis: [class, from, to], exponents; what lies outside the axis is cut. */
export function zones(name, { low, high }) {
  const { m, emin, emax } = LIMITS[name];
  const ends = [["zero", -Infinity, emin - m - 1], ["subnormal", emin - m - 1, emin], ["normal", emin, emax + 1], ["infinite", emax + 1, Infinity]];
  return ends.map(([kind, from, to]) => [kind, Math.max(low, from), Math.min(high, to)]).filter(([, from, to]) => from < to);
}

const WORDS = { zero: "zero", subnormal: "subnormal", normal: "normal", infinite: "infinite" };

export function chart() {
  const area = h("div", { class: "chart" });
  let shown = null, width = 0;
  function draw() {
    if (!shown || !width) return;
    const { group, edges, format, scale_exponent: k } = shown;
    const axis = span(group);
    const across = width - LEFT - RIGHT, down = HEIGHT - TOP - BOTTOM;
    const x = (exponent) => Number((LEFT + (across * (exponent - axis.low)) / (axis.high - axis.low)).toFixed(1));
    const rows = group.counts.map((row, i) => [group.low + i + k, countRow(row, group.low + i + k, edges, format)]);
    const most = Math.max(1, ...rows.map(([, found]) => CLASSES.reduce((sum, part) => sum + found[part], 0)));
    const nodes = [];
    for (const [kind, from, to] of zones(format, axis)) {
      const wide = x(to) - x(from);
      nodes.push(svg("rect", { class: `zone ${kind}`, x: x(from), y: TOP, width: wide, height: down }));
      if (from > axis.low) nodes.push(svg("path", { class: "edge", d: `M${x(from)},${TOP - 6}V${HEIGHT - BOTTOM}` }));
      const text = WORDS[kind];
      if (wide > 7 * text.length) nodes.push(svg("text", { class: "name", x: x(from) + wide / 2, y: TOP - 10, "text-anchor": "middle" }, text));
    }
    const thick = Math.max(1, x(1) - x(0) - 1);
    for (const [exponent, found] of rows) {
      if (exponent < axis.low || exponent >= axis.high) continue;
      let bottom = HEIGHT - BOTTOM;
      for (const part of CLASSES) {
        if (!found[part]) continue;
        const tall = Math.max(1, (down * found[part]) / most);
        bottom -= tall;
        nodes.push(svg("rect", { class: `bar ${part}`, x: x(exponent) + 0.5, y: bottom.toFixed(1), width: thick.toFixed(1), height: tall.toFixed(1) }));
      }
    }
    const step = width > 480 ? 10 : 20;
    for (let exponent = Math.ceil(axis.low / step) * step; exponent <= axis.high; exponent += step) {
      nodes.push(svg("path", { class: "grid", d: `M${x(exponent)},${HEIGHT - BOTTOM}v5` }),
        svg("text", { x: x(exponent), y: HEIGHT - BOTTOM + 20, "text-anchor": "middle" }, `2^${real(exponent)}`));
    }
    nodes.push(svg("path", { class: "axis", d: `M${LEFT},${HEIGHT - BOTTOM}H${width - RIGHT}` }),
      svg("text", { x: LEFT + across / 2, y: HEIGHT - 6, "text-anchor": "middle" }, "size of gradient × loss scale"));
    const label = `Histogram of the scaled gradients over the ranges of ${format}. The tables hold the shares.`;
    area.replaceChildren(svg("svg", { role: "img", "aria-label": label, width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}` }, ...nodes));
  }
  const observer = new ResizeObserver(([entry]) => {
    width = Math.round(entry.contentRect.width);
    draw();
  });
  observer.observe(area);
  const title = h("p", { class: "title" });
  return {
    node: h("div", {}, title, area),
    unmount: () => observer.disconnect(),
    paint(state) {
      shown = state;
      title.textContent = state.group.name === "" ? "The whole model" : state.group.name;
      draw();
    },
  };
}
