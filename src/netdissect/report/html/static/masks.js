"use strict";
// Paints masks over images that the browser draws, in four styles:
// cut-out   the outside fades to the color of the page, with a thin line around the mask
// outline   only the line
// heat      color and opacity follow the activation
// image     no mask
// Edges are antialiased by the distance from the edge in pixels, value / |gradient|.
(() => {
  const nd = window.netdissect;
  const FADE = 0.7;
  const STOPS = [[0, 20, 11, 52], [0.25, 101, 21, 110], [0.5, 187, 55, 84], [0.75, 249, 142, 9], [1, 252, 255, 164]];
  let buffer = { width: 0, height: 0 };

  nd.styles = ["cut-out", "outline", "heat", "image"];

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

  function parseHexColor(hex) {
    const number = parseInt(hex.slice(1), 16);
    return [number >> 16, (number >> 8) & 255, number & 255];
  }

  function getBuffer(width, height) {
    if (buffer.width !== width || buffer.height !== height) {
      buffer = { width, height, values: new Float32Array(width * height), image: new ImageData(width, height) };
      buffer.pixels = new Uint32Array(buffer.image.data.buffer);
    }
    return buffer;
  }

  // Paints one exemplar of a unit onto a canvas context at (left, 0), in the canvas's own pixels.
  nd.paintMask = (context, layer, grids, values, exemplar, left, width, height, style) => {
    const work = getBuffer(width, height);
    const each = layer.grid[0] * layer.grid[1];
    nd.interpolate(grids.codes, grids.start + exemplar * each, values, nd.makeAxes(layer, height, width, false), layer.grid[1], work.values);
    paintBuffer(context, work, values[0], left, style);
  };

  // Paints values of every pixel, positive inside a mask, Float32Array(height * width); `lowest` is the least of all codes.
  nd.paintValues = (context, values, lowest, width, height, style) => {
    const work = getBuffer(width, height);
    work.values.set(values);
    paintBuffer(context, work, lowest, 0, style);
  };

  function paintBuffer(context, work, lowest, left, style) {
    if (style === "heat") paintHeat(work, lowest);
    else paintEdge(work, style === "outline" ? makeOutline(work.width < 200 ? 0.62 : 1) : makeCutOut());
    context.putImageData(work.image, left, 0);
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
  function makeCutOut() {
    const [paper, ink] = [parseHexColor(nd.getColor("paper")), parseHexColor(nd.getColor("contour"))];
    const outside = packPixel(...paper, Math.round(255 * FADE));
    const near = (distance) => {
      const line = 0.92 * clamp(0.95 - Math.abs(distance));
      const fade = FADE * clamp(0.5 - distance) * (1 - line);
      const alpha = line + fade;
      if (alpha <= 0) return 0;
      const mix = (at) => Math.round((ink[at] * line + paper[at] * fade) / alpha);
      return packPixel(mix(0), mix(1), mix(2), Math.round(255 * alpha));
    };
    return { reach: 1.2, outside, near };
  }

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
