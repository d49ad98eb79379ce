// The parts of the GradScaler player's page. Each takes { act } and returns { node, paint(state) }.

import { MOST, readHistory, readNumber, ruins } from "./scaler.js";
import { grouped, outlook, scaleText, shortScale, stepWords, steps, typed, verdict } from "./gradscaler_player_words.js";
import { h } from "./dom.js";

const PLAIN = { init_scale: 65536, growth_factor: 2, backoff_factor: 0.5, growth_interval: 2000, init_growth_tracker: 0, overflow_above: 0 };
/** Examples: [name, state]. */
export const PRESETS = [
  ["Too high", { ...PLAIN, init_scale: 2 ** 24, overflow_above: 2 ** 15, steps: "s2030" }],
  ["Sawtooth", { ...PLAIN, growth_interval: 20, overflow_above: 2 ** 17, steps: "s200" }],
  ["The cliff", { ...PLAIN, steps: "s10i144" }],
];

export function presets({ act }) {
  const buttons = PRESETS.map(([text, state]) => [h("button", { type: "button", click: () => act.set(state) }, text), state]);
  const reset = h("button", { type: "button", click: act.reset }, "Reset");
  const group = h("div", { class: "row", role: "group", "aria-label": "Examples" }, ...buttons.map(([button]) => button));
  return {
    node: h("div", { class: "row head" }, group, reset),
    paint(state) {
      for (const [button, preset] of buttons) button.setAttribute("aria-pressed", Object.keys(preset).every((name) => preset[name] === state[name]));
    },
  };
}

/** A field for a number; `set` returns what is wrong, or null. */
function entry({ id, label, show, set, ...attributes }) {
  const problem = h("p", { class: "problem", id: `${id}-problem`, role: "status" });
  let latest = null;
  const input = h("input", {
    id, type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: "false", "aria-describedby": `${id}-problem`, ...attributes,
    input() {
      let trouble;
      try {
        trouble = set(input.value);
      } catch (error) {
        trouble = error.message;
      }
      problem.textContent = trouble ?? "";
      input.setAttribute("aria-invalid", Boolean(trouble));
    },
    blur: () => refresh(),
  });
  function refresh() {
    if (latest === null) return;
    input.value = latest;
    problem.textContent = "";
    input.setAttribute("aria-invalid", false);
  }
  const paint = (state) => {
    latest = show(state);
    if (!input.matches(":focus")) refresh(); // never rewrite what is being typed
  };
  return { node: h("div", { class: "entry" }, h("label", { for: id }, label), input, problem), paint, input };
}

export function settings({ act }) {
  const field = (id, label) => entry({ id, label, show: (state) => typed(state[id]), set: (text) => act.set({ [id]: readNumber(text) }) });
  const never = (text) => /^\s*(never)?\s*$/i.test(text);
  const limit = entry({
    id: "overflow_above", label: "Overflows above", show: (state) => (state.overflow_above ? typed(state.overflow_above) : "never"),
    set: (text) => act.set({ overflow_above: never(text) ? 0 : readNumber(text) }),
  });
  const fields = [field("init_scale", "Initial scale"), field("growth_factor", "Growth factor"), field("backoff_factor", "Backoff factor"),
    field("growth_interval", "Growth interval"), limit];
  return {
    node: h("div", {}, h("div", { class: "entries" }, ...fields.map(({ node }) => node)),
      h("p", { class: "hint" }, "A change replays all steps from the first. Above the scale in the last field a step finds an inf by itself.")),
    paint: (state) => fields.forEach((one) => one.paint(state)),
  };
}

export function headline() {
  const after = h("span", {}), value = h("span", { class: "value mono" }), said = h("p", { class: "verdict" });
  const counter = h("span", {}), full = h("div", { class: "full" });
  const tracker = h("div", { class: "tracker" }, counter, h("div", { class: "bar", "aria-hidden": "true" }, full));
  return {
    node: h("div", { class: "facts" }, h("p", { class: "headline" }, after, value), said, tracker),
    paint(state) {
      after.textContent = `After ${steps(state.count)} the scale is `;
      value.textContent = scaleText(state.scale);
      said.textContent = verdict(state);
      said.classList.toggle("alarm", state.ruined !== null || state.scale < 1);
      counter.textContent = `Growth tracker: ${grouped(state.tracker)} of ${grouped(state.growth_interval)}`;
      full.style.width = `${Math.min(100, (100 * state.tracker) / state.growth_interval)}%`;
    },
  };
}

