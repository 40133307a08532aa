"use strict";
// Paints over an image: the concepts in color with their names, the mask of some units, and the point.
(() => {
  const nd = window.netdissect;
  const SMALLEST_NAMED = 0.012;

  // Paints the concept with most units at every pixel, and the names of the larger areas.
  nd.paintConcepts = (canvas, shown, width, height) => {
    const context = nd.prepareCanvas(canvas, width, height);
    const [down, across] = nd.run.input;
    const small = document.createElement("canvas");
    [small.width, small.height] = [across, down];
    const image = new ImageData(across, down);
    const pixels = new Uint32Array(image.data.buffer);
    const colors = shown.layer.concepts.map(({ color }) => packColor(color, 150));
    for (let i = 0; i < pixels.length; i++) pixels[i] = shown.segments[i] ? colors[shown.segments[i] - 1] : 0;
    small.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, width, height);
    writeNames(context, shown, width, height);
  };

  function packColor(hex, alpha) {
    const number = parseInt(hex.slice(1), 16);
    return ((alpha << 24) | ((number & 255) << 16) | (number & 0xff00) | (number >> 16)) >>> 0;
  }

  function writeNames(context, shown, width, height) {
    const boxes = [];
    context.font = "600 13px 'Source Sans 3', system-ui, sans-serif";
    Object.assign(context, { textAlign: "center", textBaseline: "middle", lineJoin: "round", lineWidth: 3.5, strokeStyle: "#000000b0", fillStyle: "#ffffff" });
    for (const { concept, x, y } of placeNames(shown.segments)) {
      const { name } = shown.layer.concepts[concept];
      const half = context.measureText(name).width / 2;
      const at = [Math.min(width - half - 4, Math.max(half + 4, x * width)), Math.min(height - 10, Math.max(10, y * height))];
      const box = [at[0] - half - 3, at[1] - 9, at[0] + half + 3, at[1] + 9];
      if (boxes.some((other) => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3])) continue;
      boxes.push(box);
      context.strokeText(name, ...at);
      context.fillText(name, ...at);
    }
  }

  // Returns a place for the name of every concept that is large enough, the largest first: the pixel nearest to its center.
  function placeNames(segments) {
    const [height, width] = nd.run.input;
    const sums = new Map();
    for (let i = 0; i < segments.length; i++) {
      if (!segments[i]) continue;
      const sum = sums.get(segments[i]) || { size: 0, x: 0, y: 0, best: Infinity };
      sum.size += 1;
      sum.x += i % width;
      sum.y += Math.floor(i / width);
      sums.set(segments[i], sum);
    }
    for (let i = 0; i < segments.length; i++) {
      if (!segments[i]) continue;
      const sum = sums.get(segments[i]);
      const far = (i % width - sum.x / sum.size) ** 2 + (Math.floor(i / width) - sum.y / sum.size) ** 2;
      if (far < sum.best) Object.assign(sum, { best: far, at: i });
    }
    return [...sums].filter(([, { size }]) => size >= SMALLEST_NAMED * segments.length).sort(([, one], [, other]) => other.size - one.size)
      .map(([number, { at }]) => ({ concept: number - 1, x: (at % width + 0.5) / width, y: (Math.floor(at / width) + 0.5) / height }));
  }

  // Paints the mask of some units, in one of the styles of nd.paintValues.
  nd.paintUnits = (canvas, shown, units, width, height, style, image) => {
    const context = nd.prepareCanvas(canvas, width, height);
    const values = nd.joinUnits(shown, units, canvas.height, canvas.width);
    const lowest = Math.min(-1e-6, ...units.map((unit) => shown.values[unit][0]));
    nd.paintValues(context, values, lowest, canvas.width, canvas.height, style, image);
  };

  // Draws the point as a ring with a dot.
  nd.paintPoint = (canvas, point, width, height, held) => {
    const context = nd.prepareCanvas(canvas, width, height);
    if (!point) return;
    const [x, y] = [point[0] * width, point[1] * height];
    for (const [color, thick] of [["#000000", 4], ["#ffffff", 2]]) {
      Object.assign(context, { strokeStyle: color, lineWidth: thick });
      context.beginPath();
      context.arc(x, y, held ? 8 : 5, 0, 2 * Math.PI);
      context.stroke();
    }
  };
})();
