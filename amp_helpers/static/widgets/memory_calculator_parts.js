// The parts of the memory calculator's page. Each takes { act } and returns { node, paint(state) }.

import { h } from "./dom.js";
import { choice, grouped, list, three, whole } from "./form.js";
import { CHOICES, KINDS, SIZES, largestBatch, neededOf, parametersOf, totalOf } from "./memory_calculator_math.js";

export const GB = 1e9;
const gigabytes = (size) => (size === null ? "not known" : three(size / GB));
const SIZE_NAMES = {
  layers: "Blocks", width: "Width", heads: "Heads", vocabulary: "Vocabulary", context: "Context (tokens)", inputs: "Input features", outputs: "Classes",
  parameters: "Parameters", batch: "Batch",
};
const KIND_NAMES = { parameters: "Parameters", gradients: "Gradients", optimizer: "Optimizer state", casts: "Cached casts", activations: "Activations" };
const EXAMPLES = [
  ["GPT-2 124M", { model: "gpt", layers: 12, width: 768, heads: 12, vocabulary: 50304, context: 1024, batch: 16 }],
  ["GPT-2 1.5B", { model: "gpt", layers: 48, width: 1600, heads: 25, vocabulary: 50304, context: 1024, batch: 4 }],
  ["Wide MLP", { model: "mlp", layers: 3, width: 4096, inputs: 4096, outputs: 10, batch: 512 }],
  ["7B parameters", { model: "parameters", parameters: 7e9 }],
];

export function controls({ act }) {
  const pick = (name) => (value) => act.set({ [name]: value });
  const model = choice("Model", [["gpt", "GPT"], ["mlp", "MLP"], ["parameters", "Any, by parameters"]], pick("model"));
  const recipe = choice("Precision recipe", CHOICES.recipe.map((name) => [name, name]), pick("recipe"));
  const optimizer = list("optimizer", "Optimizer", [["sgd", "SGD"], ["sgd-momentum", "SGD with momentum"], ["adam", "Adam"], ["adamw", "AdamW"]], pick("optimizer"));
  const checkpointing = choice("Activation checkpointing", [[false, "Off"], [true, "On"]], pick("checkpointing"));
  const attention = choice("Attention", [["fused", "Fused"], ["plain", "Plain"]], pick("attention"));
  const device = choice("Device", [["cuda", "CUDA"], ["cpu", "CPU"]], pick("device"));
  const sizes = [...new Set(["batch", ...Object.values(SIZES).flat()])].map((name) => [name, whole(name, SIZE_NAMES[name], (value) => act.set({ [name]: value }))]);
  const layersLabel = sizes.find(([name]) => name === "layers")[1].node.firstChild;
  const examples = EXAMPLES.map(([name, next]) => [next, h("button", { type: "button", click: () => act.set(next) }, name)]);
  const reset = h("button", { type: "button", class: "reset", click: act.reset }, "Reset");
  return {
    node: h("div", { class: "controls" },
      h("div", { class: "row" }, h("div", { class: "buttons", role: "group", "aria-label": "Examples" }, ...examples.map(([, button]) => button)), reset),
      h("div", { class: "row" }, model.node, recipe.node), h("div", { class: "entries" }, ...sizes.map(([, size]) => size.node), optimizer.node),
      h("div", { class: "row" }, checkpointing.node, attention.node, device.node)),
    paint(state) {
      model.paint(state.model);
      recipe.paint(state.recipe);
      optimizer.paint(state.optimizer);
      checkpointing.paint(state.checkpointing);
      attention.paint(state.attention);
      device.paint(state.device);
      checkpointing.node.hidden = attention.node.hidden = state.model !== "gpt";
      device.node.hidden = state.model === "parameters";
      for (const [name, size] of sizes) {
        size.node.hidden = name === "batch" ? state.model === "parameters" : !SIZES[state.model].includes(name);
        size.paint(state[name]);
      }
      layersLabel.textContent = state.model === "mlp" ? "Hidden layers" : "Blocks";
      for (const [next, button] of examples) button.setAttribute("aria-pressed", Object.entries(next).every(([key, value]) => state[key] === value));
    },
  };
}

export const sentence = ({ total, needed, wide, recipe, cards, bytes }) => {
  const fitting = Object.keys(cards).filter((card) => needed <= cards[card] * GB);
  const compared = recipe === "32-true" ? "" : `, against ${gigabytes(totalOf(wide))} GB in 32-true`;
  return `${gigabytes(total)} GB in ${recipe}${compared}${bytes.activations === null ? ", without activations" : `; at least ${gigabytes(needed)} GB needed`}. ${fitting.length ? `Within the memory of ${fitting.join(", ")}.` : "More than any card here has."}`;
};

export function headline() {
  const title = h("p", { class: "value" }), than = h("p", {}), size = h("p", { class: "hint" });
  return {
    node: h("div", { class: "headline" }, title, than, size),
    paint(state) {
      const { total, needed, wide, recipe, bytes } = state, before = totalOf(wide);
      title.textContent = `${gigabytes(total)} GB${bytes.activations === null ? " and the activations" : ""}`;
      const ratio = total / before;
      than.textContent = recipe === "32-true" ? "Everything is float32." : `${three(ratio)} times the ${gigabytes(before)} GB of 32-true${bytes.activations === null ? ", both without activations" : ratio > 1 ? ": here it takes more memory" : ""}.`;
      size.textContent = `${grouped(parametersOf(state))} parameters.${needed > total ? ` For a moment the step needs at least ${gigabytes(needed)} GB.` : ""}`
        + (bytes.activations === null ? " How large the activations are cannot be told from that, nor which weights autocast casts: all of them are counted as cast." : "");
    },
  };
}

