"use strict";
// The state of the page and its address. Every state is in the address, so that it can be sent:
//   #/layer/fire9%2Fconcat?cut=0.05&q=cow   #/unit/fire9%2Fconcat/433   #/concept/17/hair
// Steps from page to page are steps of the browser's history; the slider, search and the like replace the last one.
(() => {
  const nd = window.netdissect;
  const listeners = [];
  let pending = null;
  let written = null;

  const state = nd.state = {
    view: "layer", layer: 0, unit: 0, concept: 0, cut: 0.04, query: "", show: "all", sort: "score", mask: "cut-out", outlines: true, pin: "",
  };

  // Calls a function with the set of names that changed, once a frame at most, in the order of registration.
  nd.watch = (listener) => listeners.push(listener);

  // Changes the state and replaces the address.
  nd.change = (changes) => {
    apply(changes);
    if (written === null) written = setTimeout(write, 180);
  };

  // Goes to another page: a step of the history. Where the old page was scrolled to is remembered in its own step.
  nd.go = (changes, keep = false) => {
    write();
    nd.rememberScroll();
    apply(changes);
    history.pushState({ inside: true }, "", nd.address(state));
    flush();
    if (!keep) window.scrollTo(0, 0);
  };

  nd.rememberScroll = () => history.replaceState({ ...history.state, scroll: window.scrollY }, "");

  nd.back = () => {
    if (history.state && history.state.inside) history.back();
    else nd.go({ view: "layer" });
  };

  function apply(changes) {
    for (const [name, value] of Object.entries(changes)) {
      if (state[name] === value) continue;
      state[name] = value;
      if (!pending) {
        pending = new Set();
        requestAnimationFrame(flush);
      }
      pending.add(name);
    }
  }

  function flush() {
    if (!pending) return;
    const changed = pending;
    pending = null;
    for (const listener of listeners) listener(changed);
  }
  nd.flush = flush;

  function write() {
    clearTimeout(written);
    written = null;
    const address = nd.address(state);
    if (address !== location.hash) history.replaceState(history.state, "", address);
  }

  nd.address = (wanted) => {
    const { run } = nd;
    const full = { ...state, ...wanted };
    const layer = encodeURIComponent(run.layers[full.layer].name);
    const paths = {
      layer: () => `#/layer/${layer}`,
      unit: () => `#/unit/${layer}/${full.unit + 1}`,
      concept: () => `#/concept/${run.conceptNumber[full.concept]}/${encodeURIComponent(run.concepts[full.concept])}`,
    };
    const query = settings(full);
    return paths[full.view]() + (query ? `?${query}` : "");
  };

  // The query that tells how things are shown; the last one is kept, for a page has many links with the same.
  const made = { key: "", query: "" };
  function settings(full) {
    const { run } = nd;
    const inside = full.view === "concept" && full.layer ? run.layers[full.layer].name : "";
    const key = `${full.cut} ${full.show} ${full.sort} ${full.mask} ${full.outlines} ${full.pin} ${inside} ${full.query}`;
    if (made.key === key) return made.query;
    const words = new URLSearchParams();
    if (full.cut !== run.threshold) words.set("cut", String(Number(full.cut.toFixed(5))));
    if (full.query) words.set("q", full.query);
    if (full.show !== "all") words.set("show", full.show);
    if (full.sort !== "score") words.set("sort", full.sort);
    if (full.mask !== "cut-out") words.set("mask", full.mask);
    if (!full.outlines) words.set("labels", "off");
    if (full.pin) {
      const [at, unit] = full.pin.split(":").map(Number);
      words.set("pin", `${unit + 1}/${run.layers[at].name}`);
    }
    if (inside) words.set("in", inside);
    return Object.assign(made, { key, query: words.toString() }).query;
  }

  // Reads an address; what it does not tell is as at the beginning. Anything nonsensical is left out.
  nd.parse = (hash) => {
    const { run } = nd;
    const read = { view: "layer", layer: 0, unit: 0, concept: 0, cut: run.threshold, query: "", show: "all", sort: "score", mask: "cut-out", outlines: true, pin: "" };
    const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
    const [view, first = "", second = ""] = path.split("/").map(decoded);
    const words = new URLSearchParams(query);
    const layerNamed = (name) => Math.max(0, run.layers.findIndex((layer) => layer.name === name || layer.stem === name));
    if (view === "unit" || view === "layer") read.layer = layerNamed(first);
    if (view === "unit" && second >= 1 && second <= run.layers[read.layer].units) Object.assign(read, { view, unit: Math.floor(second) - 1 });
    if (view === "concept" && run.conceptAt.has(Number(first))) {
      Object.assign(read, { view, concept: run.conceptAt.get(Number(first)), layer: layerNamed(words.get("in")) });
    }
    const cut = Number(words.get("cut"));
    if (words.has("cut") && cut >= 0 && cut <= 1) read.cut = cut;
    read.query = words.get("q") || "";
    if ([...run.categories, "below"].includes(words.get("show"))) read.show = words.get("show");
    if (["label", "unit"].includes(words.get("sort"))) read.sort = words.get("sort");
    if (nd.styles.includes(words.get("mask"))) read.mask = words.get("mask");
    read.outlines = words.get("labels") !== "off";
    read.pin = pinOf(words.get("pin") || "");
    return read;
  };

  // The pinned unit as "layer:unit", counted from 0; "" where the words mean none.
  function pinOf(words) {
    const [, number, name] = /^(\d+)\/(.+)$/.exec(words) || [];
    const index = nd.run.layers.findIndex((layer) => layer.name === name);
    return index >= 0 && number >= 1 && number <= nd.run.layers[index].units ? `${index}:${number - 1}` : "";
  }

  function decoded(text) {
    try { return decodeURIComponent(text); } catch { return text; }
  }

  // Back and forward keep how things are shown (cut, masks, pin); an address that was typed or pasted tells everything.
  window.addEventListener("popstate", (event) => {
    const { cut, mask, outlines, pin } = state;
    const own = event.state !== null;
    apply({ ...nd.parse(location.hash), ...(own ? { cut, mask, outlines, pin } : {}) });
    flush();
    write();
    window.scrollTo(0, (event.state && event.state.scroll) || 0);
  });

  history.scrollRestoration = "manual";
})();
