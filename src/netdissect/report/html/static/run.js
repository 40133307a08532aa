"use strict";
// The run, and its detector counts at any detection threshold (`cut`).
//
// By label (the paper's text): a unit counts once, under its best concept, if its score >= cut.
// By category (the paper's figure): a unit counts in every category whose best score > cut.
// With the switch `beyond`, only units that are beyond chance count.
(() => {
  const nd = window.netdissect;

  nd.loadRun = async () => {
    nd.comparison = await nd.loadComparison();
    nd.run = await nd.openRun(nd.currentRun);
    return nd.run;
  };

  // Resolves to a run, by its number in a comparison; 0 in the report of one run.
  const opened = new Map();
  nd.openRun = (number) => {
    if (!opened.has(number)) opened.set(number, readRun(number));
    return opened.get(number);
  };

  async function readRun(number) {
    const { facts, arrays } = await nd.get("run", number);
    const run = {
      ...facts,
      number, // by which its files are found
      anyChance: facts.layers.some((layer) => layer.trust && layer.trust.shifts),
      category: arrays.category, // of every concept
      conceptNumber: arrays.number,
      G: arrays.G,
      examples: arrays.examples,
      labeled: arrays.labeled,
      row: arrays.row,
      png: arrays.png,
      hasLabels: arrays.hasLabels,
      names: null,
    };
    run.layers = facts.layers.map((layer, index) => makeLayer(layer, index, arrays, run));
    run.conceptAt = new Map([...run.conceptNumber].map((number, index) => [number, index]));
    run.anyLabels = run.hasLabels.includes(1);
    run.examplesEach = run.concepts.length ? run.examples.length / run.concepts.length : 0;
    // `place` is an image's position among the cached images.
    run.getImageURL = (place) => nd.imageURL(`image/probe/${String(run.row[place]).padStart(6, "0")}.${run.png[place] ? "png" : "jpg"}`, number);
    run.getLabels = (place) => (run.hasLabels[place] ? nd.get(`labels/${String(run.row[place]).padStart(6, "0")}`, number) : Promise.resolve(null));
    run.loadNames = async () => { run.names = run.names || (await nd.get("names", number)).facts; };
    return run;
  }

  function makeLayer(facts, index, arrays, run) {
    const kinds = facts.kinds = run.categories.length;
    const layer = { ...facts, index, runNumber: run.number, input: run.input, column: arrays[`${index}.column`], score: arrays[`${index}.score`], best: arrays[`${index}.best`],
      next: arrays[`${index}.next`], nextScore: arrays[`${index}.nextScore`], // the second best concept of all
      q: arrays[`${index}.q`], qReference: arrays[`${index}.qReference`], deviations: arrays[`${index}.deviations`], ends: arrays[`${index}.ends`], // undefined without trust tables
      formulaColumns: arrays[`${index}.formulaColumns`], formulaOperators: arrays[`${index}.formulaOperators`] }; // undefined without formulas
    layer.slots = layer.groups.reduce((sum, group) => sum + group.count, 0); // exemplars of a unit, of all groups
    layer.group = Object.fromEntries(layer.groups.map((group) => [group.name, group])); // by name: first, count
    layer.label = new Int32Array(layer.units).fill(-1); // concept of every unit's label
    layer.labelScore = new Float64Array(layer.units); // and its score
    for (let unit = 0; unit < layer.units; unit++) {
      if (layer.best[unit] < 0) continue;
      layer.label[unit] = layer.column[unit * kinds + layer.best[unit]];
      layer.labelScore[unit] = layer.score[unit * kinds + layer.best[unit]];
    }
    // Units by falling score, among equals by number, so that the detectors at any threshold come first.
    layer.ranked = Int32Array.from({ length: layer.units }, (_, unit) => unit)
      .sort((a, b) => layer.labelScore[b] - layer.labelScore[a] || a - b);
    layer.rankOf = new Int32Array(layer.units);
    layer.ranked.forEach((unit, rank) => { layer.rankOf[unit] = rank; });
    layer.all = makeCounter(layer, layer.ranked);
    layer.sure = layer.q ? makeCounter(layer, layer.ranked.filter((unit) => nd.isBeyond(layer, unit))) : layer.all;
    return layer;
  }

  // Returns what some units, by falling score, are counted from.
  function makeCounter(layer, ranked) {
    const unitsOf = new Map(); // concept -> its units by falling score
    for (const unit of ranked) {
      const concept = layer.label[unit];
      if (concept < 0) continue;
      if (!unitsOf.has(concept)) unitsOf.set(concept, []);
      unitsOf.get(concept).push(unit);
    }
    // Scores of every unit's best concept per category, falling, for counts by category.
    const entries = [];
    for (const unit of ranked) for (let i = unit * layer.kinds; i < (unit + 1) * layer.kinds; i++) if (layer.column[i] >= 0) entries.push(i);
    entries.sort((a, b) => layer.score[b] - layer.score[a]);
    const firsts = new Map();
    for (const i of entries) if (!firsts.has(layer.column[i])) firsts.set(layer.column[i], layer.score[i]);
    // The highest score of each concept that is the best of its category for some unit, falling.
    const firstBest = Float64Array.from(firsts.values());
    return { ranked, unitsOf, firstBest, named: ranked.reduce((sum, unit) => sum + (layer.label[unit] >= 0 ? 1 : 0), 0) };
  }

  // Returns whether a unit's score is beyond chance; undefined where no chance was measured.
  nd.isBeyond = (layer, unit) => (layer.q ? layer.q[unit] < nd.LEVEL : undefined);

  // Returns what is counted now: all units, or those beyond chance.
  nd.getCounter = (layer) => (nd.state.beyond ? layer.sure : layer.all);

  // Returns how many values of a falling list are at least a threshold, or, if `strictly`, above it.
  function countReaching(length, value, cut, strictly) {
    let low = 0;
    let high = length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (strictly ? value(middle) > cut : value(middle) >= cut) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  const countPassing = (layer, units, cut) => countReaching(units.length, (i) => layer.labelScore[units[i]], cut, false);

  nd.countDetectors = (layer, cut, counter = nd.getCounter(layer)) => Math.min(countPassing(layer, counter.ranked, cut), counter.named);

  // Returns all counts of a layer at a threshold; takes a binary search per concept.
  nd.recount = (layer, cut) => {
    const kinds = nd.run.categories.length;
    const { unitsOf, firstBest } = nd.getCounter(layer);
    const detectors = nd.countDetectors(layer, cut);
    const perCategory = new Int32Array(kinds);
    const conceptsPerCategory = new Int32Array(kinds);
    const found = [];
    for (const [concept, units] of unitsOf) {
      const passing = countPassing(layer, units, cut);
      if (!passing) continue;
      found.push({ concept, passing, units });
      perCategory[nd.run.category[concept]] += passing;
      conceptsPerCategory[nd.run.category[concept]] += 1;
    }
    const byCategory = countReaching(firstBest.length, (i) => firstBest[i], cut, true);
    return { detectors, byLabel: found.length, byCategory, perCategory, conceptsPerCategory, found };
  };

  nd.isDetector = (layer, unit, cut) => layer.label[unit] >= 0 && layer.labelScore[unit] >= cut && !(nd.state.beyond && nd.isBeyond(layer, unit) === false);

  // Loads a layer's exemplars, thresholds and the scales of its grids.
  nd.loadLayer = async (layer) => {
    if (!layer.images) {
      const { arrays } = await nd.get(`layer-${layer.index}`, layer.runNumber);
      // `images`, `maxima`, `pixels` and `labeled` have layer.slots entries a unit; the last two only where the run has groups.
      const { images, maxima, pixels, labeled, scale, threshold, rank } = arrays;
      Object.assign(layer, { images, maxima, pixels, labeled, scale, T: threshold, stored: rank });
      layer.placeOf = new Int32Array(layer.units);
      layer.stored.forEach((unit, place) => { layer.placeOf[unit] = place; });
    }
    return layer;
  };

  // Returns the places of a unit's exemplars of a group among the cached images, -1 where there are fewer.
  nd.getImages = (layer, unit, name = "strongest") => {
    const { first, count } = layer.group[name];
    return layer.images.subarray(unit * layer.slots + first, unit * layer.slots + first + count);
  };

  nd.loadCounts = async (layer) => {
    if (!layer.counts) layer.counts = (await nd.get(`layer-${layer.index}-counts`, layer.runNumber)).arrays;
    return layer.counts;
  };

  // Resolves to what is known of all concepts: synonyms, best scores by layer, companions.
  nd.loadConcepts = async () => {
    const { facts, arrays } = await nd.get("concepts");
    return { ...facts, ...arrays };
  };

  // Resolves to the trust tables of a layer's units; null without any.
  nd.loadTrust = async (layer) => {
    if (layer.trust && !layer.tables) {
      const { facts, arrays } = await nd.get(`layer-${layer.index}-trust`, layer.runNumber);
      layer.tables = { ...facts, ...arrays };
    }
    return layer.tables || null;
  };

  // Resolves to the panels of a layer's page and of its units' pages.
  nd.loadPanels = async (layer) => (layer.panels ? (await nd.get(`layer-${layer.index}-panels`, layer.runNumber)).facts : { layer: [], units: [] });

  // Returns score, IoU, precision, recall and attainable IoU of a unit and a concept from their counts. The score is IoU unless
  // the run has another.
  nd.measure = (layer, unit, concept) => {
    const { run } = nd;
    const I = layer.counts.I[unit * run.concepts.length + concept];
    const A = layer.counts.A[unit * layer.kinds + run.category[concept]];
    const G = run.G[concept];
    const union = A + G - I;
    const iou = union > 0 ? I / union : 0;
    return {
      concept, I, A, G, iou,
      score: layer.counts.score ? layer.counts.score[unit * run.concepts.length + concept] : iou,
      precision: A > 0 ? I / A : 0,
      recall: G > 0 ? I / G : 0,
      attainable: Math.max(A, G) > 0 ? Math.min(A, G) / Math.max(A, G) : 0,
    };
  };
})();
