"use strict";
// A unit's IoU as two areas: its mask, its label's pixels, and what they share, to scale; below, where its whole mask lies.
(() => {
  const nd = window.netdissect;
  const { make } = nd;

  // Makes a bar of [class, pixels, words] parts, to scale.
  function makeParts(cls, parts, label) {
    const all = parts.reduce((sum, [, pixels]) => sum + pixels, 0) || 1;
    return make(`div.${cls}`, { role: "img", "aria-label": label }, parts.filter(([, pixels]) => pixels > 0).map(([kind, pixels, words]) => {
      const part = make(`span.${kind}`, { title: `${words}: ${nd.formatCount(pixels)} pixels` });
      part.style.flexGrow = String(pixels / all);
      return part;
    }));
  }

  // Makes the small bar of a row of the profile: mask only, both, label only.
  nd.makeOverlapBar = ({ I, A, G, concept }) => makeParts("venn.small", [["area-mask", A - I, "mask only"], [`area-both.k-${nd.run.slots[nd.run.category[concept]]}`, I, "both"], ["area-label", G - I, "label only"]],
    `mask only ${nd.formatPercent((A - I) / (A + G - I || 1))}, both ${nd.formatPercent(I / (A + G - I || 1))}, label only ${nd.formatPercent((G - I) / (A + G - I || 1))}`);

  // Makes the section of a unit's page; null for a unit without a label. The layer's counts must be loaded.
  nd.makeOverlap = (layer, unit) => {
    const concept = layer.label[unit];
    if (concept < 0) return null;
    const { run } = nd;
    const name = run.concepts[concept];
    const category = run.categories[layer.best[unit]];
    const slot = run.slots[layer.best[unit]];
    const { I, A, G, iou } = nd.measure(layer, unit, concept);
    const union = A + G - I || 1;
    const parts = [["area-mask", A - I, "mask only"], [`area-both.k-${slot}`, I, "both"], ["area-label", G - I, "label only"]];
    const share = (pixels) => nd.formatPercent(pixels / union);
    const whole = makeWhole(layer, unit, { I, A, name, category, slot });
    const element = make("section.areas", { "aria-label": "Mask and label" }, make("h2", {}, "Mask and label"),
      make("p.note", {}, nd.makeTerm("IoU"), ` is the colored part of the bar: ${iou.toFixed(3)} of all pixels in its `, nd.makeTerm("mask"), ` or labeled ${name}.`),
      makeParts("venn", parts, `Mask only ${share(A - I)}, both ${share(I)}, label only ${share(G - I)} of the pixels in either`),
      make("p.venn-key", {}, parts.map(([kind, pixels, words]) => make("span", {}, make(`i.${kind}`, { "aria-hidden": "true" }), `${words} `, make("b", {}, share(pixels))))),
      whole);
    return { element };
  };

  // Makes the bar of a unit's whole mask, with that in images without labels of the category; null where that is not known.
  function makeWhole(layer, unit, { I, A, name, category, slot }) {
    const all = layer.counts.mask ? layer.counts.mask[unit] : 0;
    if (all <= A) return null;
    const parts = [[`area-both.k-${slot}`, I, `on ${name}`], ["area-mask", A - I, `elsewhere in images with ${category} labels`], ["area-elsewhere", all - A, `in images without ${category} labels`]];
    return make("div.whole-mask", {}, make("p.note", {}, "Its whole mask, in all images"),
      makeParts("venn.thin", parts, parts.map(([, pixels, words]) => `${nd.formatPercent(pixels / all)} ${words}`).join(", ")),
      make("p.venn-key", {}, parts.map(([kind, pixels, words]) => make("span", {}, make(`i.${kind}`, { "aria-hidden": "true" }), `${words} `, make("b", {}, nd.formatPercent(pixels / all))))));
  }
})();
