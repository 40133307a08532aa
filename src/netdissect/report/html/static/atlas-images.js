"use strict";
// Images on the atlas when it is near enough: of each unit, the part of its strongest image around where it is most active.
(() => {
  const nd = window.netdissect;
  const NEAR = 2.2; // zoom from which images are shown
  const SIZES = [38, 84]; // pixels of a side
  const PART = 0.55; // of the image's shorter side
  const MOST = 140;
  const CAPTION = 17; // height of a caption, on images large enough for one
  const CAPTIONED = 52;
  const images = new Map(); // place -> image, the latest used last

  // Returns the dots whose images fit without overlapping, best first, with a box each. `dots` are on the screen.
  nd.placeImages = (dots, view) => {
    if (view.zoom < NEAR) return [];
    const side = Math.min(SIZES[1], SIZES[0] + 12 * Math.log2(view.zoom / NEAR));
    const captioned = side >= CAPTIONED;
    const tall = side + (captioned ? CAPTION : 0);
    const taken = new Map(); // cells of the size of an image -> boxes
    const placed = [];
    for (const dot of dots) {
      if (placed.length >= MOST) break;
      const box = { left: dot.x - side / 2, right: dot.x + side / 2, top: dot.y - side / 2, bottom: dot.y - side / 2 + tall };
      const [column, row] = [Math.floor(dot.x / side), Math.floor(dot.y / tall)];
      const near = [-1, 0, 1].flatMap((down) => [-1, 0, 1].flatMap((across) => taken.get(`${column + across} ${row + down}`) || []));
      if (near.some((other) => other.left < box.right + 3 && other.right + 3 > box.left && other.top < box.bottom + 3 && other.bottom + 3 > box.top)) continue;
      const key = `${column} ${row}`;
      taken.set(key, [...(taken.get(key) || []), box]);
      placed.push({ dot, box, side, captioned });
      dot.below = side / 2;
    }
    return placed;
  };

  // Draws the image of a unit; calls `redraw` later if it is still loading.
  nd.drawMapImage = (context, { dot, box, side, captioned }, peak, redraw) => {
    const { layer, unit } = dot;
    if (!layer.images) return nd.loadLayer(layer).then(redraw);
    const image = getImage(nd.getImages(layer, unit)[0], redraw);
    context.fillStyle = nd.getColor("hatch");
    context.fillRect(box.left, box.top, side, side);
    if (image && image.complete && image.naturalWidth) {
      const cut = PART * Math.min(image.naturalWidth, image.naturalHeight);
      const start = (share, whole) => Math.min(whole - cut, Math.max(0, share * whole - cut / 2));
      context.drawImage(image, start(peak[1] / 255, image.naturalWidth), start(peak[0] / 255, image.naturalHeight), cut, cut, box.left, box.top, side, side);
    }
    Object.assign(context, { strokeStyle: dot.color, lineWidth: 3 });
    context.setLineDash(dot.hollow ? [3, 2] : []);
    context.strokeRect(box.left, box.top, side, side);
    context.setLineDash([]);
    if (captioned) drawCaption(context, dot, box, side);
  };

  function drawCaption(context, dot, box, side) {
    context.font = `12.5px ${nd.getColor("sans")}`;
    Object.assign(context, { textAlign: "left", textBaseline: "alphabetic", lineJoin: "round", lineWidth: 4, strokeStyle: nd.getColor("paper"), fillStyle: nd.getColor("ink") });
    let text = dot.concept >= 0 ? nd.run.concepts[dot.concept] : "no concept";
    while (text.length > 3 && context.measureText(text).width > side + 4) text = `${text.replace(/…$/, "").slice(0, -1)}…`;
    context.strokeText(text, box.left - 1, box.top + side + 14);
    context.fillText(text, box.left - 1, box.top + side + 14);
  }

  function getImage(place, redraw) {
    if (place === undefined || place < 0) return null;
    let image = images.get(place);
    if (image) images.delete(place);
    else {
      image = new Image();
      image.onload = redraw;
      image.src = nd.run.getImageURL(place);
    }
    images.set(place, image);
    for (const old of images.keys()) {
      if (images.size <= 4 * MOST) break;
      images.delete(old);
    }
    return image;
  }
})();
