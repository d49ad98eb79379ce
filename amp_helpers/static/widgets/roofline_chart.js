// The roofline chart: rate against arithmetic intensity, both logarithmic; a roof per dtype, the op, what was measured.

import { h, svg } from "./dom.js";
import { DTYPES, squareIntensity } from "./roofline_math.js";
import { three } from "./form.js";

const around = (...points) => `M${points.map(([x, y]) => `${x},${y}`).join("L")}Z`;
const CROSS = around([-5, -3], [-3, -5], [0, -2], [3, -5], [5, -3], [2, 0], [5, 3], [3, 5], [0, 2], [-3, 5], [-5, 3], [-2, 0]);
// The book's markers (DTYPE_STYLE in plots.py).
const SHAPES = {
  float32: "M4,0A4,4 0 1 1 -4,0A4,4 0 1 1 4,0Z",
  tfloat32: around([0, -5.5], [5.5, 0], [0, 5.5], [-5.5, 0]),
  bfloat16: around([-4, -4], [4, -4], [4, 4], [-4, 4]),
  float16: around([0, -5], [5, 4], [-5, 4]),
  float8_e4m3fn: around([0, 5], [5, -4], [-5, -4]),
};
const DASHES = { float32: "", tfloat32: "7 3 2 3", bfloat16: "", float16: "8 4", float8_e4m3fn: "2 3" };
const LEFT = 58, RIGHT = 14, TOP = 14, BOTTOM = 46, HEIGHT = 340;

const marker = (dtype, x, y, extra = "") => svg("path", { d: SHAPES[dtype], class: `marker ${dtype} ${extra}`, transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` });
const key = (dtype) => svg("svg", { class: "key", width: 34, height: 16, viewBox: "0 0 34 16", "aria-hidden": "true" },
  svg("path", { d: "M1,8H33", class: `line ${dtype}`, "stroke-dasharray": DASHES[dtype] }), marker(dtype, 17, 8));
const powers = (low, high) => Array.from({ length: Math.floor(high) - Math.ceil(low) + 1 }, (_, i) => Math.ceil(low) + i);
const tick = (power) => (power >= -2 && power <= 4 ? String(Number((10 ** power).toPrecision(1))) : `1e${power}`);

/** The range of both axes, as powers of ten: the roofs, the op and the record are inside. */
export function frame({ card, result, record }) {
  const points = (record?.gemm ?? []).map(([dtype, n, tflops]) => [squareIntensity(dtype, n), tflops * 1e12]);
  const xs = [0.1, ...Object.values(card.tflops).map((peak) => (peak / card.tb_per_s) * 8), result.intensity, ...points.map(([x]) => x)];
  const low = Math.log10(Math.min(...xs)) - 0.15, high = Math.log10(Math.max(...xs)) + 0.15;
  const ys = [...Object.values(card.tflops).map((peak) => peak * 1e12), result.ceiling, 10 ** low * result.bandwidth, ...points.map(([, y]) => y)];
  return { low, high, bottom: Math.log10(Math.min(...ys)) - 0.1, top: Math.log10(Math.max(...ys)) + 0.2 };
}

function draw({ card, result, record, dtype: chosen, op }, width) {
  const { low, high, bottom, top } = frame({ card, result, record });
  const x = (value) => LEFT + ((width - LEFT - RIGHT) * (Math.log10(value) - low)) / (high - low);
  const y = (value) => TOP + ((HEIGHT - TOP - BOTTOM) * (top - Math.log10(value))) / (top - bottom);
  const floor = HEIGHT - BOTTOM, start = 10 ** low, end = 10 ** high;
  const tflops = (power) => svg("g", {}, svg("path", { class: "grid", d: `M${LEFT},${y(10 ** power)}H${width - RIGHT}` }),
    svg("text", { x: LEFT - 8, y: y(10 ** power) + 4, "text-anchor": "end" }, tick(power - 12)));
  const across = powers(low, high).filter((_, i) => width > 480 || i % 2 === 0);
  const nodes = [
    ...powers(bottom, top).map(tflops),
    ...across.map((power) => svg("g", {}, svg("path", { class: "grid", d: `M${x(10 ** power)},${floor}v5` }), svg("text", { x: x(10 ** power), y: floor + 20, "text-anchor": "middle" }, tick(power)))),
    svg("text", { x: LEFT + (width - LEFT - RIGHT) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, "operations per byte (FLOP/B)"),
  ];
  // Dashed lines over solid ones, so that roofs of one height both show.
  const roofs = DTYPES.filter((name) => name in card.tflops).sort((a, b) => Boolean(DASHES[a]) - Boolean(DASHES[b]));
  const limiting = op === "elementwise" ? "float32" : chosen;
  roofs.forEach((name, i) => {
    const peak = card.tflops[name] * 1e12, ridge = peak / result.bandwidth;
    const d = `M${x(start)},${y(start * result.bandwidth)}L${x(ridge)},${y(peak)}H${x(end)}`;
    nodes.push(svg("path", { class: `line ${name} ${name === limiting ? "chosen" : ""}`, "stroke-dasharray": DASHES[name], d }));
    const spot = x(ridge) + (x(end) - x(ridge)) * (0.3 + 0.14 * i); // staggered: roofs of one height share a line
    nodes.push(marker(name, spot, y(peak)));
  });
  if (record?.copy) {
    const slope = record.copy * 1e12, until = Math.max(...Object.values(card.tflops)) / record.copy;
    nodes.push(svg("path", { class: "copy", d: `M${x(start)},${y(start * slope)}L${x(until)},${y(until * slope)}` }));
  }
  for (const [name, n, measured] of record?.gemm ?? []) nodes.push(marker(name, x(squareIntensity(name, n)), y(measured * 1e12), "measured"));
  const px = x(result.intensity), py = y(result.ceiling);
  nodes.push(svg("path", { class: "now", d: `M${px},${py}V${floor}M${px},${py}H${LEFT}` }), svg("path", { class: "ring", d: "M9,0A9,9 0 1 1 -9,0A9,9 0 1 1 9,0Z", transform: `translate(${px.toFixed(1)} ${py.toFixed(1)})` }), marker(chosen, px, py));
  const label = `Roofline chart. The op does ${three(result.intensity)} operations per byte and can reach ${three(result.ceiling / 1e12)} TFLOP/s; the ridge is at ${three(result.ridge)}. The tables below hold the numbers.`;
  return svg("svg", { role: "img", "aria-label": label, width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}` }, ...nodes);
}

