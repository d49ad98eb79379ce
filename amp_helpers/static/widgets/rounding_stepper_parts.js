// The parts of the rounding stepper's page. Each takes { act } and returns { node, paint(told) }, told being a story.

import { FORMATS, classify, decode } from "./core.js";
import { CLASS_NAMES } from "./explain.js";
import { finish } from "./rounding_plan.js";
import { RULES, STEPS, error, percent, shortened, shown, size } from "./rounding_words.js";
import { binaryFields, hexCode } from "./text.js";
import { h } from "./dom.js";

const option = (value, text = value) => h("option", { value }, text);

function labelled(id, label, control, ...more) {
  return h("div", { class: `control control-${id}` }, h("label", { for: id }, label), control, ...more);
}

/** An input that tells what cannot be read, and is never rewritten while it is typed in. */
function entry(id, label, show, enter, attributes = {}) {
  const problem = h("p", { class: "problem", id: `${id}-problem`, role: "status" });
  const say = (trouble) => {
    problem.textContent = trouble ?? "";
    input.setAttribute("aria-invalid", Boolean(trouble));
  };
  let latest;
  const input = h("input", {
    id, type: "text", autocomplete: "off", spellcheck: "false", "aria-describedby": problem.id, ...attributes,
    input: () => say(enter(input.value)),
    blur: () => problem.textContent || paint(latest),
  });
  const paint = (told) => {
    latest = told;
    if (input.matches(":focus")) return;
    input.value = show(told);
    say(null);
  };
  return { node: labelled(id, label, input, problem), paint };
}

export function controls({ act }) {
  const number = entry("value", "Number", ({ value }) => value, act.typed);
  const formats = () => Object.values(FORMATS).map((fmt) => option(fmt.name));
  const format = h("select", { id: "format", change: () => act.format(format.value) }, ...formats());
  const via = h("select", { id: "via", change: () => act.via(via.value) }, option("", "none"), ...formats());
  const mode = h("select", { id: "mode", change: () => act.mode(mode.value) }, ...Object.keys(RULES).map((name) => option(name)));
  const node = h("div", { class: "controls" }, number.node, labelled("format", "Round to", format),
    labelled("via", "By way of", via), labelled("mode", "Rounding mode", mode));
  return {
    node,
    paint(told) {
      number.paint(told);
      format.value = told.fmt.name;
      via.value = told.via?.name ?? "";
      mode.value = told.mode;
    },
  };
}

// Each preset goes to float16, ties to even, at the step on show.
export const PRESETS = {
  "tie, down": { value: "0x1.002p0" },
  "tie, up": { value: "0x1.006p0" },
  carry: { value: "0.9999" },
  subnormal: { value: "1e-6" },
  overflow: { value: "65520" },
  "double rounding": { value: "0x1.0020000001p0", via: "float32", step: 6 },
};

export function presets({ act }) {
  const buttons = Object.entries(PRESETS).map(([name, traits]) => h("button", { type: "button", click: () => act.preset(traits) }, name));
  const node = h("div", { class: "presets", role: "group", "aria-label": "Examples" }, h("span", { class: "label" }, "Examples"), ...buttons);
  return { node, paint() {} };
}

export function stepping({ act }) {
  let here = 1, last = STEPS.length;
  const go = (step) => step >= 1 && step <= last && act.step(step);
  // A button that were disabled would lose the focus at the end of the way.
  const back = h("button", { type: "button", class: "back", click: () => go(here - 1) }, "← Back");
  const next = h("button", { type: "button", class: "next", click: () => go(here + 1) }, "Next →");
  const items = STEPS.map((name, index) => h("li", {}, h("span", { class: "count" }, index + 1), ` ${name}`));
  const node = h("div", { class: "stepping", role: "group", "aria-label": "Steps; arrow keys step too", keydown }, back, h("ol", {}, ...items), next);
  function keydown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 1, End: last }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    go(target);
  }
  return {
    node,
    paint(told) {
      [here, last] = [told.step, told.last];
      back.setAttribute("aria-disabled", here === 1);
      next.setAttribute("aria-disabled", here === last);
      items.forEach((item, index) => {
        item.hidden = index >= last;
        if (index + 1 === here) item.setAttribute("aria-current", "step");
        else item.removeAttribute("aria-current");
      });
    },
  };
}

// --- the picture: cells of binary digits under captions -------------------------------------------------------------

const nibbles = (text) => text.match(/.{1,4}/g) ?? [];

/** Digits in boxes of four, or all in one box. */
const cells = (text, whole = false) => (whole ? [text] : nibbles(text)).map((group) => h("span", { class: "nibble" }, ...[...group].map((digit) => h("span", { class: "cell" }, digit))));

