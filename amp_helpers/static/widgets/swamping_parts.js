// The parts of the swamping widget's page. Each takes { act } and returns { node, paint(state) }.

import { divide, encode, fromNumber, isZero, subtract, toNumber } from "./core.js";
import { KAHAN_FORMATS, MOST, STOPS, alignment, fate, nextStep, stopFor } from "./swamping_math.js";
import { readable, shortest } from "./text.js";
import { h } from "./dom.js";
import { key } from "./swamping_chart.js";

const PRESETS = [
  ["1 + 1", { start: "1", addend: "1", count: 3000 }],
  ["0.02 + 1e-5", { start: "0.02", addend: "1e-5", count: 1000 }],
  ["1 + 1e-4", { start: "1", addend: "1e-4", count: 10000 }],
];

export const grouped = (n) => n.toLocaleString("en-US");
const times = (n) => `${grouped(n)} ${n === 1 ? "addition" : "additions"}`;

/** A sum in at most nine digits; in float32 as few as tell it apart. */
export function sumText(x, fmt) {
  const value = fromNumber(x);
  const short = fmt.bits > 16 ? shortest(value, encode(value, fmt), fmt) : null;
  return short ?? readable(fromNumber(Number(x.toPrecision(9))));
}

/** A difference in four digits, with a sign. */
function difference(number) {
  const size = Math.abs(number), sign = number < 0 ? "−" : "+";
  const plain = size >= 1e-3 && size < 1e7;
  return sign + (plain ? Number(size.toPrecision(4)) : size.toExponential(3).replace(/\.?0+e/, "e").replace("e+", "e"));
}

/** How far a sum is off: the difference and, where it matters, its share of the exact sum. */
export function errorText(sum, exact) {
  const value = fromNumber(sum);
  if (value.kind !== "finite") return "–";
  const error = subtract(value, exact);
  if (isZero(error)) return "0";
  const text = difference(toNumber(error));
  const share = isZero(exact) ? 0 : 100 * toNumber(divide(error, { ...exact, sign: 0 }));
  return Math.abs(share) < 0.1 ? text : `${text} (${difference(Number(share.toPrecision(3)))} %)`;
}

const MARKS = { moves: "→", stuck: "■", infinite: "↑", nan: "×" };

/** A run's fate in words. */
export function fateText(run, n) {
  const { kind, since } = fate(run, n);
  if (kind === "infinite") return `infinite: beyond ${readable(fromNumber(largest(run.fmt)))}`;
  if (kind === "nan") return "NaN: its correction met infinity";
  if (kind === "stuck") return run.addend === 0 ? "stuck: the addend is 0 here" : `stuck since step ${grouped(since)}`;
  if (run.method !== "stochastic") return "still moves";
  const { chance, exact } = nextStep(run, n);
  return chance === 0 && exact ? "still moves" : "moves by chance";
}

const largest = (fmt) => (2 - 2 ** -fmt.significand_bits) * 2 ** fmt.max_exponent;

export function presets({ act }) {
  const buttons = PRESETS.map(([text, state]) => [h("button", { type: "button", click: () => act.set(state) }, text), state]);
  const reset = h("button", { type: "button", click: act.reset }, "Reset");
  const group = h("div", { class: "row", role: "group", "aria-label": "Examples" }, ...buttons.map(([button]) => button));
  return {
    node: h("div", { class: "row head" }, group, reset),
    paint(state) {
      for (const [button, preset] of buttons) {
        button.setAttribute("aria-pressed", ["start", "addend", "count"].every((name) => preset[name] === state[name]));
      }
    },
  };
}

export function inputs({ act }) {
  const entry = (id, label, read, attributes = {}) => {
    const problem = h("p", { class: "problem", id: `${id}-problem`, role: "status" });
    const input = h("input", {
      id, type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: "false", "aria-describedby": `${id}-problem`, ...attributes,
      input() {
        const trouble = act.set({ [id]: read(input.value) });
        problem.textContent = trouble ?? "";
        input.setAttribute("aria-invalid", Boolean(trouble));
      },
      blur: () => problem.textContent && show(latest),
    });
    let latest;
    const show = (state) => {
      input.value = state[id];
      problem.textContent = "";
      input.setAttribute("aria-invalid", false);
    };
    const paint = (state) => {
      latest = state;
      if (!input.matches(":focus")) show(state); // never rewrite what is being typed
    };
    return { node: h("div", { class: "entry" }, h("label", { for: id }, label), input, problem), paint };
  };
  const start = entry("start", "Start with", (text) => text);
  const addend = entry("addend", "Add, again and again", (text) => text);
  const seed = entry("seed", "Random seed", (text) => (/^\d+$/.test(text.trim()) ? Number(text) : text), { inputmode: "numeric" });
  const select = h("select", { id: "kahan_format", change: () => act.set({ kahan_format: select.value }) },
    ...KAHAN_FORMATS.map((name) => h("option", { value: name }, name)));
  const kahan = h("div", { class: "entry" }, h("label", { for: "kahan_format" }, "Kahan’s sum in"), select);
  return {
    node: h("div", { class: "entries" }, start.node, addend.node, kahan, seed.node),
    paint(state) {
      for (const part of [start, addend, seed]) part.paint(state);
      select.value = state.kahan_format;
    },
  };
}