/** Kinds as one stacked bar, and as a table beside 32-true. */
export function kindsPart() {
  const bar = h("div", { class: "bar", "aria-hidden": "true" }), body = h("tbody", {}), now = h("th", { scope: "col", class: "number" });
  const head = h("tr", {}, h("th", { scope: "col" }, "Kind"), now, h("th", { scope: "col", class: "number" }, "32-true"), h("th", { scope: "col", class: "number" }, "Ratio"));
  return {
    node: h("div", {}, bar, h("table", { class: "kinds" }, h("caption", {}, "GB by kind"), h("thead", {}, head), body)),
    paint({ bytes, wide, recipe, total, needed }) {
      now.textContent = recipe;
      bar.replaceChildren(...KINDS.filter((kind) => bytes[kind]).map((kind) => h("span", { class: `part ${kind}`, style: `flex-grow: ${bytes[kind] / total}` })));
      const ratio = (a, b) => (a === null || !b ? "–" : three(a / b));
      const row = (name, a, b, mark = "") => h("tr", {}, h("th", { scope: "row" }, mark, name), h("td", { class: "number" }, gigabytes(a)), h("td", { class: "number" }, gigabytes(b)), h("td", { class: "number" }, ratio(a, b)));
      const bold = (node) => (node.classList.add("sum"), node);
      body.replaceChildren(
        ...KINDS.map((kind) => row(KIND_NAMES[kind], bytes[kind], wide[kind], h("span", { class: `swatch part ${kind}`, "aria-hidden": "true" }))),
        bold(row("Sum", total, totalOf(wide))),
        row("Temporary, the loss’s backward", bytes.temporary, wide.temporary),
        bold(row("Needed, at least", needed, neededOf(wide))),
      );
    },
  };
}

function verdictOf(share, known) {
  if (share > 1) return ["too-small", "too small"];
  if (!known) return ["fits", "fits before activations"];
  return share > 0.9 ? ["close", "close to full"] : ["fits", "fits"];
}

export function cardsPart() {
  const body = h("tbody", {}), hint = h("p", { class: "hint" });
  const head = h("tr", {}, h("th", { scope: "col" }, "Card"), h("th", { scope: "col" }, "Used"), h("th", { scope: "col", class: "number" }, "Largest batch"));
  return {
    node: h("div", {}, h("table", { class: "cards" }, h("caption", {}, "On the cards"), h("thead", {}, head), body), hint),
    paint(state) {
      const { cards, needed } = state;
      body.replaceChildren(...Object.entries(cards).map(([card, size]) => {
        const share = needed / (size * GB), [kind, verdict] = verdictOf(share, state.bytes.activations !== null);
        const most = largestBatch(state, size * GB);
        const meter = h("div", { class: "meter", "aria-hidden": "true" }, h("span", { class: `fill ${kind}`, style: `width: ${Math.min(100, 100 * share)}%` }));
        return h("tr", { "data-card": card }, h("th", { scope: "row" }, card.endsWith(" GB") ? card : `${card}, ${size} GB`),
          h("td", { class: "used" }, meter, h("span", { class: `verdict ${kind}` }, verdict), `, ${three(100 * share)} %`),
          h("td", { class: "number" }, most === null ? "–" : most === 0 ? "none" : grouped(most)));
      }));
      hint.textContent = "A step needs at least this much. Other temporary tensors, workspace, fragmentation and what CUDA itself takes come on top, so leave room."
        + (state.bytes.recomputed ? ` While the backward pass recomputes a block, its ${gigabytes(state.bytes.recomputed)} GB come on top as well.` : "");
    },
  };
}

export function assumptions() {
  const items = [
    "A GB is a thousand million bytes, and a card has as many as its name says.",
    "The sum adds up everything that a step keeps at some time: parameters, gradients, the optimizer’s state, autocast’s cached casts, and what autograd saved in the forward pass. Not all of it need be there at once.",
    "GPT is this book’s: LayerNorm before attention and before a GELU of four widths, no dropout, the head shares the embedding’s weight. MLP has ReLU between its layers. Both end in a cross-entropy loss.",
    "Fused attention is flash attention and the like: it keeps queries, keys, values, its result, and one number per row. Plain attention keeps the probabilities, heads × context² for each example, in float32.",
    "Cross-entropy under autocast: on CUDA log-softmax is kept in 16 bits and again in float32; on a CPU in float32 only.",
    "Temporary: the backward pass of cross-entropy makes the gradients of log-softmax and of the logits, each as large as the logits. On CUDA under autocast the float32 copy goes before the second comes, so one of them counts. No weight has a gradient then, so what is needed counts the larger of gradients and temporary tensors. Where gradients are accumulated, both are there.",
    "Checkpointing keeps the input of each block and recomputes the rest. An MLP has nothing to recompute: its layers save little but their inputs.",
    "16-mixed, and a GradScaler with it, takes what bf16-mixed takes.",
  ];
  return { node: h("details", {}, h("summary", {}, "What is counted"), h("ul", {}, ...items.map((text) => h("li", {}, text)))), paint() {} };
}
