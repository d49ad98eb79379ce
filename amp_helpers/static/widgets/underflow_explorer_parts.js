// The parts of the underflow explorer's page. Each takes { act } and returns { node, paint(state) }.

import { CLASSES, NAMES, SLIDER, countAt, largestSafe, readHistograms } from "./gradient_counts.js";
import { MARKS, grouped, limitText, percent, power, scaleText, side, verdict } from "./underflow_explorer_words.js";
import { RECORDED } from "./recorded_gradients.js";
import { h } from "./dom.js";

const NOUNS = { zero: "zero", subnormal: "subnormal", normal: "normal", infinite: "infinite" };
const COUNTED = ["zero", "subnormal", "infinite"]; // the columns of both tables; the rest is normal

export function source({ act }) {
  const select = h("select", { id: "recording", change: () => act.set({ recording: select.value }) },
    ...Object.entries(RECORDED).map(([name, { model }]) => h("option", { value: name }, model)));
  const own = h("option", { value: "", disabled: true }, "");
  const reset = h("button", { type: "button", click: act.reset }, "Reset");
  return {
    node: h("div", { class: "row head" }, h("div", { class: "entry" }, h("label", { for: "recording" }, "Gradients of"), select), reset),
    paint({ data, recording, pasted }) {
      own.textContent = data.model;
      if (pasted && !own.isConnected) select.prepend(own);
      if (!pasted) own.remove();
      select.value = pasted ? "" : recording;
    },
  };
}

export function headline() {
  const before = h("span", {}), value = h("span", { class: "value mono" }), after = h("span", {}), said = h("p", { class: "verdict" });
  return {
    node: h("div", { class: "facts" }, h("p", { class: "headline" }, before, value, after), said),
    paint({ whole, data, format, scale_exponent, counts, safe, useful }) {
      before.textContent = `At loss scale ${scale_exponent ? power(scale_exponent) : 1}, `;
      value.textContent = percent(counts.zero, counts.total);
      after.textContent = ` of ${grouped(counts.total)} nonzero gradients become zero in ${format}`;
      said.textContent = verdict({ format, counts, safe, useful, bad: whole.infinite + whole.nan, missing: data.missing.length });
    },
  };
}

export function slider({ act }) {
  const input = h("input", { id: "scale", type: "range", min: SLIDER.low, max: SLIDER.high, step: 1, input: () => act.set({ scale_exponent: input.valueAsNumber }) });
  const shown = h("span", { class: "mono" });
  const marks = h("div", { class: "marks", "aria-hidden": "true" });
  const limits = h("p", { class: "hint limits" });
  const at = (k) => (100 * (Math.min(SLIDER.high, Math.max(SLIDER.low, k)) - SLIDER.low)) / (SLIDER.high - SLIDER.low);
  const jump = (text, pick) => h("button", { type: "button", click: () => act.set({ scale_exponent: pick() }) }, text);
  let safe = null;
  const safest = jump("Largest safe", () => Math.min(SLIDER.high, safe));
  const buttons = h("div", { class: "row jump", role: "group", "aria-label": "Loss scales" }, jump("No scaling", () => 0), jump("GradScaler’s 2^16", () => 16), safest);
  return {
    node: h("div", { class: "scale" }, h("label", { for: "scale" }, "Loss scale: ", shown), h("div", { class: "track" }, input, marks), limits, buttons),
    paint(state) {
      const { useful, format, scale_exponent: k } = state;
      safe = state.safe;
      if (input.valueAsNumber !== k) input.value = k;
      input.setAttribute("aria-valuetext", scaleText(k));
      shown.textContent = scaleText(k);
      safest.disabled = safe === null || safe < SLIDER.low;
      const nodes = [];
      if (safe !== null && useful !== null && useful <= safe && useful <= SLIDER.high && safe >= SLIDER.low) {
        nodes.push(h("div", { class: "band", style: `left: ${at(useful)}%; width: ${at(safe) - at(useful)}%` }));
      }
      if (safe !== null) {
        const where = { inside: "", left: "◂ ", right: "" }[side(safe)], beyond = side(safe) === "right" ? " ▸" : "";
        nodes.push(h("div", { class: "flag", style: `left: ${at(safe)}%; --at: ${at(safe)}` }, h("span", {}, `${where}largest safe: ${power(safe)}${beyond}`)));
      }
      marks.replaceChildren(...nodes);
      limits.textContent = `Largest safe scale in ${format}: ${limitText(safe)}. Smallest scale that loses at most 0.1 % to zero: ${limitText(useful)}.`;
    },
  };
}

/** Shares as a bar of four patterns; the numbers stand beside it. */
function stack(counts) {
  const parts = CLASSES.filter((part) => counts[part]).map((part) => h("i", { class: part, style: `width: ${(100 * counts[part]) / counts.total}%` }));
  return h("div", { class: "stack", "aria-hidden": "true" }, ...parts);
}

