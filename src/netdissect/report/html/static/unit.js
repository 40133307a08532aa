"use strict";
// The page of a unit: what it is named, its pictures, its concept profile, its activations.
(() => {
  const nd = window.netdissect;
  const { make, say } = nd;
  const FIRST = 14; // pictures before "more"
  let page = null;

  nd.drawUnit = (changed) => {
    const { state, run } = nd;
    const layer = run.layers[state.layer];
    const fresh = !page || page.layer !== layer || page.unit !== state.unit || changed.has("view");
    if (fresh) build(layer, state.unit);
    else if (changed.has("cut")) sayTitle();
    if (page.ready && (fresh || changed.has("mask") || changed.has("outlines") || changed.has("theme") || changed.has("size"))) paint();
    if (page.profile && (changed.has("cut") || changed.has("theme") || changed.has("size"))) page.profile.draw();
    if (page.activity && (changed.has("theme") || changed.has("size") || changed.has("cut"))) page.activity.draw();
    if (fresh || changed.has("pin")) drawPinned();
    for (const row of [page.pinned, page.alike]) if (row) row.fit();
    nd.drawStyles();
    page.outlines.checked = state.outlines;
  };

  // The pinned unit stands beside another above its pictures, and in its profile.
  function drawPinned() {
    const pin = nd.pinned();
    const own = Boolean(pin) && pin.layer === page.layer && pin.unit === page.unit;
    page.beside = own ? null : pin;
    page.pinned = page.beside && nd.makePinned(page.beside, page);
    page.pinnedHome.replaceChildren(...(page.pinned ? [page.pinned.element] : []));
    page.pin.setAttribute("aria-pressed", String(own));
    say(page.pin, own ? "Pinned" : "Pin");
    if (page.profile) page.profile.beside(page.beside);
  }

  function build(layer, unit) {
    const { run, state } = nd;
    const concept = layer.label[unit];
    page = { layer, unit, concept, tiles: [], ready: false };
    const home = document.getElementById("page");
    const place = nd.chosen();
    const at = place.indexOf(unit);
    const neighbor = (step, text) => {
      const other = at < 0 ? undefined : place[at + step];
      return other === undefined ? null : make("a", { href: nd.address({ unit: other }), rel: step < 0 ? "prev" : "next" }, text(other + 1));
    };
    page.copy = make("button.link", { type: "button", onclick: copyLink }, "Copy link");
    page.pin = make("button.link", { type: "button", title: "Keep this unit beside the others, to compare", onclick: nd.togglePin }, "Pin");
    page.pinnedHome = make("div");
    page.alikeHome = make("div");
    page.panels = make("div.panels", { hidden: true });
    page.heading = make("h1.title", { tabIndex: -1 });
    page.lead = make("p.lead");
    page.outlines = make("input", { type: "checkbox", onchange: (event) => nd.change({ outlines: event.target.checked }) });
    const styles = make("div.styles", { role: "group", "aria-label": "How masks are shown" });
    nd.buildStyles(styles);
    page.pictures = make("div.pictures");
    page.more = make("button.more", { type: "button", hidden: true, onclick: showAll });
    page.pointed = make("p.pointed", {}, run.anyLabels ? "Point at a picture to read the labels under the pointer." : "");
    page.side = make("div.side");
    const order = { score: `by ${nd.run.scoreTitle}`, label: "by name", unit: "by number" }[state.sort];
    home.replaceChildren(
      make("nav.crumbs", { "aria-label": "Page" },
        make("a.up", { href: nd.address({ view: "layer" }) }, `← ${run.network}, ${layer.name}`),
        make("span.steps", {}, neighbor(-1, (number) => `← Unit ${number}`),
          at < 0 ? null : make("span.place", {}, `${nd.count(at + 1)} of ${nd.count(place.length)} ${order}`),
          neighbor(1, (number) => `Unit ${number} →`), page.pin, page.copy, nd.cutControl)),
      make("header.unit-head", {}, make("p.kicker", {}, `${layer.name}, unit ${unit + 1} `, make("span.fine", {}, `(channel ${unit} counted from 0)`)), page.heading, page.lead),
      page.pinnedHome,
      make(`div.unit-body${layer.exemplars ? "" : ".bare"}`, {},
        !layer.exemplars ? null : make("section.main", { "aria-label": "Pictures" },
          make("div.switches", {}, styles, run.anyLabels && concept >= 0 ? make("label.check", {}, page.outlines, ` Dashed: where “${run.concepts[concept]}” is labeled`) : null),
          page.pictures, page.more, page.pointed),
        page.side),
      page.panels,
      page.alikeHome,
    );
    sayTitle();
    page.heading.focus({ preventScroll: true });
    fillPictures(page);
    fillNumbers(page);
  }

  function sayTitle() {
    const { layer, unit, concept } = page;
    const { cut } = nd.state;
    const kind = layer.best[unit];
    const detector = nd.isDetector(layer, unit, cut);
    document.title = `${concept < 0 ? "no concept" : nd.run.concepts[concept]}, unit ${unit + 1} of ${layer.name}, ${nd.run.network}`;
    if (concept < 0) {
      page.heading.replaceChildren("no concept");
      page.lead.replaceChildren("No labeled pixel lies under its mask.");
      return;
    }
    const name = make("a", { href: nd.address({ view: "concept", concept }) }, nd.run.concepts[concept]);
    page.heading.classList.toggle("low", !detector);
    page.heading.replaceChildren(...(detector ? [name] : ["closest: ", name]));
    const parts = [make(`span.swatch.${detector ? `k-${nd.run.slots[kind]}` : "none"}`), make(`span.t-${nd.run.slots[kind]}`, {}, nd.run.categories[kind]), `, ${nd.run.scoreTitle} `,
      make("strong", {}, nd.scoreText(layer.labelScore[unit], cut)), detector ? "." : `, below the cut of ${nd.cutText(cut)}.`];
    if (layer.counts) {
      const found = nd.measure(layer, unit, concept);
      parts.push(` ${nd.percent(found.precision)} of what it marks is ${nd.run.concepts[concept]}; it finds ${nd.percent(found.recall)} of all ${nd.run.concepts[concept]}.`);
    }
    page.lead.replaceChildren(...parts);
  }

  async function fillPictures(mine) {
    const { layer, unit, concept } = mine;
    await nd.openLayer(layer);
    await nd.run.loadNames();
    if (mine !== page) return;
    const from = unit * layer.exemplars;
    for (let exemplar = 0; exemplar < layer.exemplars; exemplar++) {
      const place = layer.images[from + exemplar];
      if (place < 0) continue;
      const share = make("span.share-on");
      const name = nd.run.names[place];
      const tile = nd.makeTile(place, {
        name: `${name}, marked where unit ${unit + 1} is above its threshold`,
        caption: [make("span", { title: `largest activation on ${name}` }, `max ${nd.number(layer.maxima[from + exemplar])}`), share, make("span.file", {}, name)],
        pointed: (names) => say(mine.pointed, names === null ? "Point at a picture to read the labels under the pointer." : names.length ? `Labeled here: ${names.join(", ")}.` : "Nothing is labeled here."),
      });
      Object.assign(tile, { exemplar, share });
      mine.tiles.push(tile);
    }
    mine.pictures.append(...mine.tiles.slice(0, FIRST).map((tile) => tile.element));
    mine.more.hidden = mine.tiles.length <= FIRST;
    say(mine.more, `${nd.units(mine.tiles.length - FIRST, "picture")} more`);
    mine.alike = nd.makeAlike(layer, unit);
    if (mine.alike) {
      mine.alikeHome.replaceChildren(mine.alike.element);
      mine.alike.fit();
    }
    mine.grids = await nd.grids(layer, unit);
    if (mine !== page) return;
    mine.ready = true;
    paint();
    for (const tile of mine.tiles) {
      tile.ready.then(() => {
        if (mine !== page) return;
        nd.sayShare(tile.share, tile, layer, unit, mine.grids, tile.exemplar, concept);
        nd.outlineTile(tile, concept, nd.state.outlines);
      });
    }
  }

  function showAll() {
    page.pictures.append(...page.tiles.slice(FIRST).map((tile) => tile.element));
    page.more.hidden = true;
    paint();
  }

  function paint() {
    const { layer, unit, concept, grids, tiles } = page;
    for (const tile of tiles) {
      if (!tile.element.isConnected) continue;
      nd.paintTile(tile, layer, unit, grids, tile.exemplar, nd.state.mask);
      nd.outlineTile(tile, concept, nd.state.outlines);
    }
  }

  async function fillNumbers(mine) {
    await nd.openLayer(mine.layer);
    await nd.openCounts(mine.layer);
    if (mine !== page) return;
    sayTitle();
    mine.profile = nd.makeProfile(mine.layer, mine.unit);
    mine.activity = nd.makeActivity(mine.layer, mine.unit);
    mine.side.append(mine.profile.element, mine.activity.element);
    mine.profile.beside(mine.beside);
    mine.activity.draw();
    const { units } = await nd.openPanels(mine.layer);
    const panels = units[mine.unit] || [];
    mine.panels.hidden = !panels.length;
    mine.panels.replaceChildren(...nd.makePanels(panels));
  }

  async function copyLink() {
    nd.flush();
    const text = location.href.replace(/#.*$/, "") + nd.address({});
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = make("textarea", { value: text, "aria-label": "Link" });
      document.body.append(area);
      area.select();
      done = document.execCommand("copy");
      area.remove();
    }
    nd.announce(done ? "Link copied" : text);
    if (page) say(page.copy, done ? "Copied" : "Copy link");
  }

  // Steps to the next or previous unit of the list.
  nd.stepUnit = (step) => {
    const list = nd.chosen();
    const at = list.indexOf(nd.state.unit);
    const other = at < 0 ? undefined : list[at + step];
    if (other !== undefined) nd.go({ view: "unit", unit: other });
  };
})();
