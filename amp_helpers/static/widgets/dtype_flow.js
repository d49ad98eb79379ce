// The dtype flow: a recorded trace as a diagram, forward and backward, with every cast and its bytes.

import { connect } from "./dom.js";
import { DIRECTIONS, nextCast, readFlow } from "./dtype_flow_data.js";
import { controls, details, diagram, legend, sideOf, spoken, totals } from "./dtype_flow_parts.js";
import { CSS } from "./dtype_flow_style.js";

const KEYS = ["direction", "selected"];

/** The state that traits describe; throws RangeError naming what is wrong. */
export function readState({ flow: packed, direction, selected = 0 }) {
  const flow = readFlow(packed);
  const choices = DIRECTIONS.filter((name) => flow[name].rows.length);
  const chosen = direction || choices[0];
  if (!choices.includes(chosen)) throw new RangeError(`unknown direction '${String(chosen).slice(0, 40)}'; choose from ${choices.join(", ")}`);
  const last = flow[chosen].rows.length - 1;
  if (!Number.isInteger(selected) || selected < 0 || selected > last) throw new RangeError(`selected is ${selected}; choose a row from 0 to ${last}`);
  return { flow, direction: chosen, selected };
}

function render({ model, el }) {
  const link = connect({ model, el, css: CSS, keys: [...KEYS, "flow"], read: readState, adopt: show });
  let state = link.state;
  function show({ direction, selected }) {
    state = { ...state, direction, selected }; // the trace itself never changes
    paint();
  }
  const act = {
    set(next) {
      show({ ...state, ...next });
      link.write({ direction: state.direction, selected: state.selected });
      model.save_changes();
    },
    next: () => act.set({ selected: nextCast(sideOf(state).rows, state.selected) }),
  };
  const [top, sum, key, list, panel, voice] = [controls, totals, legend, diagram, details, spoken].map((part) => part({ act }));
  const work = document.createElement("div");
  work.className = "work";
  work.append(list.node, panel.node);
  link.root.append(top.node, sum.node, key.node, work, voice.node);
  link.root.setAttribute("aria-label", "Dtype flow");
  const parts = [top, sum, key, list, panel, voice];
  const paint = () => parts.forEach((part) => part.paint(state));
  paint();
  return () => {
    voice.unmount();
    link.unmount();
  };
}

export default { render };
