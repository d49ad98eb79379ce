// The parts of the number line's page. Each takes { act } and returns { node, paint(state, results) }.

import { FORMATS, MODES } from "./core.js";
import { shareOf } from "./number_line_math.js";
import { MARGIN, MARKERS, draw, markerOf } from "./number_line_draw.js";
import { MODE_WORDS, errorText, placeOf, storedText, summary, ulpText, verdict, viewText } from "./number_line_words.js";
import { h, svg as s } from "./dom.js";

export const MOST_FORMATS = 6;

const icon = (name) => s("svg", { class: "icon", viewBox: "-9 -9 18 18", "aria-hidden": "true" }, markerOf(name));

export function entry({ act }) {
  const problem = h("p", { class: "problem", id: "probe-problem", role: "status" });
  const show = (trouble) => {
    problem.textContent = trouble ?? "";
    input.setAttribute("aria-invalid", Boolean(trouble));
  };
  const input = h("input", {
    id: "probe", type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: "false", "aria-describedby": "probe-problem",
    input: () => show(act.probe(input.value)),
  });
  const select = h("select", { id: "mode", change: () => act.mode(select.value) },
    ...MODES.map((mode) => h("option", { value: mode }, MODE_WORDS[mode])));
  const node = h("div", { class: "row" },
    h("div", { class: "entry" }, h("label", { for: "probe" }, "Probe: any number"), input, problem),
    h("div", { class: "pick" }, h("label", { for: "mode" }, "Rounding"), select));
  return {
    node,
    paint({ probe, mode }) {
      select.value = mode;
      if (input.matches(":focus")) return; // never rewrite what is being typed
      input.value = probe;
      show(null);
    },
  };
}

export function tools({ act }) {
  const button = (text, name, click) => h("button", { type: "button", "aria-label": name, title: name, click }, text);
  const log = h("button", { type: "button", class: "log", "aria-label": "Log scale", click: act.log }, "Log scale");
  const find = h("button", { type: "button", class: "find", click: act.find }, "Go to probe");
  const node = h("div", { class: "row tools", role: "toolbar", "aria-label": "View" },
    button("−", "Zoom out", () => act.zoom(2)), button("+", "Zoom in", () => act.zoom(0.5)),
    button("←", "Move left", () => act.pan(-0.25)), button("→", "Move right", () => act.pan(0.25)),
    log, find, h("button", { type: "button", class: "reset", click: act.home }, "Reset view"));
  return {
    node,
    paint({ view, exact }) {
      log.setAttribute("aria-pressed", view.scale === "log");
      find.disabled = !Number.isFinite(placeOf(exact));
    },
  };
}

const HINT = "On the line: arrow keys move, + and − zoom, Home resets, L switches the log scale. Drag to move; Ctrl and the wheel, " +
  "or the wheel after a click, zooms.";

/** The picture, what a pointer and keys do on it, and the probe's handle above it. */
export function plot({ act }) {
  const svg = s("svg", { role: "img" });
  const box = h("div", { class: "plot", tabindex: 0, role: "application", "aria-label": "Number line", "aria-describedby": "hint" }, svg);
  const range = h("input", {
    id: "handle", type: "range", min: 0, max: 1000, step: 1, "aria-label": "Move the probe",
    input: () => act.probeAt(range.valueAsNumber / 1000),
  });
  const keys = {
    ArrowLeft: () => act.pan(-0.1), ArrowRight: () => act.pan(0.1), ArrowUp: () => act.zoom(0.8), ArrowDown: () => act.zoom(1.25),
    "+": () => act.zoom(0.5), "=": () => act.zoom(0.5), "-": () => act.zoom(2), "−": () => act.zoom(2), Home: act.home, l: act.log, L: act.log,
  };
  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });
  const shareAt = (event) => {
    const { left, width } = box.getBoundingClientRect();
    return (event.clientX - left - MARGIN) / (width - 2 * MARGIN);
  };
  box.addEventListener("wheel", (event) => {
    const mayZoom = event.ctrlKey || event.metaKey || box.matches(":focus"); // else the page scrolls
    if (!mayZoom || !event.deltaY) return;
    event.preventDefault();
    act.zoom(2 ** (Math.max(-100, Math.min(100, event.deltaY)) / 200), Math.max(0, Math.min(1, shareAt(event))));
  }, { passive: false });
  let held = null;
  box.addEventListener("pointerdown", (event) => {
    if (event.button || held !== null) return;
    held = { id: event.pointerId, share: shareAt(event) };
    box.setPointerCapture(event.pointerId);
    box.classList.add("held");
  });
  box.addEventListener("pointermove", (event) => {
    if (held?.id !== event.pointerId) return;
    const share = shareAt(event);
    if (share !== held.share) act.pan(held.share - share);
    held.share = share;
  });
  const release = (event) => {
    if (held?.id !== event.pointerId) return;
    held = null;
    box.classList.remove("held");
  };
  for (const end of ["pointerup", "pointercancel"]) box.addEventListener(end, release);
  let latest = null, width = 0;
  const paint = (state, results) => {
    latest = [state, results];
    draw(svg, state, results, width || 640);
    svg.setAttribute("aria-label", `Number line from ${viewText(state.view)}: ${state.formats.map(({ name }) => name).join(", ")}`);
    const share = shareOf(placeOf(state.exact), state.view);
    const away = !(share >= 0 && share <= 1);
    range.classList.toggle("away", away);
    range.value = Number.isNaN(share) ? 500 : Math.round(Math.max(0, Math.min(1, share)) * 1000);
    range.setAttribute("aria-valuetext", `${state.probe.slice(0, 40) || "no probe"}${away ? ", not in view" : ""}`);
  };
  const observer = new ResizeObserver(([{ contentRect }]) => {
    const next = Math.round(contentRect.width);
    if (next === width || next < 2 * MARGIN + 40) return;
    width = next;
    if (latest) paint(...latest);
  });
  observer.observe(box);
  const node = h("div", { class: "line" }, range, box, h("p", { class: "small", id: "hint" }, HINT));
  return { node, paint, stop: () => observer.disconnect() };
}

