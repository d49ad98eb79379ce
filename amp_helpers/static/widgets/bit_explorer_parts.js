// The parts of the bit explorer's page. Each takes { act } and returns { node, paint(state) }.

import { FORMATS, SPECIALS, classify, decode, divide, fields, floorLog2, neighbours, subtract, ulp } from "./core.js";
import { CLASS_NAMES, convert, formula, pythonCode, rule } from "./explain.js";
import { binaryFields, brief, exactDecimal, hexCode, parseNumber, readable, shortest } from "./text.js";
import { copyText, h } from "./dom.js";

/** The number that the reader means: what was typed, else the value of the bits. */
export const meant = (state) => (state.typed ? parseNumber(state.typed) : decode(state.code, state.fmt));

const option = (value, text, selected) => h("option", { value, selected }, text);

export function picker({ act }) {
  const describe = (fmt) => `${fmt.name} · ${fmt.bits} bits`;
  const choices = Object.values(FORMATS).map((fmt) => option(fmt.name, describe(fmt)));
  const select = h("select", { id: "format", change: () => act.format(select.value) }, ...choices, option("custom", "custom …"));
  const reset = h("button", { type: "button", click: act.reset }, "Reset");
  const node = h("div", { class: "row head" }, h("div", {}, h("label", { for: "format" }, "Format"), select), reset);
  return { node, paint: ({ fmt }) => (select.value = fmt.name) };
}

export function customPanel({ act }) {
  const number = (id, label, min, max) => {
    const input = h("input", { id, type: "number", min, max, step: 1, input: () => send(id) });
    return [input, h("div", {}, h("label", { for: id }, label), input)];
  };
  const [exponent, exponentBox] = number("exponent_bits", "Exponent bits", 1, 11);
  const [fraction, fractionBox] = number("significand_bits", "Fraction bits", 0, 52);
  const [bias, biasBox] = number("bias", "Bias");
  const rules = Object.entries(SPECIALS).map(([key, text]) => option(key, `${key}: ${text}`));
  const specials = h("select", { id: "specials", change: () => send("specials") }, ...rules);
  const signed = h("input", { id: "signed", type: "checkbox", change: () => send("signed") });
  const problem = h("p", { class: "problem", id: "custom-problem", role: "status" });
  const read = () => ({
    exponent_bits: exponent.valueAsNumber, significand_bits: fraction.valueAsNumber, bias: bias.valueAsNumber,
    specials: specials.value, signed: signed.checked,
  });
  let previous = { exponent_bits: 0, bias: 0 };
  function send(changed) {
    const usual = (bits) => 2 ** (bits - 1) - 1;
    const next = read();
    const followsUsual = changed === "exponent_bits" && previous.bias === usual(previous.exponent_bits);
    if (followsUsual && next.exponent_bits >= 1 && next.exponent_bits <= 11) next.bias = bias.valueAsNumber = usual(next.exponent_bits);
    problem.textContent = act.custom(next) ?? "";
  }
  const node = h("fieldset", { class: "custom" }, h("legend", {}, "Custom format"), h("div", { class: "row" },
    exponentBox, fractionBox, biasBox, h("label", { class: "check" }, signed, "Sign bit"),
    h("div", { class: "wide" }, h("label", { for: "specials" }, "Infinity and NaN"), specials)), problem);
  return {
    node,
    paint({ custom, fmt }) {
      node.hidden = fmt.name !== "custom";
      previous = custom;
      for (const [input, key] of [[exponent, "exponent_bits"], [fraction, "significand_bits"], [bias, "bias"]]) {
        if (input.valueAsNumber !== custom[key]) input.value = custom[key];
      }
      specials.value = custom.specials;
      signed.checked = custom.signed;
      problem.textContent = "";
    },
  };
}

export function headline() {
  const value = h("span", { class: "value mono" });
  const badge = h("span", { class: "badge" });
  const code = h("span", { class: "mono small" });
  const node = h("output", { class: "headline", "aria-live": "polite" }, h("span", { class: "row" }, value, " ", badge), " ", code);
  return {
    node,
    paint({ fmt, code: bits }) {
      const kind = classify(bits, fmt);
      value.textContent = readable(decode(bits, fmt));
      badge.textContent = CLASS_NAMES[kind];
      badge.dataset.kind = kind;
      code.textContent = `${fmt.name} ${hexCode(bits, fmt)}`;
    },
  };
}