export function headline() {
  const after = h("span", {}), value = h("span", { class: "value mono" });
  return {
    node: h("p", { class: "headline" }, after, value),
    paint({ count, exactly }) {
      after.textContent = `After ${times(count)} the exact sum is `;
      value.textContent = readable(exactly(count));
    },
  };
}

export function counter({ act }) {
  const slider = h("input", { id: "count", type: "range", min: 0, max: STOPS.length - 1, step: 1, input: () => act.set({ count: STOPS[slider.valueAsNumber] }) });
  const shown = h("span", { class: "mono" });
  const more = [1, 10, 100, 1000].map((size) => h("button", { type: "button", "aria-label": `Add ${times(size).replace("addition", "more addition")}`, click: () => act.add(size) }, `+${grouped(size)}`));
  const run = h("button", { type: "button", class: "run", click: act.toggle });
  const bar = h("div", { class: "bar" }, h("label", { for: "count" }, "Additions: ", shown), slider);
  return {
    node: h("div", { class: "counter" }, bar, h("div", { class: "row", role: "group", "aria-label": "More additions" }, ...more, run)),
    paint({ count, running }) {
      const position = stopFor(count);
      if (slider.valueAsNumber !== position) slider.value = position;
      slider.setAttribute("aria-valuetext", times(count));
      shown.textContent = grouped(count);
      for (const button of more) button.disabled = count >= MOST;
      run.disabled = count >= MOST;
      run.textContent = running ? "❚❚ Pause" : "▶ Run";
    },
  };
}

export function results({ act }) {
  const titles = ["Accumulator", "Sum", "Error", "Verdict"];
  const head = h("tr", { role: "row" }, ...titles.map((title) => h("th", { role: "columnheader", scope: "col" }, title)));
  const body = h("tbody", { role: "rowgroup" });
  const table = h("table", { role: "table" }, h("caption", {}, "Five accumulators"),
    h("thead", { role: "rowgroup" }, head), body);
  let lines = [], built = "";
  function build(runs) {
    lines = runs.map(({ id, format, name }) => {
      const button = h("button", { type: "button", class: "pick", click: () => act.select(id) }, key({ id, format }), h("span", {}, name));
      const cells = ["sum", "error", "verdict"].map((part) => h("td", { role: "cell", class: part }));
      return { id, button, cells, node: h("tr", { role: "row", "data-id": id }, h("th", { role: "rowheader", scope: "row" }, button), ...cells) };
    });
    body.replaceChildren(...lines.map((line) => line.node));
  }
  return {
    node: h("div", {}, table, h("p", { class: "hint" }, "Choose one to see its next addition bit by bit.")),
    paint({ runs, count, exactly, selected, kahan_format }) {
      const focused = lines.find(({ button }) => button.matches(":focus"))?.id;
      if (built !== kahan_format) build(runs);
      built = kahan_format;
      const exact = exactly(count);
      lines.forEach(({ id, button, cells }, index) => {
        const { run } = runs[index];
        const { kind } = fate(run, count);
        const texts = [sumText(run.at(count), run.fmt), errorText(run.at(count), exact), `${MARKS[kind]} ${fateText(run, count)}`];
        cells.forEach((cell, i) => (cell.textContent = texts[i]));
        cells[2].dataset.kind = kind;
        button.setAttribute("aria-pressed", id === selected);
        if (id === focused && !button.matches(":focus")) button.focus();
      });
    },
  };
}

const signed = (x) => (x < 0 ? "−" : "+");

