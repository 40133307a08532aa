"use strict";
// The units that fire at a point of an image, from their 8-bit grids.
(() => {
  const nd = window.netdissect;

  // Returns the units of a layer over an image as { layer, units, concepts, codes, values, above, segments }; `values` holds the
  // table of codes of every unit (nd.decodeValues), and `above` the strength of its strongest cell.
  nd.readLayer = ({ facts, arrays }, at) => {
    const described = facts.layers[at];
    const scale = arrays[`scale${at}`];
    const units = described.units.map((_, unit) => unit);
    return {
      ...described, layer: nd.run.layers[at], codes: arrays[`codes${at}`], segments: arrays[`segments${at}`],
      values: units.map((unit) => nd.decodeValues({ scale }, unit)), above: units.map((unit) => scale[2 * unit] || 1),
    };
  };

  // Returns the units that fire at a point, which is given by its position from 0 to 1 across and down, the strongest first.
  nd.findFiring = (shown, [across, down]) => {
    const { layer, codes, values, above } = shown;
    const [height, width] = nd.run.input;
    const [rows, columns] = nd.makeAxes(layer, height, width, false);
    const y = Math.min(height - 1, Math.floor(down * height));
    const x = Math.min(width - 1, Math.floor(across * width));
    const cells = layer.grid[1];
    const each = layer.grid[0] * cells;
    const found = shown.units.flatMap((unit, at) => {
      const value = (row, column) => values[at][codes[at * each + row * cells + column]];
      const mix = (row) => value(row, columns.lower[x]) + columns.fraction[x] * (value(row, columns.upper[x]) - value(row, columns.lower[x]));
      const [top, bottom] = [mix(rows.lower[y]), mix(rows.upper[y])];
      const strength = (top + rows.fraction[y] * (bottom - top)) * above[at];
      return strength > 0 ? [{ ...unit, at, strength }] : [];
    });
    return found.sort((one, other) => other.strength - one.strength || one.unit - other.unit);
  };

  // Returns the largest value of some units at every pixel, Float32Array(height * width): positive in at least one of their masks.
  nd.joinUnits = (shown, units, height, width) => {
    const { layer, codes, values, above } = shown;
    const axes = nd.makeAxes(layer, height, width, false);
    const each = layer.grid[0] * layer.grid[1];
    const joined = new Float32Array(height * width).fill(-Infinity);
    const one = new Float32Array(height * width);
    const strongest = Math.max(...units.map((unit) => above[unit]));
    for (const unit of units) {
      nd.interpolate(codes, unit * each, values[unit], axes, layer.grid[1], one);
      const share = above[unit] / strongest;
      for (let i = 0; i < one.length; i++) joined[i] = Math.max(joined[i], one[i] * share);
    }
    return joined;
  };
})();
