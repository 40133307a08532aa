"use strict";
// What any unit reaches with every concept, and why a concept is not detected, at any threshold.
(() => {
  const nd = window.netdissect;
  const LITTLE = 0.25; // an attainable IoU below this is said
  let probe = null;

  // Resolves to the best score of any unit with every concept and what the concept's size allows (report/html/probe_data.py).
  nd.loadProbe = async () => {
    probe = probe || (await nd.get("probe")).arrays;
    return probe;
  };

  nd.reasons = {
    absent: "no labeled pixel",
    size: "size",
    chance: "chance",
    other: "other label",
    below: "below the threshold",
  };

  // Returns the units of a layer that detect a concept, best first.
  nd.listDetectorsOf = (layer, concept, cut = nd.state.cut) => {
    const units = layer.sure.unitsOf.get(concept) || []; // what chance gives detects nothing, whether it is counted or not
    const end = units.findIndex((unit) => layer.labelScore[unit] < cut);
    return end < 0 ? units : units.slice(0, end);
  };

  nd.countDetectorsOf = (concept, cut) => nd.run.layers.reduce((sum, layer) => sum + nd.listDetectorsOf(layer, concept, cut).length, 0);

  // Returns why no unit detects a concept, one of nd.reasons, or "" if one does; call it after nd.loadProbe. The reasons of the last
  // threshold are kept, because several parts of a page ask for them.
  const known = { cut: NaN, reasons: [] };
  nd.findReason = (concept, cut = nd.state.cut) => {
    if (known.cut !== cut) Object.assign(known, { cut, reasons: [] });
    return known.reasons[concept] ??= decideReason(concept, cut);
  };

  function decideReason(concept, cut) {
    if (nd.countDetectorsOf(concept, cut)) return "";
    if (!nd.run.G[concept]) return "absent";
    if (probe.attainable[concept] < cut) return "size";
    if (findLabeled(concept).some((unit) => unit.score >= cut)) return "chance";
    if (probe.otherScore[concept] > 0 && probe.otherScore[concept] >= cut) return "other";
    return probe.bestScore[concept] > 0 && probe.bestScore[concept] >= cut ? "chance" : "below";
  }

  // Returns the units whose label a concept is, whatever their score, best first.
  function findLabeled(concept) {
    return nd.run.layers.flatMap((layer) => (layer.all.unitsOf.get(concept) || []).map((unit) => ({ layer, unit, score: layer.labelScore[unit] })))
      .sort((a, b) => b.score - a.score);
  }

  // Returns why no unit detects a concept as a sentence without its full stop, with a link to the best unit; [] if one does.
  nd.describeReason = (concept, cut = nd.state.cut) => {
    const { run } = nd;
    const reason = nd.findReason(concept, cut);
    const pixels = nd.formatCount(run.G[concept]);
    const best = probe.bestScore[concept];
    const score = `best ${run.scoreTitle} ${nd.formatScore(best, cut)}`;
    const labeled = findLabeled(concept);
    const unit = makeUnitLink({ layer: run.layers[probe.bestLayer[concept]], unit: probe.bestUnit[concept] }, concept);
    const allowed = probe.attainable[concept];
    const limit = allowed < LITTLE ? `; its ${pixels} labeled pixels allow at most ${allowed.toFixed(2)}` : "";
    switch (reason) {
      case "": return [];
      case "absent": return ["no image of the run has a pixel of it"];
      case "size": return [`too ${probe.isSmall[concept] ? "few" : "many"} labeled pixels: with ${pixels}, no unit’s mask can reach more than IoU ${allowed.toFixed(3)}`];
      case "chance": return labeled.length && labeled[0].score >= cut
        ? [`the label of ${nd.formatUnits(labeled.filter((one) => one.score >= cut).length)}, none beyond chance (best `, ...makeUnitLink(labeled[0], concept), ")"]
        : [`${score}, which the unit reaches by chance too (`, ...unit, ")"];
      case "other": return [`${score}, of a unit that fits another concept better (`, ...unit, ")"];
      default: return best > 0 ? [`${score}, below ${nd.formatThreshold(cut)} (`, ...unit, `)${limit}`] : [`no unit’s mask meets it${limit}`];
    }
  };

  // Returns a link to a unit, and its own label if that is another concept.
  function makeUnitLink({ layer, unit }, concept) {
    const label = layer.label[unit];
    const own = label < 0 || label === concept ? "" : `: ${nd.run.concepts[label]} ${nd.formatScore(layer.labelScore[unit])}`;
    return [nd.make("a", { href: nd.makeAddress({ view: "unit", layer: layer.index, unit }) }, `${layer.name} unit ${unit + 1}`), own];
  }
})();
