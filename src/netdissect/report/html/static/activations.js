"use strict";
// The histogram of a unit's activations with its threshold, and its statistics.
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
    const sampled = histogram.reduce((sum, cells) => sum + cells, 0);
    const whole = sampled >= layer.cells;
    // The sample may lack the strongest cells, but the axis includes them.
    const [low, high] = [Math.min(counts.low[unit], T), Math.max(counts.high[unit], counts.maximum[unit], T)];
    const canvas = make("canvas", { role: "img", "aria-label": `Histogram of the activations of unit ${unit + 1}; its threshold is ${nd.formatNumber(T)}` });
    const facts = [
      ["Threshold T", nd.formatNumber(T)], ["Maximum", nd.formatNumber(counts.maximum[unit])], ["Mean", nd.formatNumber(counts.mean[unit])],
      ["Minimum", nd.formatNumber(counts.minimum[unit])], ["Cells", nd.formatCount(layer.cells)], ["Grid", `${layer.grid[1]} × ${layer.grid[0]}`],
    ];
    const element = make("section", {}, make("h2", {}, "Activation"),
      make("p.note", {}, whole ? `All ${nd.formatCount(layer.cells)} cells, log counts.` : `A random sample of ${nd.formatCount(sampled)} of ${nd.formatCount(layer.cells)} cells, log counts; T and the maximum are of all cells.`,
        ` At most ${Number((100 * nd.run.quantile).toPrecision(3))} % are above T.`),
      make("div.spectrum", {}, canvas),
      make("div.ends", {}, make("span", {}, nd.formatNumber(low)), make("span", {}, nd.formatNumber(high))),
      make("dl.facts", {}, facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)))));

    function draw() {
      const width = canvas.parentElement.clientWidth;
      if (!width) return;
      const context = nd.prepareCanvas(canvas, width, HEIGHT);
      const x = (value) => (high > low ? ((value - low) / (high - low)) * width : 0);
      const most = Math.log1p(Math.max(1, ...histogram));
      const slot = nd.isDetector(layer, unit, nd.state.cut) ? nd.run.slots[layer.best[unit]] : "other";
      const start = x(counts.low[unit]);
      const step = Math.max(1, (x(counts.high[unit]) - start) / bins);
      const at = Math.min(width, Math.max(0, x(T)));
      histogram.forEach((cells, bin) => {
        if (!cells) return;
        const tall = Math.max(1, (Math.log1p(cells) / most) * (HEIGHT - TOP));
        const room = step > 3 ? 0.5 : 0;
        const [from, to] = [start + bin * step + room, start + (bin + 1) * step - room];
        const split = Math.min(to, Math.max(from, at));
        context.fillStyle = nd.getColor("idle");
        context.fillRect(from, HEIGHT - tall, split - from, tall);
        context.fillStyle = nd.getColor(`fill-${slot}`);
        context.fillRect(split, HEIGHT - tall, to - split, tall);
      });
      context.fillStyle = nd.getColor("ink");
      context.fillRect(Math.min(width - 1.5, at), 0, 1.5, HEIGHT);
      context.font = `12px ${nd.getColor("sans")}`;
      const right = at > width - 90;
      context.textAlign = right ? "right" : "left";
      context.fillText(`T = ${nd.formatNumber(T)}`, at + (right ? -6 : 6), 10);
    }
    return { element, draw };
  };
})();
