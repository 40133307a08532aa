"use strict";
// The atlas: all units on one map, near each other where they are alike.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  const CARD = 300; // width of the card beside the pointer
  const LISTED = 60; // units named beside the map
  let page = null;

  nd.addPage("atlas", {
    title: "Atlas",
    link: () => ({ view: "atlas" }),
    query: ({ mapColor = "category", mapLayers = "" }) => [mapColor === "category" ? "" : `color=${mapColor}`, mapLayers ? `layers=${encodeURIComponent(mapLayers)}` : ""].filter(Boolean).join("&"),
    parse: (parts, words) => {
      const color = words.get("color");
      const names = (words.get("layers") || "").split(";").filter(Boolean);
      names.forEach((name) => nd.findLayer(name));
      return { mapColor: nd.atlasColors.has(color) && available(color) ? color : "category", mapLayers: names.join(";") };
    },
    draw: (changed, { element }) => drawAtlas(changed, element),
  });

  const available = (name) => !nd.atlasColors.get(name).needs || nd.atlasColors.get(name).needs();
  const count = (number) => nd.formatUnits(number);

  function drawAtlas(changed, element) {
    const opened = changed.has("view");
    if (!page) build(element);
    if (opened) {
      document.title = `Atlas, ${nd.run.network}`;
      page.crumbs.append(nd.thresholdControl);
      page.heading.focus({ preventScroll: true });
    }
    if (!page.map) return;
    const { mapColor = "category", mapLayers = "" } = nd.state;
    const names = new Set(mapLayers.split(";").filter(Boolean));
    Object.assign(page.options, { color: mapColor, layers: new Set(nd.run.layers.filter((layer) => !names.size || names.has(layer.name)).map((layer) => layer.index)) });
    for (const [name, button] of page.colors) button.setAttribute("aria-pressed", String(name === mapColor));
    for (const [name, button] of page.layers) button.setAttribute("aria-pressed", String(names.has(name)));
    page.legend.replaceChildren(...nd.atlasColors.get(mapColor).legend().filter(Boolean));
    page.map.draw();
    showChosen();
  }

  function build(element) {
    const { run } = nd;
    page = { options: { color: "category", layers: new Set(), chosen: new Set(), pointed: -1 }, lasso: false };
    page.heading = make("h1.title", { tabIndex: -1 }, "Atlas");
    page.crumbs = make("nav.crumbs", { "aria-label": "Page" }, make("a.up", { href: nd.makeAddress({ view: "network" }) }, `← ${run.network}`));
    page.colors = [...nd.atlasColors].filter(([name]) => available(name)).map(([name, { title }]) => [name, make("button", { type: "button", onclick: () => nd.change({ mapColor: name }) }, title)]);
    page.layers = run.layers.length > 1 ? run.layers.map((layer) => [layer.name, make("button.chip", { type: "button", onclick: () => toggleLayer(layer.name) }, layer.name)]) : [];
    page.legend = make("ul.map-legend", { "aria-label": "Colors" });
    page.home = make("div.map");
    page.viewNote = make("p.note");
    page.list = make("ol.map-list", { role: "list" });
    page.chosen = make("div.map-chosen", { "aria-live": "polite", hidden: true });
    element.replaceChildren(page.crumbs,
      make("header.unit-head", {}, make("p.kicker", {}, `${nd.formatUnits(run.layers.length, "layer")}, ${count(run.layers.reduce((sum, layer) => sum + layer.units, 0))}`), page.heading,
        make("p.lead", {}, "Every unit is a dot, near the units that are like it: those that fit the same concepts to the same degree and share their strongest images. Only nearness means something: the axes do not, nor do wide distances.")),
      make("div.map-tools", {}, make("span.map-by", {}, "Color"), make("div.styles", { role: "group", "aria-label": "What colors show" }, page.colors.map(([, button]) => button)),
        page.layers.length ? make("div.map-layers", { role: "group", "aria-label": "Layers that are shown; none pressed: all" }, page.layers.map(([, button]) => button)) : null),
      page.chosen,
      make("div.map-body", {}, page.home, make("aside.map-side", { "aria-label": "Legend and units in view" }, page.legend, make("h2", {}, "In view"), page.viewNote, page.list)));
    nd.loadAtlas().then((atlas) => {
      start(atlas);
      nd.redraw("cut");
    });
  }

  function start(atlas) {
    const map = nd.makeMap(atlas, page.options);
    const { field } = map;
    field.tabIndex = 0;
    field.setAttribute("role", "application");
    field.setAttribute("aria-label", `Map of units. Arrow keys move it, plus and minus zoom, 0 shows all of it; the units in view are listed after it.`);
    page.card = make("div.map-card", { hidden: true });
    page.hint = make("p.map-hint", { hidden: true }, "Hold Ctrl, or click the map first, to zoom with the wheel.");
    const tool = (text, label, onclick) => make("button", { type: "button", "aria-label": label, title: label, onclick }, text);
    page.lassoButton = tool("Lasso", "Choose units by drawing a line around them (or drag with Shift)", () => setLasso(!page.lasso));
    page.lassoButton.setAttribute("aria-pressed", "false");
    const zoom = (factor) => () => { map.view.zoomAt(factor); map.setTouch(); map.redraw(); };
    page.home.append(field, make("div.map-buttons", {}, tool("+", "Zoom in", zoom(1.6)), tool("−", "Zoom out", zoom(1 / 1.6)), tool("All", "Show the whole map", () => { map.view.fit(); map.setTouch(); map.redraw(); }), page.lassoButton), page.card, page.hint);
    page.map = map;
    map.changed = scheduleList;
    nd.moveMap(map, {
      moved: map.redraw,
      pointed: showCard,
      opened: (dot) => nd.go({ view: "unit", layer: dot.layer.index, unit: dot.unit }),
      lassoing: () => page.lasso,
      chose: (numbers) => choose(numbers),
      refused: showHint,
    });
  }

  function toggleLayer(name) {
    const names = new Set((nd.state.mapLayers || "").split(";").filter(Boolean));
    if (!names.delete(name)) names.add(name);
    nd.change({ mapLayers: names.size === nd.run.layers.length ? "" : nd.run.layers.map((layer) => layer.name).filter((each) => names.has(each)).join(";") });
  }

  function setLasso(on) {
    page.lasso = on;
    page.lassoButton.setAttribute("aria-pressed", String(on));
    page.map.field.classList.toggle("lasso", on);
    page.map.setTouch();
  }

  let hinted = 0;
  function showHint() {
    page.hint.hidden = false;
    clearTimeout(hinted);
    hinted = setTimeout(() => { page.hint.hidden = true; }, 1600);
  }

  // Shows the card of a dot beside it; `pinned` after a tap, so that the card can be tapped too.
  function showCard(dot, at, pinned = false) {
    const number = dot ? dot.number : -1;
    page.map.field.classList.toggle("pick", Boolean(dot));
    if (page.options.pointed === number) return;
    page.options.pointed = number;
    page.map.redraw();
    page.card.hidden = !dot;
    page.card.classList.toggle("pinned-card", pinned);
    if (!dot) return page.card.replaceChildren();
    const card = nd.nameLayer(nd.makeCard(dot.layer, dot.unit));
    nd.fillCard(card);
    page.card.replaceChildren(card.element);
    nd.loadLayer(dot.layer).then(() => nd.showImages(card, CARD - 26));
    const { width, height } = page.map.view;
    const left = dot.x + 22 + CARD > width ? dot.x - 22 - CARD : dot.x + 22;
    page.card.style.left = `${Math.max(4, Math.min(width - CARD - 4, left))}px`;
    page.card.style.top = `${Math.max(4, Math.min(height - 156, dot.y - 70))}px`;
  }

  function choose(numbers) {
    page.options.chosen = new Set(numbers);
    setLasso(false);
    page.map.redraw();
    showChosen();
  }

  // Says what is chosen, with a link to the list.
  function showChosen() {
    const { chosen } = page.options;
    page.chosen.hidden = !chosen.size;
    if (!chosen.size) return page.chosen.replaceChildren();
    const { atlas } = page.map;
    const units = [...chosen].map((number) => [atlas.layerOf[number], atlas.unitOf[number]]);
    const names = new Map();
    for (const [index, unit] of units) {
      const layer = nd.run.layers[index];
      if (nd.isDetector(layer, unit, nd.state.cut)) names.set(layer.label[unit], (names.get(layer.label[unit]) || 0) + 1);
    }
    const most = [...names].sort((a, b) => b[1] - a[1]).slice(0, 5).map(([concept, number]) => `${nd.run.concepts[concept]} ${number}`);
    page.chosen.replaceChildren(make("strong", {}, `${count(units.length)} chosen`), most.length ? `: ${most.join(", ")}${names.size > 5 ? " …" : ""}` : "", " ",
      make("a", { href: nd.makeAddress({ view: "units", set: nd.formatSet(units) }) }, "Open as a list"), " ",
      make("button.link", { type: "button", onclick: () => choose([]) }, "Clear"));
  }

  let listing = 0;
  function scheduleList() {
    clearTimeout(listing);
    listing = setTimeout(fillList, 160);
  }

  // Lists the units in view, best first; a link points out its dot while it has the pointer or the focus.
  function fillList() {
    const { dots, view } = page.map;
    const inside = dots.filter(({ x, y }) => x >= 0 && y >= 0 && x <= view.width && y <= view.height).sort((a, b) => b.score - a.score);
    const detectors = inside.filter((dot) => dot.detector);
    setText(page.viewNote, `${count(inside.length)}, ${nd.formatUnits(detectors.length, "detector")}${detectors.length > LISTED ? `; the best ${LISTED}` : ""}`);
    if (page.list.contains(document.activeElement)) return; // what has the focus stays
    page.list.replaceChildren(...(detectors.length ? detectors : inside).slice(0, LISTED).map((dot) => {
      const point = (on) => () => { page.options.pointed = on ? dot.number : -1; page.map.redraw(); };
      return make("li", {}, make("a", { href: nd.makeAddress({ view: "unit", layer: dot.layer.index, unit: dot.unit }), onfocus: point(true), onblur: point(false), onmouseenter: point(true), onmouseleave: point(false) },
        make(`span.swatch.${dot.detector ? `k-${nd.run.slots[dot.layer.best[dot.unit]]}${dot.hollow ? ".hollow" : ""}` : "none"}`),
        make("b", {}, dot.concept >= 0 ? nd.run.concepts[dot.concept] : "no concept"),
        make("span.of", {}, `${nd.run.layers.length > 1 ? `${dot.layer.name} ` : "unit "}${dot.unit + 1}`), make("span.figure", {}, nd.formatScore(dot.score, nd.state.cut))));
    }));
  }
})();
