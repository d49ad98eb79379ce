// The GradScaler player: torch.amp.GradScaler's state machine, step by step, and the history of a run replayed.

import { DEFAULTS, MOST, countSteps, play, readState } from "./scaler.js";
import { mount } from "./dom.js";
import { chart } from "./gradscaler_player_chart.js";
import { CSS } from "./gradscaler_player_style.js";
import { controls, headline, lastSteps, nextPanel, paste, presets, settings, spoken } from "./gradscaler_player_parts.js";

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
  const pull = () => readState(Object.fromEntries(KEYS.map((key) => [key, model.get(key)]).filter(([, value]) => value !== undefined)));
  let state = pull();
  const initial = state;
  const { root, unmount } = mount(el, CSS);
  let writing = false;
  function change(next) {
    state = next;
    paint();
    writing = true;
    for (const key of KEYS) model.set(key, state[key]);
    writing = false;
    model.save_changes();
  }
  const attempt = (next) => {
    try {
      change(readState({ ...state, ...next }));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return error.message;
    }
    return null;
  };
  const act = {
    set: attempt,
    reset: () => change(initial),
    add(steps) {
      if (attempt({ steps: state.steps + steps }) === null) return;
      attempt({ steps: `${state.steps}s${MOST - countSteps(state.steps)}` }); // as many as still fit
    },
  };
  const parts = [presets, settings, headline, controls, chart, nextPanel, lastSteps, paste, spoken].map((part) => part({ act }));
  root.append(...parts.map((part) => part.node));
  root.setAttribute("aria-label", "GradScaler player");
  const paint = () => {
    const all = { ...state, ...play(state) };
    parts.forEach((part) => part.paint(all));
  };
  paint();
  const follow = () => {
    if (writing) return;
    try {
      state = pull();
    } catch {
      return; // Python checks what it sends; an address in between may not fit
    }
    paint();
  };
  const events = KEYS.map((key) => `change:${key}`).join(" ");
  model.on(events, follow);
  return () => {
    model.off(events, follow);
    parts.forEach((part) => part.unmount?.());
    unmount();
  };
}

export default { render, address };