export function results() {
  const titles = [["Format", ""], ["Stored", "stored"], ["Error", "error"], ["Error in ulp", "ulps"], ["What happened", "verdict"]];
  const head = h("tr", { role: "row" }, ...titles.map(([text]) => h("th", { role: "columnheader", scope: "col" }, text)));
  const body = h("tbody", { role: "rowgroup" });
  const title = h("caption", {});
  const table = h("table", { role: "table" }, title, h("thead", { role: "rowgroup" }, head), body);
  const live = h("p", { class: "hear", "aria-live": "polite" });
  return {
    node: h("div", {}, table, live),
    paint(state, all) {
      live.textContent = summary(state, all);
      table.hidden = !state.exact;
      if (!state.exact) return;
      title.textContent = `${state.probe.slice(0, 40)} rounded ${MODE_WORDS[state.mode]}`;
      body.replaceChildren(...all.map(({ fmt, result }) => row(fmt, result, state.exact, titles)));
    },
  };
}

const MARKS = { exact: "=", rounded: "≈", underflow: "↓", overflow: "↑", saturated: "↑", none: "×" };

function row(fmt, result, exact, titles) {
  const mark = result.tie && result.kind !== "exact" ? "½" : MARKS[result.kind];
  const texts = [storedText(result), errorText(result), ulpText(result), `${mark} ${verdict(result, exact, fmt)}`];
  const cells = titles.slice(1).map(([, name], index) => h("td", { role: "cell", class: name }, texts[index]));
  cells[3].dataset.kind = result.kind;
  cells[3].dataset.tie = mark === "½";
  return h("tr", { role: "row" }, h("th", { role: "rowheader", scope: "row" }, icon(fmt.name), fmt.name), ...cells);
}

export function chooser({ act }) {
  const count = h("span", {});
  const boxes = Object.keys(FORMATS).map((name) => {
    const input = h("input", { type: "checkbox", value: name, change: () => act.toggle(name, input.checked) });
    return { name, input, node: h("label", {}, input, icon(name), name) };
  });
  const node = h("details", {}, h("summary", {}, count),
    h("fieldset", { class: "choices", "aria-label": "Formats to show" }, ...boxes.map((box) => box.node)));
  return {
    node,
    paint({ formats }) {
      count.textContent = `Formats: ${formats.length} of at most ${MOST_FORMATS}`;
      for (const { name, input } of boxes) {
        input.checked = formats.some((fmt) => fmt.name === name);
        input.disabled = input.checked ? formats.length === 1 : formats.length === MOST_FORMATS;
      }
    },
  };
}

const KEY = [
  ["a tick is one value of the format", () => [s("line", { class: "value", x1: 8, x2: 8, y1: 3, y2: 16 }), s("line", { class: "value", x1: 26, x2: 26, y1: 3, y2: 16 })]],
  ["values too close to draw; the taller, the more of them per pixel, on a log scale shared by all lines",
    () => [s("path", { class: "dense bfloat16", d: "M2,16V4H18V10H34V16z" })]],
  ["subnormal numbers", () => [s("rect", { class: "zone subnormal", x: 1, y: 2, width: 34, height: 15 })]],
  ["beyond the largest value", () => [s("rect", { class: "zone beyond", x: 1, y: 2, width: 34, height: 15 })]],
  ["the strip below a line: all numbers of one piece round to one value; filled for an even code, pale for an odd one; a dot marks an end " +
    "that belongs to the piece, so a tie goes to its side",
  () => [s("rect", { class: "bin even bfloat16", x: 1, y: 4, width: 16, height: 11 }), s("rect", { class: "bin odd bfloat16", x: 19, y: 4, width: 16, height: 11 }),
    s("circle", { class: "end", cx: 13, cy: 9.5, r: 2 })]],
  ["where the probe lands; each format has its own marker", () => [s("path", { class: "marker bfloat16", d: MARKERS.bfloat16, transform: "translate(18,10)" })]],
];

export function legend() {
  const items = KEY.map(([text, shapes]) => h("li", {}, s("svg", { viewBox: "0 0 36 20", "aria-hidden": "true" }, ...shapes()), h("span", {}, text)));
  return { node: h("details", {}, h("summary", {}, "How to read it"), h("ul", { class: "key" }, ...items)), paint() {} };
}
