// Brings <amp-widget kind="..." state="{json}">fallback</amp-widget> to life on a page without a kernel.
// The Sphinx extension puts the sources of all widgets in place of the marker, so that one classic script serves
// http and file:// alike: a module loaded from text needs no server.
(() => {
  if (customElements.get("amp-widget")) return;
  const [MODULES, WIDGETS] = [{}, {}]; /* AMP_SOURCES */
  const loaded = {};
  /** A widget's modules, put together in order, as one module. */
  const load = (kind) =>
    (loaded[kind] ??= import(URL.createObjectURL(new Blob(WIDGETS[kind].map((name) => MODULES[name]), { type: "text/javascript" }))));

  /** The part of anywidget's model that front-end modules use, with the page itself as the other side. */
  class Model {
    #state;
    #listeners = new Map();
    #changed = false;
    constructor(state) {
      this.#state = { ...state };
    }
    get(name) {
      return this.#state[name];
    }
    set(name, value) {
      if (this.#state[name] === value) return;
      this.#state[name] = value;
      this.#changed = true;
      this.#emit(`change:${name}`, value);
    }
    save_changes() {
      if (!this.#changed) return;
      this.#changed = false;
      this.#emit("change");
    }
    on(names, listener) {
      for (const name of names.split(/\s+/)) this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
    }
    off(names, listener) {
      for (const name of names?.split(/\s+/) ?? [...this.#listeners.keys()]) {
        this.#listeners.set(name, (this.#listeners.get(name) ?? []).filter((other) => listener && other !== listener));
      }
    }
    send() {} // no kernel answers
    #emit(name, value) {
      for (const listener of this.#listeners.get(name) ?? []) listener(this, value);
    }
  }

  const claimed = new Set(); // one widget per page and key owns that part of the address

  /** Keep the model's state in the address as #key=text. Other anchors pass untouched until the reader changes the widget. */
  function keepInAddress(model, { key, read, write }, element) {
    if (claimed.has(key)) return;
    claimed.add(key);
    const prefix = `#${key}=`;
    const restore = () => {
      const state = location.hash.startsWith(prefix) && read(location.hash.slice(prefix.length));
      if (!state) return false;
      for (const [name, value] of Object.entries(state)) model.set(name, value);
      return true;
    };
    if (restore()) element.scrollIntoView();
    let timer;
    const save = () => history.replaceState(history.state, "", prefix + write((name) => model.get(name)));
    model.on("change", () => {
      clearTimeout(timer); // browsers limit how often a page may rewrite its address
      timer = setTimeout(save, 200);
    });
    addEventListener("hashchange", restore);
  }

  /** A link into the page still leads to its place after a widget above it has grown. */
  function returnToAnchor(element) {
    const target = document.querySelector(":target");
    const follows = target && element.compareDocumentPosition(target) & Node.DOCUMENT_POSITION_FOLLOWING;
    if (follows) target.scrollIntoView();
  }

  class AmpWidget extends HTMLElement {
    #started = false;
    async connectedCallback() {
      const kind = this.getAttribute("kind");
      if (this.#started || !Object.hasOwn(WIDGETS, kind)) return; // an unknown kind keeps its fallback
      this.#started = true;
      try {
        const state = JSON.parse(this.getAttribute("state") || "{}");
        const model = new Model(state);
        const widget = (await load(kind)).default;
        const el = document.createElement("div");
        await widget.render({ model, el, fallback: this });
        this.replaceChildren(el); // only now is the fallback dropped
        returnToAnchor(this);
        if (state.url_state && widget.address) keepInAddress(model, widget.address, this);
        this.dataset.live = "true";
      } catch (error) {
        console.error(`amp-widget ${kind}:`, error);
      }
    }
  }
  customElements.define("amp-widget", AmpWidget);
})();
