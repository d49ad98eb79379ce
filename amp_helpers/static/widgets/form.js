// Controls that several widgets share: a row of buttons, a list, a field for a whole number, what is said aloud.

import { h } from "./dom.js";

/** A group of buttons of which one is pressed; `paint(value, allowed)` disables what is not in `allowed`. */
export function choice(label, options, pick) {
  const buttons = options.map(([value, text]) => [value, h("button", { type: "button", click: () => pick(value) }, text)]);
  const node = h("div", { class: "choice" }, h("span", { class: "label", "aria-hidden": "true" }, label),
    h("div", { class: "buttons", role: "group", "aria-label": label }, ...buttons.map(([, button]) => button)));
  return {
    node,
    paint(value, allowed = null) {
      for (const [one, button] of buttons) {
        button.setAttribute("aria-pressed", one === value);
        button.disabled = Boolean(allowed) && !allowed.includes(one);
      }
    },
  };
}

/** A drop-down list of [value, text]. */
export function list(id, label, options, pick) {
  const select = h("select", { id, change: () => pick(select.value) }, ...options.map(([value, text]) => h("option", { value }, text)));
  const node = h("div", { class: "entry" }, h("label", { for: id }, label), select);
  return { node, paint: (value) => (select.value = value) };
}

const UNITS = { "": 1, k: 1e3, m: 1e6, b: 1e9 };

/** "4096", "4,096", "4k" or "1.5M" as a whole number, as typed if it is none. */
export function readWhole(text) {
  const [, digits, unit] = /^([\d.]+) ?([kmb]?)$/i.exec(text.trim().replace(/[, _](?=\d)/g, "")) ?? [];
  const value = Math.round(Number(digits) * UNITS[unit?.toLowerCase()]);
  return digits && Number.isFinite(value) && (unit || !digits.includes(".")) ? value : text;
}

export const grouped = (n) => n.toLocaleString("en-US", { maximumFractionDigits: 0 });

/** A field for a whole number; `attempt(value)` returns what is wrong with it, or null. */
export function whole(id, label, attempt) {
  const problem = h("p", { class: "problem", id: `${id}-problem`, role: "status" });
  let latest = 0;
  const input = h("input", {
    id, type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: "false", "aria-describedby": `${id}-problem`,
    input() {
      const trouble = attempt(readWhole(input.value));
      problem.textContent = trouble ?? "";
      input.setAttribute("aria-invalid", Boolean(trouble));
    },
    blur: () => show(latest),
  });
  function show(value) {
    input.value = grouped(value);
    problem.textContent = "";
    input.setAttribute("aria-invalid", false);
  }
  const node = h("div", { class: "entry" }, h("label", { for: id }, label), input, problem);
  return {
    node,
    paint(value) {
      latest = value;
      if (!input.matches(":focus")) show(value); // never rewrite what is being typed
    },
  };
}

/** A spoken summary, a moment after the last change. */
export function spoken(sentence) {
  const node = h("output", { class: "unseen", "aria-live": "polite" });
  let timer = null, last = null;
  return {
    node,
    unmount: () => clearTimeout(timer),
    paint(state) {
      const text = sentence(state);
      if (last === null) last = text; // a page just opened says nothing
      if (text === last) return;
      last = text;
      clearTimeout(timer);
      timer = setTimeout(() => (node.textContent = text), 700);
    },
  };
}

/** Three significant digits, thousands grouped; very large and small ones as powers of ten. */
export function three(x) {
  const rounded = Number(x.toPrecision(3));
  if (rounded !== 0 && (Math.abs(rounded) < 1e-3 || Math.abs(rounded) >= 1e6)) return rounded.toExponential().replace("e+", "e");
  return rounded.toLocaleString("en-US", { maximumSignificantDigits: 3 });
}

/** A number with a prefix of the unit: 4.2e-6 and "s" give "4.2 µs". */
export function withUnit(x, unit, prefixes = PREFIXES) {
  const [size, prefix] = prefixes.find(([least]) => Math.abs(x) >= least * 0.9995) ?? prefixes.at(-1);
  return `${three(x / size)} ${prefix}${unit}`;
}

const PREFIXES = [[1e18, "E"], [1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"]];

/** The member of `choices` that `value` is; throws RangeError listing them. */
export function oneOf(value, choices, name) {
  if (choices.includes(value)) return value;
  throw new RangeError(`unknown ${name} '${String(value).slice(0, 40)}'; choose from ${choices.join(", ")}`);
}

/** A whole number from `least` to `most`; throws RangeError. */
export function within(value, least, most, name) {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`${name} must be a whole number from ${grouped(least)} to ${grouped(most)}, not ${String(value).slice(0, 40) || "nothing"}`);
}

/** The look of these controls. */
export const FORM_CSS = `
p { margin: 0; } [hidden] { display: none !important; }
.hint { color: var(--muted); font-size: 13px; } .problem { color: var(--bad); font-size: 13px; } .problem:empty { display: none; }
.row { gap: 12px 20px; } .reset { margin-inline-start: auto; }
.buttons { display: flex; gap: 6px; flex-wrap: wrap; } button[aria-pressed=true] { border: 2px solid var(--ink); font-weight: 600; }
.entries { display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); align-items: start; } .entry select { width: 100%; }
caption, .title { font: 600 17px/1.3 var(--pst-font-family-base, system-ui, sans-serif); text-align: start; margin: 0; padding-bottom: 6px; color: var(--ink); }
table { width: 100%; border-collapse: collapse; font-size: 14px; }
th, td { text-align: start; vertical-align: top; padding: 8px 12px 8px 0; border-top: 1px solid var(--line); font-weight: 400; }
thead th { color: var(--muted); font-size: 13px; border: 0; padding-block: 2px; }
.number { text-align: end; font-variant-numeric: tabular-nums; white-space: nowrap; }
.panel { background: var(--wash); border-radius: 8px; padding: 14px 16px; display: grid; gap: 8px; grid-template-columns: minmax(0, 1fr); } .panel .hint { color: var(--ink); }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@container (max-width: 620px) { .entries { grid-template-columns: repeat(2, minmax(0, 1fr)); } .reset { margin-inline-start: 0; } th, td { padding-inline-end: 8px; } }
@media (max-width: 480px) { .amp { border-width: 1px 0; border-radius: 0; padding: 16px 0; } .panel { padding: 12px; } }
`;
