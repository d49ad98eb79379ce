// The parts of the roofline's page. Each takes { act } and returns { node, paint(state) }.

import { h } from "./dom.js";
import { choice, grouped, list, three, whole, withUnit } from "./form.js";
import { DTYPES, OPS, dtypesOf } from "./roofline_math.js";

const OP_NAMES = [["matmul", "Matrix product"], ["linear", "Linear layer"], ["elementwise", "Elementwise sum"]];
const SIZE_NAMES = {
  m: "Rows m", n: "Columns n", k: "Inner size k", elements: "Elements", batch: "Batch (rows)", in_features: "Input features", out_features: "Output features",
};
const EXAMPLES = [
  ["Large product", { op: "matmul", m: 8192, n: 8192, k: 8192 }],
  ["Small product", { op: "matmul", m: 128, n: 128, k: 128 }],
  ["Batch of one", { op: "linear", batch: 1, in_features: 4096, out_features: 4096 }],
  ["Sum of two tensors", { op: "elementwise", elements: 16_777_216 }],
];
/** A name that may break after its underscore. */
const breakable = (name) => name.split(/(?<=_)/).flatMap((piece) => [piece, h("wbr")]);
const rate = (x) => `${three(x / 1e12)} TFLOP/s`;

export function controls({ act, gpus }) {
  const gpu = list("gpu", "GPU", Object.keys(gpus).map((name) => [name, name]), (value) => act.pick({ gpu: value }));
  const op = choice("Op", OP_NAMES, (value) => act.pick({ op: value }));
  const dtype = choice("dtype", DTYPES.map((name) => [name, name]), (value) => act.set({ dtype: value }));
  const sizes = Object.keys(SIZE_NAMES).map((name) => [name, whole(name, SIZE_NAMES[name], (value) => act.attempt({ [name]: value }))]);
  const examples = EXAMPLES.map(([name, next]) => [next, h("button", { type: "button", click: () => act.pick(next) }, name)]);
  const reset = h("button", { type: "button", class: "reset", click: act.reset }, "Reset");
  return {
    node: h("div", { class: "controls" },
      h("div", { class: "row" }, gpu.node, op.node, reset), dtype.node, h("div", { class: "entries" }, ...sizes.map(([, size]) => size.node)),
      h("div", { class: "buttons", role: "group", "aria-label": "Examples" }, ...examples.map(([, button]) => button))),
    paint(state) {
      gpu.paint(state.gpu);
      op.paint(state.op);
      dtype.paint(state.dtype, dtypesOf(state.card, state.op));
      for (const [name, size] of sizes) {
        size.node.hidden = !OPS[state.op].includes(name);
        size.paint(state[name]);
      }
      for (const [next, button] of examples) button.setAttribute("aria-pressed", Object.entries(next).every(([key, value]) => state[key] === value));
    },
  };
}

export const sentence = ({ gpu, dtype, op, result }) => {
  const limit = result.bound === "memory" ? "memory-bound: it waits for data" : "compute-bound: it waits for arithmetic";
  return `${OP_NAMES.find(([name]) => name === op)[1]} in ${dtype} on ${gpu} is ${limit}. At best ${withUnit(result.seconds, "s")}, ${rate(result.ceiling)}.`;
};

export function headline() {
  const title = h("p", { class: "value" }), time = h("p", {}), why = h("p", { class: "hint" });
  return {
    node: h("div", { class: "headline" }, title, time, why),
    paint({ result, card }) {
      const memory = result.bound === "memory";
      title.textContent = memory ? "Memory-bound" : "Compute-bound";
      time.textContent = `At best ${withUnit(result.seconds, "s")}, that is ${rate(result.ceiling)}: ${three((100 * result.ceiling) / result.peak)} % of the ${card.measured ? "highest measured rate" : "dense peak"}.`;
      why.textContent = `It does ${three(result.intensity)} operations per byte, ${memory ? "fewer than" : "no fewer than"} the ${three(result.ridge)} that it takes to keep the arithmetic units busy.`
        + (result.seconds < 5e-6 ? " So short an op may well take less time than launching its kernel, which this model leaves out." : "");
    },
  };
}

