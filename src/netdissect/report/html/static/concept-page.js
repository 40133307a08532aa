"use strict";
// The page of a concept: labeled examples, its best score over the layers, every unit's score, the units that reach the threshold, the
// images where they miss it, and what is labeled beside it; or why no unit detects it.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  const EXAMPLES = 6;
  const CARDS = window.innerWidth < 640 ? 6 : 12; // before "more"
  let page = null;

  nd.addPage("concept", {
    element: document.getElementById("page"),
    path: ({ concept }) => `${nd.run.conceptNumber[concept]}/${encodeURIComponent(nd.run.concepts[concept])}`,
    query: ({ layer }) => (layer ? `in=${encodeURIComponent(nd.run.layers[layer].name)}` : ""),
    parse: ([number], words) => ({ concept: nd.findConcept(number), layer: words.has("in") ? nd.findLayer(words.get("in")) : 0 }),
    up: () => ({ view: "concepts" }),
    draw: (changed) => drawConcept(changed),
  });

  function drawConcept(changed) {
    const { concept } = nd.state;
    const fresh = !page || page.concept !== concept || changed.has("view");
    if (fresh) build(concept);
    if (fresh || changed.has("cut") || changed.has("beyond")) drawSteps();
    const again = ["cut", "beyond", "theme", "size"].some((name) => changed.has(name));
    if (again) for (const part of [page.plot, page.curve]) if (part) part.draw();
    if (changed.has("theme") || changed.has("size")) paintTiles();
    if (!fresh && (again || changed.has("mask"))) drawUnits();
  }

  function build(concept) {
    const { run } = nd;
    const kind = run.category[concept];
    page = { concept, tiles: [], of: -1, open: {} };
    const name = run.concepts[concept];
    const pixels = run.images * run.labelSize[0] * run.labelSize[1];
    page.named = make("span");
    page.labeled = make("span");
    page.heading = make("h1.title", { tabIndex: -1 }, name);
    const places = [...run.examples.subarray(concept * run.examplesEach, (concept + 1) * run.examplesEach)].filter((place) => place >= 0).slice(0, EXAMPLES);
    page.tiles = places.map((place) => nd.makeTile(place, { name: `Example of ${name}` }));
    page.tiles.forEach((tile) => tile.ready.then(() => nd.paintLabeled(tile, concept)));
    page.steps = make("span.steps");
    for (const part of ["curveHome", "plotHome", "unitHome", "missHome", "besideHome"]) page[part] = make("div");
    document.title = `${name}, ${run.network}`;
    document.getElementById("page").replaceChildren(
      make("nav.crumbs", { "aria-label": "Page" }, make("a.up", { href: nd.makeAddress({ view: "concepts", query: "", show: "all" }) }, "← Concepts"), page.steps),
      make("header.unit-head", {}, make("p.kicker", {}, "Concept"), page.heading,
        make("p.lead", {}, make(`span.swatch.k-${run.slots[kind]}`), make(`span.t-${run.slots[kind]}`, {}, run.categories[kind]),
          `, ${nd.formatPercent(pixels ? run.G[concept] / pixels : 0)} of all pixels`, page.labeled, ". ", page.named)),
      page.tiles.length ? make("section", { "aria-label": "Examples" }, make("div.examples", {}, page.tiles.map((tile) => tile.element))) : "",
      page.unitHome, page.curveHome,
      make("section", {}, make("h2", {}, `Every unit’s ${run.scoreTitle} with ${name}`),
        make("p.note", {}, `Filled: named ${name}. Ring: reaches the threshold, but another concept fits better. Gray: below the threshold.`), page.plotHome),
      page.missHome, page.besideHome, nd.makeNotes(`concept ${name}`),
    );
    page.heading.focus({ preventScroll: true });
    load(page);
    paintTiles();
  }

  async function load(mine) {
    const { run } = nd;
    const { concept } = mine;
    const loading = run.layers.map(async (layer) => { await nd.loadLayer(layer); await nd.loadCounts(layer); await nd.loadAblation(layer); });
    const facts = await nd.loadConcepts();
    await Promise.all([...loading, nd.loadStory(), nd.loadProbe()]);
    if (mine !== page) return;
    if (run.anyLabels) setText(page.labeled, `, ${nd.describeImages(concept, facts.images[concept])}`);
    page.scores = run.layers.map((layer) => Float64Array.from({ length: layer.units }, (_, unit) => nd.measure(layer, unit, concept).score));
    page.facts = facts;
    page.plot = nd.makePlot(concept, page.scores);
    page.plotHome.append(page.plot.element);
    page.curve = nd.makeConceptCurve(concept, page.scores.map((scores) => scores.reduce((most, score) => Math.max(most, score), 0)));
    if (page.curve) page.curveHome.append(page.curve.element);
    for (const part of [page.plot, page.curve]) if (part) part.draw();
    drawUnits();
  }

  // Shows the neighbors in the list of concepts: the detected ones in the order of their page, or the others by name.
  function drawSteps() {
    const { run, state } = nd;
    const detected = nd.listDetectedConcepts().map(({ concept }) => concept);
    const seen = new Set(detected);
    const list = seen.has(page.concept) ? detected : [...run.concepts.keys()].filter((concept) => !seen.has(concept)).sort((a, b) => (run.concepts[a] < run.concepts[b] ? -1 : 1));
    const at = list.indexOf(page.concept);
    const link = (step, text) => {
      const other = list[at + step];
      return other === undefined ? null : make("a", { href: nd.makeAddress({ concept: other }), rel: step < 0 ? "prev" : "next" }, text(run.concepts[other]));
    };
    const order = seen.has(page.concept) ? { units: "by units", name: "by name", score: `by ${run.scoreTitle}`, first: "by first layer" }[state.by || "units"] : "not detected";
    const copy = make("button.link", { type: "button", onclick: (event) => nd.copyCitation(event.currentTarget) }, "Copy");
    page.steps.replaceChildren(...[link(-1, (name) => `← ${name}`), make("span.place", {}, `${nd.formatCount(at + 1)} of ${nd.formatCount(list.length)} ${order}`), link(1, (name) => `${name} →`), copy, nd.thresholdControl].filter(Boolean));
  }

  function paintTiles() {
    for (const tile of page.tiles) if (tile.labels) nd.paintLabeled(tile, page.concept);
    if (page.misses) page.misses.paint();
  }

  // Shows the units that reach the threshold, those named after the concept first, and what they miss.
  function drawUnits() {
    const { run, state } = nd;
    const { concept, scores } = page;
    if (!scores) return;
    const passing = run.layers.flatMap((layer, index) => [...layer.ranked.keys()]
      .filter((unit) => scores[index][unit] >= state.cut && scores[index][unit] > 0 && !(state.beyond && nd.isBeyond(layer, unit) === false)).map((unit) => ({ layer, unit, score: scores[index][unit] })))
      .sort((a, b) => b.score - a.score || a.layer.index - b.layer.index || a.unit - b.unit);
    const own = passing.filter(({ layer, unit }) => layer.label[unit] === concept);
    const others = passing.filter(({ layer, unit }) => layer.label[unit] !== concept);
    const layers = new Set(own.map(({ layer }) => layer)).size;
    const why = own.length ? [] : nd.describeReason(concept);
    page.named.replaceChildren(...(own.length
      ? [make("strong", {}, nd.formatUnits(own.length)), ` ${own.length === 1 ? "is" : "are"} named after it in ${layers} of ${nd.formatUnits(run.layers.length, "layer")}.`]
      : ["No unit is named after it at this threshold", ...(why.length ? [": ", ...why] : []), "."]));
    const ablations = run.layers.map((layer) => [layer, nd.makeAblationLine(layer, concept)]).filter(([, line]) => line);
    page.unitHome.replaceChildren(...[makeCards("own", `Named ${run.concepts[concept]}`, "", own), makeCards("others", `Reach the threshold, but are named after another concept`, `Their ${run.scoreTitle} with ${run.concepts[concept]} is beside the number of the unit.`, others),
      ablations.length ? make("section.ablation-lines", {}, make("h2", {}, "Without its units"), ablations.map(([layer, line]) => make("div.ablation-of", {}, make("p.note", {}, layer.name), line))) : null].filter(Boolean));
    for (const row of page.unitHome.querySelectorAll(".fit")) row.fit();
    page.misses = nd.makeMisses(concept, own);
    page.missHome.replaceChildren(...(page.misses ? [page.misses.element] : []));
    const beside = nd.makeCompanions(concept, page.facts, own);
    page.besideHome.replaceChildren(...(beside ? [beside] : []));
  }

  // Makes a grid of cards of all layers, with chips that show those of one layer; null for no units.
  function makeCards(id, title, note, units) {
    const { run } = nd;
    if (!units.length) return null;
    const layers = run.layers.filter((layer) => units.some((entry) => entry.layer === layer));
    const of = layers.some((layer) => layer.index === page.of) ? page.of : -1;
    const listed = units.filter(({ layer }) => of < 0 || layer.index === of);
    const cards = listed.slice(0, page.open[id] ? listed.length : CARDS).map(({ layer, unit, score }) => {
      const card = nd.nameLayer(nd.makeCard(layer, unit));
      nd.fillCard(card);
      if (layer.label[unit] !== page.concept) card.kind.after(make("span.with-concept", {}, `, ${run.scoreTitle} ${score.toFixed(3)}`));
      return card;
    });
    const chip = (index, words, number) => make("button.chip", { type: "button", "aria-pressed": String(of === index), onclick: () => { page.of = index; drawUnits(); } }, words, make("span.number", {}, ` ${nd.formatCount(number)}`));
    const chips = layers.length > 1 ? make("div.layer-chips", { role: "group", "aria-label": "Layer" }, chip(-1, "All layers", units.length), layers.map((layer) => chip(layer.index, layer.name, units.filter((entry) => entry.layer === layer).length))) : null;
    const rest = listed.length - cards.length;
    return make("section.cards-of-concept", {}, make("h2", {}, `${title}: ${nd.formatUnits(units.length)}`), note ? make("p.note", {}, note) : null, chips, nd.makeCardRow(cards),
      rest > 0 ? make("button.more", { type: "button", onclick: () => { page.open[id] = true; drawUnits(); } }, `${nd.formatUnits(rest)} more`) : null);
  }
})();
