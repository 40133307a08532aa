"use strict";
// The atlas: a place of every unit on a map, and the units that are most like it. Units of all layers are numbered through here.
(() => {
  const nd = window.netdissect;
  let atlas = null;

  // Resolves to the atlas:
  //   layerOf, unitOf  layer's index and unit of each number
  //   find(layer, unit) the number of a unit
  //   x, y             its place, from 0 to 1 along the longer side of the map
  //   near             six numbers of the most alike units each, -1 where there are fewer
  //   before           the unit of the layer before that is most like it and that it is most like, or -1
  //   peak             where it is most active on its strongest image, down and right in 255ths
  nd.loadAtlas = async () => {
    if (atlas) return atlas;
    const { arrays } = await nd.get("atlas");
    const { layers } = nd.run;
    const starts = [0];
    for (const layer of layers) starts.push(starts[starts.length - 1] + layer.units);
    const size = starts[layers.length];
    const found = { size, starts, near: arrays.near, before: arrays.before, peak: arrays.peak, layerOf: new Uint16Array(size), unitOf: new Int32Array(size),
      x: Float64Array.from(arrays.x, (place) => place / 65535), y: Float64Array.from(arrays.y, (place) => place / 65535) };
    layers.forEach((layer, index) => {
      for (let unit = 0; unit < layer.units; unit++) {
        found.layerOf[starts[index] + unit] = index;
        found.unitOf[starts[index] + unit] = unit;
      }
    });
    found.find = (layer, unit) => starts[layer.index] + unit;
    found.after = new Int32Array(size).fill(-1); // the other way around
    found.before.forEach((other, number) => { if (other >= 0) found.after[other] = number; });
    atlas = found;
    return atlas;
  };
})();
