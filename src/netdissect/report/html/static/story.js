"use strict";
// What the run says besides counts: units that rules find (`layer.story`), and what its controls reach (`control.scores`, `control.label`).
(() => {
  const nd = window.netdissect;
  let loading = null;

  // Loads the file `story` once. A layer's `story` then has arrays by unit: second, secondScore, twin, family, I, A; shown, asked and
  // largest where the run has groups of exemplars; low and high where it has resamples.
  nd.loadStory = () => {
    loading = loading || nd.get("story").then(({ facts, arrays }) => {
      for (const layer of nd.run.layers) {
        layer.story = pick(arrays, `${layer.index}.`);
        layer.controls.forEach((control, place) => {
          const { score, label } = pick(arrays, `${layer.index}.control${place}.`);
          if (score) Object.assign(control, { scores: score, label });
        });
      }
      nd.run.shownShare = facts.shownShare;
      nd.run.askedExemplars = facts.asked;
    });
    return loading;
  };

  function pick(arrays, prefix) {
    return Object.fromEntries(Object.entries(arrays).filter(([name]) => name.startsWith(prefix)).map(([name, array]) => [name.slice(prefix.length), array]));
  }

  // Returns how many units of a control detect a concept at a threshold, and which concepts; null where the run does not record them.
  nd.countControl = (control, cut) => {
    if (!control.scores) return null;
    const units = new Map(); // concept -> { units, best }
    let named = 0;
    control.scores.forEach((score, unit) => {
      if (!(score > 0 && score >= cut)) return;
      named += 1;
      const concept = control.label[unit];
      const found = units.get(concept) || { units: 0, best: 0 };
      units.set(concept, { units: found.units + 1, best: Math.max(found.best, score) });
    });
    return { named, units, total: control.total };
  };

  // What a control is called: "random weights" for an untrained network.
  nd.nameControl = ({ kind }) => (kind === "untrained" ? "random weights" : kind);

  // The lists of units that rules find; each writes its rule.
  const percent = (share) => nd.formatPercent(share);
  const has = (name) => () => nd.run.layers.some((layer) => layer.story && layer.story[name]);
  const detectors = (layer) => [...nd.getCounter(layer).ranked.subarray(0, nd.countDetectors(layer, nd.state.cut))];
  const story = (layer, name) => (layer.story && layer.story[name]) || null;
  const LEAST_ASKED = 3;

  nd.addUnitList({
    id: "not-seen",
    title: "Named, but not seen",
    rule: () => `Detectors of which none of the ten strongest images shows the label: nowhere more than ${percent(nd.run.shownShare)} of the mask lies on it, though at least ${LEAST_ASKED} of these images are labeled for its category.`,
    needs: has("shown"),
    find: (layer) => (story(layer, "shown") ? detectors(layer).filter((unit) => layer.story.asked[unit] >= LEAST_ASKED && layer.story.shown[unit] === 0) : []),
    order: (layer, unit) => layer.labelScore[unit],
  });
  nd.addUnitList({
    id: "two-things",
    title: "Two things at once",
    rule: () => `Detectors for which a concept of another category scores at least 0.8 of the label’s ${nd.run.scoreTitle}, and whose masks have room for both.`,
    needs: has("second"),
    find: (layer) => (story(layer, "second") ? detectors(layer).filter((unit) => layer.story.second[unit] >= 0 && layer.story.secondScore[unit] >= nd.state.cut) : []),
    order: (layer, unit) => layer.story.secondScore[unit],
  });
  nd.addUnitList({
    id: "duplicates",
    title: "Near-duplicates",
    rule: () => "Detectors whose scores with all concepts are like another unit’s (cosine above 0.95), and that share at least 60 % of their strongest images with it.",
    needs: has("twin"),
    find: (layer) => groupTwins(layer),
  });
  nd.addUnitList({
    id: "edge",
    title: "On the edge",
    rule: () => (nd.run.layers.some((layer) => story(layer, "low")) ? `Units whose 95 % interval holds the threshold, ${nd.formatThreshold(nd.state.cut)}: on other images they may or may not be detectors.`
      : `Units whose ${nd.run.scoreTitle} is within 0.005 of the threshold, ${nd.formatThreshold(nd.state.cut)}.`),
    needs: () => nd.run.layers.some((layer) => layer.story),
    find: (layer) => [...nd.getCounter(layer).ranked].filter((unit) => layer.label[unit] >= 0 && isOnEdge(layer, unit)),
    order: (layer, unit) => -Math.abs(layer.labelScore[unit] - nd.state.cut),
  });
  nd.addUnitList({
    id: "above-control",
    title: "Better than the control ever gets",
    rule: () => `Detectors whose ${nd.run.scoreTitle} is above that of every unit of the same layer in the control, whatever the concept.`,
    needs: () => nd.run.layers.some((layer) => layer.controls.some((control) => control.scores)),
    find: (layer) => {
      const scores = layer.controls.filter((control) => control.scores).map((control) => control.scores.reduce((most, score) => Math.max(most, score), 0));
      return scores.length ? detectors(layer).filter((unit) => layer.labelScore[unit] > Math.max(...scores)) : [];
    },
    order: (layer, unit) => layer.labelScore[unit],
  });
  nd.addUnitList({
    id: "one-image",
    title: "One image carries it",
    rule: () => "Detectors of which one image gives more than half of the pixels that the masks share with the label.",
    needs: has("largest"),
    find: (layer) => (story(layer, "largest") ? detectors(layer).filter((unit) => layer.story.largest[unit] > 0.5) : []),
    order: (layer, unit) => layer.story.largest[unit],
  });
  nd.addUnitList({
    id: "dark",
    title: "Dark",
    rule: () => `Units of which no concept reaches the threshold${nd.state.beyond ? " beyond chance" : ""}; those that share their strongest images are beside each other, the largest families first.`,
    needs: () => true,
    find: (layer) => groupFamilies(layer, layer.ranked.filter((unit) => !nd.isDetector(layer, unit, nd.state.cut))),
  });

  function isOnEdge(layer, unit) {
    const [low, high, { cut }] = [story(layer, "low"), story(layer, "high"), nd.state];
    if (low && !Number.isNaN(low[unit])) return low[unit] <= cut && cut <= high[unit];
    return Math.abs(layer.labelScore[unit] - cut) <= 0.005;
  }

  // Returns the near-duplicates among a layer's detectors, each beside its twin.
  function groupTwins(layer) {
    const twin = story(layer, "twin");
    if (!twin) return [];
    const found = [];
    const seen = new Set();
    const add = (unit) => {
      if (seen.has(unit) || !nd.isDetector(layer, unit, nd.state.cut)) return;
      seen.add(unit);
      found.push(unit);
    };
    for (const unit of detectors(layer)) {
      if (twin[unit] < 0) continue;
      add(unit);
      add(twin[unit]);
    }
    return found;
  }

  function groupFamilies(layer, units) {
    const family = story(layer, "family");
    if (!family) return [...units];
    const sizes = new Map();
    for (const unit of units) sizes.set(family[unit], (sizes.get(family[unit]) || 0) + 1);
    return [...units].sort((a, b) => sizes.get(family[b]) - sizes.get(family[a]) || family[a] - family[b] || layer.rankOf[a] - layer.rankOf[b]);
  }
})();