export function controls({ act }) {
  let many = 500;
  const button = (text, cls, click) => h("button", { type: "button", class: cls, click }, text);
  const good = button("Step", "step", () => act.add("s")), bad = button("Inject an inf", "inf", () => act.add("i"));
  const run = button("", "run", () => act.add(`s${many}`));
  const name = () => (run.textContent = `Run ${steps(many)}`);
  const number = entry({
    id: "many", label: "How many", inputmode: "numeric", show: () => String(many),
    set(text) {
      if (!/^\d+$/.test(text.trim()) || !(Number(text) >= 1 && Number(text) <= MOST)) return `Type a whole number from 1 to ${MOST}.`;
      many = Number(text);
      name();
      return null;
    },
  });
  name();
  return {
    node: h("div", { class: "row play", role: "group", "aria-label": "Play" }, good, bad, h("div", { class: "many" }, number.node, run)),
    paint(state) {
      for (const one of [good, bad, run]) one.disabled = state.count >= MOST;
      number.paint(state);
    },
  };
}

export function nextPanel() {
  const good = h("dd", {}), bad = h("dd", {});
  return {
    node: h("div", { class: "panel" }, h("p", { class: "title" }, "The next step"),
      h("dl", {}, h("dt", {}, "→ no inf found"), good, h("dt", {}, "▼ an inf found"), bad)),
    paint(state) {
      const words = outlook(state, state);
      good.textContent = words.good;
      good.classList.toggle("alarm", ruins(state.scale));
      bad.textContent = words.bad;
    },
  };
}

const LINES = 6;

export function lastSteps() {
  const head = ["Step", "Scale in use", "What happened", "Tracker after"].map((title) => h("th", { scope: "col" }, title));
  const body = h("tbody", {});
  const node = h("table", {}, h("caption", {}, "The last steps"), h("thead", {}, h("tr", {}, ...head)), body);
  return {
    node,
    paint(state) {
      node.hidden = state.count === 0;
      const first = Math.max(0, state.count - LINES);
      body.replaceChildren(...Array.from({ length: state.count - first }, (_, i) => {
        const n = state.count - 1 - i;
        const { kind, mark, did } = stepWords(state, n);
        return h("tr", {}, h("th", { scope: "row" }, grouped(n + 1)), h("td", { class: "scale" }, shortScale(state.used[n])),
          h("td", { "data-kind": kind }, `${mark} ${did}`), h("td", {}, grouped(state.trackers[n + 1])));
      }));
    },
  };
}

export function paste({ act }) {
  const problem = h("p", { class: "problem", id: "history-problem", role: "status" });
  const told = h("p", { class: "good", role: "status" });
  const area = h("textarea", { id: "history", spellcheck: "false", autocapitalize: "off", autocomplete: "off", "aria-describedby": "history-hint history-problem" });
  const button = h("button", { type: "button", click: replay }, "Replay");
  function replay() {
    problem.textContent = told.textContent = "";
    let trouble = null;
    try {
      const state = readHistory(area.value);
      trouble = act.set(state);
      if (!trouble) told.textContent = "✓ The history is exactly what these settings give. Change one to see what it would have done.";
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      trouble = error.message;
    }
    problem.textContent = trouble ?? "";
    area.setAttribute("aria-invalid", Boolean(trouble));
  }
  const hint = h("p", { class: "hint", id: "history-hint" }, "What ", h("code", {}, "print(json.dumps(scaler.export()))"),
    " prints, of a LossScaler or a ScalerMonitor. It stays in this page.");
  return {
    node: h("details", {}, h("summary", {}, "Replay the history of a run"),
      h("div", { class: "paste" }, h("label", { for: "history" }, "Exported history (JSON)"), area, hint, problem, told, h("div", {}, button))),
    paint() {},
  };
}

/** The state in a sentence, for the spoken summary. */
export const sentence = (state) =>
  `After ${steps(state.count)}: scale ${scaleText(state.scale)}, growth tracker ${grouped(state.tracker)} of ${grouped(state.growth_interval)}. ${verdict(state)}`;
