"use strict";
// Paints masks over images that the browser draws, in four styles:
// spotlight  the outside is darker and grayer, with a thin line around a mask of few parts
// outline    only the line
// heat       color and opacity follow the activation
// image      no mask
// Edges are antialiased by the distance from the edge in pixels, value / |gradient|.
(() => {
  const nd = window.netdissect;
  const DIMMED = 0.45; // share of the light that the outside of a spotlight loses
  const GRAYED = 0.65; // share of its saturation
  const LINED = 110; // width of an image in CSS pixels from which a spotlight has a line
  const PARTS = 6; // parts of a mask from which it has none
  const STOPS = [[0, 20, 11, 52], [0.25, 101, 21, 110], [0.5, 187, 55, 84], [0.75, 249, 142, 9], [1, 252, 255, 164]];
  let buffer = { width: 0, height: 0 };

  nd.styles = ["spotlight", "outline", "heat", "image"];
  const scratch = [document.createElement("canvas"), document.createElement("canvas")];

  const heat = Uint32Array.from({ length: 256 }, (_, i) => {
    const share = i / 255;
    const next = Math.max(1, STOPS.findIndex((stop) => stop[0] >= share));
    const [low, high] = [STOPS[next - 1], STOPS[next]];
    const part = (share - low[0]) / (high[0] - low[0]);
    const [r, g, b] = [1, 2, 3].map((at) => Math.round(low[at] + part * (high[at] - low[at])));
    return packPixel(r, g, b, Math.round(255 * 0.88 * Math.min(1, share * 1.35)));
  });

  function packPixel(red, green, blue, alpha) {
    return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  }

  function getBuffer(width, height) {
    if (buffer.width !== width || buffer.height !== height) {
      buffer = { width, height, values: new Float32Array(width * height), image: new ImageData(width, height) };
      buffer.pixels = new Uint32Array(buffer.image.data.buffer);
    }
    return buffer;
  }

  // Paints one exemplar of a unit onto a canvas context at (left, 0), in the canvas's own pixels, over `image`, its element.
  // Returns whether the image was there to be painted; if not, paint again once it has loaded.
  nd.paintMask = (context, layer, grids, values, exemplar, left, width, height, style, image) => {
    const work = getBuffer(width, height);
    const each = layer.grid[0] * layer.grid[1];
    const start = grids.start + exemplar * each;
    nd.interpolate(grids.codes, start, values, nd.makeAxes(layer, height, width, false), layer.grid[1], work.values);
    const lined = style === "spotlight" && width >= LINED * getRatio() && countParts(grids.codes.subarray(start, start + each), layer.grid) < PARTS;
    return paintBuffer(context, work, values[0], left, style, image, lined);
  };

  // Paints values of every pixel, positive inside a mask, Float32Array(height * width); `lowest` is the least of all codes.
  nd.paintValues = (context, values, lowest, width, height, style, image) => {
    const work = getBuffer(width, height);
    work.values.set(values);
    return paintBuffer(context, work, lowest, 0, style, image, true);
  };

  function paintBuffer(context, work, lowest, left, style, image, lined) {
    if (style === "spotlight") {
      paintEdge(work, OUTSIDE);
      const ready = nd.dimOutside(context, left, fillScratch(work), image);
      if (lined) {
        paintEdge(work, LINE);
        drawPlain(context, fillScratch(work), left);
      }
      return ready;
    }
    if (style === "heat") paintHeat(work, lowest);
    else paintEdge(work, makeOutline(work.width < 200 ? 0.62 : 1));
    context.putImageData(work.image, left, 0);
    return true;
  }

  const getRatio = () => Math.min(window.devicePixelRatio || 1, 2);

  function sizeScratch(index, width, height) {
    const canvas = scratch[index];
    Object.assign(canvas, { width, height }); // clears it
    return canvas;
  }

  function fillScratch(work) {
    const canvas = sizeScratch(0, work.width, work.height);
    canvas.getContext("2d").putImageData(work.image, 0, 0);
    return canvas;
  }

  // Draws a canvas pixel by pixel, whatever the context's scale.
  function drawPlain(context, canvas, left) {
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.drawImage(canvas, left, 0);
    context.restore();
  }

  // Draws an image darker and grayer at (left, 0) where `outside`, a canvas in the context's own pixels, is opaque. Returns
  // whether the image has loaded; if not, that area is darkened only.
  nd.dimOutside = (context, left, outside, image) => {
    const { width, height } = outside;
    const ready = Boolean(image && image.complete && image.naturalWidth);
    const canvas = sizeScratch(1, width, height);
    const inner = canvas.getContext("2d");
    if (ready) {
      inner.drawImage(image, 0, 0, width, height);
      Object.assign(inner, { globalCompositeOperation: "saturation", globalAlpha: GRAYED, fillStyle: "#808080" });
      inner.fillRect(0, 0, width, height);
    }
    Object.assign(inner, { globalCompositeOperation: "source-over", globalAlpha: DIMMED, fillStyle: "#000000" });
    inner.fillRect(0, 0, width, height);
    Object.assign(inner, { globalCompositeOperation: "destination-in", globalAlpha: 1 });
    inner.drawImage(outside, 0, 0);
    drawPlain(context, canvas, left);
    return ready;
  };

  // Calls a function once an image has loaded; does nothing for one that cannot be.
  nd.paintAfterLoad = (image, paint) => {
    if (image && !image.complete) image.addEventListener("load", paint, { once: true });
  };

  // Returns how many parts of touching cells a mask has.
  function countParts(codes, [height, width]) {
    const open = Uint8Array.from(codes, (code) => (code >= 128 ? 1 : 0));
    const stack = [];
    let parts = 0;
    for (let first = 0; first < open.length; first++) {
      if (!open[first]) continue;
      parts++;
      stack.push(first);
      open[first] = 0;
      while (stack.length) {
        const at = stack.pop();
        const x = at % width;
        for (const [next, inside] of [[at - 1, x > 0], [at + 1, x < width - 1], [at - width, at >= width], [at + width, at < width * (height - 1)]]) {
          if (!inside || !open[next]) continue;
          open[next] = 0;
          stack.push(next);
        }
      }
    }
    return parts;
  }

  function paintHeat({ values, pixels }, least) {
    const lowest = -least || 1;
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      const share = value > 0 ? 0.5 + 0.5 * value : Math.max(0, 0.5 + (0.5 * value) / lowest);
      pixels[i] = heat[Math.min(255, Math.round(share * 255))];
    }
  }

  // Returns a style: `reach` is the width of its edge on either side in pixels, `outside` the pixel farther outside, and `near`
  // a function from the distance to the edge in pixels (positive inside the mask) to a pixel.
  const OUTSIDE = { reach: 1.2, outside: packPixel(0, 0, 0, 255), near: (distance) => packPixel(0, 0, 0, Math.round(255 * clamp(0.5 - distance))) };
  const LINE = { reach: 1.2, outside: 0, near: (distance) => packPixel(255, 255, 255, Math.round(235 * clamp(0.95 - Math.abs(distance)))) };

  function makeOutline(scale) {
    const near = (distance) => {
      const size = Math.abs(distance) / scale;
      const line = clamp(1.6 - size);
      const halo = 0.85 * clamp(2.9 - size) * (1 - line);
      const alpha = line + halo;
      const tone = alpha > 0 ? Math.round((17 * line + 255 * halo) / alpha) : 0;
      return packPixel(tone, tone, tone, Math.round(255 * alpha));
    };
    return { reach: 3, outside: 0, near };
  }

  function paintEdge({ values, pixels, width, height }, { reach, outside, near }) {
    for (let y = 0, i = 0; y < height; y++) {
      const up = y ? width : 0;
      const down = y < height - 1 ? width : 0;
      const dy = up && down ? 0.5 : 1;
      for (let x = 0; x < width; x++, i++) {
        const value = values[i];
        const left = x ? 1 : 0;
        const right = x < width - 1 ? 1 : 0;
        const across = (values[i + right] - values[i - left]) * (left && right ? 0.5 : 1);
        const along = (values[i + down] - values[i - up]) * dy;
        const size = Math.abs(value);
        if (size > reach * (Math.abs(across) + Math.abs(along))) {
          pixels[i] = value > 0 ? 0 : outside;
        } else {
          const distance = value / (Math.sqrt(across * across + along * along) + 1e-12);
          pixels[i] = Math.abs(distance) > reach ? (value > 0 ? 0 : outside) : near(distance);
        }
      }
    }
  }

  function clamp(value) {
    return value < 0 ? 0 : value > 1 ? 1 : value;
  }
})();
