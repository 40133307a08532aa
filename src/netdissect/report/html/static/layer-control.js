"use strict";
// What a layer's control reaches, beside the layer's own counts: under the numbers, and in the histogram of best scores.
(() => {
  const nd = window.netdissect;
  const { setText } = nd;
  const byId = (id) => document.getElementById(id);

  // Shows what the layer's first control has under the two numbers, and the intervals of these.
  nd.drawLayerControl = (layer) => {
    const { cut } = nd.state;
    for (const kind of ["detectors", "label"]) {
      const found = nd.findSpread(layer, kind, cut);
      setText(byId(`interval-${kind}`), found ? `${nd.formatCount(found[1])}–${nd.formatCount(found[2])} in 95 % of resamples` : "");
    }
    const control = layer.controls[0];
    const counted = control && nd.countControl(control, cut);
    const at = control && !counted && control.threshold !== cut ? `, at ${nd.formatThreshold(control.threshold)}` : "";
    const name = control ? nd.nameControl(control) : "";
    setText(byId("control-detectors"), control ? `${name}: ${nd.formatCount(counted ? counted.named : control.units)}${at}` : "");
    setText(byId("control-label"), control ? `${name}: ${nd.formatCount(counted ? counted.units.size : control.unique)}${at}` : "");
    byId("ghost-key").hidden = !counted;
    setText(byId("ghost-name"), name);
  };

  // Draws the histogram of a control's best scores, under the bars of the layer: `tall` is the height of `most` units.
  nd.drawGhost = (context, layer, { width, bottom, tall, most, bins }) => {
    const scores = findScores(layer);
    if (!scores) return;
    const heights = countScores(scores, bins).map((units) => Math.min(1, (units * layer.units) / scores.length / most) * tall);
    const step = width / bins;
    context.fillStyle = nd.getColor("hatch");
    context.strokeStyle = nd.getColor("control");
    context.lineWidth = 1.2;
    context.beginPath();
    context.moveTo(0, bottom);
    heights.forEach((height, bin) => {
      context.lineTo(bin * step, bottom - height);
      context.lineTo((bin + 1) * step, bottom - height);
    });
    context.lineTo(width, bottom);
    context.fill();
  };

  // Draws the outline of the same over the bars, and a tick for every unit of the control below them.
  nd.drawGhostOutline = (context, layer, { width, bottom, tall, most, bins, rug }) => {
    const scores = findScores(layer);
    if (!scores) return;
    const heights = countScores(scores, bins).map((units) => Math.min(1, (units * layer.units) / scores.length / most) * tall);
    const step = width / bins;
    context.strokeStyle = nd.getColor("control");
    context.lineWidth = 1.2;
    context.beginPath();
    heights.forEach((height, bin) => {
      context[bin ? "lineTo" : "moveTo"](bin * step, bottom - height);
      context.lineTo((bin + 1) * step, bottom - height);
    });
    context.stroke();
    context.fillStyle = nd.getColor("control");
    for (const score of scores) if (score > 0) context.fillRect(Math.min(1, score / nd.run.axis) * (width - 1), bottom + 2, 1, rug);
  };

  // The largest bin of the control, in units of the layer.
  nd.measureGhost = (layer, bins) => {
    const scores = findScores(layer);
    return scores ? (Math.max(...countScores(scores, bins)) * layer.units) / scores.length : 0;
  };

  function findScores(layer) {
    const control = layer.controls.find((each) => each.scores);
    return control ? control.scores : null;
  }

  function countScores(scores, bins) {
    const counts = new Array(bins).fill(0);
    for (const score of scores) counts[Math.min(bins - 1, Math.floor((score / nd.run.axis) * bins + 1e-9))]++;
    return counts;
  }
})();
