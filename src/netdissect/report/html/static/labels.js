"use strict";
// Label maps of images: the mask and outline of a concept, the labels at a point, and the share of a unit's mask on a concept.
(() => {
  const nd = window.netdissect;

  // Resolves to the label map of the image at `place` of a run, or null if there is none.
  nd.loadLabels = (place, run = nd.run) => {
    run.labelMaps = run.labelMaps || new Map();
    if (!run.labelMaps.has(place)) run.labelMaps.set(place, run.getLabels(place).then((file) => file && decode(file, run)));
    return run.labelMaps.get(place);
  };

  function decode({ facts, arrays }, run) {
    const [height, width] = facts.size;
    const size = height * width;
    const planes = [];
    for (let from = 0; from < arrays.planes.length; from += size) {
      const places = arrays.planes.slice(from, from + size);
      if (!facts.plain) for (let i = width; i < size; i++) places[i] ^= places[i - width]; // files of earlier versions
      planes.push(Uint16Array.from(places, (at) => arrays.codes[at]));
    }
    const concepts = new Set([...arrays.codes, ...arrays.whole]);
    concepts.delete(0);
    const kinds = new Set([...concepts].map((code) => run.category[code - 1]));
    return { run, height, width, planes, whole: [...arrays.whole], concepts, kinds };
  }

  // Returns the pixels that are labeled with a concept, Uint8Array(height * width), or null if there are none.
  nd.makeLabelMask = (labels, concept) => {
    if (!labels || !labels.concepts.has(concept + 1)) return null;
    const mask = new Uint8Array(labels.height * labels.width);
    if (labels.whole.includes(concept + 1)) return mask.fill(1);
    for (const plane of labels.planes) for (let i = 0; i < mask.length; i++) if (plane[i] === concept + 1) mask[i] = 1;
    return mask;
  };

  // Returns the share of a unit's mask on an image that is labeled with a concept, or null if the mask is empty.
  nd.measureShare = (layer, grids, values, exemplar, labels, concept) => {
    const each = layer.grid[0] * layer.grid[1];
    const out = new Float32Array(labels.height * labels.width);
    nd.interpolate(grids.codes, grids.start + exemplar * each, values, nd.makeAxes(layer, labels.height, labels.width, true), layer.grid[1], out);
    const mask = nd.makeLabelMask(labels, concept);
    let [all, on] = [0, 0];
    for (let i = 0; i < out.length; i++) {
      if (out[i] <= 0) continue;
      all++;
      if (mask && mask[i]) on++;
    }
    return all ? on / all : null;
  };

  // Returns the concepts labeled at a point, by category; `right` and `down` are shares of the width and height.
  nd.findLabels = (labels, right, down) => {
    const x = Math.min(labels.width - 1, Math.floor(right * labels.width));
    const y = Math.min(labels.height - 1, Math.floor(down * labels.height));
    const codes = new Set([...labels.planes.map((plane) => plane[y * labels.width + x]), ...labels.whole]);
    codes.delete(0);
    return [...codes].map((code) => code - 1)
      .sort((a, b) => labels.run.category[a] - labels.run.category[b]);
  };

  // Returns the outline of a pixel mask as closed lines through the middles of its pixels' sides.
  nd.traceContours = (mask, width, height) => {
    const next = new Map(); // corner -> corners that edges of the outline lead to, with the inside on their right
    const edge = (from, to) => { if (next.has(from)) next.get(from).push(to); else next.set(from, [to]); };
    const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && mask[y * width + x];
    const corner = (x, y) => y * (width + 1) + x;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        if (!mask[y * width + x]) continue;
        if (!inside(x, y - 1)) edge(corner(x, y), corner(x + 1, y));
        if (!inside(x + 1, y)) edge(corner(x + 1, y), corner(x + 1, y + 1));
        if (!inside(x, y + 1)) edge(corner(x + 1, y + 1), corner(x, y + 1));
        if (!inside(x - 1, y)) edge(corner(x, y + 1), corner(x, y));
      }
    }
    const loops = [];
    for (const [start, ends] of next) {
      while (ends.length) {
        const loop = [start];
        for (let at = ends.pop(); at !== start; at = next.get(at).pop()) loop.push(at);
        loops.push(loop);
      }
    }
    const specks = loops.length > 40; // color labels are noisy: if there are many contours, leave out the smallest
    return loops.filter((loop) => !specks || loop.length > 10).map((loop) => loop.map((from, i) => {
      const to = loop[(i + 1) % loop.length];
      const [x0, y0, x1, y1] = [from % (width + 1), Math.floor(from / (width + 1)), to % (width + 1), Math.floor(to / (width + 1))];
      return [(x0 + x1) / 2, (y0 + y1) / 2];
    }));
  };

  // Draws contours as dashed lines that are visible on any image.
  nd.strokeContours = (context, loops, scaleX, scaleY, color) => {
    context.beginPath();
    for (const loop of loops) {
      loop.forEach(([x, y], i) => (i ? context.lineTo(x * scaleX, y * scaleY) : context.moveTo(x * scaleX, y * scaleY)));
      context.closePath();
    }
    const thin = scaleX < 2 ? 0.7 : 1; // finer on small images
    context.lineJoin = "round";
    context.strokeStyle = "rgba(255,255,255,.85)";
    context.lineWidth = 2.6 * thin;
    context.stroke();
    context.strokeStyle = color;
    context.lineWidth = 1.7 * thin;
    context.setLineDash([4, 3]);
    context.stroke();
    context.setLineDash([]);
  };
})();
