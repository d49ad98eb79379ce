// The parts of the loop builder's page. Each takes { act } and returns { node, paint(state) }.

import { copyText, h } from "./dom.js";
import { spoken as sayLater } from "./form.js";
import { ACCUMULATE, OPTIMIZERS, PRECISIONS, isNew } from "./loop_builder_code.js";

export const NAMES = { "32-true": "FP32", tf32: "TF32", "bf16-mixed": "BF16 autocast", "16-mixed": "FP16 autocast + GradScaler" };
/** What comes with a precision, and why the rest is not offered. */
const NOTES = {
  "32-true": "No GradScaler is offered: float32 gradients have the range that scaling would buy. On a GPU with TF32, convolutions use it by default, here too.",
  tf32: "No GradScaler is offered: TF32 has float32’s exponent range, and gradients stay float32. Autocast is another choice, not an addition to this one.",
  "bf16-mixed": "No GradScaler is offered: bfloat16 has float32’s exponent range, so a scale has nothing to save. It would cost time, and it could skip steps.",
  "16-mixed": "The GradScaler is not a choice of its own: without it, float16 gradients below 2⁻²⁵ become zero, and nothing keeps an inf out of the weights.",
};

/** A group of buttons of which one is pressed. */
function choice(label, options, pick, hint) {
  const buttons = options.map(([value, text]) => [value, h("button", { type: "button", click: () => pick(value) }, text)]);
  const node = h("div", { class: "choice" }, h("span", { class: "label", "aria-hidden": "true" }, label),
    h("div", { class: "buttons", role: "group", "aria-label": label, "aria-describedby": hint }, ...buttons.map(([, button]) => button)));
  return { node, paint: (value) => buttons.forEach(([one, button]) => button.setAttribute("aria-pressed", one === value)) };
}

export function controls({ act }) {
  const set = (name) => (value) => act.set({ [name]: value });
  const counted = (values, one, many) => values.map((value) => [value, `${value} ${value === 1 ? one : many}`]);
  const groups = {
    precision: choice("Precision", PRECISIONS.map((name) => [name, NAMES[name]]), set("precision"), "precision-note"),
    clip: choice("Gradient clipping", [[false, "No clipping"], [true, "Clip the norm"]], set("clip")),
    accumulate: choice("Accumulation", counted(ACCUMULATE, "batch per step", "micro-batches").map(([value, text]) => [value, value === 1 ? "None" : text]), set("accumulate")),
    optimizers: choice("Optimizers", counted(OPTIMIZERS, "optimizer", "optimizers, 2 losses"), set("optimizers")),
    scheduler: choice("Learning rate", [[false, "Constant"], [true, "Scheduler"]], set("scheduler")),
  };
  const note = h("p", { class: "hint", id: "precision-note" });
  const { precision, ...others } = groups;
  const reset = h("button", { type: "button", class: "reset", click: act.reset }, "Reset");
  return {
    node: h("div", { class: "controls" }, h("div", {}, precision.node, note), h("div", { class: "row" }, ...Object.values(others).map(({ node }) => node), reset)),
    paint(state) {
      for (const [name, { paint }] of Object.entries(groups)) paint(state[name]);
      note.textContent = NOTES[state.precision];
    },
  };
}

/** The number of the block that is explained. */
const chosen = ({ blocks, explain }) => Math.max(0, blocks.findIndex(({ id }) => id === explain));

/** The code as a list of blocks, with its heading and the button that copies it. */
export function listing({ act }) {
  let state = null, built = "", timer = null;
  const list = h("div", { class: "code", id: "code", role: "listbox", tabindex: 0, "aria-label": "Code, block by block", "aria-describedby": "code-hint", keydown: key });
  const told = h("span", { class: "told", role: "status" });
  const count = h("span", {});
  const copy = h("button", { type: "button", async click() {
    const copied = await copyText(list);
    told.textContent = copied ? "Copied." : "Selected: press Ctrl+C or ⌘C to copy.";
    clearTimeout(timer);
    timer = setTimeout(() => (told.textContent = ""), 5000);
  } }, "Copy the code");
  const hint = h("p", { class: "hint", id: "code-hint" }, "Click a block, or move with the arrow keys, to read why it stands there. A ",
    h("span", { class: "plus" }, "+"), " marks lines that the plain FP32 loop does not have.");
  function key(event) {
    const last = state.blocks.length - 1, at = chosen(state);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: last }[event.key];
    if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    act.explain(state.blocks[Math.min(last, Math.max(0, to))].id);
    list.querySelector("[aria-selected=true]").scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  return {
    node: h("div", { class: "listing" }, h("div", { class: "row top" }, h("p", { class: "title" }, "Your loop: ", count), copy, told), hint, h("div", {}, list)),
    unmount: () => clearTimeout(timer),
    paint(next) {
      state = next;
      if (state.code !== built) {
        built = state.code;
        told.textContent = "";
        count.textContent = `${state.code.trim().split("\n").length} lines`;
        list.replaceChildren(...state.blocks.map(({ id, title, lines }) => h("div", { id: `block-${id}`, class: "block", role: "option", "data-id": id, title, click: () => act.explain(id) },
          ...lines.map((line) => h("span", { class: line ? `line${isNew(line) ? " new" : ""}` : "gap" }, `${line}\n`)))));
      }
      const at = chosen(state);
      [...list.children].forEach((node, i) => node.setAttribute("aria-selected", i === at));
      list.setAttribute("aria-activedescendant", `block-${state.blocks[at].id}`);
    },
  };
}

/** Why the chosen block stands where it does. */
export function reason({ act }) {
  let state = null;
  const place = h("span", { class: "hint" }), title = h("span", { class: "title" }), why = h("p", { class: "why" });
  const move = (by) => () => act.explain(state.blocks[chosen(state) + by].id);
  const before = h("button", { type: "button", "aria-label": "Previous block", click: move(-1) }, "←");
  const after = h("button", { type: "button", "aria-label": "Next block", click: move(1) }, "→");
  const words = h("div", { class: "words", "aria-live": "polite", "aria-atomic": "true" }, h("p", { class: "heading" }, title, " ", place), why);
  return {
    node: h("div", { class: "panel" }, words, h("div", { class: "moves" }, before, after)),
    paint(next) {
      state = next;
      const at = chosen(state), block = state.blocks[at];
      before.disabled = at === 0;
      after.disabled = at === state.blocks.length - 1;
      const position = `Block ${at + 1} of ${state.blocks.length}`;
      if (title.textContent === block.title && why.textContent === block.why && place.textContent === position) return; // nothing to say again
      title.textContent = block.title;
      why.textContent = block.why;
      place.textContent = position;
    },
  };
}

/** The choices as a phrase. */
export const sentence = ({ precision, clip, accumulate, optimizers, scheduler, code }) =>
  [NAMES[precision], clip ? "clipping" : "no clipping", accumulate > 1 ? `${accumulate} micro-batches per step` : "no accumulation",
    optimizers === 2 ? "2 optimizers" : "1 optimizer", scheduler ? "scheduler" : "no scheduler"].join(", ") + `: ${code.trim().split("\n").length} lines.`;

/** A spoken summary, a moment after the last change. */
export const spoken = () => sayLater(sentence);
