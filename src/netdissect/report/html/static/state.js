"use strict";
// The state of the page. The address contains it, so that every view can be bookmarked and sent:
//   #/   #/layer/fire9%2Fconcat?cut=0.05&q=cow   #/unit/fire9%2Fconcat/433   #/concept/17/hair
// Changes of the slider, the search and so on replace the current step of the browser's history (`history.js` has the others).
// `cut` is the detection threshold that the page shows: the score from which a unit counts as a detector.
(() => {
  const nd = window.netdissect;
  nd.noNear = []; // links to what is near to something that is missing: none
  const listeners = [];
  let pending = null;
  let written = null;

  const state = nd.state = {
    view: "network", missing: "", near: nd.noNear, layer: 0, unit: 0, concept: 0, cut: 0.04, query: "", show: "all", sort: "score", mask: "spotlight", outlines: true, pin: "", beyond: false, group: "strongest",
  };

  // Registers a function to be called with the names of what has changed, once a frame at most.
  nd.onChange = (listener) => listeners.push(listener);

  // Changes the state and replaces the address.
  nd.change = (changes) => {
    nd.applyChanges(changes);
    if (written === null) written = setTimeout(nd.writeAddress, 180);
  };

  // Sets values of the state; what has changed is drawn in the next frame or by `nd.flush`.
  nd.applyChanges = (changes) => {
    for (const [name, value] of Object.entries(changes)) {
      if (state[name] === value) continue;
      state[name] = value;
      if (!pending) {
        pending = new Set();
        requestAnimationFrame(flush);
      }
      pending.add(name);
    }
  };

  function flush() {
    if (!pending) return;
    const changed = pending;
    pending = null;
    for (const listener of listeners) listener(changed);
  }
  nd.flush = flush;

  // Writes the state into the address.
  nd.writeAddress = () => {
    clearTimeout(written);
    written = null;
    const address = nd.makeAddress(state);
    if (address !== location.hash) history.replaceState(history.state, "", address);
  };

  nd.makeAddress = (changes) => {
    const full = { ...state, ...changes };
    const { path: makePath, query: makeOwn } = nd.pages.get(full.view);
    const query = [makeOwn ? makeOwn(full) : "", makeQuery(full)].filter(Boolean).join("&");
    const rest = makePath(full);
    const path = full.view === "network" ? "#/" : `#/${full.view}${rest ? `/${rest}` : ""}`;
    return path + (query ? `?${query}` : "");
  };

  // Returns the query with every value of all pages that is not the default. The last query is cached, because most links of a page share it.
  const cached = { key: "", query: "" };
  function makeQuery(full) {
    const { run } = nd;
    const key = `${full.cut} ${full.show} ${full.sort} ${full.mask} ${full.outlines} ${full.pin} ${full.beyond} ${full.group} ${full.query}`;
    if (cached.key === key) return cached.query;
    const words = new URLSearchParams();
    if (full.cut !== run.threshold) words.set("cut", String(Number(full.cut.toFixed(5))));
    if (full.query) words.set("q", full.query);
    if (full.show !== "all") words.set("show", full.show);
    if (full.sort !== "score") words.set("sort", full.sort);
    if (full.mask !== "spotlight") words.set("mask", full.mask);
    if (!full.outlines) words.set("labels", "off");
    if (full.pin) {
      const [at, unit] = full.pin.split(":").map(Number);
      words.set("pin", `${unit + 1}/${run.layers[at].name}`);
    }
    if (full.beyond) words.set("chance", "beyond");
    if (full.group !== "strongest") words.set("images", full.group);
    return Object.assign(cached, { key, query: words.toString() }).query;
  }

  // Returns the state in an address; missing or invalid parts have their defaults.
  nd.parseAddress = (hash) => {
    const { run } = nd;
    const found = { view: "network", missing: "", near: nd.noNear, layer: 0, unit: 0, concept: 0, cut: run.threshold, query: "", show: "all", sort: "score", mask: "spotlight", outlines: true, pin: "", beyond: false, group: "strongest" };
    const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
    const [view, ...parts] = path.split("/").map(decodePart);
    const words = new URLSearchParams(query);
    try {
      if (view && !nd.pages.has(view)) throw nd.makeMissing(`No page “${view}” in this report.`);
      if (view) Object.assign(found, { view, ...nd.pages.get(view).parse(parts, words) });
    } catch (error) {
      Object.assign(found, { view: "network", missing: error.message, near: error.near || nd.noNear });
    }
    const cut = Number(words.get("cut"));
    if (words.has("cut") && cut >= 0 && cut <= 1) found.cut = cut;
    found.query = words.get("q") || "";
    if ([...run.categories, "below"].includes(words.get("show"))) found.show = words.get("show");
    if (["label", "unit"].includes(words.get("sort"))) found.sort = words.get("sort");
    if (nd.styles.includes(words.get("mask"))) found.mask = words.get("mask");
    found.outlines = words.get("labels") !== "off";
    found.pin = parsePin(words.get("pin") || "");
    if (nd.groups.includes(words.get("images"))) found.group = words.get("images");
    found.beyond = run.anyChance && words.get("chance") === "beyond";
    return found;
  };

  // Returns the pinned unit as "layer:unit", counted from 0; "" if the words are not a unit.
  function parsePin(words) {
    const [, number, name] = /^(\d+)\/(.+)$/.exec(words) || [];
    const index = nd.run.layers.findIndex((layer) => layer.name === name);
    return index >= 0 && number >= 1 && number <= nd.run.layers[index].units ? `${index}:${number - 1}` : "";
  }

  function decodePart(text) {
    try { return decodeURIComponent(text); } catch { return text; }
  }
})();