export function chart() {
  const area = h("div", { class: "chart" }), legend = h("div", { class: "legend" }), title = h("p", { class: "axis" }, "TFLOP/s");
  let shown = null, width = 0;
  const paint = () => shown && width && area.replaceChildren(draw(shown, width));
  const observer = new ResizeObserver(([entry]) => {
    width = Math.round(entry.contentRect.width);
    paint();
  });
  observer.observe(area);
  const sample = (...shapes) => svg("svg", { class: "key", width: 34, height: 16, viewBox: "0 0 34 16", "aria-hidden": "true" }, ...shapes);
  return {
    node: h("div", { class: "figure" }, title, area, legend),
    unmount: () => observer.disconnect(),
    paint(state) {
      shown = state;
      const { card, record } = state;
      const entries = DTYPES.filter((name) => name in card.tflops).map((name) => h("span", {}, key(name), ` ${name}, ${three(card.tflops[name])}`));
      entries.push(h("span", {}, sample(svg("path", { class: "ring", d: "M24,8A7,7 0 1 1 10,8A7,7 0 1 1 24,8Z" })), " your op, at best"));
      if (record?.gemm.length) entries.push(h("span", {}, sample(marker("bfloat16", 17, 8, "measured")), " hollow: measured"));
      if (record?.copy) entries.push(h("span", {}, sample(svg("path", { class: "copy", d: "M1,8H33" })), " measured copy"));
      legend.replaceChildren(...entries);
      paint();
    },
  };
}
