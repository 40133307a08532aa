"use strict";
// Sets of units, as addresses name them: units by layer and number, `conv5:3,7,9;conv4:1`, or a list found by a rule, `dark` or
// `dark@conv5`. Units are counted from 1 there, and from 0 in the page.
(() => {
  const nd = window.netdissect;
  const MOST_NUMBERS = 4096;

  const encodeName = (name) => name.replace(/[%:;,@]/g, encodeURIComponent);

  // Returns the name of a set of units, given as [layer's index, unit] each; numbers that follow each other become `3-7`.
  nd.formatSet = (units) => {
    const byLayer = new Map();
    for (const [index, unit] of units) byLayer.set(index, [...(byLayer.get(index) || []), unit + 1]);
    return [...byLayer].map(([index, numbers]) => `${encodeName(nd.run.layers[index].name)}:${foldNumbers(numbers)}`).join(";");
  };

  function foldNumbers(numbers) {
    const parts = [];
    for (const number of numbers) {
      const last = parts[parts.length - 1];
      if (last && last[1] === number - 1) last[1] = number;
      else parts.push([number, number]);
    }
    return parts.map(([first, last]) => (first === last ? `${first}` : last === first + 1 ? `${first},${last}` : `${first}-${last}`)).join(",");
  }

  // Returns what a set's name means: { units } or { list, layer }, where `layer` is an index or null; throws an Error that says
  // what is missing.
  nd.parseSet = (text) => {
    if (!text.includes(":")) {
      const [id, name] = text.split("@");
      if (id && !nd.unitLists.has(id)) throw new Error(`No list of units “${id}” in this report.`);
      return { list: nd.unitLists.get(id || "detectors"), layer: name === undefined ? null : nd.findLayer(decodeURIComponent(name)) };
    }
    const units = [];
    for (const part of text.split(";").filter(Boolean)) {
      const at = part.lastIndexOf(":");
      const index = nd.findLayer(decodeURIComponent(part.slice(0, at)));
      for (const numbers of part.slice(at + 1).split(",")) units.push(...readNumbers(numbers, nd.run.layers[index]).map((unit) => [index, unit]));
    }
    return { units };
  };

  function readNumbers(text, layer) {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(text) || [];
    if (!(first >= 1 && last >= Number(first) && last <= layer.units && last - first < MOST_NUMBERS)) throw new Error(`No unit “${text}” in ${layer.name}, which has ${nd.formatUnits(layer.units)}.`);
    return Array.from({ length: last - first + 1 }, (_, i) => Number(first) - 1 + i);
  }

  // Returns the part of an address that names a set.
  nd.encodeSet = (set) => (set ? `set=${encodeURIComponent(set).replace(/%(3A|3B|2C|2F|40)/g, decodeURIComponent)}` : "");

  // Lists of units that rules find, by id: { id, title, rule: () => words, find: (layer) => units of a layer, in order }, and, where
  // they have them, `needs: () => whether the run has what the rule asks`, and `order: (layer, unit) => a number`, by which units of
  // several layers come, the largest first; otherwise the last layer comes first.
  nd.unitLists = new Map();
  nd.addUnitList = (list) => nd.unitLists.set(list.id, list);

  nd.addUnitList({
    id: "detectors",
    title: "Detectors",
    rule: () => `Units whose best concept is at or above the threshold, ${nd.run.scoreTitle} ≥ ${nd.formatThreshold(nd.state.cut)}${nd.state.beyond ? ", and beyond chance" : ""}; best first.`,
    find: (layer) => [...nd.getCounter(layer).ranked.subarray(0, nd.countDetectors(layer, nd.state.cut))],
    order: (layer, unit) => layer.labelScore[unit],
  });

  // Returns the units of a list as [layer's index, unit], of one layer or of all.
  nd.listUnits = (list, layer = null) => {
    const layers = nd.run.layers.filter((each) => layer === null || each.index === layer).reverse();
    const found = layers.flatMap((each) => Array.from(list.find(each), (unit) => [each.index, unit]));
    if (!list.order) return found;
    const keys = new Map(found.map((pair) => [pair, list.order(nd.run.layers[pair[0]], pair[1])]));
    return found.sort((a, b) => keys.get(b) - keys.get(a) || a[0] - b[0] || a[1] - b[1]);
  };
})();
