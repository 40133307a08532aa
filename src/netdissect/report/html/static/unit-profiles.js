"use strict";
// How alike the units of a layer are by their whole concept profiles: the correlation of their √IoU with all concepts, each less its
// mean over the layer, so that what all units share does not count.
(() => {
  const nd = window.netdissect;

  // Returns the profiles of a layer's units as rows of length 1, Float32Array(units * concepts). The layer's counts must be loaded.
  nd.getProfiles = (layer) => {
    if (layer.profiles) return layer.profiles;
    const { run } = nd;
    const wide = run.concepts.length;
    const { I, A } = layer.counts;
    const rows = new Float32Array(layer.units * wide);
    const means = new Float64Array(wide);
    for (let unit = 0, at = 0; unit < layer.units; unit++) {
      for (let concept = 0; concept < wide; concept++, at++) {
        const union = A[unit * layer.kinds + run.category[concept]] + run.G[concept] - I[at];
        rows[at] = union > 0 ? Math.sqrt(I[at] / union) : 0;
        means[concept] += rows[at] / layer.units;
      }
    }
    for (let unit = 0; unit < layer.units; unit++) {
      const row = rows.subarray(unit * wide, (unit + 1) * wide);
      let size = 0;
      for (let concept = 0; concept < wide; concept++) {
        row[concept] -= means[concept];
        size += row[concept] ** 2;
      }
      if (size > 1e-12) for (let concept = 0; concept < wide; concept++) row[concept] /= Math.sqrt(size);
    }
    layer.profiles = rows;
    return rows;
  };

  // Returns the other units of a layer by falling correlation with a unit, [{ unit, r }].
  nd.listByProfile = (layer, unit) => {
    const rows = nd.getProfiles(layer);
    const wide = nd.run.concepts.length;
    const own = rows.subarray(unit * wide, (unit + 1) * wide);
    const found = [];
    for (let other = 0; other < layer.units; other++) {
      if (other === unit || layer.label[other] < 0) continue;
      let r = 0;
      for (let concept = 0, at = other * wide; concept < wide; concept++, at++) r += own[concept] * rows[at];
      found.push({ unit: other, r });
    }
    return found.sort((a, b) => b.r - a.r || a.unit - b.unit);
  };
})();
