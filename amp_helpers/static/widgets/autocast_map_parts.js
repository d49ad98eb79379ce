// The parts of the autocast map's page. Each takes { act, most } and returns { node, paint(state) }.

import { h } from "./dom.js";
import { choice, spoken as sayLater } from "./form.js";
import { CATEGORIES, DEVICES, LOW, changes, deciding, layersOf, minor, readLayers, reason, search, verdict } from "./autocast_map_rules.js";

const NAMES = { cpu: "CPU", cuda: "CUDA" };
const EXAMPLES = [
  ["A small CNN", "Conv2d, BatchNorm2d, ReLU, MaxPool2d, Flatten, Linear, CrossEntropyLoss"],
  ["A transformer block", "LayerNorm, Linear, scaled_dot_product_attention, Linear, add, LayerNorm, Linear, GELU, Linear, add"],
  ["A printed model", "Net(\n  (conv): Conv2d(3, 16, kernel_size=(3, 3), stride=(1, 1))\n  (norm): GroupNorm(4, 16, eps=1e-05, affine=True)\n  (act): SiLU()\n  (pool): AdaptiveAvgPool2d(output_size=1)\n  (fc): Linear(in_features=16, out_features=10, bias=True)\n)"],
];

/** A dtype or a verdict as a label; its colour only repeats what it says. */
const tag = ({ word, dtype }) => h("span", { class: `tag ${dtype ?? "plain"}` }, word);

/** Where lists are compared, an op outside them is just that: an older torch may not even have it. */
const listed = (one) => (["as its input", "as its parts"].includes(one.word) ? { ...one, word: "not listed" } : one);

const verdictOf = ({ policies, torch, dtype }, device, op, version = torch) => verdict(policies.category(version, device, op), dtype);

export function controls({ act }) {
  const device = choice("Device", DEVICES.map((name) => [name, NAMES[name]]), (value) => act.set({ device: value }));
  const dtype = choice("Autocast dtype", LOW.map((name) => [name, name]), (value) => act.set({ dtype: value }));
  const select = h("select", { id: "torch", change: () => act.set({ torch: select.value }) });
  const version = h("div", { class: "choice" }, h("label", { for: "torch" }, "torch"), select);
  const reset = h("button", { type: "button", class: "reset", click: act.reset }, "Reset");
  return {
    node: h("div", { class: "row" }, device.node, dtype.node, version, reset),
    paint({ device: one, dtype: low, torch, policies }) {
      device.paint(one);
      dtype.paint(low);
      if (select.options.length !== policies.versions.length) {
        select.replaceChildren(...policies.versions.map((name) => h("option", { value: name }, name)));
      }
      select.value = torch;
    },
  };
}

// --- one op ---------------------------------------------------------------------------------------------------------

/** The search for an op: a combobox with a list, as the ARIA practices describe it. */
export function opPicker({ act }) {
  let state = null, found = [], active = -1;
  const list = h("ul", { id: "ops", role: "listbox", "aria-label": "Ops", hidden: true });
  const note = h("p", { class: "hint", id: "op-note", role: "status" });
  const input = h("input", {
    id: "op", type: "text", role: "combobox", "aria-expanded": "false", "aria-controls": "ops", "aria-autocomplete": "list", "aria-describedby": "op-note",
    autocomplete: "off", autocapitalize: "off", spellcheck: "false",
    input: () => open(input.value), click: () => list.hidden && open(""), focus: () => input.select(), blur: close, keydown: key,
  });
  function open(typed) {
    found = search(state.policies, typed);
    list.replaceChildren(...found.map((op, i) => option(op, i)));
    list.hidden = !found.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    note.textContent = found.length ? "" : "No op and no layer of this name is known here.";
    point(found.length && typed.trim() ? 0 : -1);
  }
  function option(op, i) {
    const layers = layersOf(op);
    const used = layers.length ? h("span", { class: "hint" }, ` ${layers.slice(0, 3).join(", ")}`) : "";
    return h("li", { id: `op-${i}`, role: "option", "aria-selected": "false", pointerdown: (event) => event.preventDefault(), click: () => choose(op) }, h("span", { class: "mono" }, op), used);
  }
  function point(to) {
    list.children[active]?.setAttribute("aria-selected", "false");
    active = to;
    const node = list.children[to];
    if (!node) return input.removeAttribute("aria-activedescendant");
    node.setAttribute("aria-selected", "true");
    input.setAttribute("aria-activedescendant", node.id);
    if (node.offsetTop < list.scrollTop) list.scrollTop = node.offsetTop; // scrollIntoView would move the page too
    else if (node.offsetTop + node.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = node.offsetTop + node.offsetHeight - list.clientHeight;
  }
  function close() {
    list.hidden = true;
    found = [];
    active = -1;
    list.replaceChildren();
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    note.textContent = "";
    input.value = state.op;
  }
  function choose(op) {
    act.set({ op });
    close();
    input.select();
  }
  function key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      if (list.hidden) open("");
      if (found.length) point(active < 0 && step < 0 ? found.length - 1 : (active + step + found.length) % found.length);
    } else if (event.key === "Enter" && active >= 0) choose(found[active]);
    else if (event.key === "Escape" && !list.hidden) close();
    else return;
    event.preventDefault();
  }
  return {
    node: h("div", { class: "picker" }, h("label", { for: "op" }, "Op, or a layer that calls it"), input, list, note),
    paint(next) {
      state = next;
      if (list.hidden && !input.matches("[aria-invalid]")) input.value = state.op;
    },
  };
}

