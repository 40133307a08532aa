"use strict";
// The map of units: its dots, names and images on a canvas. `nd.makeMap` draws; `atlas-pointer.js` moves it.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const RADII = [2.2, 8];

  // Makes a map of units.
  //   atlas    of nd.loadAtlas
  //   options  { color: name of nd.atlasColors, layers: Set of shown layers' indices, chosen: Set of numbers, pointed: number or -1 }
  nd.makeMap = (atlas, options) => {
    const canvas = make("canvas", { "aria-hidden": "true" });
    const field = make("div.map-field", {}, canvas);
    const view = nd.makeMapView(atlas.x, atlas.y);
    const map = { atlas, options, canvas, field, view, dots: [], placed: [], names: [], changed: null };
    let pending = false;

    map.redraw = () => {
      if (pending) return;
      pending = true;
      requestAnimationFrame(() => { pending = false; map.draw(); });
    };

    map.draw = () => {
      const [width, height] = [field.clientWidth, field.clientHeight];
      if (!width || !height) return;
      if (width !== view.width || height !== view.height) view.resize(width, height);
      const context = nd.prepareCanvas(canvas, width, height);
      map.dots = collectDots(map);
      const inside = map.dots.filter(({ x, y }) => x > -40 && y > -40 && x < width + 40 && y < height + 40);
      map.placed = nd.placeImages(inside.filter((dot) => dot.detector).sort((a, b) => b.score - a.score), view);
      const withImage = new Set(map.placed.map(({ dot }) => dot));
      drawLines(context, map);
      for (const dot of inside) if (!withImage.has(dot)) drawDot(context, dot, options.chosen.size > 0);
      context.globalAlpha = 1;
      for (const placed of map.placed) {
        context.globalAlpha = options.chosen.size && !placed.dot.chosen ? 0.35 : 1;
        nd.drawMapImage(context, placed, atlas.peak.subarray(2 * placed.dot.number, 2 * placed.dot.number + 2), map.redraw);
      }
      context.globalAlpha = 1;
      const captioned = map.placed.length && map.placed[0].captioned;
      const groups = nd.groupNames(captioned ? map.dots.filter((dot) => !withImage.has(dot)) : map.dots);
      map.names = nd.drawNames(context, groups, width, height, captioned ? map.placed.map(({ box }) => box) : []);
      drawPointed(context, map);
      if (map.changed) map.changed();
    };

    // Returns the dot at a point of the field, or null: the image there, else the nearest dot within `reach` pixels.
    map.find = (x, y, reach = 14) => {
      const image = map.placed.find(({ box }) => x >= box.left && x <= box.right && y >= box.top && y <= box.bottom);
      if (image) return image.dot;
      let [found, best] = [null, reach * reach];
      for (const dot of map.dots) {
        const distance = (dot.x - x) ** 2 + (dot.y - y) ** 2;
        if (distance < best) [found, best] = [dot, distance];
      }
      return found;
    };
    return map;
  };

  // Returns the units of the shown layers with their place, color and size on the screen, those below the threshold first.
  function collectDots({ atlas, options, view }) {
    const { cut } = nd.state;
    const spacing = Math.sqrt((view.width * view.height) / Math.max(1, atlas.size)) * Math.min(3, view.zoom ** 0.5);
    const largest = Math.min(RADII[1], Math.max(RADII[0] * 1.6, spacing * 0.3));
    const paint = nd.atlasColors.get(options.color);
    const dots = [];
    for (let number = 0; number < atlas.size; number++) {
      if (!options.layers.has(atlas.layerOf[number])) continue;
      const layer = nd.run.layers[atlas.layerOf[number]];
      const unit = atlas.unitOf[number];
      const detector = nd.isDetector(layer, unit, cut);
      const score = layer.labelScore[unit];
      dots.push({
        number, layer, unit, detector, score, concept: layer.label[unit], x: view.toX(atlas.x[number]), y: view.toY(atlas.y[number]),
        color: detector ? paint.color(layer, unit) : nd.getColor("idle"), hollow: detector && nd.isBeyond(layer, unit) === false, chosen: options.chosen.has(number),
        radius: detector ? largest * (0.5 + 0.5 * Math.min(1, Math.sqrt(score / 0.3))) : Math.max(RADII[0] * 0.8, largest * 0.35),
      });
    }
    return dots.sort((a, b) => a.detector - b.detector || b.radius - a.radius);
  }

  function drawDot(context, dot, choosing) {
    context.globalAlpha = choosing && !dot.chosen ? 0.22 : 1;
    context.beginPath();
    context.arc(dot.x, dot.y, dot.hollow ? dot.radius - 0.75 : dot.radius, 0, 7);
    context.fillStyle = dot.hollow ? nd.getColor("paper") : dot.color;
    context.fill();
    context.lineWidth = dot.hollow ? 1.6 : 0.8;
    context.strokeStyle = dot.hollow ? dot.color : nd.getColor("paper"); // keeps overlapping dots apart
    context.stroke();
  }

  // Draws lines from the pointed unit to the most alike ones, and along its matches in the layers before and after.
  function drawLines(context, { atlas, options, dots }) {
    if (options.pointed < 0) return;
    const at = new Map(dots.map((dot) => [dot.number, dot]));
    const line = (from, to, color, width) => {
      if (!at.has(from) || !at.has(to)) return;
      Object.assign(context, { strokeStyle: nd.getColor(color), lineWidth: width });
      context.beginPath();
      context.moveTo(at.get(from).x, at.get(from).y);
      context.lineTo(at.get(to).x, at.get(to).y);
      context.stroke();
    };
    for (const other of atlas.near.subarray(6 * options.pointed, 6 * options.pointed + 6)) line(options.pointed, other, "control", 1);
    for (const chain of [atlas.before, atlas.after]) for (let number = options.pointed; chain[number] >= 0; number = chain[number]) line(number, chain[number], "labeled", 2);
  }

  function drawPointed(context, { options, dots, placed }) {
    const dot = dots.find(({ number }) => number === options.pointed);
    if (!dot) return;
    Object.assign(context, { strokeStyle: nd.getColor("ink"), lineWidth: 2 });
    const image = placed.find((one) => one.dot === dot);
    context.beginPath();
    if (image) context.rect(image.box.left - 3, image.box.top - 3, image.side + 6, image.side + 6);
    else context.arc(dot.x, dot.y, dot.radius + 3.5, 0, 7);
    context.stroke();
  }
})();
