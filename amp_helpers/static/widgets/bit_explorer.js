// The bit explorer: one code of one format, every bit a switch, everything about it said exactly.

import { FORMATS, encode, finite, floatFormat, neighbours } from "./core.js";
import { convert } from "./explain.js";
import { hexCode, parseCode, parseNumber } from "./text.js";
import { connect } from "./dom.js";
import { CSS } from "./bit_explorer_style.js";
import { bitRow, comparison, customPanel, entries, explanation, facts, headline, meant, picker, snippet, stepper } from "./bit_explorer_parts.js";

const CUSTOM_KEYS = ["exponent_bits", "significand_bits", "bias", "specials", "signed"];
const KEYS = ["format", "code", "typed", ...CUSTOM_KEYS];
// An empty code stands for that of the typed number, or of 1.
const DEFAULTS = {
  format: "float16", code: "", typed: "", exponent_bits: 4, significand_bits: 3, bias: 7, specials: "ieee", signed: true,
};

// --- state: { traits of a custom format, fmt, code, typed } --------------------------------------------------------

/** The state that traits describe; throws RangeError naming what is wrong. */
export function readState(traits) {
  const all = { ...DEFAULTS, ...traits };
  const custom = Object.fromEntries(CUSTOM_KEYS.map((key) => [key, all[key]]));
  const isCustom = all.format === "custom";
  if (!isCustom && !Object.hasOwn(FORMATS, all.format)) {
    throw new RangeError(`unknown format '${all.format}'; choose from ${Object.keys(FORMATS).join(", ")}, custom`);
  }
  const fmt = isCustom ? customFormat(custom) : FORMATS[all.format];
  const typed = all.typed.trim();
  const start = typed ? parseNumber(typed) : finite(0, 1n);
  return { custom, fmt, typed, code: all.code ? parseCode(all.code, fmt) : encode(start, fmt) };
}

const customFormat = (custom) => floatFormat("custom", ...CUSTOM_KEYS.map((key) => custom[key]));

const writeState = ({ custom, fmt, code, typed }) => ({ ...custom, format: fmt.name, code: hexCode(code, fmt), typed });

/** The same number in another format; where the format cannot hold it, zero. */
function moveTo(state, fmt) {
  const { code } = convert(meant(state), fmt);
  return code === null ? { fmt, code: 0n, typed: "" } : { fmt, code };
}

/** The part of the address behind "#bits=", and back. */
const address = {
  key: "bits",
  write(get) {
    const custom = CUSTOM_KEYS.map((key) => (key === "signed" ? Number(get(key)) : get(key)));
    const format = get("format") === "custom" ? ["custom", ...custom].join() : get("format");
    return [format, get("code"), ...(get("typed") ? [encodeURIComponent(get("typed"))] : [])].join(":");
  },
  read(text) {
    try {
      const [head, code = "", typed = ""] = text.split(":");
      const [format, exponent_bits, significand_bits, bias, specials, signed] = head.split(",");
      const traits = { format, code, typed: decodeURIComponent(typed) };
      if (format === "custom") {
        const numbers = { exponent_bits: Number(exponent_bits), significand_bits: Number(significand_bits), bias: Number(bias) };
        Object.assign(traits, numbers, { specials, signed: signed === "1" });
      }
      return writeState(readState(traits));
    } catch {
      return null; // an address may hold anything; what makes no sense is left alone
    }
  },
};

// --- the widget -----------------------------------------------------------------------------------------------

/** What a reader can do; those who take text return what was wrong with it, or null. */
function actions(state, change) {
  const attempt = (work) => {
    try {
      change(work());
      return null;
    } catch (error) {
      return error.message;
    }
  };
  return {
    flip: (position) => change({ code: state().code ^ (1n << position), typed: "" }),
    step(side) {
      const code = neighbours(state().code, state().fmt)[side];
      if (code !== null) change({ code, typed: "" });
    },
    typed: (text) => attempt(() => ({ code: encode(parseNumber(text), state().fmt), typed: text.trim() })),
    code: (text, base) => attempt(() => ({ code: parseCode(text, state().fmt, base), typed: "" })),
    format: (name) => change(moveTo(state(), name === "custom" ? customFormat(state().custom) : FORMATS[name])),
    custom: (custom) => attempt(() => ({ custom, ...moveTo(state(), customFormat(custom)) })),
  };
}

function render({ model, el }) {
  const link = connect({ model, el, css: CSS, keys: KEYS, read: readState, adopt: show });
  const initial = link.state;
  let state = initial;
  function show(next) {
    state = next;
    paint();
  }
  function change(next) {
    show({ ...state, ...next });
    link.write(writeState(state));
    model.save_changes();
  }
  const act = { ...actions(() => state, change), reset: () => change(initial) };
  const all = [picker, customPanel, headline, bitRow, stepper, explanation, entries, facts, comparison, snippet];
  const parts = all.filter((part) => part !== comparison || !model.get("compact")).map((part) => part({ act }));
  link.root.append(...parts.map((part) => part.node));
  link.root.setAttribute("aria-label", "Bit explorer");
  const paint = () => parts.forEach((part) => part.paint(state));
  paint();
  return link.unmount;
}

export default { render, address };