const call = ({ device, dtype }) => `torch.autocast("${device}", dtype=torch.${dtype})`;

function sentence(state) {
  const { op, device, dtype, torch } = state;
  const category = state.policies.category(torch, device, op);
  const { word } = verdict(category, dtype);
  switch (category) {
    case "lower precision": case "float32": return `${op} runs in ${word}`;
    case "widest": return `${op} runs in the widest dtype of its inputs`;
    case "banned": return `${op} raises an error`;
    case "not classified": case "unknown": return `${op}: its dtype is not known here`;
    case "composed": return `${op} runs as its parts do`;
    default: return `${op} runs in the dtype of its input`;
  }
}

export function headline() {
  const title = h("p", { class: "value" }), where = h("p", { class: "hint" }), why = h("div", { class: "why" });
  const given = h("p", { class: "given" }), layers = h("p", { class: "hint" });
  return {
    node: h("div", { class: "headline" }, title, where, why, given, layers),
    paint(state) {
      const { op, device, dtype, torch, policies } = state;
      const category = policies.category(torch, device, op);
      title.textContent = sentence(state);
      where.replaceChildren(`On ${NAMES[device]}, torch ${torch}, in `, h("code", {}, call(state)));
      const parts = category === "composed" ? deciding(state, device, op).map((part) => h("div", { class: "line" }, h("code", {}, part), " ", tag(verdictOf(state, device, part)))) : [];
      why.replaceChildren(reason(op, category, device), ...parts);
      const [first, second] = verdict(category, dtype).given;
      const results = `float32 inputs: ${first}. From ${dtype} inputs: ${second}.${category === "widest" ? " From one of each: float32." : ""}`;
      given.textContent = ["banned", "not classified", "unknown", "composed"].includes(category) ? "" : `From ${results}`;
      const callers = layersOf(op);
      layers.textContent = callers.length ? `Called by ${callers.join(", ")}.` : "";
    },
  };
}

export function versionTable() {
  const caption = h("caption", {}), head = h("tr", {}), body = h("tbody", {});
  return {
    node: h("div", {}, h("table", { class: "versions" }, caption, h("thead", {}, head), body),
      h("p", { class: "hint" }, "An op that is not listed runs in the dtype of its input, unless it is made of listed ones. Autocast never casts float64 or integers.")),
    paint(state) {
      const { op, policies, device, torch } = state;
      caption.textContent = `${op} on both devices`;
      head.replaceChildren(h("th", { scope: "col" }, "Device"), ...policies.versions.map((version) => h("th", { scope: "col" }, `torch ${minor(version)}`)));
      body.replaceChildren(...DEVICES.map((one) => h("tr", {}, h("th", { scope: "row" }, NAMES[one]), ...policies.versions.map((version) =>
        h("td", { class: one === device && version === torch ? "here" : "" }, tag(listed(verdictOf(state, one, op, version))))))));
    },
  };
}

// --- a list of layers -----------------------------------------------------------------------------------------------