/** Digits without boxes, for what is not kept; "…" where more follow. */
const loose = (text, ended) => [...nibbles(text), ...(ended ? [] : ["…"])].map((group) => h("span", { class: "loose" }, group));

const field = (kind, caption, ...content) =>
  h("div", { class: `field ${kind}` }, h("span", { class: "caption" }, caption), h("div", { class: "bits" }, ...content));

const mark = (text) => h("span", { class: "mark" }, text);

/** The number cut into fields, as far as this step has come. */
function drawing({ cut, fmt, step }) {
  const sign = field("sign", "sign", ...cells(cut.sign ? "−" : "+"));
  const exponent = (power) => field("exponent", "exponent", h("span", { class: "mark" }, "2", h("sup", {}, String(power).replace("-", "−")), " ×"));
  if (step === 1) {
    const { digits, ended } = cut.fraction;
    const behind = digits ? [mark("."), ...loose(digits, ended)] : [];
    return [sign, exponent(cut.own), field("rest", "binary digits", ...cells("1"), ...behind)];
  }
  const digits = fmt.significand_bits;
  const lead = field("lead", "leading", ...cells(cut.kept[0]), ...(digits ? [mark(".")] : []));
  const kept = digits ? [field("fraction", `${digits} fraction ${digits === 1 ? "bit" : "bits"}, kept`, ...cells(cut.kept.slice(1)))] : [];
  const { tail, ended, guard, round, sticky } = cut;
  const behind = step === 2
    ? [field("rest", "left over", ...(tail ? loose(tail, ended) : [mark("nothing")]))]
    : [field("guard", `guard ${guard}`, ...cells(String(guard))), field("round", `round ${round}`, ...cells(String(round))),
      field("sticky", `sticky ${sticky}`, ...loose(tail.slice(2) || "0", ended))];
  return [sign, exponent(cut.exponent), lead, ...kept, h("div", { class: "behind" }, ...behind)];
}

export function picture() {
  const node = h("div", { class: "picture", role: "group", "aria-label": "The number in binary" });
  return {
    node,
    paint(told) {
      node.hidden = !told.cut || told.cut.raised || told.step === STEPS.length;
      if (!node.hidden) node.replaceChildren(...drawing(told));
    },
  };
}

export function narration() {
  const title = h("span", { class: "title" });
  const text = h("span", {});
  const node = h("output", { class: "narration", "aria-live": "polite" }, title, " ", text);
  return {
    node,
    paint({ step, last, sentence }) {
      title.textContent = `Step ${step} of ${last}: ${STEPS[step - 1].toLowerCase()}.`;
      text.textContent = sentence;
    },
  };
}

// --- deciding -------------------------------------------------------------------------------------------------------

/** What a mode makes of this number, in two words and a sign. */
function choice({ cut }, up) {
  if (cut.raised) return "↑ smallest";
  if (size(cut) === "nothing") return "= exact";
  if (up === null) return `↑ ${percent(cut.rest)}`;
  return up ? "↑ up" : "↓ down";
}

export function decisions() {
  const titles = ["Mode", "Rule", "Here"];
  const head = h("tr", { role: "row" }, ...titles.map((title) => h("th", { role: "columnheader", scope: "col" }, title)));
  const lines = Object.entries(RULES).map(([mode, rule]) => {
    const here = h("td", { role: "cell", class: "here" });
    const cellsOf = [h("th", { role: "rowheader", scope: "row", class: "mono" }, mode), h("td", { role: "cell", class: "words" }, rule), here];
    return { mode, here, node: h("tr", { role: "row" }, ...cellsOf) };
  });
  const caption = h("caption", {}, "What each mode decides. Up adds one ulp, away from zero; down drops the rest.");
  const body = h("tbody", { role: "rowgroup" }, ...lines.map(({ node }) => node));
  const table = h("table", { role: "table" }, caption, h("thead", { role: "rowgroup" }, head), body);
  return {
    node: table,
    paint(told) {
      table.hidden = told.step !== 4 || !told.cut;
      if (table.hidden) return;
      for (const { mode, here, node } of lines) {
        here.textContent = choice(told, told.decisions[mode]);
        if (mode === told.mode) node.setAttribute("aria-current", "true");
        else node.removeAttribute("aria-current");
      }
    },
  };
}

