"use strict";
// The first page: what the network has learned, over all layers.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const FOUND = 6; // cards of a list, at most
  let page = null;

  Object.assign(nd.pages.get("network"), { draw: (changed, { element }) => drawNetwork(changed, element) });

  function drawNetwork(changed, element) {
    const { run } = nd;
    if (!page) build(element);
    if (changed.has("view")) {
      document.title = `${run.network}, dissected`;
      page.crumbs.append(nd.thresholdControl);
    }
    const counts = ["view", "cut", "beyond", "story"].some((name) => changed.has(name));
    if (counts) {
      page.stale = new Set([page.squares, page.emergence, page.atlas]);
      if (!isMoving(changed) || isInSight(page.lead)) fillLead();
    }
    if (changed.has("theme") || changed.has("size")) page.stale = new Set([page.squares, page.emergence, page.atlas]);
    for (const part of page.stale) if (!isMoving(changed) || isInSight(part.element)) drawPart(part);
    if (changed.has("view") || changed.has("theme") || changed.has("size")) page.reading.draw();
    scheduleRest(counts);
  }

  // Returns whether only the slider has moved: then what is out of sight waits until it rests.
  const isMoving = (changed) => changed.has("cut") && !changed.has("view") && !changed.has("start");

  function isInSight(element) {
    const { top, bottom } = element.getBoundingClientRect();
    return bottom > 0 && top < window.innerHeight;
  }

  function drawPart(part) {
    part.draw();
    page.stale.delete(part);
  }

  function fillLead() {
    page.lead.replaceChildren(...nd.describeNetwork().map((nodes) => make("p", {}, nodes)));
  }

  function build(element) {
    const { run } = nd;
    const units = run.layers.reduce((sum, layer) => sum + layer.units, 0);
    page = { lead: make("div.network-lead"), squares: nd.makeSquares(), emergence: nd.makeEmergence(), atlas: nd.makeAtlasTeaser(), reading: nd.makeHowToRead(), lists: [], stale: new Set(), layers: make("ul.layer-list"), crumbs: make("div.network-tools") };
    page.listHome = make("div.found-lists");
    element.classList.add("network");
    element.replaceChildren(
      make("header.network-head", {}, make("p.kicker", {}, "Network Dissection, ", nd.makeTerm(`${nd.formatUnits(units)}`, "unit"), " of ", nd.makeTerm(nd.formatUnits(run.layers.length, "layer"), "layer"), " over ", nd.makeTerm(run.probeSet, "probeSet")),
        make("h1.title", { tabIndex: -1 }, run.network), page.lead),
      page.reading.element, page.crumbs,
      section("Every unit, by layer", ["One square a ", nd.makeTerm("unit"), ", the last layer on top. Hue: ", nd.makeTerm("category"), ". Depth: ", nd.makeTerm(run.scoreTitle, run.scoreTitle === "IoU" ? "IoU" : "score"), ". ", ...(run.anyChance ? ["Hollow: ", nd.makeTerm("no better than chance", "q"), ". "] : []), "Gray: below the ", nd.makeTerm("threshold"), ". Press a square for its unit, drag over several to list them."],
        make("p.legend", {}, run.categories.map((name, kind) => make("span.key", {}, make(`span.swatch.k-${run.slots[kind]}`), name))), page.squares.element),
      section("Where concepts emerge", ["Area: units of the layer with this ", nd.makeTerm("label"), ". Depth: their best ", run.scoreTitle, ". By the first layer that has a ", nd.makeTerm("detector"), " for it", ...(run.layers.some((layer) => layer.controls.length) ? ["; ring: the ", nd.makeTerm("control")] : []), "."], page.emergence.element),
      section("Look at these first", ["Found by rules that are written under them."], page.listHome),
      section("Atlas", ["Every unit is a dot, near those that respond alike. Hue: category. Size: ", run.scoreTitle, "."], page.atlas.element),
      section("Layers", [], page.layers),
      make("nav.ways", { "aria-label": "Other pages" }));
    page.ways = element.querySelector(".ways");
    addWays();
    nd.loadStory().then(() => { run.storyShown = true; nd.redraw("story"); });
    whenNear(page.lead, page.reading.fill);
    whenNear(page.atlas.element, page.atlas.fill);
  }

  function section(title, words, ...content) {
    return make("section.network-section", {}, make("h2", {}, title), words.length ? make("p.note", {}, words) : "", ...content);
  }

  // Links to the other pages, by what they answer.
  function addWays() {
    const words = {
      atlas: "Which units are alike? All units on one map, by what they respond to.",
      concepts: "Which concepts are detected, where, and which never are?",
      units: "Every detector, best first, and the lists of units.",
      probe: "What could be found at all? The images, and what is labeled in them.",
      compare: "What differs between runs?",
    };
    page.ways.replaceChildren(...[...nd.pages.values()].filter((each) => each.title && words[each.view])
      .map((each) => make("a.way", { href: nd.makeAddress({ query: "", show: "all", ...each.link() }) }, make("b", {}, each.title), make("span", {}, words[each.view]))));
  }

  function whenNear(element, run) {
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      run();
    }, { rootMargin: "500px" });
    observer.observe(element);
  }

  function fillLayers() {
    const { run, state } = nd;
    page.layers.replaceChildren(...run.layers.map((layer) => {
      const count = nd.recount(layer, state.cut);
      const parts = run.categories.map((_, kind) => {
        const part = make(`span.k-${run.slots[kind]}`);
        part.style.width = `${(100 * count.perCategory[kind]) / layer.units}%`;
        return part;
      });
      const top = count.found.sort((a, b) => b.passing - a.passing).slice(0, 4).map((entry) => `${run.concepts[entry.concept]} ${entry.passing}`).join(", ");
      return make("li", {}, make("a.layer-link", { href: nd.makeAddress({ view: "layer", layer: layer.index }) }, make("span.layer-name", {}, nd.breakName(layer.name)),
        make("span.share", { "aria-hidden": "true" }, parts),
        make("span.note", {}, `${nd.formatCount(count.detectors)}${nd.formatSpread(layer, "detectors", state.cut)} of ${nd.formatCount(layer.units)} named, ${nd.formatUnits(count.byLabel, "concept")}`), make("span.note.top-concepts", {}, top)));
    }));
  }

  // Draws the rest when counts have changed and the slider rests: the lists, the layers, and what was out of sight.
  let timer = null;
  function scheduleRest(again) {
    if (!again) return fitLists();
    clearTimeout(timer);
    timer = setTimeout(drawRest, page.lists.length ? 160 : 0);
  }

  function drawRest() {
    if (!page || nd.state.view !== "network") return;
    fillLead();
    fillLayers();
    for (const part of page.stale) drawPart(part);
    const lists = [...nd.unitLists.values()].filter((list) => list.id !== "detectors" && (!list.needs || list.needs()));
    page.lists = lists.map(makeList).filter(Boolean);
    page.listHome.replaceChildren(...page.lists.map((list) => list.element));
    for (const list of page.lists) whenNear(list.element, () => { list.near = true; list.fit(); });
  }

  function makeList(list) {
    const units = nd.listUnits(list);
    if (!units.length) return null;
    const cards = units.slice(0, FOUND).map(([index, unit]) => nd.nameLayer(nd.makeCard(nd.run.layers[index], unit)));
    const row = nd.makeCardRow(cards);
    row.classList.add("one-row");
    const address = nd.makeAddress({ view: "units", set: list.id });
    const element = make("section.found-list", {}, make("div.found-head", {}, make("h3", {}, make("a", { href: address }, list.title)), make("p.note", {}, list.rule()),
      make("a.all-link", { href: address }, units.length === 1 ? "the unit" : `all ${nd.formatUnits(units.length)}`)), row);
    const made = { element, near: false };
    made.fit = () => {
      if (!made.near) return;
      row.fit();
      for (const index of new Set(units.slice(0, FOUND).map(([at]) => at))) nd.loadLayer(nd.run.layers[index]).then(row.fit);
    };
    return made;
  }

  function fitLists() {
    for (const list of page.lists) list.fit();
  }
})();