/** What the next addition does, in a sentence or two. */
export function stepText(step) {
  const { fmt, method, sum, added, addend, owed, result, ulps, chance, random, exact } = step;
  if (!Number.isFinite(sum)) return "Nothing can be added to this sum any more.";
  if (!Number.isFinite(result)) return "The next sum lies beyond the largest value of the format.";
  if (addend === 0 && added === 0) return `The addend is 0 in ${fmt.name}, so the sum stays.`;
  const what = method === "kahan" && owed ? `The addend and what earlier additions lost (${difference(owed)}) make ${difference(added)}, ` : "The addend is ";
  const size = `${what}${ulpText(ulps)} of the sum`;
  if (exact) return `${size}. Nothing is lost: this addition is exact.`;
  const moved = result - sum;
  if (method === "stochastic") {
    const drawn = `The sum is rounded up with probability ${percent(chance)}; this time it`;
    const kept = random < chance ? "is rounded up" : "is rounded down";
    return `${size}. ${drawn} ${kept} and ${moved === 0 ? "stays." : `moves by ${difference(moved)}.`}`;
  }
  const compared = ulps === 0.5 ? "A tie goes to the even last bit" : "Rounding to the nearest";
  if (moved) return `${size}. ${compared} moves the sum by ${difference(moved)} instead of ${difference(added)}.`;
  return `${size}. ${compared}${ulps === 0.5 ? ", here" : " gives"} the old sum: ${method === "kahan" ? "what is lost is kept for the next addition." : "the addend is lost."}`;
}

function ulpText(ulps) {
  if (ulps === 0.5) return "half an ulp";
  if (ulps === 1) return "1 ulp";
  const digits = ulps >= 1e5 || ulps < 1e-4 ? ulps.toExponential(1).replace("e+", "e") : Number(ulps.toPrecision(3));
  return `${digits} ulp${ulps > 1 ? "s" : ""}`;
}

const percent = (share) => `${Number((100 * share).toPrecision(2))} %`;

export function alignmentPanel() {
  const title = h("p", { class: "title" });
  const grid = h("div", { class: "align", role: "img" });
  const sentence = h("p", { class: "step" });
  const scroll = h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Aligned bits" }, grid);
  const note = h("p", { class: "hint" }, "Bits of the significands, those of equal worth below one another. What stands right of the line does not fit the new sum.");
  return {
    node: h("div", { class: "panel" }, title, sentence, scroll, note),
    paint({ runs, count, selected }) {
      const { run, name } = runs.find(({ id }) => id === selected);
      const step = nextStep(run, count);
      title.textContent = `${name}: addition ${grouped(count + 1)}`;
      sentence.textContent = stepText(step);
      const visible = Number.isFinite(step.result) && Number.isFinite(step.sum);
      scroll.hidden = note.hidden = !visible;
      if (!visible) return;
      const columns = alignment(step);
      const rows = [["sum", `sum ${sumText(step.sum, run.fmt)}`], ["added", `${signed(step.added)} ${sumText(Math.abs(step.added), run.fmt)}`],
        ["result", `= ${sumText(step.result, run.fmt)}`]];
      const lost = columns.filter(({ falls, sum, added }) => falls && (sum || added)).length;
      grid.setAttribute("aria-label", `${rows.map(([, text]) => text).join(" ")}; ${lost} ${lost === 1 ? "bit falls" : "bits fall"} off`);
      grid.style.setProperty("--columns", columns.length);
      grid.replaceChildren(...rows.map(([part, text]) => h("div", { class: part }, h("div", { class: "label mono" }, text),
        h("div", { class: "bits mono" }, ...columns.map((column) => bit(column, part))))));
    },
  };
}

function bit(column, part) {
  if (column.gap) return h("span", { class: column.falls ? "gap falls" : "gap" }, part === "added" ? "…" : "");
  const text = column[part] ?? "";
  return h("span", { class: [text && "bit", text === "1" && "one", column.falls && "falls"].filter(Boolean).join(" ") }, text);
}

/** A spoken summary, at most one every second and a half, and none while the sums run. */
export function spoken() {
  const node = h("output", { class: "unseen", "aria-live": "polite" });
  let timer = null, latest = null, first = true;
  const say = () => {
    timer = null;
    const { runs, count, exactly } = latest;
    const each = runs.map(({ name, run }) => `${name}: ${sumText(run.at(count), run.fmt)}, ${fateText(run, count)}`);
    node.textContent = `After ${times(count)}: exact sum ${readable(exactly(count))}. ${each.join(". ")}.`;
  };
  return {
    node,
    unmount: () => clearTimeout(timer),
    paint(state) {
      latest = state;
      if (first) return void (first = false); // a page just opened says nothing
      clearTimeout(timer);
      timer = state.running ? null : setTimeout(say, 1500);
    },
  };
}
