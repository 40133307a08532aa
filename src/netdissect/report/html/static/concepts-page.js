"use strict";
// The page of all concepts: which are detected, by how many units of each layer and how well; and why the others are not.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  const ROWS = 80; // before "more"
  const MOST_COLUMNS = 8; // layers with a column of their own; bars in one column show more
  const ORDERS = {
    units: { title: "units", compare: (a, b) => b.units - a.units || b.best.score - a.best.score },
    name: { title: "concept", compare: (a, b) => (a.name < b.name ? -1 : 1) },
    score: { title: "best score", compare: (a, b) => b.best.score - a.best.score },
    first: { title: "first layer", compare: (a, b) => a.first - b.first || b.units - a.units },
  };
  let page = null;
  const cache = { key: "", list: [] };

  nd.addPage("concepts", {
    title: "Concepts",
    holds: ["concept"],
    query: ({ by }) => (by && by !== "units" ? `by=${by}` : ""),
    parse: (_, words) => ({ by: words.get("by") in ORDERS ? words.get("by") : "units" }),
    draw: (changed, { element }) => {
      if (!page || changed.has("view")) build(element);
      else if (!["cut", "beyond", "query", "show", "by", "size"].some((name) => changed.has(name))) return;
      list();
    },
  });

  // Returns the detected concepts: [{ concept, name, units, counts, first, best }], in the order that the page shows.
  nd.listDetectedConcepts = (by = nd.state.by || "units") => {
    const key = `${by} ${nd.state.cut} ${nd.state.beyond}`;
    if (cache.key !== key) Object.assign(cache, { key, list: collect().sort((a, b) => ORDERS[by].compare(a, b) || a.concept - b.concept) });
    return cache.list;
  };

  function collect() {
    const found = new Map();
    nd.run.layers.forEach((layer, index) => {
      for (const { concept, passing, units } of nd.recount(layer, nd.state.cut).found) {
        if (!found.has(concept)) found.set(concept, { concept, name: nd.run.concepts[concept], units: 0, counts: nd.run.layers.map(() => 0), first: index, best: { score: -1 } });
        const entry = found.get(concept);
        const score = layer.labelScore[units[0]];
        entry.units += passing;
        entry.counts[index] = passing;
        if (score > entry.best.score) entry.best = { layer, unit: units[0], score };
      }
    });
    return [...found.values()];
  }

  function build(element) {
    const { run } = nd;
    page = { open: false, unseenOpen: false };
    document.title = `Concepts, ${run.network}`;
    page.heading = make("h1.title", { tabIndex: -1 }, "Concepts");
    page.lead = make("p.lead");
    page.filter = make("input.field-like", { id: "concept-filter", type: "text", "aria-label": "Filter the concepts", placeholder: "Filter the concepts  f", autocomplete: "off", spellcheck: false, oninput: (event) => nd.change({ query: event.target.value }) });
    page.filter.dataset.filter = "";
    page.filter.addEventListener("focus", nd.prepareSearch);
    page.chips = ["all", ...run.categories].map((name, at) => {
      const number = make("span.number");
      const button = make("button.chip", { type: "button", onclick: () => nd.change({ show: name }) }, at ? make(`span.swatch.k-${run.slots[at - 1]}`) : null, at ? name : "All", number);
      return { name, button, number };
    });
    page.head = make("thead");
    page.body = make("tbody");
    page.table = make("table.concept-table", {}, page.head, page.body);
    page.more = make("button.more", { type: "button", onclick: () => { page.open = true; list(); } });
    page.nothing = make("p.nothing");
    page.unseen = make("section.unseen", { "aria-labelledby": "unseen-title" });
    element.replaceChildren(
      make("nav.crumbs", { "aria-label": "Page" }, make("a.up", { href: nd.makeAddress({ view: "network", query: "", show: "all" }) }, `← ${run.network}`), nd.thresholdControl),
      make("header.unit-head", {}, page.heading, page.lead),
      make("div.concept-tools", {}, page.filter, make("div.chips", { role: "group", "aria-label": "Category" }, page.chips.map(({ button }) => button))),
      make("div.scroll", { tabIndex: 0, role: "region", "aria-label": "Table of detected concepts" }, page.table), page.more, page.nothing, page.unseen);
    page.heading.focus({ preventScroll: true });
    const mine = page;
    if (nd.loadProbe) nd.loadProbe().then(() => { if (mine === page) { page.reasons = true; list(); } });
  }

  function list() {
    const { run, state } = nd;
    if (page.filter.value !== state.query) page.filter.value = state.query;
    const matcher = nd.makeMatcher(state.query);
    const kind = run.categories.indexOf(state.show);
    const fits = (concept) => !matcher || matcher.concept(concept) !== nd.FIT.none;
    const ofKind = (concept) => kind < 0 || run.category[concept] === kind;
    const all = nd.listDetectedConcepts();
    const found = all.filter(({ concept }) => fits(concept));
    const shown = found.filter(({ concept }) => ofKind(concept));
    const detected = new Set(all.map(({ concept }) => concept));
    const units = all.reduce((sum, entry) => sum + entry.units, 0);
    page.lead.replaceChildren(make("strong", {}, nd.formatCount(all.length)), ` of ${nd.formatUnits(run.concepts.length, "concept")} ${all.length === 1 ? "is" : "are"} detected, by `,
      make("a", { href: nd.makeAddress({ view: "units", set: "", query: "", show: "all" }) }, nd.formatUnits(units)), ` of ${nd.formatUnits(run.layers.length, "layer")}, ${run.scoreTitle} ≥ ${nd.formatThreshold(state.cut)}${state.beyond ? ", beyond chance" : ""}.`);
    for (const { name, button, number } of page.chips) {
      button.setAttribute("aria-pressed", String(name === (kind < 0 ? "all" : state.show)));
      setText(number, ` ${nd.formatCount(name === "all" ? found.length : found.filter(({ concept }) => run.categories[run.category[concept]] === name).length)}`);
    }
    drawHead();
    const rows = page.open ? shown : shown.slice(0, ROWS);
    const most = Math.max(1, ...all.map(({ counts }) => Math.max(...counts)));
    const focused = page.body.contains(document.activeElement) ? document.activeElement.getAttribute("href").split("?")[0] : null;
    page.body.replaceChildren(...rows.map((entry) => makeRow(entry, most)));
    const again = focused && [...page.body.querySelectorAll("a")].find((link) => link.getAttribute("href").split("?")[0] === focused);
    if (again) again.focus({ preventScroll: true });
    page.table.hidden = !rows.length;
    page.more.hidden = rows.length === shown.length;
    setText(page.more, `${nd.formatUnits(shown.length - rows.length, "concept")} more`);
    const missing = [...run.concepts.keys()].filter((concept) => !detected.has(concept) && fits(concept) && ofKind(concept));
    page.nothing.hidden = shown.length > 0 || missing.length > 0;
    if (!page.nothing.hidden) page.nothing.replaceChildren(...describeNothing(state.query));
    drawUnseen(missing);
  }

  function describeNothing(query) {
    const near = nd.findNearest(query, 4);
    return [`No concept fits “${query.trim()}”. `, ...(near.length ? ["Nearest: ", ...nd.linkConcepts(near), ". "] : []), "Esc clears the filter."];
  }

  function drawHead() {
    const by = nd.state.by || "units";
    const { short } = nd.listShortNames();
    const sortable = (name, words, classes = "") => {
      const direction = name === by ? (name === "name" || name === "first" ? "ascending" : "descending") : null;
      return make(`th${classes}`, { scope: "col", "aria-sort": direction }, make("button.link", { type: "button", onclick: () => nd.change({ by: name }) }, words, direction ? make("span", { "aria-hidden": "true" }, direction === "ascending" ? " ↑" : " ↓") : ""));
    };
    const layers = nd.run.layers.length;
    page.head.replaceChildren(make("tr", {}, sortable("name", "concept"), sortable("units", "units", ".figure"),
      layers > 1 && layers <= MOST_COLUMNS ? short.map((name) => make("th.of-column", { scope: "col" }, nd.breakName(name))) : layers > 1 ? make("th", { scope: "col" }, "units by layer") : null,
      layers > 1 ? sortable("first", "first in") : null, sortable("score", `best ${nd.run.scoreTitle}`, ".figure"), make("th", { scope: "col" }, "by unit"),
      nd.run.anyLabels ? make("th.figure", { scope: "col", title: "images of this report that are labeled with it" }, "images") : null));
    const active = document.activeElement;
    if (!active || active === document.body) page.head.querySelector("[aria-sort] button").focus({ preventScroll: true });
  }

  function makeRow({ concept, name, units, counts, first, best }, most) {
    const { run } = nd;
    const slot = run.slots[run.category[concept]];
    const layers = run.layers.length;
    const makeCount = (count) => {
      const bar = make(`span.count-bar.k-${slot}`);
      bar.style.width = `${Math.max(2, (40 * count) / most)}px`;
      return make("td.of-column", {}, count ? [bar, nd.formatCount(count)] : make("span.none", { title: "none" }, "·"));
    };
    const spark = layers > MOST_COLUMNS ? nd.makeSpark(counts, run.category[concept]) : null;
    if (spark) {
      spark.removeAttribute("aria-hidden");
      spark.setAttribute("role", "img");
      spark.setAttribute("aria-label", counts.map((count, at) => (count ? `${run.layers[at].name}: ${count}` : "")).filter(Boolean).join(", "));
    }
    return make("tr", {}, make("th", { scope: "row" }, make(`span.swatch.k-${slot}`, { title: run.categories[run.category[concept]] }), make("a", { href: nd.makeAddress({ view: "concept", concept, layer: 0, query: "", show: "all" }) }, name)),
      make("td.figure", {}, nd.formatCount(units)),
      layers > 1 && !spark ? counts.map(makeCount) : spark ? make("td", {}, spark) : null,
      layers > 1 ? make("td.first-in", {}, nd.listShortNames().short[first]) : null,
      make("td.figure", {}, nd.formatScore(best.score, nd.state.cut)),
      make("td", {}, make("a", { href: nd.makeAddress({ view: "unit", layer: best.layer.index, unit: best.unit, query: "", show: "all" }) }, layers > 1 ? `${nd.listShortNames().short[best.layer.index]}, ` : "", `unit ${best.unit + 1}`)),
      run.anyLabels ? make("td.figure", {}, nd.formatCount(run.labeled[concept])) : null);
  }

  // Lists the concepts that no unit detects, and why.
  function drawUnseen(missing) {
    const { run } = nd;
    page.unseen.hidden = !missing.length;
    if (!missing.length) return;
    const order = page.reasons ? Object.keys(nd.reasons) : [];
    const entries = missing.map((concept) => ({ concept, reason: page.reasons ? order.indexOf(nd.findReason(concept)) : 0 }))
      .sort((a, b) => b.reason - a.reason || run.G[b.concept] - run.G[a.concept]);
    const rows = page.unseenOpen ? entries : entries.slice(0, ROWS / 4);
    const rest = entries.length - rows.length;
    page.unseen.replaceChildren(make("h2", { id: "unseen-title" }, `Labeled, but not detected: ${nd.formatCount(entries.length)}`),
      make("ul.unseen-list", {}, rows.map(({ concept }) => make("li", {}, make(`span.swatch.none`, { title: run.categories[run.category[concept]] }),
        make("a", { href: nd.makeAddress({ view: "concept", concept, layer: 0, query: "", show: "all" }) }, run.concepts[concept]), make("span.note", {}, " ", page.reasons ? nd.describeReason(concept) : "")))),
      rest ? make("button.more", { type: "button", onclick: () => { page.unseenOpen = true; list(); } }, `${nd.formatUnits(rest, "concept")} more`) : "");
  }
})();
