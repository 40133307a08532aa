"use strict";
// The atlas on the first page: all units as dots, larger for a higher score, with names, as one link to the page of the atlas.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const [LOWEST, HIGHEST] = [260, 460]; // pixels of its height
  const RADII = [2, 6]; // of a dot, from the threshold to a score of BEST
  const BEST = 0.3;
  const MARGIN = 24;

  nd.makeAtlasTeaser = () => {
    const canvas = make("canvas", { "aria-hidden": "true" });
    const view = { atlas: null, element: make("a.atlas-teaser", { href: nd.makeAddress({ view: "atlas" }), "aria-label": "Atlas: all units on one map" }, canvas), canvas };
    view.draw = () => draw(view);
    view.fill = () => nd.loadAtlas().then((atlas) => { view.atlas = atlas; draw(view); });
    return view;
  };

  // Returns the dots of all units, in pixels of a map of the given size.
  function placeDots({ size, layerOf, unitOf, x, y }, width, height) {
    const cut = nd.state.cut;
    const ends = (values) => values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
    const place = (values, room) => {
      const [low, high] = ends(values);
      return (number) => MARGIN + ((values[number] - low) / (high - low || 1)) * (room - 2 * MARGIN);
    };
    const [across, down] = [place(x, width), place(y, height)];
    return Array.from({ length: size }, (_, number) => {
      const layer = nd.run.layers[layerOf[number]];
      const unit = unitOf[number];
      const score = layer.labelScore[unit];
      const detector = nd.isDetector(layer, unit, cut);
      const share = Math.min(1, Math.max(0, (score - cut) / (BEST - cut || 1)));
      return { layer, unit, score, detector, concept: layer.label[unit], x: across(number), y: down(number), radius: detector ? RADII[0] + share * (RADII[1] - RADII[0]) : 1.5 };
    });
  }

  function draw({ atlas, canvas, element }) {
    const width = element.clientWidth;
    if (!atlas || !width) return;
    const height = Math.round(Math.min(HIGHEST, Math.max(LOWEST, width * 0.42)));
    const context = nd.prepareCanvas(canvas, width, height);
    const dots = placeDots(atlas, width, height);
    for (const { layer, unit, detector, x, y, radius } of dots) {
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      const color = detector ? nd.getColor(`fill-${nd.run.slots[layer.best[unit]]}`) : nd.getColor("idle");
      if (detector && nd.isBeyond(layer, unit) === false) {
        context.strokeStyle = color;
        context.stroke();
      } else {
        context.fillStyle = color;
        context.fill();
      }
    }
    nd.drawNames(context, nd.groupNames(dots), width, height);
  }
})();
