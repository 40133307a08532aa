"use strict";
// The page of a unit: its label, images, concept profile and activations.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
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
    if (!fresh && (changed.has("mask") || changed.has("outlines") || changed.has("theme") || changed.has("size"))) page.images.paint();
    if (!fresh && changed.has("group") && page.images.filled) page.images.choose();
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
    page = { layer, unit, concept, images: nd.makeUnitImages(layer, unit) };
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
    page.facts = make("p.unit-facts");
    page.lead = make("p.lead");
    page.formulaHome = make("div");
    page.outlines = make("input", { type: "checkbox", onchange: (event) => nd.change({ outlines: event.target.checked }) });
    const styles = make("div.styles", { role: "group", "aria-label": "How masks are shown" });
    nd.buildStyles(styles);
    page.side = make("div.side");
    page.activityHome = make("div.activity");
    const order = { score: `by ${nd.run.scoreTitle}`, label: "by name", unit: "by number" }[state.sort];
    home.replaceChildren(
      make("nav.crumbs", { "aria-label": "Page" },
        make("a.up", { href: nd.makeAddress({ view: "layer" }) }, `← ${run.network}, ${layer.name}`),
        make("span.steps", {}, neighbor(-1, (number) => `← Unit ${number}`),
          at < 0 ? null : make("span.place", {}, `${nd.formatCount(at + 1)} of ${nd.formatCount(shown.length)} ${order}`),
          neighbor(1, (number) => `Unit ${number} →`), page.pin, page.copy, nd.thresholdControl)),
      make("header.unit-head", {}, make("p.kicker", {}, `${layer.name}, unit ${unit + 1} `, make("span.fine", {}, `(channel ${unit} counted from 0)`)), make("div.unit-title", {}, page.heading, page.facts), page.lead, page.formulaHome),
      page.pinnedHome,
      make(`div.unit-body${layer.exemplars ? "" : ".bare"}`, {},
        !layer.exemplars ? null : make("section.main", { "aria-label": "Images" },
          make("div.switches", {}, styles, run.anyLabels && concept >= 0 ? make("label.check", {}, page.outlines, ` Dashed: where “${run.concepts[concept]}” is labeled`) : null),
          page.images.element, page.activityHome),
        page.side),
      page.panels,
      page.similarHome,
      nd.makeNotes(`${layer.name} unit ${unit + 1}${concept < 0 ? "" : `, ${run.concepts[concept]}`}`),
    );
    showTitle();
    page.heading.focus({ preventScroll: true });
    fillImages(page);
    fillNumbers(page);
  }

  function showTitle() {
    nd.fillUnitTitle(page, page.layer, page.unit);
  }

  async function fillImages(mine) {
    const { layer, unit } = mine;
    await nd.loadLayer(layer);
    await nd.run.loadNames();
    if (mine !== page) return;
    mine.images.fill();
    mine.similar = nd.makeSimilarUnits(layer, unit);
    if (mine.similar) {
      mine.similarHome.replaceChildren(mine.similar.element);
      mine.similar.fit();
    }
    mine.images.grids = await nd.loadGrids(layer, unit);
    if (mine !== page) return;
    mine.images.paint();
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
    mine.overlap = nd.makeOverlap(mine.layer, mine.unit);
    mine.trust = nd.makeUnitTrust(mine.layer, mine.unit);
    mine.formula = nd.makeUnitFormula(mine.layer, mine.unit);
    mine.profile = nd.makeProfile(mine.layer, mine.unit);
    mine.activity = nd.makeActivity(mine.layer, mine.unit);
    const activity = mine.layer.exemplars ? mine.activityHome : mine.side;
    activity.append(mine.activity.element);
    mine.side.prepend(...[mine.overlap, mine.profile, mine.trust, mine.formula].filter(Boolean).map((section) => section.element));
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
