// What every widget's page part shares: elements, the look, dark mode, copying.

/** Make an element. Text children become text nodes, so nothing a reader types is ever parsed as HTML. */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** An SVG element; text children become text nodes. */
export function svg(tag, attributes = {}, ...children) {
  // The namespace is a name, not an address: nothing is loaded from it.
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// Colours come from the page's theme where it has them (pydata, JupyterLab), else from the fallbacks.
const BASE_CSS = `
:host { display: block; }
.amp { --ink: var(--pst-color-text-base, var(--jp-ui-font-color1, #1f2328));
  --muted: var(--pst-color-text-muted, #57606a); --line: var(--pst-color-border, var(--jp-border-color2, #c9ced6));
  --paper: var(--pst-color-background, var(--jp-layout-color0, #ffffff)); --wash: var(--pst-color-surface, #f5f6f8);
  --accent: var(--pst-color-primary, #0b6e8f); --on-field: #ffffff; --bad: #a3261c; --good: #1d6b3c;
  --sign: var(--amp-sign, #a8321f); --exponent: var(--amp-exponent, #2f7d4f); --fraction: var(--amp-fraction, #2b62b5);
  --mono: var(--pst-font-family-monospace, ui-monospace, "SFMono-Regular", Menlo, Consolas, monospace);
  color: var(--ink); container-type: inline-size; text-align: start;
  font: 400 15px/1.5 var(--pst-font-family-base, system-ui, sans-serif); }
.amp.dark { --ink: var(--pst-color-text-base, var(--jp-ui-font-color1, #e6e9ee)); --muted: var(--pst-color-text-muted, #a7b0bd);
  --line: var(--pst-color-border, var(--jp-border-color2, #4a5361)); --wash: var(--pst-color-surface, #20262f);
  --paper: var(--pst-color-background, var(--jp-layout-color0, #14181e)); --accent: var(--pst-color-primary, #6cc4e0);
  --on-field: #14181e; --bad: #ffaaa0; --good: #8fd6a8;
  --sign: var(--amp-sign, #f0998c); --exponent: var(--amp-exponent, #7fcb9c); --fraction: var(--amp-fraction, #8fb8f5); }
*, ::before, ::after { box-sizing: border-box; }
button, select, input { min-height: 44px; border: 1px solid var(--line); border-radius: 8px; color: var(--ink);
  background: var(--paper); font: inherit; padding: 0 12px; max-width: 100%; }
button { cursor: pointer; touch-action: manipulation; } button:hover:enabled { border-color: var(--accent); }
button:disabled { cursor: default; color: var(--muted); border-style: dashed; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
input { font-family: var(--mono); width: 100%; } input[aria-invalid=true] { border: 2px solid var(--bad); }
label, .label { display: block; font-size: 13px; color: var(--muted); }
code, pre, .mono { font-family: var(--mono); font-size: .93em; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.row { display: flex; flex-wrap: wrap; gap: 12px; align-items: end; }
@media (prefers-reduced-motion: no-preference) { button { transition: background-color .12s, border-color .12s; } }
@media print { button, select, input { border-color: #888; } }
`;

/** Light text means a dark page; this holds in every theme of every host. */
function hasLightText(node) {
  const channels = getComputedStyle(node).color.match(/[\d.]+/g)?.slice(0, 3).map(Number) ?? [0, 0, 0];
  const [red, green, blue] = channels;
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140;
}

/** Give `el` a shadow root with the shared look and `css`; returns { root, unmount }. */
export function mount(el, css) {
  const box = h("div");
  const root = h("div", { class: "amp", role: "group" });
  box.attachShadow({ mode: "open" }).append(h("style", {}, BASE_CSS, css), root);
  el.append(box);
  // Outside, keys typed in here seem to come from a plain element, and the book's theme would take "/" for its search.
  // With Control, Alt or Meta they are meant for the page.
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.altKey && !event.metaKey) event.stopPropagation();
  });
  const follow = () => root.classList.toggle("dark", hasLightText(box));
  const observer = new MutationObserver(() => {
    follow();
    setTimeout(follow, 400); // a theme may fade its colours
  });
  for (const node of [document.documentElement, document.body]) observer.observe(node, { attributes: true });
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", follow);
  requestAnimationFrame(follow); // colours are known once the element is in the page
  follow();
  const unmount = () => {
    observer.disconnect();
    scheme.removeEventListener("change", follow);
    box.remove();
  };
  return { root, unmount };
}

/**
 * Tie a widget to its model: a page part in `el` that shows the traits `keys` and writes them back.
 * `read(traits)` gives the state of the traits or throws; `adopt(state)` is called when the other side changed them.
 * Returns { root, state, write(traits), unmount }.
 */
export function connect({ model, el, css, keys, read, adopt }) {
  const pull = () => read(Object.fromEntries(keys.map((key) => [key, model.get(key)]).filter(([, value]) => value !== undefined)));
  const state = pull();
  const { root, unmount } = mount(el, css);
  let writing = false;
  const follow = () => {
    if (writing) return;
    let next;
    try {
      next = pull();
    } catch {
      return; // Python sends traits that belong together one after the other; between them they may not fit
    }
    adopt(next);
  };
  const events = keys.map((key) => `change:${key}`).join(" ");
  model.on(events, follow);
  return {
    root,
    state,
    write(traits) {
      writing = true;
      for (const [key, value] of Object.entries(traits)) {
        if (String(value) !== String(model.get(key))) model.set(key, value); // a new list of the same names is no change
      }
      writing = false;
    },
    unmount() {
      model.off(events, follow);
      unmount();
    },
  };
}

/** Copy the text of `node`; where the clipboard is out of reach the text is left selected. Returns whether it was copied. */
export async function copyText(node) {
  try {
    await navigator.clipboard.writeText(node.textContent);
    return true;
  } catch {
    const range = document.createRange();
    range.selectNodeContents(node);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    return document.execCommand("copy");
  }
}
