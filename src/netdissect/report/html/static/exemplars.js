"use strict";
// Exemplars of a unit by group: which of them show its label, which a card has, and how their activations are said.
// A slot is an exemplar's place among all of its unit, over all groups, as nd.paintMask and layer.pixels have it.
(() => {
  const nd = window.netdissect;
  const STRONGEST = 3; // on a card, if the run has groups
  const IMAGES = 5; // on a card
  const LEAST = 2; // images that do not show the label, of those with labels of its category, for a card to say so
  nd.groups = ["strongest", "typical", "on_concept", "missed"]; // that the page of a unit shows
  nd.SHOWN_SHARE = 0.1; // of a mask on the label, above which an image shows it

  // Returns the slots of a unit's exemplars of a group that exist.
  nd.listSlots = (layer, unit, name = "strongest") => {
    const { first, count } = layer.group[name] || { first: 0, count: 0 };
    return Array.from({ length: count }, (_, i) => first + i).filter((slot) => layer.images[unit * layer.slots + slot] >= 0);
  };

  nd.getPlace = (layer, unit, slot) => layer.images[unit * layer.slots + slot];

  // Returns the share of a unit's mask in an exemplar that has its label; null where nothing of its category is labeled
  // or the run does not say, 0 for an empty mask.
  nd.getShare = (layer, unit, slot) => {
    if (!layer.labeled) return null;
    const at = unit * layer.slots + slot;
    if (layer.labeled[at] < 0) return null;
    return layer.pixels[at] > 0 ? Math.min(1, layer.labeled[at] / layer.pixels[at]) : 0;
  };

  // Returns how many of some exemplars show the unit's label, of those with labels of its category.
  nd.countShown = (layer, unit, slots) => {
    const shares = slots.map((slot) => nd.getShare(layer, unit, slot)).filter((share) => share !== null);
    return { on: shares.filter((share) => share > nd.SHOWN_SHARE).length, known: shares.length };
  };

  // Returns the slots of a card: three of the strongest and two typical images, or five of the strongest without groups.
  nd.listCardSlots = (layer, unit) => {
    const strongest = nd.listSlots(layer, unit);
    if (!layer.group.typical) return { slots: strongest.slice(0, IMAGES), typical: 0 };
    const first = strongest.slice(0, STRONGEST);
    const places = new Set(first.map((slot) => nd.getPlace(layer, unit, slot)));
    const typical = nd.listSlots(layer, unit, "typical").filter((slot) => !places.has(nd.getPlace(layer, unit, slot))).slice(0, IMAGES - first.length);
    return { slots: [...first, ...typical], typical: typical.length };
  };

  // Returns "0 of 5 on knitted" if a card's images and the unit's label disagree: at most one of them shows it; "0 of 5 with texture
  // labels" where none could; else "".
  nd.describeDisagreement = (layer, unit) => {
    if (!layer.labeled || layer.label[unit] < 0) return "";
    const { slots } = nd.listCardSlots(layer, unit);
    const { on, known } = nd.countShown(layer, unit, slots);
    if (!known && slots.length >= LEAST) return `0 of ${slots.length} with ${nd.run.categories[layer.best[unit]]} labels`;
    return on <= 1 && known - on >= LEAST ? `${on} of ${known} on ${nd.run.concepts[layer.label[unit]]}` : "";
  };

  // Returns an activation as a multiple of the unit's threshold, "3.8 × T"; as a number if the threshold is not above 0.
  nd.formatActivation = (layer, unit, value) => {
    if (Number.isNaN(value)) return "far below T";
    const T = layer.T[unit];
    if (!(T > 0)) return nd.formatNumber(value);
    const times = value / T;
    return `${(Object.is(times, -0) ? 0 : times).toFixed(times >= 9.95 ? 0 : times >= 1.095 ? 1 : 2).replace("-", "−")} × T`;
  };
})();
