// The claims table: a search and three filters above a table that the page already holds. The rows stay in the page
// itself, outside the shadow root, so that links to a claim and the browser's own search reach them.

import { connect, h } from "./dom.js";
import { list, spoken } from "./form.js";
import { CSS } from "./claims_table_style.js";

const KEYS = ["search", "topic", "verdict", "kind"];
const LONGEST = 200;

/** The state that traits describe; throws RangeError naming what is wrong. */
export function readState(traits) {
  const state = { search: "", topic: "", verdict: "", kind: "", ...traits };
  if (state.search.length > LONGEST) throw new RangeError(`search has ${state.search.length} characters; at most ${LONGEST}`);
  return state;
}

/** Whether a row { text, topic, verdict, kind } is to be seen; `verdict` may be two, joined by "|". */
export function matches(row, { search, topic, verdict, kind }) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return (
    (!topic || row.topic === topic) && (!kind || row.kind === kind) &&
    (!verdict || row.verdict.split("|").includes(verdict)) && words.every((word) => row.text.includes(word))
  );
}

/** The part of the address behind "#claims=", and back. */
export const address = {
  key: "claims",
  write: (get) => KEYS.map((key) => encodeURIComponent(get(key))).join(":"),
  read(text) {
    try {
      const values = text.split(":").map(decodeURIComponent);
      if (values.length !== KEYS.length) return null;
      const state = Object.fromEntries(KEYS.map((key, i) => [key, values[i]]));
      return KEYS.slice(1).every((key) => /^[a-z ]{0,30}$/.test(state[key])) ? readState(state) : null;
    } catch {
      return null; // an address may hold anything; what makes no sense is left alone
    }
  },
};

/** "12 of 108 claims". */
export const counted = (shown, all) => (shown === all ? `${all} claims` : shown ? `${shown} of ${all} claims` : `None of ${all} claims`);

function render({ model, el, fallback }) {
  const link = connect({ model, el, css: CSS, keys: KEYS, read: readState, adopt: show });
  el.append(tableOf(model, fallback)); // the page's own table moves below the controls
  const rows = [...el.querySelectorAll("tr[data-topic]")].map((node) => ({ node, text: node.textContent.toLowerCase(), ...node.dataset }));
  const groups = [...el.querySelectorAll("tbody")];
  const initial = link.state;
  let state = initial;
  function show(next) {
    state = next;
    paint();
  }
  function set(next) {
    show({ ...state, ...next });
    link.write(Object.fromEntries(KEYS.map((key) => [key, state[key]])));
    model.save_changes();
  }
  const search = h("input", {
    id: "search", type: "search", autocomplete: "off", spellcheck: "false", maxlength: LONGEST, input: () => set({ search: search.value }),
  });
  const topics = groups.map((body) => [body.rows[1].dataset.topic, body.rows[0].textContent]);
  const filters = [
    list("topic", "Topic", [["", "all"], ...topics], (topic) => set({ topic })),
    list("verdict", "Verdict", [["", "all"], ...values(rows.flatMap((row) => row.verdict.split("|")))], (verdict) => set({ verdict })),
    list("kind", "How one knows", [["", "all"], ...values(rows.map((row) => row.kind)).map(([kind]) => [kind, KINDS[kind] ?? kind])], (kind) => set({ kind })),
  ];
  const count = h("p", { class: "count" });
  const reset = h("button", { type: "button", click: () => { set(BLANK); search.focus(); } }, "Show all");
  const aloud = spoken((now) => counted(rows.filter((row) => matches(row, now)).length, rows.length));
  link.root.append(
    h("div", { class: "entries" }, h("div", { class: "entry search" }, h("label", { for: "search" }, "Search"), search), ...filters.map((filter) => filter.node)),
    h("div", { class: "row" }, count, reset), aloud.node,
  );
  link.root.setAttribute("aria-label", "Search the claims");
  function paint() {
    let shown = 0;
    for (const row of rows) {
      row.node.hidden = !matches(row, state);
      shown += !row.node.hidden;
    }
    for (const body of groups) body.hidden = [...body.rows].slice(1).every((row) => row.hidden);
    count.textContent = counted(shown, rows.length);
    reset.disabled = shown === rows.length && !state.search;
    if (search.value !== state.search) search.value = state.search;
    ["topic", "verdict", "kind"].forEach((key, i) => filters[i].paint(state[key]));
    aloud.paint(state);
  }
  /** A link to a claim that a filter hides shows it. */
  const follow = () => {
    const target = rows.find((row) => `#${row.node.id}` === location.hash);
    if (!target?.node.hidden) return;
    set(BLANK);
    target.node.scrollIntoView();
  };
  addEventListener("hashchange", follow);
  paint();
  return () => {
    removeEventListener("hashchange", follow);
    aloud.unmount();
    link.unmount();
  };
}

const BLANK = { search: "", topic: "", verdict: "", kind: "" };
const KINDS = { run: "run for this page", record: "from a record", source: "from sources" };

/** The page's own table with its style; in Jupyter the one that Python sends. */
function tableOf(model, fallback) {
  const held = document.createElement("template");
  if (!fallback) held.innerHTML = model.get("table"); // made in Python, where every claim is escaped
  const table = document.createDocumentFragment();
  table.append(...(fallback ? fallback.childNodes : held.content.childNodes));
  return table;
}

/** What occurs, each once, sorted, as options. */
const values = (found) => [...new Set(found)].sort().map((value) => [value, value]);

export default { render, address };
