"use strict";
// What a search finds over all layers, in groups, and what to try instead where it finds nothing.
(() => {
  const nd = window.netdissect;
  const { make, FIT } = nd;
  const MOST = { Concepts: 6, Units: 6, Layers: 4, Categories: 3, Images: 5, Pages: 3 };
  const NEAREST = 4;
  const SPARK = [64, 16];

  // Returns the number of units of every layer that detect a concept.
  nd.countByLayer = (concept) => nd.run.layers.map((layer) => {
    const units = nd.getCounter(layer).unitsOf.get(concept) || [];
    const end = units.findIndex((unit) => layer.labelScore[unit] < nd.state.cut);
    return end < 0 ? units.length : end;
  });
  nd.countUnitsOf = (concept) => nd.countByLayer(concept).reduce((sum, count) => sum + count, 0);

  // Returns the groups of results of a search: [{ title, count, options }], each option with `address` and `parts`, elements and
  // texts that show it. Empty for an empty search.
  nd.search = (query) => {
    const matcher = nd.makeMatcher(query);
    if (!matcher) return [];
    return [listConcepts(matcher), listCategories(matcher), listLayers(matcher), listUnits(matcher, query), listImages(matcher), listPages(query)].filter((group) => group.options.length);
  };

  // Returns what is nearest to a search that finds nothing, as a group like those of nd.search.
  nd.searchNearest = (query) => ({ title: "Nearest", options: nd.findNearest(query, NEAREST).map(describeConcept) });

  function listConcepts(matcher) {
    const found = nd.matchConcepts(matcher, nd.countUnitsOf);
    return { title: "Concepts", count: found.length, options: found.slice(0, MOST.Concepts).map(({ concept }) => describeConcept(concept)) };
  }

  function describeConcept(concept) {
    const { run } = nd;
    const counts = nd.countByLayer(concept);
    const units = counts.reduce((sum, count) => sum + count, 0);
    return {
      address: nd.makeAddress({ view: "concept", concept, layer: 0 }),
      parts: [makeSwatch(run.category[concept], units > 0), make("span.find-name", {}, run.concepts[concept]), make("span.find-note", {}, units ? nd.formatUnits(units) : "labeled, no detector"),
        run.layers.length > 1 && units ? nd.makeSpark(counts, run.category[concept]) : ""],
    };
  }

  const makeSwatch = (kind, filled) => make(`span.swatch.${filled ? `k-${nd.run.slots[kind]}` : "none"}`, { title: nd.run.categories[kind] });

  // Makes bars of numbers by layer, the first layer on the left.
  nd.makeSpark = (counts, kind) => {
    const canvas = make("canvas.find-spark", { "aria-hidden": "true" });
    const context = nd.prepareCanvas(canvas, ...SPARK);
    const step = Math.min(9, SPARK[0] / counts.length);
    const most = Math.max(...counts, 1);
    const left = SPARK[0] - step * counts.length;
    counts.forEach((count, at) => {
      const tall = count ? Math.max(2, (count / most) * SPARK[1]) : 1;
      context.fillStyle = nd.getColor(count ? `fill-${nd.run.slots[kind]}` : "control");
      context.fillRect(left + at * step, SPARK[1] - tall, Math.max(1, step - 1), tall);
    });
    return canvas;
  };

  function listUnits(matcher, query) {
    const { run, state } = nd;
    const found = [];
    for (const layer of run.layers) {
      for (const unit of nd.getCounter(layer).ranked) {
        const fit = matcher.unit(layer, unit, state.cut);
        if (fit !== FIT.none) found.push({ layer, unit, fit });
      }
    }
    const score = ({ layer, unit }) => layer.labelScore[unit];
    found.sort((a, b) => a.fit - b.fit || score(b) - score(a));
    const options = found.slice(0, MOST.Units).map(({ layer, unit }) => describeUnit(layer, unit));
    if (found.length > options.length && nd.unitLists) {
      options.push({ address: nd.makeAddress({ view: "units", set: "found", query, show: "all" }), parts: [make("span.find-name.all", {}, `All ${nd.formatUnits(found.length)}`)] });
    }
    return { title: "Units", count: found.length, options };
  }

  function describeUnit(layer, unit) {
    const { run, state } = nd;
    const concept = layer.label[unit];
    const passes = nd.isDetector(layer, unit, state.cut);
    const name = concept < 0 ? "no concept" : passes ? run.concepts[concept] : `closest: ${run.concepts[concept]}`;
    return {
      address: nd.makeAddress({ view: "unit", layer: layer.index, unit }),
      parts: [concept < 0 ? make("span.swatch.none") : makeSwatch(run.category[concept], passes), make(`span.find-name${passes ? "" : ".low"}`, {}, name, make("span.find-score", {}, ` ${nd.formatScore(layer.labelScore[unit], state.cut)}`)),
        make("span.find-note", {}, `${layer.name}, unit ${unit + 1}`)],
    };
  }

  const byFit = (items, measure) => [...items].map((item, at) => ({ item, at, fit: measure(at) })).filter(({ fit }) => fit !== FIT.none).sort((a, b) => a.fit - b.fit);

  function listLayers(matcher) {
    const found = byFit(nd.run.layers, matcher.layer);
    return { title: "Layers", count: found.length, options: found.slice(0, MOST.Layers).map(({ item }) => ({
      address: nd.makeAddress({ view: "layer", layer: item.index, query: "", show: "all" }),
      parts: [make("span.find-name", {}, item.name), make("span.find-note", {}, nd.formatDetectors(item, nd.countDetectors(item, nd.state.cut), nd.state.cut))],
    })) };
  }

  function listCategories(matcher) {
    if (!nd.pages.has("concepts")) return { options: [] };
    const found = byFit(nd.run.categories, matcher.category);
    return { title: "Categories", count: found.length, options: found.slice(0, MOST.Categories).map(({ item, at }) => ({
      address: nd.makeAddress({ view: "concepts", show: item, query: "" }),
      parts: [makeSwatch(at, true), make("span.find-name", {}, item), make("span.find-note", {}, nd.formatUnits(nd.run.layers.reduce((sum, layer) => sum + nd.recount(layer, nd.state.cut).perCategory[at], 0)))],
    })) };
  }

  function listImages(matcher) {
    if (!nd.pages.has("image")) return { options: [] };
    const found = byFit(nd.run.row, matcher.image);
    return { title: "Images", count: found.length, options: found.slice(0, MOST.Images).map(({ at }) => ({
      address: nd.makeAddress({ view: "image", image: at }),
      parts: [make("img.find-image", { src: nd.run.getImageURL(at), alt: "" }), make("span.find-name", {}, nd.run.names[at])],
    })) };
  }

  function listPages(query) {
    const typed = query.trim().toLowerCase();
    const found = [...nd.pages.values()].filter((page) => page.title && page.title.toLowerCase().startsWith(typed));
    return { title: "Pages", count: found.length, options: found.slice(0, MOST.Pages).map((page) => ({ address: nd.makeAddress({ query: "", show: "all", ...page.link() }), parts: [make("span.find-name", {}, page.title)] })) };
  }

  // The list of all units that a search finds, for the page of units.
  if (nd.addUnitList) {
    nd.addUnitList({
      id: "found",
      title: "Found",
      needs: () => Boolean(nd.state.query.trim()),
      rule: () => `Units that the search “${nd.state.query.trim()}” finds: by label, number, layer, formula, or another concept that reaches the threshold.`,
      find: (layer) => {
        const matcher = nd.makeMatcher(nd.state.query);
        return matcher ? nd.matchUnits(layer, matcher, nd.state.cut) : [];
      },
      byScore: true,
    });
  }

  // Returns what to say and where to lead from a search that finds no unit of a layer, as the nodes of a paragraph.
  nd.makeNothing = (layer, query) => {
    const { run, state } = nd;
    const matcher = nd.makeMatcher(query);
    if (!matcher) return [`No unit ${state.beyond ? "beyond chance " : ""}is in this list at this threshold. Esc clears the filter.`];
    const parts = [`No unit of ${layer.name} ${state.beyond ? "that is beyond chance " : ""}fits “${query.trim()}” at this threshold. `];
    const others = run.layers.filter((other) => other !== layer).map((other) => [other, nd.matchUnits(other, matcher, state.cut).length]).filter(([, count]) => count);
    others.slice(0, 6).forEach(([other, count], at) => parts.push(at ? ", in " : "In ", make("a", { href: nd.makeAddress({ view: "layer", layer: other.index, show: "all" }) }, other.name), `: ${nd.formatUnits(count)}`));
    if (others.length) parts.push(". ");
    const concepts = nd.matchConcepts(matcher, nd.countUnitsOf).filter(({ fit }) => fit < FIT.near);
    const unseen = concepts.filter(({ units }) => !units);
    if (unseen.length) parts.push("Labeled but never detected: ", ...linkConcepts(unseen.slice(0, NEAREST).map(({ concept }) => concept)), ". ");
    if (!concepts.length && !others.length) {
      const near = nd.findNearest(query, NEAREST);
      if (near.length) parts.push("Nearest: ", ...linkConcepts(near), ". ");
    }
    parts.push("Esc clears the search.");
    return parts;
  };

  const linkConcepts = (concepts) => concepts.flatMap((concept, at) => [at ? ", " : "", make("a", { href: nd.makeAddress({ view: "concept", concept, layer: 0 }) }, nd.run.concepts[concept])]);
  nd.linkConcepts = linkConcepts;
})();
