// The GradScaler player: torch.amp.GradScaler's state machine, step by step, and the history of a run replayed.

import { DEFAULTS, MOST, countSteps, play, readState } from "./scaler.js";
import { connect } from "./dom.js";
import { spoken } from "./form.js";
import { chart } from "./gradscaler_player_chart.js";
import { CSS } from "./gradscaler_player_style.js";
import { controls, headline, lastSteps, nextPanel, paste, presets, sentence, settings } from "./gradscaler_player_parts.js";

const KEYS = Object.keys(DEFAULTS);

/** The part of the address behind "#scaler=", and back. */
const address = {
  key: "scaler",
  write: (get) => KEYS.map((key) => encodeURIComponent(get(key))).join(":"),
  read(text) {
    try {
      const parts = text.split(":").map(decodeURIComponent);
      if (parts.length !== KEYS.length) return null;
      const steps = parts.pop();
      const numbers = parts.map((part, i) => [KEYS[i], part.trim() === "" ? NaN : Number(part)]);
      return readState({ ...Object.fromEntries(numbers), steps });
    } catch {
      return null; // an address may hold anything; what makes no sense is left alone
    }
  },
};

function render({ model, el }) {
  const link = connect({ model, el, css: CSS, keys: KEYS, read: readState, adopt: show });
  const initial = link.state;
  let state = initial;
  function show(next) {
    state = next;
    paint();
  }
  const act = {
    /** Take over new values; returns what is wrong with them, or null. */
    set(next) {
      try {
        next = readState({ ...state, ...next });
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        return error.message;
      }
      show(next);
      link.write(Object.fromEntries(KEYS.map((key) => [key, state[key]])));
      model.save_changes();
      return null;
    },
    reset: () => act.set(initial),
    add(steps) {
      if (act.set({ steps: state.steps + steps }) === null) return;
      act.set({ steps: `${state.steps}s${MOST - countSteps(state.steps)}` }); // as many as still fit
    },
  };
  const parts = [presets, settings, headline, controls, chart, nextPanel, lastSteps, paste, () => spoken(sentence)].map((part) => part({ act }));
  link.root.append(...parts.map((part) => part.node));
  link.root.setAttribute("aria-label", "GradScaler player");
  const paint = () => {
    const all = { ...state, ...play(state) };
    parts.forEach((part) => part.paint(all));
  };
  paint();
  return () => {
    parts.forEach((part) => part.unmount?.());
    link.unmount();
  };
}

export default { render, address };
