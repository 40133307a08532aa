"use strict";
// The title of a unit's page: its label, score with interval, q, how many images carry it, and what its mask covers.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const TOO_MUCH = 0.5; // of the intersection from one image

  // Returns what is known of the images that carry a unit's label: at least how many have pixels of the mask on the label, whether
  // that is their exact number, and the share of the intersection that the first one gives. Null without groups of exemplars.
  // The group "on_concept" has the images with most such pixels, so no other image gives more than the last of them.
  nd.findEvidence = (layer, unit) => {
    const concept = layer.label[unit];
    if (!layer.labeled || !layer.counts || concept < 0) return null;
    const all = nd.measure(layer, unit, concept).I;
    const given = nd.listSlots(layer, unit, "on_concept").map((slot) => layer.labeled[unit * layer.slots + slot]).filter((pixels) => pixels > 0);
    if (!all || !given.length) return null;
    const rest = all - given.reduce((sum, pixels) => sum + pixels, 0);
    const shown = new Set();
    for (const { name } of layer.groups) for (const slot of nd.listSlots(layer, unit, name)) if (layer.labeled[unit * layer.slots + slot] > 0) shown.add(nd.getPlace(layer, unit, slot));
    const bound = given.length + (rest > 0 ? Math.ceil(rest / given.at(-1)) : 0);
    return { least: Math.max(bound, shown.size), exact: rest <= 0, first: Math.min(1, given[0] / all), few: Math.min(1, 1 - Math.max(0, rest) / all), of: given.length };
  };

  // Returns "± .038", half of the 95 % interval of a unit's score; "" while it is not known.
  nd.formatHalfInterval = (layer, unit) => {
    const { tables } = layer;
    const half = tables ? (tables.high[unit] - tables.low[unit]) / 2 : NaN;
    return Number.isNaN(half) ? "" : `± ${half.toFixed(3).replace(/^0/, "")}`;
  };

  // Fills heading, facts and lead of a unit's page for the threshold.
  nd.fillUnitTitle = ({ heading, facts, lead }, layer, unit) => {
    const { cut } = nd.state;
    const concept = layer.label[unit];
    document.title = `${concept < 0 ? "no concept" : nd.run.concepts[concept]}, unit ${unit + 1} of ${layer.name}, ${nd.run.network}`;
    if (concept < 0) {
      heading.replaceChildren("no concept");
      facts.replaceChildren();
      lead.replaceChildren("Its mask covers no labeled pixel.");
      return;
    }
    const passes = layer.labelScore[unit] >= cut;
    const name = make("a", { href: nd.makeAddress({ view: "concept", concept }) }, nd.run.concepts[concept]);
    heading.classList.toggle("low", !passes);
    heading.replaceChildren(...(passes ? [name] : ["closest: ", name]));
    facts.replaceChildren(...listFacts(layer, unit).filter(Boolean));
    lead.replaceChildren(...describeLabel(layer, unit, passes));
  };

  function listFacts(layer, unit) {
    const { tables } = layer;
    const half = nd.formatHalfInterval(layer, unit);
    const evidence = nd.findEvidence(layer, unit);
    return [
      make("span.unit-score", {}, nd.makeTerm(nd.run.scoreTitle, nd.run.scoreTitle === "IoU" ? "IoU" : "score"), " ", make("strong", {}, nd.formatScore(layer.labelScore[unit], nd.state.cut)),
        half ? make("span.half", { title: `95 % interval ${tables.low[unit].toFixed(3)}–${tables.high[unit].toFixed(3)}` }, ` ${half}`) : null),
      nd.makeChip(layer, unit),
      evidence && make("span", { title: `${nd.formatUnits(evidence.of, "image")} with most of it give ${nd.formatPercent(evidence.few)} of the pixels that mask and label share` },
        `${evidence.exact ? "" : "at least "}${nd.formatUnits(evidence.least, "image")} ${evidence.least === 1 && evidence.exact ? "carries" : "carry"} it`),
      evidence && evidence.first > TOO_MUCH ? make("strong.one-image", {}, `One image gives ${nd.formatPercent(evidence.first)} of it`) : null,
    ];
  }

  function describeLabel(layer, unit, passes) {
    const { run, state } = nd;
    const concept = layer.label[unit];
    const name = run.concepts[concept];
    const slot = run.slots[layer.best[unit]];
    const category = run.categories[layer.best[unit]];
    const beyond = nd.isBeyond(layer, unit) !== false;
    const parts = [make(`span.swatch.${passes ? `k-${slot}${beyond ? "" : ".hollow"}` : "none"}`), make(`span.t-${slot}`, {}, category), passes ? ". " : `, below the detection threshold of ${nd.formatThreshold(state.cut)}. `,
      beyond ? "" : "No concept beats chance. "];
    if (!layer.counts) return parts;
    const found = nd.measure(layer, unit, concept);
    const all = layer.counts.mask ? layer.counts.mask[unit] : 0;
    const whole = all > found.A ? `, of its whole mask ${nd.formatPercent(found.I / all)}` : "";
    parts.push(`Of its mask in images with ${category} labels, ${nd.formatPercent(found.precision)} is on ${name}${whole}; it covers ${nd.formatPercent(found.recall)} of all pixels labeled ${name}.`);
    return parts;
  }
})();
