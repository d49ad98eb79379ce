// The diagram of a row: a lane per dtype, a marker where tensors go in and where they come out, lines between.

import { h, svg } from "./dom.js";

/** The markers of the book's figures; radius 6 around the origin. Dtypes without one there share a hollow circle. */
const SHAPES = {
  float64: "M-2,-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z", float32: "M-6,0a6,6 0 1,0 12,0a6,6 0 1,0 -12,0z", tfloat32: "M0,-7L7,0L0,7L-7,0z",
  bfloat16: "M-5.5,-5.5h11v11h-11z", float16: "M0,-7L6.5,5H-6.5z", float8_e4m3fn: "M0,7L-6.5,-5H6.5z",
  float8_e5m2: "M-6,-3L-3,-6L0,-3L3,-6L6,-3L3,0L6,3L3,6L0,3L-3,6L-6,3L-3,0z",
};
const OTHER = "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0z";
const known = (dtype) => (dtype in SHAPES ? dtype : "other");
const path = (dtype) => svg("path", { d: SHAPES[dtype] ?? OTHER, class: `marker ${known(dtype)}` });

/** A marker beside a name. */
export const key = (dtype) => {
  const node = svg("svg", { class: "key", width: 16, height: 16, viewBox: "-8 -8 16 16", "aria-hidden": "true" });
  node.append(path(dtype));
  return node;
};

/** A dtype as marker and word. */
export const tag = (dtype) => h("span", { class: "tag" }, key(dtype), dtype);

const [TOP, BOTTOM] = ["24%", "76%"]; // a row is as high as its text, so places in it are shares

/** The lanes beside a row. Decoration: the row's text says the same. */
export function lanesOf({ inputs, outputs, casts }, lanes) {
  const step = lanes.length > 4 ? 18 : lanes.length > 2 ? 26 : 40, x = (dtype) => step / 2 + step * lanes.indexOf(dtype);
  const line = (name, from, y1, to, y2) => svg("line", { class: name, x1: x(from), y1, x2: x(to), y2 });
  const dot = (dtype, y) => {
    const place = svg("svg", { x: x(dtype), y, overflow: "visible" });
    place.append(path(dtype));
    return place;
  };
  const node = svg("svg", {});
  const cast = new Set(casts.map(({ from, to }) => `${from} ${to}`));
  const kind = (from, to) => (from === to ? "stay" : cast.has(`${from} ${to}`) ? "cast" : "change");
  node.append(
    ...lanes.map((dtype) => line("guide", dtype, "0%", dtype, "100%")),
    ...inputs.flatMap((from) => outputs.map((to) => line(`flow ${kind(from, to)}`, from, TOP, to, BOTTOM))),
    ...inputs.map((dtype) => dot(dtype, TOP)), ...outputs.map((dtype) => dot(dtype, BOTTOM)),
  );
  return h("span", { class: "lanes", "aria-hidden": "true", style: `width: ${step * lanes.length}px` }, node);
}