function bitField(name, size, top) {
  const buttons = Array.from({ length: size }, (_, index) => {
    const position = top - index;
    const label = `bit ${position}, ${name}`;
    return h("button", { type: "button", class: "bit", role: "switch", "aria-label": label, "data-position": position, tabindex: -1 }, h("span", {}));
  });
  const nibbles = groupBy(buttons, nibbleOf);
  const groups = [...nibbles.values()].map((bits) => h("span", { class: "nibble" }, ...bits));
  const caption = h("span", { class: "caption" });
  const title = `${name}, ${size} ${size === 1 ? "bit" : "bits"}`;
  const node = h("div", { class: `field ${name}`, role: "group", "aria-label": title }, caption, h("div", { class: "bits" }, ...groups));
  return { node, buttons, caption };
}

const nibbleOf = (button) => Math.floor(button.dataset.position / 4); // one hexadecimal digit

function groupBy(items, key) {
  const groups = new Map();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}

export function bitRow({ act }) {
  const row = h("div", { class: "word", role: "group", "aria-label": "Bits, most significant first" });
  const hint = h("p", { class: "hint" }, "Arrow keys move, Space flips a bit, + and − step to the next value.");
  let shown = "", buttons = [], captions = {};
  function rebuild(fmt) {
    const layout = [["sign", Number(fmt.signed)], ["exponent", fmt.exponent_bits], ["fraction", fmt.significand_bits]];
    let top = fmt.bits - 1;
    const parts = layout.filter(([, size]) => size).map(([name, size]) => {
      const part = bitField(name, size, top);
      top -= size;
      return [name, part];
    });
    captions = Object.fromEntries(parts.map(([name, part]) => [name, part.caption]));
    buttons = parts.flatMap(([, part]) => part.buttons);
    buttons[0].tabIndex = 0;
    row.replaceChildren(...parts.map(([, part]) => part.node));
  }
  const focus = (target) => {
    for (const button of buttons) button.tabIndex = button === target ? 0 : -1;
    target.focus();
  };
  row.addEventListener("click", ({ target }) => {
    const button = target.closest(".bit");
    if (!button) return;
    focus(button);
    act.flip(BigInt(button.dataset.position));
  });
  row.addEventListener("keydown", (event) => {
    const here = buttons.indexOf(event.target);
    if (here < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { "+": "above", "=": "above", PageUp: "above", "-": "below", "−": "below", PageDown: "below" };
    const target = destination(event.key, buttons, here);
    if (target) focus(target);
    else if (steps[event.key]) act.step(steps[event.key]);
    else return;
    event.preventDefault();
  });
  return {
    node: h("div", {}, row, hint),
    paint({ fmt, code }) {
      const layout = [fmt.signed, fmt.exponent_bits, fmt.significand_bits].join();
      if (layout !== shown) rebuild(fmt);
      shown = layout;
      for (const button of buttons) {
        const bit = (code >> BigInt(button.dataset.position)) & 1n;
        button.firstChild.textContent = bit;
        button.setAttribute("aria-checked", bit === 1n);
      }
      const { sign, exponent, fraction } = fields(code, fmt);
      if (captions.sign) captions.sign.textContent = `sign ${sign ? "−" : "+"}`;
      captions.exponent.textContent = `exponent ${exponent}`;
      if (captions.fraction) captions.fraction.textContent = `fraction ${fraction}`;
    },
  };
}

/** The button that an arrow, Home or End leads to; up and down go to the nearest bit of the next line. */
function destination(key, buttons, here) {
  const last = buttons.length - 1;
  const along = { ArrowLeft: Math.max(0, here - 1), ArrowRight: Math.min(last, here + 1), Home: 0, End: last }[key];
  if (along !== undefined) return buttons[along];
  if (key !== "ArrowUp" && key !== "ArrowDown") return null;
  const from = buttons[here].getBoundingClientRect();
  const distance = (box) => Math.abs(box.top - from.top) * 1000 + Math.abs(box.left - from.left);
  const beyond = buttons.map((button) => ({ button, box: button.getBoundingClientRect() }))
    .filter(({ box }) => (key === "ArrowDown" ? box.top > from.top + 5 : box.top < from.top - 5))
    .sort((a, b) => distance(a.box) - distance(b.box));
  return beyond[0]?.button ?? buttons[here];
}

export function explanation() {
  const equation = h("p", { class: "equation mono" });
  const sentence = h("p", {});
  return {
    node: h("div", { class: "rule" }, equation, sentence),
    paint({ fmt, code }) {
      const tokens = formula(code, fmt);
      equation.hidden = !tokens.length;
      equation.replaceChildren(...tokens.map(({ text, field, place }) => h(place ?? "span", { class: field }, text)));
      if (tokens.length) equation.append(` = ${readable(decode(code, fmt))}`);
      sentence.textContent = rule(code, fmt);
    },
  };
}

export function entries({ act }) {
  const entry = (id, label, show, enter) => {
    const problem = h("p", { class: "problem", id: `${id}-problem`, role: "status" });
    const input = h("input", {
      id, type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: "false", "aria-describedby": `${id}-problem`,
      input() {
        const trouble = input.value.trim() ? enter(input.value) : null;
        problem.textContent = trouble ?? "";
        input.setAttribute("aria-invalid", Boolean(trouble));
      },
      blur: () => problem.textContent || paint(latest),
    });
    let latest;
    const paint = (state) => {
      latest = state;
      if (input.matches(":focus")) return; // never rewrite what is being typed
      input.value = show(state);
      problem.textContent = "";
      input.setAttribute("aria-invalid", false);
    };
    return { node: h("div", { class: "entry" }, h("label", { for: id }, label), input, problem), paint };
  };
  const list = [
    entry("decimal", "Decimal or fraction", ({ typed, code, fmt }) => typed || readable(decode(code, fmt)), act.typed),
    entry("hex", "Hexadecimal code", ({ code, fmt }) => hexCode(code, fmt), (text) => act.code(text, 16)),
    entry("binary", "Binary code", ({ code, fmt }) => `0b ${binaryFields(code, fmt).filter(Boolean).join(" ")}`, (text) => act.code(text, 2)),
  ];
  return { node: h("div", { class: "entries" }, ...list.map((item) => item.node)), paint: (state) => list.forEach((item) => item.paint(state)) };
}

function longNumber() {
  const text = h("span", { class: "mono" });
  const more = h("button", { type: "button", class: "more", click: () => { open = !open; show(); } });
  let full = "", open = false;
  const show = () => {
    const long = full.length > 64;
    const [mantissa, exponent] = full.split("e");
    text.textContent = long && !open ? `${mantissa.slice(0, 40)}…${exponent ? "e" + exponent : ""}` : full;
    more.hidden = !long;
    more.textContent = open ? "Fewer digits" : `All ${full.split("e")[0].replace(/\D/g, "").replace(/^0+/, "").length} digits`;
    more.setAttribute("aria-expanded", open);
  };
  return { node: h("span", {}, text, " ", more), set: (next) => { full = next; show(); } };
}

/** The way to the neighbours, and the gap between them. */
export function stepper({ act }) {
  const button = (side, label) => {
    const value = h("span", { class: "mono" });
    return { node: h("button", { type: "button", class: side, click: () => act.step(side) }, h("span", { class: "label" }, label), value), value };
  };
  const below = button("below", "− next below"), above = button("above", "+ next above");
  const gap = h("span", { class: "mono" });
  const show = ({ node, value }, code, fmt) => {
    node.disabled = code === null;
    value.textContent = code === null ? "none" : readable(decode(code, fmt));
  };
  const spacing = h("div", { class: "gap" }, h("span", { class: "label" }, "1 ulp, the gap here"), gap);
  return {
    node: h("div", { class: "stepper", role: "group", "aria-label": "Neighbours" }, below.node, spacing, above.node),
    paint({ fmt, code }) {
      const around = neighbours(code, fmt);
      const size = ulp(code, fmt);
      show(below, around.below, fmt);
      show(above, around.above, fmt);
      gap.textContent = size ? `2^${floorLog2(size)} = ${readable(size)}` : "none";
    },
  };
}

export function facts() {
  const exact = longNumber();
  const short = h("span", { class: "mono" }), error = h("span", {});
  const pair = (term, ...content) => h("div", {}, h("dt", {}, term), h("dd", {}, ...content));
  const errorRow = pair("Against what you typed", error);
  return {
    node: h("dl", {}, errorRow, pair("Exact value", exact.node), pair("Shortest decimal for these bits", short)),
    paint({ fmt, code, typed }) {
      const value = decode(code, fmt);
      exact.set(exactDecimal(value));
      short.textContent = shortest(value, code, fmt) ?? "none";
      errorRow.hidden = !typed;
      error.textContent = typed ? judgement(value, parseNumber(typed), ulp(code, fmt), typed) : "";
    },
  };
}

function judgement(stored, exact, gap, typed) {
  const shown = typed.length > 40 ? typed.slice(0, 40) + "…" : typed;
  if (stored.kind !== "finite" || exact.kind !== "finite") return `You typed ${shown}; these bits hold ${readable(stored)}.`;
  const error = subtract(stored, exact);
  if (error.num === 0n) return `You typed ${shown}; these bits hold exactly that.`;
  const side = error.sign ? "below" : "above";
  return `You typed ${shown}; these bits hold ${brief(divide({ ...error, sign: 0 }, gap)).slice(1)} ulp ${side} it.`;
}

const MARKS = { exact: "=", rounded: "≈", subnormal: "≈", underflow: "↓", overflow: "↑", none: "×" };

export function comparison({ act }) {
  const titles = ["Format", "Stored value", "Code", "Relative error", "Verdict"];
  const header = h("tr", { role: "row" }, ...titles.map((title) => h("th", { role: "columnheader", scope: "col" }, title)));
  const body = h("tbody", { role: "rowgroup" });
  const lines = [...Object.keys(FORMATS), "custom"].map((name) => {
    const button = h("button", { type: "button", class: "format", click: () => act.format(name) }, name);
    const cells = titles.slice(1).map((title) => h("td", { role: "cell", "data-title": title, class: title.split(" ")[0].toLowerCase() }));
    const node = h("tr", { role: "row" }, h("th", { role: "rowheader", scope: "row" }, button), ...cells);
    return { name, button, cells, node };
  });
  body.append(...lines.map((line) => line.node));
  const title = h("caption", {});
  const table = h("table", { role: "table" }, title, h("thead", { role: "rowgroup" }, header), body);
  return {
    node: table,
    paint(state) {
      const exact = meant(state);
      title.textContent = `${state.typed.slice(0, 40) || readable(exact)} in every format`;
      for (const { name, button, cells, node } of lines) {
        const current = name === state.fmt.name;
        node.hidden = name === "custom" && !current;
        if (node.hidden) continue;
        const fmt = current ? state.fmt : FORMATS[name];
        const result = convert(exact, fmt);
        const stored = result.code === null ? ["–", "–"] : [readable(result.stored), hexCode(result.code, fmt)];
        const texts = [...stored, result.relative || "–", `${MARKS[result.kind]} ${result.verdict}`];
        cells.forEach((cell, index) => (cell.textContent = texts[index]));
        cells[3].dataset.kind = result.kind;
        button.disabled = result.code === null;
        button.toggleAttribute("aria-current", current);
        if (current) button.setAttribute("aria-current", "true");
      }
    },
  };
}

export function snippet() {
  const code = h("code", {});
  const done = h("span", { role: "status", class: "small" });
  const copy = h("button", { type: "button", async click() {
    done.textContent = (await copyText(code)) ? "Copied." : "Selected: press Ctrl+C.";
  } }, "Copy as torch code");
  return {
    node: h("div", { class: "snippet" }, h("pre", {}, code), h("div", { class: "row" }, copy, done)),
    paint(state) {
      code.textContent = pythonCode(state.code, state.fmt);
      done.textContent = "";
    },
  };
}
