// The parts of the dtype flow's page. Each takes { act } and returns { node, paint(state) }.

import { h, svg } from "./dom.js";
import { spoken as sayLater } from "./form.js";
import { BY, DIRECTIONS, amount, castText, counted, listed, nextCast, notes, runs } from "./dtype_flow_data.js";
import { lanesOf, tag } from "./dtype_flow_draw.js";

export const sideOf = (state) => state.flow[state.direction];
const rowOf = (state) => sideOf(state).rows[state.selected];

export function controls({ act }) {
  const buttons = DIRECTIONS.map((name) => [name, h("button", { type: "button", click: () => act.set({ direction: name, selected: 0 }) }, name[0].toUpperCase() + name.slice(1))]);
  const next = h("button", { type: "button", class: "next", click: act.next }, "Next cast");
  return {
    node: h("div", { class: "row" }, h("div", { class: "row", role: "group", "aria-label": "Direction" }, ...buttons.map(([, button]) => button)), next),
    paint(state) {
      for (const [name, button] of buttons) {
        button.setAttribute("aria-pressed", name === state.direction);
        button.disabled = !state.flow[name].rows.length;
      }
      next.disabled = nextCast(sideOf(state).rows, state.selected) < 0;
    },
  };
}

export function totals() {
  const title = h("p", { class: "total" }), hint = h("p", { class: "hint" });
  return {
    node: h("div", {}, title, hint),
    paint(state) {
      const text = notes(state.direction, sideOf(state));
      title.textContent = text.title;
      hint.textContent = text.hint;
    },
  };
}

export function legend() {
  const node = h("div", { class: "legend" });
  const sample = (kind, text) => {
    const picture = svg("svg", { class: "sample", viewBox: "0 0 26 16", "aria-hidden": "true" });
    picture.append(svg("line", { class: `flow ${kind}`, x1: 2, y1: 3, x2: 24, y2: 13 }));
    return h("span", { class: "tag" }, picture, text);
  };
  return {
    node,
    paint: ({ flow }) => node.replaceChildren(...flow.lanes.map(tag), sample("cast", "a cast"), sample("change", "the op changes the dtype")),
  };
}

// --- the rows -------------------------------------------------------------------------------------------------------

const PAGE = 5;

/** A cast, highlighted; a number stays beside its unit. */
const highlight = (text) => h("span", { class: "castline" }, text.replace(/(\d) (\w?B\b)/g, "$1\u00a0$2"));

/** The diagram: a list of which one row is selected, moved by arrow keys, Page Up and Down, Home and End. */
export function diagram({ act }) {
  let state = null, built = null, items = [];
  const node = h("div", { class: "flow-list", id: "rows", role: "listbox", tabindex: "0", keydown: move });
  function move(event) {
    const last = sideOf(state).rows.length - 1, { selected } = state;
    const to = { ArrowDown: selected + 1, ArrowUp: selected - 1, PageDown: selected + PAGE, PageUp: selected - PAGE, Home: 0, End: last }[event.key];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act.set({ selected: Math.max(0, Math.min(last, to)) });
  }
  function item(number, row) {
    const { flow } = state;
    const casts = row.casts.map((cast) => highlight(castText(cast)));
    const bar = casts.length ? [h("span", { class: "bar", "aria-hidden": "true", style: `width: ${(100 * row.castBytes) / flow.most}%` })] : [];
    const text = h("span", { class: "text" }, h("span", {}, h("span", { class: "name mono" }, row.name), " ", h("span", { class: "where" }, row.module)),
      h("span", { class: "dtypes" }, `${listed(row.inputs)} → ${listed(row.outputs)}`), ...casts, ...bar);
    return h("div", { class: "item", id: `row-${number}`, role: "option", click: () => act.set({ selected: number }) }, lanesOf(row, flow.lanes), text);
  }
  function build() {
    const groups = runs(sideOf(state).rows).map(({ title, rows }, i) => {
      const made = rows.map(([number, row]) => item(number, row));
      items.push(...made);
      if (!title) return h("div", { class: "group", role: "group", "aria-label": "Rows" }, ...made);
      const head = h("div", { class: "region", id: `region-${i}`, role: "presentation" }, title);
      return h("div", { class: "group", role: "group", "aria-labelledby": `region-${i}` }, head, ...made);
    });
    node.replaceChildren(...groups);
    node.scrollTop = 0;
    node.setAttribute("aria-label", state.direction === "forward" ? "Calls of the forward pass" : "Nodes of the backward pass");
  }
  function reveal(one) { // scrollIntoView would move the page too
    const top = one.offsetTop, bottom = top + one.offsetHeight;
    if (top < node.scrollTop) node.scrollTop = top;
    else if (bottom > node.scrollTop + node.clientHeight) node.scrollTop = bottom - node.clientHeight;
  }
  return {
    node,
    paint(next) {
      state = next;
      if (built !== sideOf(state)) {
        items = [];
        build();
        built = sideOf(state);
      }
      items.forEach((one, number) => one.setAttribute("aria-selected", String(number === state.selected)));
      node.setAttribute("aria-activedescendant", `row-${state.selected}`);
      reveal(items[state.selected]);
    },
  };
}

