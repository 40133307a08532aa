"use strict";
// The histogram of a unit's activations with its threshold, a mark per known image at its maximum, and its statistics.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const HEIGHT = 92;
  const TOP = 16;
  const MARKS = 26; // height of the row of images

  // Returns the maximum of every image that the page has of a unit, and whether it shows the label (null where nothing of its
  // category is labeled); none for a run without groups of exemplars.
  function listMarks(layer, unit) {
    const marks = new Map();
    if (layer.labeled) {
      for (const { name } of layer.groups) {
        for (const slot of nd.listSlots(layer, unit, name)) {
          const maximum = layer.maxima[unit * layer.slots + slot];
          const share = nd.getShare(layer, unit, slot);
          if (!Number.isNaN(maximum)) marks.set(nd.getPlace(layer, unit, slot), { maximum, on: share === null ? null : share > nd.SHOWN_SHARE });
        }
      }
    }
    return [...marks.values()];
  }

  nd.makeActivity = (layer, unit) => {
    const { counts } = layer;
    const bins = counts.histogram.length / layer.units;
    const histogram = counts.histogram.subarray(unit * bins, (unit + 1) * bins);
    const T = layer.T[unit];
    const sampled = histogram.reduce((sum, cells) => sum + cells, 0);
    const whole = sampled >= layer.cells;
    // The sample may lack the strongest cells, but the axis includes them.
    const [low, high] = [Math.min(counts.low[unit], T), Math.max(counts.high[unit], counts.maximum[unit], T)];
    const marks = listMarks(layer, unit);
    const name = layer.label[unit] < 0 ? "" : nd.run.concepts[layer.label[unit]];
    const on = marks.filter((mark) => mark.on).length;
    const canvas = make("canvas", { role: "img", "aria-label": `Histogram of the activations of unit ${unit + 1}; its threshold is ${nd.formatNumber(T)}${marks.length && name ? `; ${on} of ${marks.length} known images are on ${name}` : ""}` });
    const tall = HEIGHT + (marks.length ? MARKS : 0);
    const facts = [
      ["Threshold T", nd.formatNumber(T)], ["Maximum", T > 0 ? `${nd.formatNumber(counts.maximum[unit])}, ${nd.formatActivation(layer, unit, counts.maximum[unit])}` : nd.formatNumber(counts.maximum[unit])], ["Mean", nd.formatNumber(counts.mean[unit])],
      ["Minimum", nd.formatNumber(counts.minimum[unit])], ["Cells", nd.formatCount(layer.cells)], ["Grid", `${layer.grid[1]} × ${layer.grid[0]}`],
    ];
    const element = make("section", {}, make("h2", {}, "Activation"),
      make("p.note", {}, whole ? `All ${nd.formatCount(layer.cells)} cells, log counts.` : `A random sample of ${nd.formatCount(sampled)} of ${nd.formatCount(layer.cells)} cells, log counts; T and the maximum are of all cells.`,
        ` At most ${Number((100 * nd.run.quantile).toPrecision(3))} % are above T.`,
        marks.length && name ? ` Below, the images of this page at their maximum: filled on ${name}, hollow not, gray without ${nd.run.categories[layer.best[unit]]} labels.` : ""),
      make("div.spectrum", {}, canvas),
      make("div.ends", {}, make("span", {}, nd.formatNumber(low)), make("span", {}, nd.formatNumber(high))),
      make("dl.facts", {}, facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)))));

    function draw() {
      const width = canvas.parentElement.clientWidth;
      if (!width) return;
      const context = nd.prepareCanvas(canvas, width, tall);
      const x = (value) => (high > low ? ((value - low) / (high - low)) * width : 0);
      const most = Math.log1p(Math.max(1, ...histogram));
      const slot = nd.isDetector(layer, unit, nd.state.cut) ? nd.run.slots[layer.best[unit]] : "other";
      const start = x(counts.low[unit]);
      const step = Math.max(1, (x(counts.high[unit]) - start) / bins);
      const at = Math.min(width, Math.max(0, x(T)));
      histogram.forEach((cells, bin) => {
        if (!cells) return;
        const up = Math.max(1, (Math.log1p(cells) / most) * (HEIGHT - TOP));
        const room = step > 3 ? 0.5 : 0;
        const [from, to] = [start + bin * step + room, start + (bin + 1) * step - room];
        const split = Math.min(to, Math.max(from, at));
        context.fillStyle = nd.getColor("idle");
        context.fillRect(from, HEIGHT - up, split - from, up);
        context.fillStyle = nd.getColor(`fill-${slot}`);
        context.fillRect(split, HEIGHT - up, to - split, up);
      });
      context.fillStyle = nd.getColor("ink");
      context.fillRect(Math.min(width - 1.5, at), 0, 1.5, HEIGHT);
      context.font = `12px ${nd.getColor("sans")}`;
      const right = at > width - 90;
      context.textAlign = right ? "right" : "left";
      context.fillText(`T = ${nd.formatNumber(T)}`, at + (right ? -6 : 6), 10);
      drawMarks(context, x, width);
    }

    function drawMarks(context, x, width) {
      const fill = nd.getColor(layer.best[unit] < 0 ? "fill-other" : `fill-${nd.run.slots[layer.best[unit]]}`);
      for (const mark of marks) {
        const across = Math.min(width - 5, Math.max(5, x(mark.maximum)));
        context.beginPath();
        context.arc(across, HEIGHT + MARKS / 2 + 2, 4, 0, 7);
        context.lineWidth = 1.5;
        context.strokeStyle = mark.on === null ? nd.getColor("control") : fill;
        context.fillStyle = mark.on ? fill : nd.getColor(mark.on === null ? "hatch" : "paper");
        context.fill();
        context.stroke();
      }
    }
    return { element, draw };
  };
})();
