"use strict";
// The page of an image: what is labeled on it, and which units fire where.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  const SHOWN = 8; // units of a label before "more"
  const GROUPS = { strongest: "strongest", typical: "typical", on_concept: "on its label", missed: "missed", levels: "by level" };
  let page = null;

  nd.addPage("image", {
    path: ({ image }) => `${nd.run.row[image] ?? ""}${nd.run.names && nd.run.names[image] ? `/${encodeURIComponent(nd.run.names[image])}` : ""}`,
    parse: (parts) => {
      const number = /^\d+$/.test(parts[0] || "") ? nd.run.row.indexOf(Number(parts[0])) : -1;
      if (number >= 0) return { image: number, imageName: "" };
      const name = parts.join("/");
      if (!name || /^\d+$/.test(name)) throw new Error(`No image “${name}” in this report.`);
      return { image: nd.run.names ? findByName(name) : -1, imageName: name };
    },
    up: () => ({ view: "probe" }),
    draw: (changed, { element }) => drawImage(changed, element),
  });

  // Returns the place of the image with a name, with or without its folder or ending; throws an Error if there is none.
  function findByName(name) {
    const plain = (text) => text.toLowerCase().replace(/^.*\//, "").replace(/\.[a-z]+$/, "");
    const { names } = nd.run;
    const place = [(each) => each === name, (each) => plain(each) === plain(name)].map((test) => names.findIndex(test)).find((at) => at >= 0);
    if (place === undefined) throw new Error(`No image “${name}” in this report.`);
    return place;
  }

  function drawImage(changed, element) {
    const { image, imageName } = nd.state;
    if (image < 0) return void nd.run.loadNames().then(() => {
      let changes;
      try { changes = { image: findByName(imageName) }; } catch (error) { changes = { view: "network", missing: error.message }; }
      nd.change(changes);
    });
    const fresh = !page || page.place !== image || changed.has("view");
    if (fresh) build(image, element);
    else if (page.units && (changed.has("cut") || changed.has("beyond"))) showUnits();
    else if (changed.has("mask") || changed.has("theme") || changed.has("size")) repaint();
    nd.drawStyles();
  }

  function build(place, element) {
    const { run } = nd;
    page = { place, units: null, point: null, open: new Set(), shown: [], pointed: null };
    const mine = page;
    const neighbor = (step, text) => (place + step >= 0 && place + step < run.row.length ? make("a", { href: nd.makeAddress({ view: "image", image: place + step }), rel: step < 0 ? "prev" : "next" }, text) : null);
    page.heading = make("h1.title.image-title", { tabIndex: -1 }, `Image ${run.row[place]}`);
    page.lead = make("p.lead");
    page.tile = nd.makeTile(place, { name: "The image" });
    page.under = make("p.image-under", { "aria-live": "polite" });
    page.labels = make("ul.image-labels", { role: "list" });
    page.home = make("div");
    page.marker = make("span.image-marker", { hidden: true, "aria-hidden": "true" });
    page.tile.frame.append(page.marker);
    const styles = make("div.styles", { role: "group", "aria-label": "How masks are shown" });
    nd.buildStyles(styles);
    element.replaceChildren(
      make("nav.crumbs", { "aria-label": "Page" }, make("a.up", { href: nd.makeAddress({ view: "probe" }) }, `← ${run.probeSet}`),
        make("span.steps", {}, neighbor(-1, "← Image"), make("span.place", {}, `${nd.formatCount(place + 1)} of ${nd.formatCount(run.row.length)}`), neighbor(1, "Image →"), nd.thresholdControl)),
      make("header.unit-head", {}, make("p.kicker", {}, `${run.probeSet}, row ${run.row[place]}`), page.heading, page.lead),
      make("div.image-body", {}, make("div.image-side", {}, page.tile.element, page.under, page.labels), make("section.image-main", { "aria-label": "Units" }, make("div.set-tools", {}, styles), page.home)));
    page.heading.focus({ preventScroll: true });
    document.title = `Image, ${run.network}`;
    page.tile.frame.addEventListener("click", askPoint);
    setText(page.under, "Click the image to see which units fire there.");
    page.tile.ready.then(() => { if (mine === page) showLabels(); });
    run.loadNames().then(() => {
      if (mine !== page) return;
      setText(mine.heading, run.names[place]);
      mine.tile.frame.querySelector("img").alt = run.names[place];
      document.title = `${run.names[place]}, ${run.network}`;
      nd.writeAddress();
    });
    nd.findUnitsOn(place).then((units) => {
      if (mine !== page) return;
      mine.units = units;
      showUnits();
    });
  }

  // Lists what is labeled on the image; pointing at a label shows where.
  function showLabels() {
    const { run } = nd;
    const { labels } = page.tile;
    if (!labels) return;
    const concepts = [...labels.concepts].map((code) => code - 1);
    const size = labels.width * labels.height;
    const shares = new Map(concepts.map((concept) => [concept, nd.makeLabelMask(labels, concept).reduce((sum, on) => sum + on, 0) / size]));
    concepts.sort((a, b) => run.category[a] - run.category[b] || shares.get(b) - shares.get(a));
    page.labels.replaceChildren(...concepts.map((concept) => {
      const show = (on) => () => { if (on) nd.paintLabeled(page.tile, concept); else showMask(null); };
      return make("li", {}, make("a", { href: nd.makeAddress({ view: "concept", concept }), onmouseenter: show(true), onmouseleave: show(false), onfocus: show(true), onblur: show(false) },
        make(`span.swatch.k-${run.slots[run.category[concept]]}`), make("b", {}, run.concepts[concept]), make("span.figure", {}, nd.formatPercent(shares.get(concept)))));
    }));
    page.labels.before(make("h2", {}, "Labeled here"));
  }

  function showUnits() {
    const firing = page.units.filter((found) => found.fires);
    const silent = page.units.filter((found) => !found.fires && found.groups.includes("missed") && nd.isDetector(found.layer, found.unit, nd.state.cut));
    const shown = page.point ? firing.filter((found) => nd.coversPoint(found, ...page.point)) : firing;
    const all = nd.run.layers.reduce((sum, layer) => sum + layer.units, 0);
    page.lead.replaceChildren(make("strong", {}, nd.formatUnits(firing.length)), ` of ${nd.formatCount(all)} fire on this image and have it among their exemplars; others may fire on it too.`);
    page.shown = [];
    const sections = nd.groupByLabel(shown).map((group) => makeGroup(group));
    page.home.replaceChildren(...sections, ...(silent.length ? [makeSilent(silent)] : []),
      ...(sections.length ? [] : [make("p.nothing", {}, page.point ? "No unit with this image among its exemplars fires here." : "No unit has this image among its exemplars.")]));
    repaint();
  }

  function makeGroup({ concept, units }) {
    const { run } = nd;
    const open = page.open.has(concept);
    const list = make("ul.image-units", { role: "list" }, units.slice(0, open ? units.length : SHOWN).map((found) => makeUnit(found, concept < 0)));
    const rest = units.length - list.childElementCount;
    const words = concept === -1 ? "Below the threshold" : concept < 0 ? "One unit each" : make("a", { href: nd.makeAddress({ view: "concept", concept }) }, run.concepts[concept]);
    const labeled = concept >= 0 && page.tile.labels && page.tile.labels.concepts.has(concept + 1);
    return make("section.image-group", {}, make("h2", {}, concept < 0 ? "" : make(`span.swatch.k-${run.slots[run.category[concept]]}`), words, make("span.note", {}, ` ${nd.formatUnits(units.length)}${labeled ? ", labeled here" : ""}`)), list,
      rest > 0 ? make("button.more", { type: "button", onclick: () => { page.open.add(concept); showUnits(); } }, `${nd.formatUnits(rest)} more`) : null);
  }

  function makeUnit(found, named) {
    const { layer, unit, maximum, share, groups } = found;
    const { run } = nd;
    const image = make("img", { src: run.getImageURL(page.place), alt: "", decoding: "async", loading: "lazy" });
    const mask = make("canvas", { "aria-hidden": "true" });
    const frame = make("span.image-small", {}, image, mask);
    frame.style.aspectRatio = `${run.input[1]} / ${run.input[0]}`;
    const on = layer.label[unit] >= 0 && share !== null ? `, ${nd.formatPercent(share)} on its label` : "";
    const link = make("a", {
      href: nd.makeAddress({ view: "unit", layer: layer.index, unit }), onmouseenter: () => showMask(found), onmouseleave: () => showMask(null), onfocus: () => showMask(found), onblur: () => showMask(null),
    }, frame, named && layer.label[unit] >= 0 ? make("b", {}, make(`span.swatch.${nd.isDetector(layer, unit, nd.state.cut) ? `k-${run.slots[layer.best[unit]]}` : "none"}`), run.concepts[layer.label[unit]]) : null,
      make(named ? "span.of" : "b", {}, `${layer.name} ${unit + 1}`), make("span", {}, `${nd.formatActivation(layer, unit, maximum)}${on}`), make("span.sr", {}, ` (${groups.map((name) => GROUPS[name]).join(", ")})`));
    page.shown.push({ found, image, mask, frame });
    return make("li", {}, link);
  }

  // Names the units whose label is here but that do not fire.
  function makeSilent(silent) {
    const { run } = nd;
    return make("section.image-group", {}, make("h2", {}, "Silent, though their label is here"), make("ul.image-silent", { role: "list" }, silent.map(({ layer, unit }) => make("li", {},
      make("a", { href: nd.makeAddress({ view: "unit", layer: layer.index, unit }) }, make(`span.swatch.k-${run.slots[layer.best[unit]]}`), make("b", {}, run.concepts[layer.label[unit]]), ` ${layer.name} ${unit + 1}`)))));
  }

  // Paints the masks of the small images that are in the window, and of others as they come into it.
  function repaint() {
    if (!page.units) return;
    if (page.observer) page.observer.disconnect();
    page.observer = new IntersectionObserver((entries) => {
      for (const entry of entries.filter(({ isIntersecting }) => isIntersecting)) {
        page.observer.unobserve(entry.target);
        paintSmall(page.shown.find(({ frame }) => frame === entry.target));
      }
    }, { rootMargin: "300px" });
    for (const { frame } of page.shown) page.observer.observe(frame);
    showMask(page.pointed);
  }

  async function paintSmall(small) {
    if (!small) return;
    const { found: { layer, unit, slot }, image, mask, frame } = small;
    const grids = await nd.loadGrids(layer, unit);
    const [width, height] = [frame.clientWidth, frame.clientHeight];
    if (!width || !frame.isConnected) return;
    const context = nd.prepareCanvas(mask, width, height);
    const { mask: style } = nd.state;
    if (style === "image") return;
    const ready = nd.paintMask(context, layer, grids, nd.decodeValues(layer, unit), slot, 0, mask.width, mask.height, style, image);
    if (!ready) nd.paintAfterLoad(image, () => paintSmall(small));
  }

  // Shows the mask of a unit on the large image; null clears it.
  async function showMask(found) {
    const mine = page;
    page.pointed = found;
    const clear = () => nd.prepareCanvas(mine.tile.mask, mine.tile.frame.clientWidth, mine.tile.frame.clientHeight);
    if (!found) {
      delete page.tile.firing;
      return void clear();
    }
    const grids = await nd.loadGrids(found.layer, found.unit);
    if (mine !== page || page.pointed !== found) return;
    nd.paintTile(page.tile, found.layer, found.unit, grids, found.slot, nd.state.mask);
  }

  // Shows only the units that fire where the image was clicked; a click on the same place shows all again.
  async function askPoint(event) {
    const mine = page;
    if (!page.units || event.target.closest("a")) return;
    const box = page.tile.frame.getBoundingClientRect();
    const point = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    page.point = page.point && Math.hypot(page.point[0] - point[0], page.point[1] - point[1]) < 0.04 ? null : point;
    page.marker.hidden = !page.point;
    if (page.point) Object.assign(page.marker.style, { left: `${100 * point[0]}%`, top: `${100 * point[1]}%` });
    if (page.point) {
      setText(page.under, "Looking …");
      await Promise.all(page.units.filter((found) => found.fires).map(({ layer, unit }) => nd.loadGrids(layer, unit)));
      if (mine !== page) return;
    }
    showUnits();
    const number = page.point ? page.units.filter((found) => found.fires && nd.coversPoint(found, ...page.point)).length : 0;
    page.under.replaceChildren(...(page.point ? [make("strong", {}, nd.formatUnits(number)), ` fire${number === 1 ? "s" : ""} where you clicked. `, make("button.link", { type: "button", onclick: showAll }, "Show all")]
      : ["Click the image to see which units fire there."]));
  }

  function showAll() {
    page.point = null;
    page.marker.hidden = true;
    setText(page.under, "Click the image to see which units fire there.");
    showUnits();
  }
})();
