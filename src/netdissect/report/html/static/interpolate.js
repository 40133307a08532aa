"use strict";
// Upsamples a unit's 8-bit grid to pixels: bilinear between the centers of the cells' receptive fields and constant beyond the
// outermost centers, first along y and then along x (docs/method.md, section 2).
(() => {
  const nd = window.netdissect;
  const axesCache = new Map();

  function makeAxis(positions, pixels, at) {
    const cells = positions.length;
    const lower = new Uint16Array(pixels);
    const upper = new Uint16Array(pixels);
    const fraction = new Float32Array(pixels);
    for (let pixel = 0, segment = 0; pixel < pixels; pixel++) {
      while (segment < cells && positions[segment] <= at(pixel)) segment++;
      lower[pixel] = Math.max(segment - 1, 0);
      upper[pixel] = Math.min(segment, cells - 1);
      const gap = positions[upper[pixel]] - positions[lower[pixel]];
      fraction[pixel] = gap > 0 ? (at(pixel) - positions[lower[pixel]]) / gap : 0;
    }
    return { lower, upper, fraction };
  }

  function computeAnchors(field, side, cells, reduction) {
    const first = Math.floor((field.offset[side] + Math.floor(field.size[side] / 2)) / reduction);
    return Float64Array.from({ length: cells }, (_, cell) => first + cell * (field.step[side] / reduction));
  }

  // Returns the axes that upsample a layer's grid to `height` x `width` pixels of the whole input, or to the label map.
  nd.makeAxes = (layer, height, width, onLabels) => {
    const key = `${layer.runNumber} ${layer.index} ${height} ${width} ${onLabels ? "labels" : ""}`;
    if (!axesCache.has(key)) {
      const pixels = [height, width];
      axesCache.set(key, [0, 1].map((side) => {
        const input = layer.input[side];
        const reduction = onLabels ? Math.max(1, Math.round(input / pixels[side])) : 1;
        const scale = onLabels ? 1 : input / pixels[side];
        return makeAxis(computeAnchors(layer.field, side, layer.grid[side], reduction), pixels[side], (pixel) => pixel * scale);
      }));
    }
    return axesCache.get(key);
  };

  // Returns the value of each of the 256 codes: (activation - threshold) / largest such difference; code 127.5 is the threshold.
  nd.decodeValues = (layer, unit) => {
    const [above, below] = [layer.scale[2 * unit], layer.scale[2 * unit + 1]];
    const largest = above || 1;
    return Float32Array.from({ length: 256 }, (_, code) => {
      const distance = ((code - 127.5) / 127.5) ** 2;
      return code > 127 ? (distance * above) / largest : (-distance * below) / largest;
    });
  };

  // Upsamples one grid, `codes` from `start`, into `out`, Float32Array(height * width).
  nd.interpolate = (codes, start, values, [rows, columns], cells, out) => {
    const height = rows.lower.length;
    const width = columns.lower.length;
    const line = new Float32Array(cells);
    for (let y = 0, to = 0; y < height; y++) {
      const above = start + rows.lower[y] * cells;
      const below = start + rows.upper[y] * cells;
      const down = rows.fraction[y];
      for (let x = 0; x < cells; x++) {
        const value = values[codes[above + x]];
        line[x] = value + down * (values[codes[below + x]] - value);
      }
      for (let x = 0; x < width; x++, to++) {
        const left = line[columns.lower[x]];
        out[to] = left + columns.fraction[x] * (line[columns.upper[x]] - left);
      }
    }
    return out;
  };

  // Resolves to the codes of a unit's exemplars and their start.
  nd.loadGrids = async (layer, unit) => {
    await nd.loadLayer(layer);
    const file = Math.floor(layer.placeOf[unit] / layer.unitsPerFile);
    layer.grids = layer.grids || [];
    layer.grids[file] = (await nd.get(`layer-${layer.index}-masks-${file}`, layer.runNumber)).arrays.codes;
    return nd.getGrids(layer, unit);
  };

  // Returns what nd.loadGrids resolves to if the grids are loaded, else null.
  nd.getGrids = (layer, unit) => {
    if (!layer.placeOf || !layer.grids) return null;
    const place = layer.placeOf[unit];
    const codes = layer.grids[Math.floor(place / layer.unitsPerFile)];
    const each = layer.slots * layer.grid[0] * layer.grid[1];
    return codes ? { codes, start: (place % layer.unitsPerFile) * each } : null;
  };
})();
