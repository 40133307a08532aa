"use strict";
// The page of a unit: its label, images, concept profile and activations.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  const FIRST = 14; // images before "more"
  const CLASSES = 4; // named, of those for which the unit is important
  let page = null;

  nd.addPage("unit", {
    element: document.getElementById("page"),
    path: ({ layer, unit }) => `${encodeURIComponent(nd.run.layers[layer].name)}/${unit + 1}`,
    parse: ([name, number]) => {
      const layer = nd.findLayer(name);
      const { units } = nd.run.layers[layer];
      if (!(Number(number) >= 1 && Number(number) <= units)) throw nd.makeMissing(`No unit “${number ?? ""}” in layer ${name}, which has units 1 to ${units}.`, [[name, { view: "layer", layer }]]);
      return { layer, unit: Math.floor(Number(number)) - 1 };
    },
    up: ({ layer }) => ({ view: "layer", layer }),
    draw: (changed) => drawUnit(changed),
  });

  function drawUnit(changed) {
    const { state, run } = nd;
    const layer = run.layers[state.layer];
    const fresh = !page || page.layer !== layer || page.unit !== state.unit || changed.has("view");
    if (fresh) build(layer, state.unit);
    else if (changed.has("cut") || changed.has("beyond")) showTitle();
    if (page.ready && (fresh || changed.has("mask") || changed.has("outlines") || changed.has("theme") || changed.has("size"))) paint();
    if (page.profile && (changed.has("cut") || changed.has("theme") || changed.has("size"))) page.profile.draw();
    for (const part of [page.trust, page.formula]) if (part && (changed.has("cut") || changed.has("theme") || changed.has("size"))) part.draw();
    if (page.activity && (changed.has("theme") || changed.has("size") || changed.has("cut"))) page.activity.draw();
    if (fresh || changed.has("pin")) drawPinned();
    for (const row of [page.pinned, page.similar]) if (row) row.fit();
    nd.drawStyles();
    page.outlines.checked = state.outlines;
  }

  // Shows the pinned unit next to the current one, above the images and as a column of the profile.
  function drawPinned() {
    const pin = nd.getPinned();
    const own = Boolean(pin) && pin.layer === page.layer && pin.unit === page.unit;
    page.beside = own ? null : pin;
    page.pinned = page.beside && nd.makePinned(page.beside, page);
    page.pinnedHome.replaceChildren(...(page.pinned ? [page.pinned.element] : []));
    page.pin.setAttribute("aria-pressed", String(own));
    setText(page.pin, own ? "Pinned" : "Pin");
    if (page.profile) page.profile.setPinned(page.beside);
  }

  function build(layer, unit) {
    const { run, state } = nd;
    const concept = layer.label[unit];
    page = { layer, unit, concept, tiles: [], ready: false };
    const home = document.getElementById("page");
    const shown = nd.listShownUnits();
    const at = shown.indexOf(unit);
    const neighbor = (step, text) => {
      const other = at < 0 ? undefined : shown[at + step];
      return other === undefined ? null : make("a", { href: nd.makeAddress({ unit: other }), rel: step < 0 ? "prev" : "next" }, text(other + 1));
    };
    page.copy = make("button.link", { type: "button", title: "Name, score and hashes of this unit, and its address", onclick: () => nd.copyCitation(page.copy) }, "Copy citation");
    page.pin = make("button.link", { type: "button", title: "Keep this unit beside the others to compare", onclick: nd.togglePin }, "Pin");
    page.pinnedHome = make("div");
    page.similarHome = make("div");
    page.panels = make("div.panels", { hidden: true });
    page.heading = make("h1.title", { tabIndex: -1 });
    page.lead = make("p.lead");
    page.formulaHome = make("div");
    page.outlines = make("input", { type: "checkbox", onchange: (event) => nd.change({ outlines: event.target.checked }) });
    const styles = make("div.styles", { role: "group", "aria-label": "How masks are shown" });
    nd.buildStyles(styles);
    page.images = make("div.images");
    page.more = make("button.more", { type: "button", hidden: true, onclick: showAll });
    page.side = make("div.side");
    const order = { score: `by ${nd.run.scoreTitle}`, label: "by name", unit: "by number" }[state.sort];
    home.replaceChildren(
      make("nav.crumbs", { "aria-label": "Page" },
        make("a.up", { href: nd.makeAddress({ view: "layer" }) }, `← ${run.network}, ${layer.name}`),
        make("span.steps", {}, neighbor(-1, (number) => `← Unit ${number}`),
          at < 0 ? null : make("span.place", {}, `${nd.formatCount(at + 1)} of ${nd.formatCount(shown.length)} ${order}`),
          neighbor(1, (number) => `Unit ${number} →`), page.pin, page.copy, nd.thresholdControl)),
      make("header.unit-head", {}, make("p.kicker", {}, `${layer.name}, unit ${unit + 1} `, make("span.fine", {}, `(channel ${unit} counted from 0)`)), page.heading, page.lead, page.formulaHome),
      page.pinnedHome,
      make(`div.unit-body${layer.exemplars ? "" : ".bare"}`, {},
        !layer.exemplars ? null : make("section.main", { "aria-label": "Images" },
          make("div.switches", {}, styles, run.anyLabels && concept >= 0 ? make("label.check", {}, page.outlines, ` Dashed: where “${run.concepts[concept]}” is labeled`) : null),
          page.images, page.more),
        page.side),
      page.panels,
      page.similarHome,
    );
    showTitle();
    page.heading.focus({ preventScroll: true });
    fillImages(page);
    fillNumbers(page);
  }

  function showTitle() {
    const { layer, unit, concept } = page;
    const { cut } = nd.state;
    const kind = layer.best[unit];
    const passes = layer.labelScore[unit] >= cut;
    const beyond = nd.isBeyond(layer, unit) !== false;
    document.title = `${concept < 0 ? "no concept" : nd.run.concepts[concept]}, unit ${unit + 1} of ${layer.name}, ${nd.run.network}`;
    if (concept < 0) {
      page.heading.replaceChildren("no concept");
      page.lead.replaceChildren("Its mask covers no labeled pixel.");
      return;
    }
    const name = make("a", { href: nd.makeAddress({ view: "concept", concept }) }, nd.run.concepts[concept]);
    page.heading.classList.toggle("low", !passes);
    page.heading.replaceChildren(...(passes ? [name] : ["closest: ", name]));
    const parts = [make(`span.swatch.${passes ? `k-${nd.run.slots[kind]}${beyond ? "" : ".hollow"}` : "none"}`), make(`span.t-${nd.run.slots[kind]}`, {}, nd.run.categories[kind]), `, ${nd.run.scoreTitle} `,
      make("strong", {}, nd.formatScore(layer.labelScore[unit], cut)), nd.formatInterval(layer, unit), passes ? "" : `, below the detection threshold of ${nd.formatThreshold(cut)}`,
      ". ", nd.makeChip(layer, unit), beyond ? "" : " No concept beats chance."].filter((part) => part !== null);
    if (layer.counts) {
      const found = nd.measure(layer, unit, concept);
      parts.push(` ${nd.formatPercent(found.precision)} of its mask is labeled ${nd.run.concepts[concept]}; its mask covers ${nd.formatPercent(found.recall)} of all pixels labeled ${nd.run.concepts[concept]}.`);
    }
    page.lead.replaceChildren(...parts);
  }

  async function fillImages(mine) {
    const { layer, unit, concept } = mine;
    await nd.loadLayer(layer);
    await nd.run.loadNames();
    if (mine !== page) return;
    const from = unit * layer.slots;
    for (let exemplar = 0; exemplar < layer.exemplars; exemplar++) {
      const place = layer.images[from + exemplar];
      if (place < 0) continue;
      const share = make("span.share-on");
      const name = nd.run.names[place];
      const tile = nd.makeTile(place, {
        name: `${name}, marked where unit ${unit + 1} is above its threshold`,
        caption: [make("span", { title: `largest activation on ${name}` }, `max ${nd.formatNumber(layer.maxima[from + exemplar])}`), share, make("span.file", {}, name)],
      });
      Object.assign(tile, { exemplar, share });
      mine.tiles.push(tile);
    }
    mine.images.append(...mine.tiles.slice(0, FIRST).map((tile) => tile.element));
    mine.more.hidden = mine.tiles.length <= FIRST;
    setText(mine.more, `${nd.formatUnits(mine.tiles.length - FIRST, "image")} more`);
    mine.similar = nd.makeSimilarUnits(layer, unit);
    if (mine.similar) {
      mine.similarHome.replaceChildren(mine.similar.element);
      mine.similar.fit();
    }
    mine.grids = await nd.loadGrids(layer, unit);
    if (mine !== page) return;
    mine.ready = true;
    paint();
    for (const tile of mine.tiles) {
      tile.ready.then(() => {
        if (mine !== page) return;
        nd.showShare(tile.share, tile, layer, unit, mine.grids, tile.exemplar, concept);
        nd.drawOutline(tile, concept, nd.state.outlines);
      });
    }
  }

  function showAll() {
    page.images.append(...page.tiles.slice(FIRST).map((tile) => tile.element));
    page.more.hidden = true;
    paint();
  }

  function paint() {
    const { layer, unit, concept, grids, tiles } = page;
    for (const tile of tiles) {
      if (!tile.element.isConnected) continue;
      nd.paintTile(tile, layer, unit, grids, tile.exemplar, nd.state.mask);
      nd.drawOutline(tile, concept, nd.state.outlines);
    }
  }

  async function fillNumbers(mine) {
    await nd.loadLayer(mine.layer);
    await nd.loadCounts(mine.layer);
    await nd.loadTrust(mine.layer);
    await nd.loadFormulas(mine.layer);
    await nd.loadAblation(mine.layer);
    if (mine !== page) return;
    showTitle();
    mine.formulaHome.replaceChildren(...[nd.makeFormulaLine(mine.layer, mine.unit), makeClassLine(mine)].filter(Boolean));
    mine.trust = nd.makeUnitTrust(mine.layer, mine.unit);
    mine.formula = nd.makeUnitFormula(mine.layer, mine.unit);
    mine.profile = nd.makeProfile(mine.layer, mine.unit);
    mine.activity = nd.makeActivity(mine.layer, mine.unit);
    mine.side.append(...[mine.trust, mine.formula, mine.profile, mine.activity].filter(Boolean).map((section) => section.element));
    for (const part of [mine.trust, mine.formula]) if (part) part.draw();
    mine.profile.setPinned(mine.beside);
    mine.activity.draw();
    const { units } = await nd.loadPanels(mine.layer);
    const panels = units[mine.unit] || [];
    mine.panels.hidden = !panels.length;
    mine.panels.replaceChildren(...nd.makePanels(panels));
  }

  // Says for which classes the unit is among the most important; null where that was not measured or there is none.
  function makeClassLine({ layer, unit }) {
    const classes = nd.listUnitClasses(layer, unit);
    if (!classes.length) return null;
    const rest = classes.length - CLASSES;
    const named = classes.slice(0, CLASSES).map(([name, rank]) => `${name} (${rank})`).join(", ");
    return make("p.lead", { title: "by the loss of balanced accuracy of the class without the unit" }, `Among the most important units for ${named}${rest > 0 ? ` and ${nd.formatUnits(rest, "class")} more` : ""}.`);
  }
})();