export function results() {
  const body = h("tbody", {}), caption = h("caption", {});
  return {
    node: h("table", {}, caption, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Quantity"), h("th", { scope: "col", class: "number" }, "Value"))), body),
    paint({ result, gpu, dtype, op, card }) {
      caption.textContent = "The model in numbers";
      const peak = `${card.measured ? "Highest measured rate" : "Dense peak"}, ${op === "elementwise" ? "float32 outside the matrix units" : dtype}`;
      const rows = [
        ["Operations", withUnit(result.flops, "FLOP")], ["Bytes", withUnit(result.bytes, "B")], ["Arithmetic intensity", `${three(result.intensity)} FLOP/B`],
        [peak, rate(result.peak)], [`Memory bandwidth of ${gpu}`, `${three(result.bandwidth / 1e12)} TB/s`], ["Ridge: intensity where the roof is reached", `${three(result.ridge)} FLOP/B`],
        ["Ceiling at this intensity", rate(result.ceiling)], ["Time at the ceiling", withUnit(result.seconds, "s")],
      ];
      body.replaceChildren(...rows.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "number" }, value))));
    },
  };
}

/** What was measured on this GPU, as a table: the chart shows the same points. */
export function recordPart() {
  const node = h("div", { class: "panel record" });
  let shown = null;
  return {
    node,
    paint({ record, gpu, card }) {
      if (shown === gpu) return;
      shown = gpu;
      const title = h("p", { class: "title" }, `Measured on ${gpu}${record?.gemm.length ? ": products of two n×n matrices, TFLOP/s" : ""}`);
      if (!record) return node.replaceChildren(title, h("p", {}, "No record yet: nobody has measured this GPU with this book’s benchmark, so the chart shows stated rates only."));
      const sizes = [...new Set(record.gemm.map(([, n]) => n))].sort((a, b) => a - b);
      const dtypes = DTYPES.filter((dtype) => record.gemm.some(([one]) => one === dtype));
      const cell = (dtype, n) => {
        const [, , tflops] = record.gemm.find(([one, size]) => one === dtype && size === n) ?? [];
        return h("td", { class: "number" }, tflops ? three(tflops) : "–");
      };
      const head = h("tr", {}, h("th", { scope: "col" }, "n"), ...dtypes.map((dtype) => h("th", { scope: "col", class: "number" }, ...breakable(dtype))));
      const table = h("table", { "aria-label": "Measured rates in TFLOP/s" }, h("thead", {}, head),
        h("tbody", {}, ...sizes.map((n) => h("tr", {}, h("th", { scope: "row" }, grouped(n)), ...dtypes.map((dtype) => cell(dtype, n))))));
      const copy = record.copy ? [h("p", {}, `Fastest copy: ${three(record.copy)} TB/s, ${three((100 * record.copy) / card.tb_per_s)} % of the ${card.measured ? "roof’s" : "stated"} bandwidth.`)] : [];
      const scroll = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Measured rates" }, table);
      return node.replaceChildren(title, ...(sizes.length ? [scroll] : []), ...copy, h("p", { class: "hint" }, record.line));
    },
  };
}

export function assumptions() {
  const source = h("p", {});
  return {
    node: h("details", {}, h("summary", {}, "Assumptions and sources"), h("div", { class: "notes" }, source,
      h("p", {}, "Bytes: every operand is read from memory once and every result is written once. Real kernels read operands again when they do not fit in a cache, so the true intensity is lower."),
      h("p", {}, "A float8 product is written as bfloat16. TF32 operands take four bytes in memory. A linear layer is its forward pass with bias; the backward pass does about twice the work."),
      h("p", {}, "An elementwise sum does one operation per element, in float32 arithmetic outside the matrix units, whatever the dtype in memory."),
      h("p", {}, "All rates are for dense matrices. Data sheets since the A100 print rates “with sparsity”, which are twice as high and need weights of which half are zero."))),
    paint({ card, gpu }) {
      source.textContent = `${gpu}: ${card.source}.`;
    },
  };
}
