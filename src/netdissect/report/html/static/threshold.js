"use strict";
// The three counts, and the detection threshold. The histogram of best scores is the slider: gray to the left of its handle, and
// in the categories' colors to the right of it.
(() => {
  const nd = window.netdissect;
  const { setText } = nd;
  const BIN = 0.005; // of score
  const HEIGHT = 104;
  const TOP = 14; // room for the handle
  const RUG = 5; // height of the control's ticks below the bars
  const byId = (id) => document.getElementById(id);
  let sliders = [];

  nd.buildThreshold = () => {
    // One axis for all layers. It ends at a multiple of 0.05 that at most one unit in two hundred exceeds.
    const scores = nd.run.layers.flatMap((layer) => [...layer.labelScore]).sort((a, b) => a - b);
    const high = scores[Math.floor(scores.length * 0.995)] || 0.1;
    nd.run.axis = Math.min(1, Math.max(0.1, Math.ceil(high / 0.05 - 1e-9) * 0.05));
    sliders = [byId("threshold-graph"), byId("threshold-bar")];
    for (const slider of sliders) {
      Object.assign(slider, { min: "0", max: nd.run.axis.toFixed(2), step: "0.001" });
      slider.addEventListener("input", () => nd.change({ cut: Number(slider.value) }));
      slider.addEventListener("pointerdown", fixGraphHeight);
      slider.addEventListener("pointerup", freeGraphHeight);
      slider.addEventListener("pointercancel", freeGraphHeight);
    }
    byId("threshold-reset").addEventListener("click", () => nd.change({ cut: nd.run.threshold }));
  };

  // Keeps the graph's height while a handle is dragged, so that nothing below it moves.
  function fixGraphHeight() {
    const graph = byId("graph");
    graph.style.minHeight = `${graph.offsetHeight}px`;
  }

  function freeGraphHeight() {
    byId("graph").style.minHeight = "";
  }

  nd.stepThreshold = (steps) => nd.change({ cut: Math.min(1, Math.max(0, Number((nd.state.cut + steps * 0.005).toFixed(5)))) });

  nd.drawThreshold = (layer, count) => {
    const { cut } = nd.state;
    setText(byId("n-detectors"), nd.formatCount(count.detectors));
    setText(byId("n-label"), nd.formatCount(count.byLabel));
    setText(byId("n-category"), nd.formatCount(count.byCategory));
    setText(byId("n-units"), nd.formatCount(layer.units));
    setText(byId("n-beyond"), nd.state.beyond ? " and is beyond chance" : "");
    nd.showSpread(layer, cut);
    nd.drawLayerControl(layer);
    const text = nd.formatThreshold(cut);
    setText(byId("threshold-text"), `${nd.run.scoreTitle} ≥ ${text}`);
    setText(byId("threshold-value"), text);
    const found = nd.formatDetectors(layer, count.detectors, cut);
    setText(byId("threshold-found"), found);
    for (const slider of sliders) {
      slider.value = String(cut);
      slider.setAttribute("aria-valuetext", `${nd.run.scoreTitle} ${text}, ${found}`);
    }
    byId("threshold-reset").hidden = cut === nd.run.threshold;
    setText(byId("threshold-reset"), `back to ${nd.formatThreshold(nd.run.threshold)}`);
    const other = [Math.max(0, cut - 0.005), cut + 0.005].map((at) => nd.formatCount(nd.countDetectors(layer, at)));
    const same = other.every((number) => number === nd.formatCount(count.detectors));
    setText(byId("threshold-note"), same ? "A threshold 0.005 lower or higher gives as many detectors" : `A threshold 0.005 lower or higher gives ${other[0]} or ${other[1]} detectors`);
    drawHistogram(layer, cut);
  };

  function drawHistogram(layer, cut) {
    const canvas = byId("histogram");
    const width = canvas.parentElement.clientWidth;
    if (!width) return;
    const context = nd.prepareCanvas(canvas, width, HEIGHT);
    const { axis, categories, slots } = nd.run;
    const kinds = categories.length;
    const BINS = Math.round(axis / BIN);
    const bins = new Int32Array(BINS * (kinds + 1)); // per bin: a count for each category, and one for units below the threshold
    for (let unit = 0; unit < layer.units; unit++) {
      const bin = Math.min(BINS - 1, Math.floor((layer.labelScore[unit] / axis) * BINS + 1e-9));
      bins[bin * (kinds + 1) + (nd.isDetector(layer, unit, cut) ? layer.best[unit] : kinds)]++;
    }
    let most = 1;
    for (let bin = 0; bin < BINS; bin++) {
      let sum = 0;
      for (let kind = 0; kind <= kinds; kind++) sum += bins[bin * (kinds + 1) + kind];
      most = Math.max(most, sum);
    }
    most = Math.max(most, Math.min(nd.measureGhost(layer, BINS), 2 * most)); // taller bins of the control are cut off
    const step = width / BINS;
    const bottomLine = HEIGHT - 1 - RUG - 3;
    const tall = bottomLine - TOP;
    const ghost = { width, bottom: bottomLine, tall, most, bins: BINS, rug: RUG };
    nd.drawGhost(context, layer, ghost);
    for (let bin = 0; bin < BINS; bin++) {
      let bottom = bottomLine;
      for (let at = 0; at <= kinds; at++) {
        const kind = (at + kinds) % (kinds + 1); // gray first
        const size = (bins[bin * (kinds + 1) + kind] / most) * tall;
        if (!size) continue;
        context.fillStyle = kind === kinds ? nd.getColor("idle") : nd.getColor(`fill-${slots[kind]}`);
        context.fillRect(bin * step + 0.5, bottom - size, step - 1, size);
        bottom -= size;
      }
    }
    context.fillStyle = nd.getColor("control");
    context.fillRect(0, bottomLine, width, 1);
    nd.drawGhostOutline(context, layer, ghost);
    const x = Math.min(1, cut / axis) * width;
    context.fillStyle = nd.getColor("ink");
    context.fillRect(Math.min(width - 2, Math.max(0, x - 1)), 6, 2, HEIGHT - 6);
    context.beginPath();
    context.arc(Math.min(width - 6, Math.max(6, x)), 6.5, 6, 0, 7);
    context.fill();
    drawTicks();
  }

  function drawTicks() {
    const home = byId("threshold-ticks");
    if (home.childElementCount) return;
    const { axis } = nd.run;
    const step = axis <= 0.25 ? 0.04 : axis <= 0.5 ? 0.1 : 0.2;
    for (let at = 0; at < axis - step / 3; at += step) {
      const tick = nd.make("span", {}, at.toFixed(2));
      tick.style.left = `${(100 * at) / axis}%`;
      home.append(tick);
    }
    home.append(nd.make("span.last", {}, `${axis.toFixed(2)}+`));
  }
})();