export function coinPanel({ act }) {
  const seed = entry("seed", "Seed", (told) => told.seed, (text) => act.seed(/^\d+$/.test(text.trim()) ? Number(text) : text), { inputmode: "numeric" });
  const toss = (times, text) => h("button", { type: "button", click: () => idle || act.toss(times) }, text);
  let idle = true;
  const buttons = [toss(1, "Toss"), toss(100, "Toss 100")];
  const counts = h("p", { class: "counts" });
  const share = h("span", { class: "share" }), expected = h("span", { class: "expected" });
  const bar = h("div", { class: "bar", "aria-hidden": "true" }, share, expected);
  const node = h("div", { class: "coin", role: "group", "aria-label": "The coin" }, h("div", { class: "row" }, ...buttons, seed.node), bar, counts);
  return {
    node,
    paint(told) {
      const { cut, coin, mode, step } = told;
      node.hidden = mode !== "stochastic" || !cut || step < 4 || step > 5;
      if (node.hidden) return;
      seed.paint(told);
      idle = cut.raised || cut.rest.num === 0n;
      for (const button of buttons) button.setAttribute("aria-disabled", idle);
      const total = coin.ups + coin.downs;
      const ratio = (num, den) => ({ kind: "finite", sign: 0, num: BigInt(num), den: BigInt(den) });
      const width = (part) => `${Math.min(100, (100 * Number((part.num * 10000n) / part.den)) / 10000)}%`;
      const part = ratio(coin.ups, total || 1);
      share.style.width = width(part);
      expected.style.insetInlineStart = width(cut.rest);
      bar.hidden = idle;
      counts.textContent = idle ? "Nothing to toss for: every mode gives the same."
        : `${coin.ups} up, ${coin.downs} down${total ? `: ${percent(part)} up` : ""}. Probability of up: ${percent(cut.rest)}${total ? "" : ", the mark on the bar"}.`;
    },
  };
}

// --- results --------------------------------------------------------------------------------------------------------

/** The result as value, class and bits. */
export function word() {
  const value = h("span", { class: "value mono" });
  const badge = h("span", { class: "badge" });
  const detail = h("span", { class: "small" });
  const bits = h("div", { class: "word" });
  const node = h("div", { class: "result", role: "group", "aria-label": "Result" }, h("div", { class: "row head" }, value, badge, detail), bits);
  return {
    node,
    paint(told) {
      const { step, result, fmt } = told;
      node.hidden = step !== 5;
      if (node.hidden) return;
      bits.hidden = badge.hidden = !result || result.code === null;
      value.textContent = result ? shown(result) : candidates(told);
      detail.textContent = "";
      if (bits.hidden) return;
      badge.textContent = CLASS_NAMES[classify(result.code, fmt)];
      badge.dataset.kind = classify(result.code, fmt);
      detail.textContent = [`${fmt.name} ${hexCode(result.code, fmt)}`, error(told)].filter(Boolean).join(", ");
      const names = ["sign", "exponent", "fraction"];
      const fields = binaryFields(result.code, fmt);
      bits.replaceChildren(...names.flatMap((name, index) => (fields[index] ? [field(name, name, ...cells(fields[index], name === "exponent"))] : [])));
    },
  };
}

function candidates({ cut, fmt, mode }) {
  const codes = [false, true].map((up) => finish(cut, fmt, mode, up).code);
  return codes.map((code) => shown({ code, value: decode(code, fmt) })).join(" or ");
}

export function comparison() {
  const badge = h("span", { class: "badge" });
  const paths = h("div", { class: "paths" });
  const node = h("div", { class: "compare", role: "group", "aria-label": "Once against twice" }, paths, badge);
  const hop = (name, rounded) => h("span", { class: "hop" }, h("span", { class: "label" }, name), h("span", { class: "mono" }, shown(rounded)),
    h("span", { class: "mono small" }, rounded.code === null ? "" : hexCode(rounded.code, FORMATS[name])));
  const arrow = () => h("span", { class: "arrow", "aria-label": "rounded to", role: "img" }, "→");
  const path = (title, start, ...hops) => h("div", { class: "path", role: "group", "aria-label": title }, h("span", { class: "name" }, title),
    h("span", { class: "hop" }, h("span", { class: "label" }, "number"), h("span", { class: "mono" }, start)), ...hops.flatMap((one) => [arrow(), one]));
  return {
    node,
    paint({ step, twice, fmt, via, value }) {
      node.hidden = step !== STEPS.length || !twice;
      if (node.hidden) return;
      const start = shortened(value);
      paths.replaceChildren(path("Once", start, hop(fmt.name, twice.once)), path("Twice", start, hop(via.name, twice.middle), hop(fmt.name, twice.twice)));
      badge.textContent = twice.differ ? "≠ the results differ" : "= the same result";
      badge.dataset.kind = twice.differ ? "infinity" : "normal";
    },
  };
}
