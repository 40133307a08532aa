"use strict";
// What the dots of the atlas are colored by, with the legend of each.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const BEST = 0.3; // score from which a dot has its full color

  // Returns a color between two colors of the style sheet, given as #rrggbb.
  function mix(from, to, share) {
    const [a, b] = [from, to].map((name) => parseInt(nd.getColor(name).slice(1), 16));
    const channel = (shift) => Math.round(((a >> shift) & 255) * (1 - share) + ((b >> shift) & 255) * share);
    return `rgb(${channel(16)} ${channel(8)} ${channel(0)})`;
  }

  // Layers are a sequence: one hue, from light to dark, and never the color of a category.
  const colorLayer = (index) => mix("layer-first", "layer-last", nd.run.layers.length > 1 ? index / (nd.run.layers.length - 1) : 1);
  const colorScore = (score) => mix("layer-first", "layer-last", Math.min(1, score / BEST));

  const swatch = (color, hollow) => {
    const element = make("span.swatch");
    element.style.background = hollow ? "none" : color;
    if (hollow) element.style.border = `2px solid ${color}`;
    return element;
  };
  const key = (mark, words) => make("li", {}, mark, words);
  const below = () => key(make("span.swatch.none"), "below the threshold");
  const hollow = () => (nd.run.anyChance ? key(make("span.swatch.hollow.k-other"), "no better than chance") : null);

  nd.atlasColors = new Map([
    ["category", {
      title: "Category",
      color: (layer, unit) => nd.getColor(`fill-${nd.run.slots[layer.best[unit]]}`),
      legend: () => [...nd.run.categories.map((name, kind) => key(make(`span.swatch.k-${nd.run.slots[kind]}`), name)), hollow(), below()],
    }],
    ["layer", {
      title: "Layer",
      needs: () => nd.run.layers.length > 1,
      color: (layer) => colorLayer(layer.index),
      legend: () => [...nd.run.layers.map((layer) => key(swatch(colorLayer(layer.index)), layer.name)), hollow(), below()],
    }],
    ["score", {
      get title() { return nd.run.scoreTitle; },
      color: (layer, unit) => colorScore(layer.labelScore[unit]),
      legend: () => [...[nd.state.cut, 0.1, 0.2, 0.3].filter((score, at) => !at || score > nd.state.cut).map((score) => key(swatch(colorScore(score)), `${nd.formatScore(score)}${score >= BEST ? " and more" : ""}`)), hollow(), below()],
    }],
    ["sure", {
      title: "How sure",
      needs: () => nd.run.anyChance,
      color: (layer, unit) => nd.getColor(nd.isBeyond(layer, unit) === false ? "control" : "labeled"),
      legend: () => [key(swatch(nd.getColor("labeled")), "beyond chance, q < .05"), key(swatch(nd.getColor("control"), true), "no better than chance"), below()],
    }],
  ]);
})();
