"use strict";
// A picture on the pages of a unit or a concept: the mask painted over it, dashed where a concept is labeled, and the
// names of what is labeled under the pointer.
(() => {
  const nd = window.netdissect;
  const { make, say } = nd;

  // A figure for the picture at `place`; `caption` elements stand below. Call `draw` once it is in the page.
  nd.makeTile = (place, { name, caption = [], pointed }) => {
    const picture = make("img", { src: nd.run.source(place), alt: name || "", decoding: "async", draggable: false });
    const mask = make("canvas", { "aria-hidden": "true" });
    const lines = make("canvas", { "aria-hidden": "true" });
    const frame = make("div.frame", {}, picture, mask, lines);
    const tile = { place, frame, mask, lines, labels: null, element: make("figure.tile", {}, frame, caption.length ? make("figcaption", {}, caption) : null) };
    frame.style.aspectRatio = `${nd.run.input[1]} / ${nd.run.input[0]}`;
    tile.ready = nd.openLabels(place).then((labels) => { tile.labels = labels; }, () => null);
    if (pointed) {
      frame.addEventListener("pointermove", (event) => tile.labels && pointed(namesUnder(tile, event)));
      frame.addEventListener("pointerleave", () => pointed(null));
    }
    return tile;
  };

  function namesUnder(tile, event) {
    const box = tile.frame.getBoundingClientRect();
    return nd.namesAt(tile.labels, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  }

  // Paints a unit's mask over a tile.
  nd.paintTile = (tile, layer, unit, grids, exemplar, style) => {
    const [width, height] = [tile.frame.clientWidth, tile.frame.clientHeight];
    if (!width) return;
    const context = nd.canvas(tile.mask, width, height);
    if (style !== "picture") nd.paintMask(context, layer, grids, nd.values(layer, unit), exemplar, 0, tile.mask.width, tile.mask.height, style);
  };

  // Fades a tile outside of where a concept is labeled.
  nd.paintLabelled = (tile, concept) => {
    const [width, height] = [tile.frame.clientWidth, tile.frame.clientHeight];
    const mask = nd.labelMask(tile.labels, concept);
    if (!width || !mask) return;
    const context = nd.canvas(tile.mask, width, height);
    const loops = nd.contours(mask, tile.labels.width, tile.labels.height);
    const [x, y] = [width / tile.labels.width, height / tile.labels.height];
    const border = new Path2D();
    for (const loop of loops) {
      loop.forEach((point, i) => (i ? border.lineTo(point[0] * x, point[1] * y) : border.moveTo(point[0] * x, point[1] * y)));
      border.closePath();
    }
    const outside = new Path2D(border);
    outside.rect(0, 0, width, height);
    context.fillStyle = nd.color("paper");
    context.globalAlpha = 0.74;
    context.fill(outside, "evenodd");
    context.globalAlpha = 1;
    if (tile.labels.whole.includes(concept + 1)) return;
    context.strokeStyle = nd.color("contour");
    context.lineWidth = 1.2;
    context.stroke(border);
  };

  // Outlines where a concept is labeled, or clears the outline.
  nd.outlineTile = (tile, concept, on) => {
    const [width, height] = [tile.frame.clientWidth, tile.frame.clientHeight];
    if (!width) return;
    const context = nd.canvas(tile.lines, width, height);
    const mask = on && tile.labels && !tile.labels.whole.includes(concept + 1) ? nd.labelMask(tile.labels, concept) : null;
    if (!mask) return;
    const loops = nd.contours(mask, tile.labels.width, tile.labels.height);
    nd.strokeContours(context, loops, width / tile.labels.width, height / tile.labels.height, nd.color("labeled"));
  };

  // What a caption says of a mask and a concept: the share on it, or why there is none.
  nd.sayShare = (element, tile, layer, unit, grids, exemplar, concept) => {
    if (!tile.labels || concept < 0) return say(element, "");
    const name = nd.run.concepts[concept];
    if (!tile.labels.concepts.has(concept + 1)) {
      const category = nd.run.categories[nd.run.category[concept]];
      const labeled = tile.labels.kinds.has(nd.run.category[concept]);
      element.title = labeled ? `no ${name} is labeled in this picture` : `no ${category} is labeled in this picture`;
      return say(element, labeled ? `no ${name}` : "unlabelled");
    }
    const share = nd.shareOn(layer, grids, nd.values(layer, unit), exemplar, tile.labels, concept);
    element.title = share === null ? "the unit stays at or below its threshold here" : `${nd.percent(share)} of the mask lies on ${name}`;
    return say(element, share === null ? "no mask" : `${nd.percent(share)} on ${name}`);
  };
})();
