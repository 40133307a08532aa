"use strict";
// The page of a concept: labeled examples, every unit's score on one axis per layer, and the units that reach the threshold.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const EXAMPLES = 6;
  const CARDS = 9; // of a layer before "more"
  let page = null;

  nd.addPage("concept", {
    element: document.getElementById("page"),
    path: ({ concept }) => `${nd.run.conceptNumber[concept]}/${encodeURIComponent(nd.run.concepts[concept])}`,
    query: ({ layer }) => (layer ? `in=${encodeURIComponent(nd.run.layers[layer].name)}` : ""),
    parse: ([number], words) => ({ concept: nd.findConcept(number), layer: words.has("in") ? nd.findLayer(words.get("in")) : 0 }),
    draw: (changed) => drawConcept(changed),
  });

  function drawConcept(changed) {
    const { concept } = nd.state;
    const fresh = !page || page.concept !== concept || changed.has("view");
    if (fresh) build(concept);
    const again = changed.has("cut") || changed.has("beyond") || changed.has("theme") || changed.has("size");
    if (page.plot && again) page.plot.draw();
    if (changed.has("theme") || changed.has("size")) paintExamples();
    if (!fresh && (again || changed.has("mask"))) drawLayers();
  }

  function build(concept) {
    const { run } = nd;
    const kind = run.category[concept];
    page = { concept, tiles: [], layers: [] };
    const name = run.concepts[concept];
    const pixels = run.images * run.labelSize[0] * run.labelSize[1];
    page.named = make("span");
    page.heading = make("h1.title", { tabIndex: -1 }, name);
    const places = [...run.examples.subarray(concept * run.examplesEach, (concept + 1) * run.examplesEach)].filter((place) => place >= 0).slice(0, EXAMPLES);
    page.tiles = places.map((place) => nd.makeTile(place, { name: `Example of ${name}` }));
    page.tiles.forEach((tile) => tile.ready.then(() => nd.paintLabeled(tile, concept)));
    page.plotHome = make("div.plot-home");
    page.layerHome = make("div");
    document.title = `${name}, ${run.network}`;
    document.getElementById("page").replaceChildren(
      make("nav.crumbs", { "aria-label": "Page" }, make("a.up", { href: nd.makeAddress({ view: "layer" }) }, `← ${run.network}, ${run.layers[nd.state.layer].name}`), nd.thresholdControl),
      make("header.unit-head", {}, make("p.kicker", {}, "Concept"), page.heading,
        make("p.lead", {}, make(`span.swatch.k-${run.slots[kind]}`), make(`span.t-${run.slots[kind]}`, {}, run.categories[kind]),
          `, ${nd.formatPercent(pixels ? run.G[concept] / pixels : 0)} of all pixels`,
          run.anyLabels ? `, labeled in ${nd.formatCount(run.labeled[concept])} of the ${nd.formatCount(run.row.length)} images of this report. ` : ". ", page.named)),
      page.tiles.length ? make("section", { "aria-label": "Examples" }, make("div.examples", {}, page.tiles.map((tile) => tile.element))) : "",
      make("section", {}, make("h2", {}, `Every unit’s ${run.scoreTitle} with ${name}`),
        make("p.note", {}, `Filled: named ${name}. Ring: reaches the threshold, but another concept fits better. Gray: below the threshold.`), page.plotHome),
      page.layerHome,
    );
    page.heading.focus({ preventScroll: true });
    const mine = page;
    Promise.all(run.layers.map(async (layer) => { await nd.loadLayer(layer); await nd.loadCounts(layer); await nd.loadAblation(layer); })).then(() => {
      if (mine !== page) return;
      page.scores = run.layers.map((layer) => Float64Array.from({ length: layer.units }, (_, unit) => nd.measure(layer, unit, concept).score));
      page.plot = nd.makePlot(concept, page.scores);
      page.plotHome.append(page.plot.element);
      page.plot.draw();
      drawLayers();
    });
    paintExamples();
  }

  function paintExamples() {
    for (const tile of page.tiles) if (tile.labels) nd.paintLabeled(tile, page.concept);
  }

  // Shows the units of every layer that reach the threshold, those named after the concept first.
  function drawLayers() {
    const { run, state } = nd;
    const { concept, scores } = page;
    if (!scores) return;
    const sections = [];
    let [named, layers] = [0, 0];
    run.layers.forEach((layer, index) => {
      const passing = [...layer.ranked.keys()].filter((unit) => scores[index][unit] >= state.cut && !(state.beyond && nd.isBeyond(layer, unit) === false))
        .sort((a, b) => scores[index][b] - scores[index][a] || a - b);
      const own = passing.filter((unit) => layer.label[unit] === concept);
      const others = passing.filter((unit) => layer.label[unit] !== concept);
      named += own.length;
      layers += own.length ? 1 : 0;
      if (passing.length) sections.push(makeSection(layer, index, own, others));
    });
    page.named.replaceChildren(...(named
      ? [make("strong", {}, nd.formatUnits(named)), ` ${named === 1 ? "is" : "are"} named after it in ${layers} of ${nd.formatUnits(run.layers.length, "layer")}.`]
      : ["No unit is named after it at this threshold."]));
    page.layerHome.replaceChildren(...sections);
    for (const card of page.layerHome.querySelectorAll(".fit")) card.fit();
  }

  function makeSection(layer, index, own, others) {
    const all = [...own, ...others];
    const open = page.layers[index];
    const cards = all.slice(0, open ? all.length : CARDS).map((unit) => {
      const card = nd.makeCard(layer, unit);
      nd.fillCard(card);
      if (layer.label[unit] !== page.concept) card.score.title = `${nd.run.scoreTitle} with ${nd.run.concepts[page.concept]}: ${page.scores[index][unit].toFixed(3)}`;
      return card;
    });
    const list = nd.makeCardRow(cards);
    const rest = all.length - cards.length;
    const words = [own.length ? `${nd.formatCount(own.length)} named ${nd.run.concepts[page.concept]}` : "", others.length ? `${nd.formatCount(others.length)} ${own.length ? "more " : ""}${others.length === 1 ? "reaches the threshold but is" : "reach the threshold but are"} named after another concept` : ""];
    return make("section.of-layer", {}, make("h2", {}, layer.name), make("p.note", {}, words.filter(Boolean).join(", ")), nd.makeAblationLine(layer, page.concept), list,
      rest > 0 ? make("button.more", { type: "button", onclick: () => { page.layers[index] = true; drawLayers(); } }, `${nd.formatUnits(rest)} more`) : null);
  }
})();
