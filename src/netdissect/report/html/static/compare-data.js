"use strict";
// What a comparison knows of its runs: for each layer, the labels and scores of its units in every run, and which units correspond.
// A unit is named by its number in the first run that has the layer (`base`).
(() => {
  const nd = window.netdissect;
  const SIDE = ["label", "score", "firsts", "sure", "low", "high", "chance", "deviations", "partner", "likeness", "sameNumber"];
  const COUNTS = { detectors: 0, label: 1, category: 2 };
  let tables = null;

  // The fates of a unit from one run to another, in the order of lists.
  nd.fates = ["changed", "gained", "lost", "kept"];

  // Resolves to the layers of the comparison; loaded once.
  nd.loadCompared = async () => {
    if (tables) return tables;
    const { facts, arrays } = await nd.get("compare", 0);
    tables = { ...facts, category: arrays.category };
    tables.tracks = facts.tracks.map((track, index) => ({
      ...track,
      sides: track.names.map((name, run) => name === null ? null : {
        name, run, units: track.facts[run].units, ...track.facts[run],
        ...Object.fromEntries(SIDE.map((part) => [part, arrays[`${index}.${run}.${part}`]])),
      }),
    }));
    for (const track of tables.tracks) track.units = track.sides[track.base].units;
    return tables;
  };

  // Returns the unit of a run that corresponds to a unit of the base run; -1 if there is none.
  nd.findPartner = (track, byNumber, unit, run) => {
    const side = track.sides[run];
    if (run === track.base) return unit;
    if (byNumber) return unit < side.units ? unit : -1;
    return side.partner[unit];
  };

  // Returns how alike a unit and its partner in a run are; null for the base run.
  nd.getLikeness = (track, byNumber, unit, run) => {
    const { sameNumber, likeness } = track.sides[run];
    const values = byNumber ? sameNumber : likeness;
    return values ? values[unit] : null;
  };

  // Returns the concept that a unit of a run is named after at a threshold; -1 for none.
  nd.getNamed = (side, unit, cut) => unit >= 0 && side.label[unit] >= 0 && side.score[unit] >= cut && !(nd.state.beyond && side.chance && side.chance[unit]) ? side.label[unit] : -1;

  // Returns what became of every unit of a layer from one run to another: { unit, from, to, fate, sure, before, after }, where `from`
  // and `to` are its units in the two runs and `before` and `after` the concepts they are named after. `sure`: whether resamples keep
  // both labels; undefined where there are none.
  nd.traceUnits = (track, byNumber, first, second, cut) => {
    const [old, later] = [track.sides[first], track.sides[second]];
    const found = [];
    for (let unit = 0; unit < track.units; unit++) {
      const [from, to] = [first, second].map((run) => nd.findPartner(track, byNumber, unit, run));
      if (from < 0 || to < 0) continue;
      const [before, after] = [nd.getNamed(old, from, cut), nd.getNamed(later, to, cut)];
      const fate = before < 0 ? (after < 0 ? "" : "gained") : after < 0 ? "lost" : before === after ? "kept" : "changed";
      const sure = old.sure && later.sure ? Boolean(old.sure[from] && later.sure[to]) : undefined;
      found.push({ unit, from, to, before, after, fate, sure, scores: [old.score[from], later.score[to]] });
    }
    return found;
  };

  // Returns the counts of a layer in a run at a threshold: detectors, unique ones in both definitions, each with its standard
  // deviation, and units beyond chance.
  nd.countSide = (side, cut) => {
    const units = Array.from({ length: side.units }, (_, unit) => nd.getNamed(side, unit, cut)).filter((concept) => concept >= 0);
    const at = Math.round((cut * 1000) / tables.stride);
    const spread = (kind) => {
      if (!side.deviations || nd.state.beyond) return null;
      const points = side.deviations.length / 3;
      return at < points ? side.deviations[COUNTS[kind] * points + at] : 0;
    };
    return {
      detectors: [units.length, spread("detectors")],
      label: [new Set(units).size, spread("label")],
      category: nd.state.beyond ? null : [side.firsts.filter((score) => score > cut).length, spread("category")],
      beyond: side.chance ? units.length - (nd.state.beyond ? 0 : [...side.chance].filter((chance, unit) => chance && nd.getNamed(side, unit, cut) >= 0).length) : null,
    };
  };

  // Returns how many units of a side are named after each concept, and the best of their scores: Map(concept => [units, score]).
  nd.countConcepts = (side, cut) => {
    const found = new Map();
    for (let unit = 0; unit < side.units; unit++) {
      const concept = nd.getNamed(side, unit, cut);
      if (concept < 0) continue;
      const [units, best] = found.get(concept) || [0, 0];
      found.set(concept, [units + 1, Math.max(best, side.score[unit])]);
    }
    return found;
  };

  // A correlation with two digits.
  nd.formatLikeness = (value) => (Math.abs(value) < 0.005 ? "0.00" : value.toFixed(2).replace("-", "−"));

  nd.getConceptName = (concept) => tables.concepts[concept];
  nd.getConceptSlot = (concept) => tables.slots[tables.category[concept]];

  // Returns a swatch and a concept's name, hollow where chance would do as well.
  nd.makeNamed = (concept, hollow = false) => concept < 0 ? [nd.make("span.swatch.none"), nd.make("span.unnamed", {}, "no concept")]
    : [nd.make(`span.swatch.k-${nd.getConceptSlot(concept)}${hollow ? ".hollow" : ""}`), nd.make("span", {}, tables.concepts[concept])];
})();