export function layersPart({ act, most }) {
  const text = h("textarea", { id: "layers", rows: 4, maxlength: most, spellcheck: "false", autocapitalize: "off", "aria-describedby": "layers-hint",
    placeholder: "Linear, LayerNorm, Softmax", input: () => act.set({ layers: text.value }) });
  const examples = EXAMPLES.map(([name, layers]) => h("button", { type: "button", click: () => act.set({ layers }) }, name));
  const clear = h("button", { type: "button", click: () => act.set({ layers: "" }) }, "Clear");
  const caption = h("caption", {}), body = h("tbody", { role: "rowgroup" });
  const head = h("tr", { role: "row" }, ...["Layer", "CPU", "CUDA", ""].map((name) => h("th", { role: "columnheader", scope: "col" }, name)));
  const table = h("table", { class: "layers", role: "table" }, caption, h("thead", { role: "rowgroup" }, head), body);
  const unknown = h("p", { class: "problem", role: "status" }), containers = h("p", { class: "hint" });
  let shown = "";
  return {
    node: h("div", { class: "panel" }, h("label", { for: "layers", class: "title" }, "Your layers"),
      h("p", { class: "hint", id: "layers-hint" }, "Paste layer names or the output of print(model). Names are taken as they stand: an order of calls is not read from them."),
      text, h("div", { class: "row tight", role: "group", "aria-label": "Examples of layers" }, ...examples, clear), table, unknown, containers),
    paint(state) {
      if (text.value !== state.layers && !text.matches(":focus")) text.value = state.layers;
      clear.disabled = !state.layers;
      const now = JSON.stringify([state.layers, state.device, state.dtype, state.torch]);
      if (now === shown) return;
      shown = now;
      const read = readLayers(state.layers, state.policies);
      table.hidden = !read.layers.length;
      caption.textContent = `${read.layers.length} ${read.layers.length === 1 ? "layer" : "layers"}, torch ${state.torch}, ${state.dtype} autocast`;
      head.lastChild.textContent = `Why on ${NAMES[state.device]}`;
      body.replaceChildren(...read.layers.map((layer) => layerRow(layer, state)));
      unknown.textContent = read.unknown.length ? `Not known here, so nothing is said about: ${read.unknown.join(", ")}.` : "";
      containers.textContent = read.containers.length ? `Made of other modules: ${read.containers.join(", ")}. What their forward calls by itself is not in this text.` : "";
    },
  };
}

/** An op's name that may break after an underscore. */
const breakable = (op) => h("span", { class: "hint mono" }, ...op.split(/(?<=_)/).flatMap((piece) => [piece, h("wbr")]));

function layerRow({ name, count, ops }, state) {
  const cells = DEVICES.map((device) => {
    const lines = ops.flatMap((op) => deciding(state, device, op)).map((op) => h("div", { class: "line" }, tag(verdictOf(state, device, op)), " ", breakable(op)));
    return h("td", { role: "cell", class: `on ${device === state.device ? "here" : ""}`, "data-device": NAMES[device] }, ...lines);
  });
  const decisive = ops.flatMap((op) => deciding(state, state.device, op));
  const reasons = new Set(decisive.map((op) => reason(op, state.policies.category(state.torch, state.device, op), state.device)));
  const why = h("td", { role: "cell", class: "because", "data-device": `Why on ${NAMES[state.device]}` }, [...reasons].join(" "));
  return h("tr", { role: "row" }, h("th", { role: "rowheader", scope: "row", class: "mono" }, count > 1 ? `${name} ×${count}` : name), ...cells, why);
}

// --- everything -----------------------------------------------------------------------------------------------------

export function listing({ act }) {
  const boxes = CATEGORIES.map((category) => {
    const summary = h("summary", {}), ops = h("div", { class: "ops" });
    return { category, summary, ops, node: h("details", {}, summary, ops) };
  });
  const title = h("p", { class: "title" });
  let built = "";
  return {
    node: h("div", { class: "listing" }, title, ...boxes.map((box) => box.node)),
    paint({ policies, torch, device, dtype, op }) {
      title.textContent = `All ops that autocast lists for ${NAMES[device]}, torch ${torch}`;
      const now = `${torch} ${device}`;
      for (const { category, summary, ops, node } of boxes) {
        const names = policies.of(torch, device, category);
        node.hidden = !names.length;
        summary.replaceChildren(tag(verdict(category, dtype)), ` ${names.length} ${names.length === 1 ? "op" : "ops"}`);
        if (now !== built) ops.replaceChildren(...names.map((name) => h("button", { type: "button", class: "mono", "data-op": name, click: () => act.set({ op: name }) }, name)));
        for (const button of ops.children) button.setAttribute("aria-pressed", button.dataset.op === op);
      }
      built = now;
    },
  };
}

export function changesPart() {
  const body = h("div", {}), summary = h("summary", {});
  return {
    node: h("details", { class: "changes" }, summary, body),
    paint({ policies, device, dtype }) {
      summary.textContent = `What changed between torch versions on ${NAMES[device]}`;
      const steps = changes(policies, device);
      const word = (category) => listed(verdict(category, dtype)).word;
      body.replaceChildren(...steps.flatMap(({ from, to, lines }) => [
        h("p", { class: "label" }, `torch ${minor(from)} to ${minor(to)}`),
        lines.length ? h("ul", {}, ...lines.map(({ op, before, after }) => h("li", {}, h("code", {}, op), `: ${word(before)} → ${word(after)}`))) : h("p", {}, "No op changed."),
      ]), ...(steps.length ? [] : [h("p", {}, "Only one version is stored.")]));
    },
  };
}

/** A spoken summary, a moment after the last change. */
export const spoken = () => sayLater((state) => `${sentence(state)} on ${NAMES[state.device]}, torch ${state.torch}.`);