const shareCells = (counts) => COUNTED.map((part) =>
  h("td", { class: part, "data-title": NOUNS[part], "data-kind": counts[part] && part !== "subnormal" ? part : "fine" },
    counts[part] ? `${MARKS[part]} ${percent(counts[part], counts.total)}` : "0 %"));

const heads = (first, last) => h("thead", {}, h("tr", {}, ...[first, "Shares", ...COUNTED.map((part) => NOUNS[part]), last].map((title) => h("th", { scope: "col" }, title))));

/** A name that breaks after a dot or an underscore before it breaks anywhere else. */
const breakable = (name) => name.split(/(?<=[._])/).flatMap((piece) => [piece, h("wbr")]).slice(0, -1);

/** Rows of a table whose first cell is a button; the focus stays on a row that is painted anew. */
function rowsOf(body, lines, choose) {
  const active = body.querySelector("button:focus")?.dataset.id;
  body.replaceChildren(...lines.map(({ id, text, pressed, counts, last, title }) => h("tr", { "data-id": id },
    h("th", { scope: "row" }, h("button", { type: "button", class: "pick", "data-id": id, "aria-pressed": String(pressed), click: () => choose(id) }, ...breakable(text))),
    h("td", { class: "shape" }, stack(counts)), ...shareCells(counts), h("td", { class: "last", "data-title": title }, last))));
  if (active !== undefined) [...body.querySelectorAll("button")].find((button) => button.dataset.id === active)?.focus({ preventScroll: true });
}

export function formats({ act }) {
  const body = h("tbody", {});
  return {
    node: h("table", {}, h("caption", {}, "The whole model, format by format"), heads("Format", "Largest safe"), body),
    paint({ whole, data, scale_exponent, format }) {
      rowsOf(body, NAMES.map((name) => ({
        id: name, text: name, pressed: name === format, counts: countAt(whole, scale_exponent, data.edges, name),
        last: limitText(largestSafe(whole, data.edges, name)), title: "largest safe",
      })), (name) => act.set({ format: name }));
    },
  };
}

export function layers({ act }) {
  const body = h("tbody", {}), caption = h("caption", {});
  const table = h("table", {}, caption, heads("Layer", "Largest safe"), body);
  const legend = h("p", { class: "legend" }, ...CLASSES.map((part) => h("span", {}, h("i", { class: `swatch ${part}`, "aria-hidden": "true" }), `${MARKS[part]} ${NOUNS[part]}${part === "infinite" ? " (NaN in float8_e4m3fn)" : ""}`)));
  return {
    node: h("div", {}, legend, h("div", { class: "layers", role: "group", "aria-label": "Layer by layer", tabindex: 0 }, table)),
    paint({ whole, data, scale_exponent, format, group }) {
      caption.textContent = `Layer by layer, in ${format}`;
      rowsOf(body, [whole, ...data.groups].map((one) => ({
        id: one.name, text: one.kind === "model" ? "the whole model" : one.kind === "activation" ? `${one.name} (output)` : one.name, pressed: one.name === group.name,
        counts: countAt(one, scale_exponent, data.edges, format), last: limitText(largestSafe(one, data.edges, format)), title: "largest safe",
      })), (name) => act.set({ group: name }));
    },
  };
}

export function paste({ act }) {
  const problem = h("p", { class: "problem", id: "histogram-problem", role: "status" });
  const told = h("p", { class: "good", role: "status" });
  const area = h("textarea", { id: "histogram", spellcheck: "false", autocapitalize: "off", autocomplete: "off", "aria-describedby": "histogram-hint histogram-problem" });
  const button = h("button", { type: "button", click: use }, "Show");
  function use() {
    problem.textContent = told.textContent = "";
    let trouble = null;
    try {
      const data = readHistograms(area.value);
      act.show(data);
      told.textContent = `✓ ${data.model}: ${data.groups.length} ${data.groups.length === 1 ? "group" : "groups"}.`;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      trouble = error.message;
    }
    problem.textContent = trouble ?? "";
    area.setAttribute("aria-invalid", Boolean(trouble));
  }
  const hint = h("p", { class: "hint", id: "histogram-hint" }, "What ", h("code", {}, "print(json.dumps(report.export()))"),
    " prints, where report is what amp_helpers.gradients.collect returned for your model. It stays in this page.");
  return {
    node: h("details", {}, h("summary", {}, "Paste the gradients of your own model"),
      h("div", { class: "paste" }, h("label", { for: "histogram" }, "Exported histograms (JSON)"), area, hint, problem, told, h("div", {}, button))),
    paint() {},
  };
}

/** The state in a sentence, for the spoken summary. */
export function sentence({ counts, format, scale_exponent }) {
  const shares = CLASSES.map((part) => `${percent(counts[part], counts.total)} ${NOUNS[part]}`);
  return `Loss scale ${power(scale_exponent)}, ${format}: ${shares.join(", ")}.`;
}