// --- the selected row -----------------------------------------------------------------------------------------------

const shapeText = (shape) => `[${shape.join(", ")}]`;
const tensorText = (tensors) => {
  const kinds = [...new Set(tensors.map(({ dtype }) => dtype))];
  if (kinds.length === 1) return `${kinds[0]} ${tensors.map(({ shape }) => shapeText(shape)).join(", ")}`;
  return tensors.map(({ dtype, shape }) => `${dtype} ${shapeText(shape)}`).join(", ");
};

function opLine({ name, by, inputs, outputs, flops, bytes, times }) {
  const cost = `${amount(times * bytes)} read and written${flops ? `, ${amount(times * flops, "FLOP")}` : ""}`;
  const last = by ? highlight(`cast ${BY[by]}, ${amount(times * bytes)}`) : cost;
  return h("li", {}, h("code", {}, name), times > 1 ? ` ${times} times` : "", h("br"), `${tensorText(inputs)} → ${tensorText(outputs)}`, h("br"), last);
}

/** Where the row stands: its region, and what it cost. */
function facts({ region, hits, more, bytes, castBytes, flops }, direction) {
  const where = direction === "backward" || region === "unknown" ? [] : [region === "off" ? "Called outside of autocast." : `Called inside autocast to ${region}.`];
  const moved = `${more ? "The ops below" : "It"} read and wrote ${amount(bytes)}${castBytes ? `, ${amount(castBytes)} of it for casts` : ""}.`;
  const work = flops ? [`${amount(flops, "FLOP")}.`] : [];
  const cached = hits ? [`${counted(hits, "cast parameter")} came from autocast's cache.`] : [];
  return [...where, moved, ...work, ...cached].join(" ");
}

export function details() {
  const title = h("p", { class: "title" }), place = h("p", { class: "hint" }), text = h("p", {}), ops = h("ol", { class: "ops" }), more = h("p", { class: "hint" });
  return {
    node: h("div", { class: "panel", role: "region", "aria-label": "The selected row" }, title, place, text, h("p", { class: "label" }, "Ops that the dispatcher ran, without views"), ops, more),
    paint(state) {
      const row = rowOf(state), side = sideOf(state);
      title.replaceChildren(h("code", {}, row.name), ` in ${row.module}`);
      place.textContent = `Row ${state.selected + 1} of ${side.rows.length}, ${state.direction}. ${listed(row.inputs)} → ${listed(row.outputs)}`;
      text.textContent = facts(row, state.direction);
      ops.replaceChildren(...row.ops.map(opLine));
      more.textContent = row.more ? `${counted(row.more, "more op")} not shown.` : "";
    },
  };
}

/** What is selected, as a sentence. */
function sentence(state) {
  const row = rowOf(state);
  const names = new Map();
  for (const { name, times } of row.ops) names.set(name, (names.get(name) ?? 0) + times);
  const ran = [...names].map(([name, times]) => (times > 1 ? `${times} times ${name}` : name)).join(", ");
  return `${state.direction}, row ${state.selected + 1}: ${row.name} in ${row.module}. Ran ${ran}. ${facts(row, state.direction)}`;
}

/** A spoken summary, a moment after the last change. */
export const spoken = () => sayLater(sentence);
