// The number line: the values of several formats on one axis, and where a probe lands on each of them.

import { FORMATS, MODES } from "./core.js";
import { parseNumber } from "./text.js";
import { connect } from "./dom.js";
import { NOWHERE, centred, checkView, landing, panned, rescaled, tidyAt, tidyView, zoomed } from "./number_line_math.js";
import { MOST_FORMATS, chooser, entry, legend, plot, results, tools } from "./number_line_parts.js";
import { css } from "./number_line_style.js";
import { placeOf } from "./number_line_words.js";

const DEFAULTS = {
  formats: ["float8_e4m3fn", "float8_e5m2", "bfloat16", "float16"], low: 0, high: 4, scale: "linear", probe: "1.3", mode: "nearest_even",
};
const KEYS = Object.keys(DEFAULTS);

// --- state: { formats, view: { low, high, scale }, probe, exact, mode } --------------------------------------------

/** The state that traits describe; throws RangeError naming what is wrong. */
export function readState(traits) {
  const { formats, low, high, scale, probe, mode } = { ...DEFAULTS, ...traits };
  for (const name of formats) {
    if (!Object.hasOwn(FORMATS, name)) throw new RangeError(`unknown format '${name}'; choose from ${Object.keys(FORMATS).join(", ")}`);
  }
  if (formats.length < 1 || formats.length > MOST_FORMATS || new Set(formats).size < formats.length) {
    throw new RangeError(`formats: one to ${MOST_FORMATS} different ones, not ${formats.join(", ") || "none"}`);
  }
  if (!MODES.includes(mode)) throw new RangeError(`unknown mode '${mode}'; choose from ${MODES.join(", ")}`);
  return { formats: formats.map((name) => FORMATS[name]), view: checkView({ low, high, scale }), mode, ...probed(probe) };
}

function probed(text) {
  const probe = text.trim();
  return { probe, exact: probe ? parseNumber(probe) : null };
}

const writeState = ({ formats, view, probe, mode }) => ({ formats: formats.map(({ name }) => name), ...tidyView(view), probe, mode });

/** The part of the address behind "#line=", and back. */
const address = {
  key: "line",
  write(get) {
    const [formats, low, high, scale, probe, mode] = KEYS.map((key) => get(key) ?? DEFAULTS[key]);
    return [formats.join(), scale, low, high, mode, ...(probe ? [encodeURIComponent(probe)] : [])].join(":");
  },
  read(text) {
    try {
      const [formats, scale, low, high, mode, probe = ""] = text.split(":");
      const ends = [low, high].map((end) => (end.trim() ? Number(end) : NaN));
      return writeState(readState({ formats: formats.split(","), scale, low: ends[0], high: ends[1], mode, probe: decodeURIComponent(probe) }));
    } catch {
      return null; // an address may hold anything; what makes no sense is left alone
    }
  },
};

// --- the widget ----------------------------------------------------------------------------------------------------

/** What a reader can do; `probe` returns what was wrong with the text, or null. */
function actions(state, initial, change) {
  return {
    probe(text) {
      try {
        change(probed(text));
        return null;
      } catch (error) {
        return error.message;
      }
    },
    probeAt: (share) => change(probed(String(tidyAt(share, state().view)))),
    mode: (mode) => change({ mode }),
    zoom: (factor, share) => change({ view: zoomed(state().view, factor, share) }),
    pan: (share) => change({ view: panned(state().view, share) }),
    log: () => change({ view: rescaled(state().view, state().formats) }),
    home: () => change({ view: initial.view }),
    find: () => change({ view: centred(state().view, placeOf(state().exact)) }),
    toggle(name, on) {
      const { formats } = state();
      change({ formats: on ? [...formats, FORMATS[name]] : formats.filter((fmt) => fmt.name !== name) });
    },
  };
}

function render({ model, el }) {
  const link = connect({ model, el, css: css(Object.keys(FORMATS)), keys: KEYS, read: readState, adopt: show });
  let state = link.state;
  function show(next) {
    state = next;
    paint();
  }
  function change(next) {
    show({ ...state, ...next });
    link.write(writeState(state));
    model.save_changes();
  }
  const act = actions(() => state, state, change);
  const parts = [entry, tools, plot, results, chooser, legend].map((part) => part({ act }));
  link.root.append(...parts.map((part) => part.node));
  link.root.setAttribute("aria-label", "Number line of float formats");
  function paint() {
    const landings = state.formats.map((fmt) => ({ fmt, result: state.exact ? landing(state.exact, fmt, state.mode) : NOWHERE }));
    for (const part of parts) part.paint(state, landings);
  }
  paint();
  return () => {
    for (const part of parts) part.stop?.();
    link.unmount();
  };
}

export default { render, address };
