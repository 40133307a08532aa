"use strict";
// The page of the probe set: what is labeled, what could ever be found, and why the rest is not.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  const EXAMPLES = 6; // of a category
  const IMAGES = 24; // before "more"
  const PAUSE = 120; // ms
  let page = null;

  nd.addPage("probe", {
    title: "Probe set",
    link: () => ({ view: "probe", probeReason: "", probeFind: "", probeOrder: "units" }),
    query: ({ probeReason = "", probeFind = "", probeOrder = "units" }) => {
      const words = new URLSearchParams();
      if (probeReason) words.set("reason", probeReason);
      if (probeFind) words.set("find", probeFind);
      if (probeOrder !== "units") words.set("order", probeOrder);
      return words.toString();
    },
    parse: (parts, words) => ({ probeReason: words.get("reason") || "", probeFind: words.get("find") || "", probeOrder: words.get("order") || "units" }),
    draw: (changed, { element }) => drawProbe(changed, element),
  });

  function drawProbe(changed, element) {
    if (!page) build(element);
    if (changed.has("view")) {
      document.title = `Probe set ${nd.run.probeSet}, ${nd.run.network}`;
      page.crumbs.append(nd.thresholdControl);
      page.heading.focus({ preventScroll: true });
    }
    if (!page.probe) return;
    const only = [...changed].every((name) => name.startsWith("probe"));
    if (!only) {
      showLead();
      page.plot.draw();
      fillCategories();
    }
    if (["view", "theme", "size"].some((name) => changed.has(name))) for (const { tile, concept } of page.tiles) if (tile.labels) nd.paintLabeled(tile, concept);
    clearTimeout(page.waiting);
    if (only || changed.has("view") || !page.listed) page.table.draw();
    else page.waiting = setTimeout(page.table.draw, PAUSE); // once the slider rests
    page.listed = true;
  }

  function build(element) {
    const { run } = nd;
    page = { tiles: [] };
    page.heading = make("h1.title", { tabIndex: -1 }, run.probeSet);
    page.lead = make("p.lead");
    page.crumbs = make("nav.crumbs", { "aria-label": "Page" }, make("a.up", { href: nd.makeAddress({ view: "network" }) }, `← ${run.network}`));
    page.plotHome = make("div");
    page.categories = make("table.probe-categories");
    page.tableHome = make("div");
    page.exampleHome = make("div");
    page.imageHome = make("div");
    element.replaceChildren(page.crumbs,
      make("header.unit-head", {}, make("p.kicker", {}, nd.makeTerm("Probe set", "probeSet")), page.heading, page.lead),
      make("section", {}, make("h2", {}, "What could ever be found?"),
        make("p.note", {}, `Every dot is a concept; filled: a unit detects it. The dash above it is the best ${run.scoreTitle} that a mask of any unit’s size could have with it: a concept with far fewer or far more pixels than a mask cannot fit well. Dashed: the threshold.`), page.plotHome),
      make("section", {}, make("h2", {}, "What is labeled?"), make("div.scroll", { tabIndex: 0, role: "region", "aria-label": "Table of categories" }, page.categories), page.exampleHome),
      make("section", {}, make("h2", {}, "Which concepts are detected, and why are the others not?"), page.tableHome),
      page.imageHome);
    nd.loadProbe().then((probe) => {
      page.probe = probe;
      page.plot = nd.makeProbePlot(probe);
      page.plotHome.append(page.plot.element);
      page.table = nd.makeProbeTable(probe);
      page.tableHome.append(page.table.element);
      addExamples();
      addImages();
      nd.redraw("size");
    });
  }

  function showLead() {
    const { run } = nd;
    const reasons = run.concepts.map((_, concept) => nd.findReason(concept));
    const count = (test) => reasons.filter(test).length;
    const link = (reason, words) => make("a", { href: nd.makeAddress({ view: "probe", probeReason: reason, probeFind: "" }) }, words);
    const [detected, size, absent] = [count((reason) => !reason), count((reason) => reason === "size"), count((reason) => reason === "absent")];
    page.lead.replaceChildren(`${nd.formatCount(run.images)} images, labeled with ${nd.formatUnits(run.concepts.length, "concept")}. `,
      link("detected", make("strong", {}, `${nd.formatCount(detected)} are detected`)), ` by a unit at ${run.scoreTitle} ≥ ${nd.formatThreshold(nd.state.cut)}. `,
      ...(size ? [link("size", make("strong", {}, `${nd.formatCount(size)} never could be`)), " by masks of these units’ size. "] : []), ...(absent ? [link("absent", `${nd.formatCount(absent)} have no labeled pixel`), ". "] : []));
  }

  // One row per category: concepts, images and pixels that have its labels, and how many of its concepts are detected.
  function fillCategories() {
    const { run } = nd;
    const { probe } = page;
    const image = run.labelSize[0] * run.labelSize[1];
    const members = run.categories.map((_, kind) => run.concepts.map((__, concept) => concept).filter((concept) => run.category[concept] === kind));
    const rows = run.categories.map((name, kind) => {
      const detected = members[kind].filter((concept) => !nd.findReason(concept)).length;
      const labeled = members[kind].reduce((sum, concept) => sum + run.G[concept], 0);
      const pixels = probe.categoryPixels ? probe.categoryPixels[kind] : 0;
      const fill = make(`span.k-${run.slots[kind]}`);
      fill.style.width = `${(100 * detected) / Math.max(1, members[kind].length)}%`;
      const [, middle, most] = probe.maskPixels.subarray(3 * kind, 3 * kind + 3);
      return make("tr", {}, make("th", { scope: "row" }, make(`span.swatch.k-${run.slots[kind]}`), name), make("td.figure", {}, nd.formatCount(members[kind].length)),
        make("td", {}, make("span.bar", {}, fill), make("span.bar-text", {}, nd.formatCount(detected))),
        make("td.figure", {}, pixels ? nd.formatCount(Math.round(pixels / image)) : "–"), make("td.figure", {}, pixels ? nd.formatPercent(Math.min(1, labeled / pixels)) : "–"),
        make("td.figure", {}, pixels ? `${nd.formatPercent(middle / pixels)}, at most ${nd.formatPercent(most / pixels)}` : "–"));
    });
    const heads = ["concepts", "detected", "images with its labels", "of their pixels labeled", "of their pixels in a unit’s mask, median"];
    page.categories.replaceChildren(make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "category"), heads.map((text, at) => make("th", { scope: "col", className: at === 1 ? "" : "figure" }, text)))), make("tbody", {}, rows));
  }

  // Shows an example of the most frequent concepts of each category.
  function addExamples() {
    const { run } = nd;
    if (!run.anyLabels) return;
    for (const [kind, name] of run.categories.entries()) {
      const concepts = run.concepts.map((_, concept) => concept).filter((concept) => run.category[concept] === kind && run.examples[concept * run.examplesEach] >= 0)
        .sort((a, b) => run.G[b] - run.G[a]).slice(0, EXAMPLES);
      const tiles = concepts.map((concept) => {
        const tile = nd.makeTile(run.examples[concept * run.examplesEach], { name: `Example of ${run.concepts[concept]}`, caption: [make("a", { href: nd.makeAddress({ view: "concept", concept }) }, run.concepts[concept])] });
        tile.ready.then(() => nd.paintLabeled(tile, concept));
        page.tiles.push({ tile, concept });
        return tile.element;
      });
      if (tiles.length) page.exampleHome.append(make("h3.probe-kind", {}, make(`span.t-${run.slots[kind]}`, {}, name)), make("div.examples", {}, tiles));
    }
  }

  function addImages() {
    const { run } = nd;
    const places = [...run.row.keys()];
    if (!places.length) return;
    const grid = make("ul.probe-images", { role: "list" });
    const more = make("button.more", { type: "button" });
    const add = (number) => {
      const from = grid.childElementCount;
      grid.append(...places.slice(from, from + number).map((place) => make("li", {}, make("a", { href: nd.makeAddress({ view: "image", image: place }), "aria-label": run.names ? run.names[place] : `Image ${run.row[place]}` },
        make("img", { src: run.getImageURL(place), alt: "", loading: "lazy", decoding: "async" })))));
      more.hidden = grid.childElementCount >= places.length;
      setText(more, `${nd.formatUnits(Math.min(4 * IMAGES, places.length - grid.childElementCount), "image")} more`);
    };
    more.addEventListener("click", () => add(4 * IMAGES));
    page.imageHome.append(make("section", {}, make("h2", {}, "Images"), make("p.note", {}, `${nd.formatCount(places.length)} of the ${nd.formatCount(run.images)} images are in this report. Choose one to see which units fire on it.`), grid, more));
    run.loadNames().then(() => add(IMAGES));
  }
})();
