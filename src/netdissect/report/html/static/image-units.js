"use strict";
// Which units fire on an image, of those that have it among their exemplars, whatever the group.
(() => {
  const nd = window.netdissect;
  const SIDE = 48; // steps across an image at which masks are asked for a point

  // Resolves to the units of all layers that have an image among their exemplars: { layer, unit, slot, groups, times, share, fires }.
  // `slot` is the exemplar's, `times` its activation as a multiple of T, `fires` whether the unit's mask has a pixel.
  nd.findUnitsOn = async (place) => {
    await Promise.all(nd.run.layers.map(nd.loadLayer));
    return nd.run.layers.flatMap((layer) => findInLayer(layer, place));
  };

  function findInLayer(layer, place) {
    const found = new Map();
    for (let at = layer.images.indexOf(place); at >= 0; at = layer.images.indexOf(place, at + 1)) {
      const [unit, slot] = [Math.floor(at / layer.slots), at % layer.slots];
      const { name } = layer.groups.find(({ first, count }) => slot >= first && slot < first + count);
      if (found.has(unit)) {
        found.get(unit).groups.push(name);
        continue;
      }
      const fires = layer.pixels ? layer.pixels[at] > 0 : layer.maxima[at] > layer.T[unit];
      found.set(unit, { layer, unit, slot, groups: [name], maximum: layer.maxima[at], share: nd.getShare(layer, unit, slot), fires });
    }
    return [...found.values()];
  }

  // Returns whether the mask of a unit of nd.findUnitsOn has a point, once nd.loadGrids has loaded its grids.
  nd.coversPoint = (found, right, down) => {
    const { layer, unit, slot } = found;
    const grids = nd.getGrids(layer, unit);
    if (!grids) return false;
    if (!found.values) {
      const each = layer.grid[0] * layer.grid[1];
      found.values = nd.interpolate(grids.codes, grids.start + slot * each, nd.decodeValues(layer, unit), nd.makeAxes(layer, SIDE, SIDE, false), layer.grid[1], new Float32Array(SIDE * SIDE));
    }
    const [row, column] = [down, right].map((share) => Math.min(SIDE - 1, Math.floor(share * SIDE)));
    return found.values[row * SIDE + column] > 0;
  };

  // Returns groups of units by label, most units first: { concept, units }; then the units that are alone with their label, as
  // concept -2, and those below the threshold, as concept -1.
  nd.groupByLabel = (units) => {
    const groups = new Map();
    const strength = ({ layer, unit, maximum }) => (layer.T[unit] > 0 ? maximum / layer.T[unit] : 0);
    for (const found of units) {
      const concept = nd.isDetector(found.layer, found.unit, nd.state.cut) ? found.layer.label[found.unit] : -1;
      groups.set(concept, [...(groups.get(concept) || []), found]);
    }
    const alone = [...groups].filter(([concept, members]) => concept >= 0 && members.length === 1);
    if (alone.length > 1) {
      for (const [concept] of alone) groups.delete(concept);
      groups.set(-2, alone.flatMap(([, members]) => members));
    }
    return [...groups].map(([concept, members]) => ({ concept, units: members.sort((a, b) => strength(b) - strength(a)) }))
      .sort((a, b) => (a.concept === -1) - (b.concept === -1) || (a.concept < 0) - (b.concept < 0) || b.units.length - a.units.length || strength(b.units[0]) - strength(a.units[0]));
  };
})();
