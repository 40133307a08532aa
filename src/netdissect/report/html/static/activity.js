"use strict";
// How a unit's activations are distributed, with the threshold, and its numbers.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const HEIGHT = 92;
  const TOP = 16;

  nd.makeActivity = (layer, unit) => {
    const { counts } = layer;
    const bins = counts.histogram.length / layer.units;
    const histogram = counts.histogram.subarray(unit * bins, (unit + 1) * bins);
    const T = layer.T[unit];
    const canvas = make("canvas", { role: "img", "aria-label": `Histogram of the activations of unit ${unit + 1}; its threshold is ${nd.number(T)}` });
    const facts = [
      ["Threshold T", nd.number(T)], ["Maximum", nd.number(counts.maximum[unit])], ["Mean", nd.number(counts.mean[unit])],
      ["Minimum", nd.number(counts.minimum[unit])], ["Cells", nd.count(layer.cells)], ["Grid", `${layer.grid[1]} × ${layer.grid[0]}`],
    ];
    const element = make("section", {}, make("h2", {}, "Activation"),
      make("p.note", {}, `All ${nd.count(layer.cells)} cells, log counts. At most ${Number((100 * nd.run.quantile).toPrecision(3))} % lie right of T.`),
      make("div.spectrum", {}, canvas),
      make("div.ends", {}, make("span", {}, nd.number(counts.low[unit])), make("span", {}, nd.number(counts.high[unit]))),
      make("dl.facts", {}, facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)))));

    function draw() {
      const width = canvas.parentElement.clientWidth;
      if (!width) return;
      const context = nd.canvas(canvas, width, HEIGHT);
      const [low, high] = [counts.low[unit], counts.high[unit]];
      const x = (value) => (high > low ? ((value - low) / (high - low)) * width : 0);
      const most = Math.log1p(Math.max(1, ...histogram));
      const slot = layer.best[unit] < 0 ? "other" : nd.run.slots[layer.best[unit]];
      const step = width / bins;
      const at = Math.min(width, Math.max(0, x(T)));
      histogram.forEach((cells, bin) => {
        if (!cells) return;
        const tall = Math.max(1, (Math.log1p(cells) / most) * (HEIGHT - TOP));
        const [from, to] = [bin * step + 0.5, (bin + 1) * step - 0.5];
        const split = Math.min(to, Math.max(from, at));
        context.fillStyle = nd.color("idle");
        context.fillRect(from, HEIGHT - tall, split - from, tall);
        context.fillStyle = nd.color(`fill-${slot}`);
        context.fillRect(split, HEIGHT - tall, to - split, tall);
      });
      context.fillStyle = nd.color("ink");
      context.fillRect(Math.min(width - 1.5, at), 0, 1.5, HEIGHT);
      context.font = `12px ${nd.color("sans")}`;
      const right = at > width - 90;
      context.textAlign = right ? "right" : "left";
      context.fillText(`T = ${nd.number(T)}`, at + (right ? -6 : 6), 10);
    }
    return { element, draw };
  };
})();
