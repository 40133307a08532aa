"use strict";
// An image on the page of a unit or a concept, with a mask, the outline of a labeled concept, and an answer beside the pointer.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;

  // Makes a figure of the image at `place` of a run with `caption` below it.
  nd.makeTile = (place, { name, caption = [], run = nd.run }) => {
    const image = make("img", { src: run.getImageURL(place), alt: name || "", decoding: "async", draggable: false });
    const mask = make("canvas", { "aria-hidden": "true" });
    const lines = make("canvas", { "aria-hidden": "true" });
    const frame = make("div.frame", {}, image, mask, lines);
    const tile = { place, frame, mask, lines, labels: null, element: make("figure.tile", {}, frame, caption.length ? make("figcaption", {}, caption) : null) };
    frame.style.aspectRatio = `${run.input[1]} / ${run.input[0]}`;
    tile.ready = nd.loadLabels(place, run).then((labels) => { tile.labels = labels; }, () => null);
    nd.answerOver(tile);
    if (run === nd.run && nd.state.view !== "image") frame.append(make("a.open-image", { href: nd.makeAddress({ view: "image", image: place }), title: "All units that fire on this image", "aria-label": `All units that fire on ${name || "this image"}` }, "↗"));
    return tile;
  };

  // Paints a unit's mask over a tile.
  nd.paintTile = (tile, layer, unit, grids, exemplar, style) => {
    const [width, height] = [tile.frame.clientWidth, tile.frame.clientHeight];
    tile.firing = { layer, unit, grids, slot: exemplar };
    if (!width) return;
    const context = nd.prepareCanvas(tile.mask, width, height);
    if (style === "image") return;
    const image = tile.frame.querySelector("img");
    const ready = nd.paintMask(context, layer, grids, nd.decodeValues(layer, unit), exemplar, 0, tile.mask.width, tile.mask.height, style, image);
    if (!ready) nd.paintAfterLoad(image, () => nd.paintTile(tile, layer, unit, grids, exemplar, nd.state.mask));
  };

  // Dims a tile except where a concept is labeled.
  nd.paintLabeled = (tile, concept) => {
    const [width, height] = [tile.frame.clientWidth, tile.frame.clientHeight];
    const mask = nd.makeLabelMask(tile.labels, concept);
    if (!width || !mask) return;
    const context = nd.prepareCanvas(tile.mask, width, height);
    const loops = nd.traceContours(mask, tile.labels.width, tile.labels.height);
    const [x, y] = [width / tile.labels.width, height / tile.labels.height];
    const border = new Path2D();
    for (const loop of loops) {
      loop.forEach((point, i) => (i ? border.lineTo(point[0] * x, point[1] * y) : border.moveTo(point[0] * x, point[1] * y)));
      border.closePath();
    }
    const outline = new Path2D(border);
    outline.rect(0, 0, width, height);
    const outside = document.createElement("canvas");
    const image = tile.frame.querySelector("img");
    nd.prepareCanvas(outside, width, height).fill(outline, "evenodd");
    if (!nd.dimOutside(context, 0, outside, image)) nd.paintAfterLoad(image, () => nd.paintLabeled(tile, concept));
    if (tile.labels.whole.includes(concept + 1)) return;
    context.strokeStyle = "#ffffff";
    context.lineWidth = 1.2;
    context.stroke(border);
  };

  // Draws the outline of where a concept is labeled, or clears it.
  nd.drawOutline = (tile, concept, on) => {
    const [width, height] = [tile.frame.clientWidth, tile.frame.clientHeight];
    if (!width) return;
    const context = nd.prepareCanvas(tile.lines, width, height);
    const mask = on && tile.labels && !tile.labels.whole.includes(concept + 1) ? nd.makeLabelMask(tile.labels, concept) : null;
    if (!mask) return;
    const loops = nd.traceContours(mask, tile.labels.width, tile.labels.height);
    nd.strokeContours(context, loops, width / tile.labels.width, height / tile.labels.height, nd.getColor("labeled"));
  };

  // Writes into a caption the share of a mask that is on a unit's label, or why there is no such share.
  nd.showShare = (element, tile, layer, unit, grids, exemplar, concept) => {
    if (!tile.labels || concept < 0) return setText(element, "");
    const name = nd.run.concepts[concept];
    if (!tile.labels.concepts.has(concept + 1)) {
      const category = nd.run.categories[nd.run.category[concept]];
      const labeled = tile.labels.kinds.has(nd.run.category[concept]);
      element.title = labeled ? `no ${name} is labeled in this image` : `no ${category} is labeled in this image`;
      return setText(element, labeled ? `no ${name}` : "unlabeled");
    }
    const share = !layer.labeled ? nd.measureShare(layer, grids, nd.decodeValues(layer, unit), exemplar, tile.labels, concept)
      : layer.pixels[unit * layer.slots + exemplar] ? nd.getShare(layer, unit, exemplar) : null;
    element.title = share === null ? "the unit is nowhere above its threshold in this image" : `${nd.formatPercent(share)} of the mask is on ${name}`;
    return setText(element, share === null ? "no mask" : `${nd.formatPercent(share)} on ${name}`);
  };
})();
