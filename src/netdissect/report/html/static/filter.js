"use strict";
// Which units are shown and in which order, by search, category and sort.
(() => {
  const nd = window.netdissect;
  const cache = { key: "", units: null };

  // Returns a test of whether a unit fits a search: by its number, its label, another concept that reaches the threshold, or its
  // formula.
  function makeSearch(layer, query, cut) {
    const matcher = nd.makeMatcher(query);
    return matcher && ((unit) => matcher.unit(layer, unit, cut) !== nd.FIT.none);
  }

  function makeFilter(layer, show, cut) {
    if (show === "all") return null;
    if (show === "below") return (unit) => !nd.isDetector(layer, unit, cut);
    const kind = nd.run.categories.indexOf(show);
    return (unit) => layer.best[unit] === kind && nd.isDetector(layer, unit, cut);
  }

  function sortUnits(layer, units, sort, cut) {
    if (sort === "unit") return units.sort((a, b) => a - b);
    if (sort === "label") {
      const name = (unit) => (nd.isDetector(layer, unit, cut) ? nd.run.concepts[layer.label[unit]] : "\uffff");
      const keys = new Map(units.map((unit) => [unit, name(unit)]));
      return units.sort((a, b) => (keys.get(a) < keys.get(b) ? -1 : keys.get(a) > keys.get(b) ? 1 : layer.rankOf[a] - layer.rankOf[b]));
    }
    return units; // ranked already
  }

  // Returns the channels (unit numbers minus one) of the units to show.
  nd.listShownUnits = () => {
    const { layer: index, query, show, sort, cut, beyond } = nd.state;
    const layer = nd.run.layers[index];
    const plain = !query.trim() && show === "all" && sort === "score";
    const { ranked } = nd.getCounter(layer);
    if (plain) return ranked;
    const bound = show !== "all" || sort === "label" || query.trim() ? cut : "";
    const key = JSON.stringify([index, query, show, sort, bound, beyond]);
    if (cache.key !== key) {
      const tests = [makeSearch(layer, query, cut), makeFilter(layer, show, cut)].filter(Boolean);
      const units = [...ranked].filter((unit) => tests.every((test) => test(unit)));
      Object.assign(cache, { key, units: sortUnits(layer, units, sort, cut) });
    }
    return cache.units;
  };

  // Returns the concepts that a search finds, best match first.
  nd.findConcepts = (query, most) => {
    const matcher = /^\d*$/.test(query.trim()) ? null : nd.makeMatcher(query);
    return matcher ? nd.matchConcepts(matcher, nd.countUnitsOf).slice(0, most).map(({ concept }) => concept) : [];
  };
})();
