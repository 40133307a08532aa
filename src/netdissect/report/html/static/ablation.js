"use strict";
// What the network's class outputs lose without the units of a concept: a table per layer, with the interval of every change of
// the margin beside that of matched random units, and a sentence on the page of the concept.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const ROWS = 12; // of the table before "more"
  const byId = (id) => document.getElementById(id);
  let shown = null; // layer whose ablations are on the overview

  const isReal = ({ q, margin }) => q < nd.LEVEL && margin < 0;

  // A change with its sign, as "−1.94".
  function formatChange(value, digits = 2) {
    const text = Math.abs(value).toFixed(digits);
    return Number(text) === 0 ? text : `${value < 0 ? "−" : "+"}${text}`;
  }
  const formatMargin = ({ margin, low, high }, digits = 2) => `${formatChange(margin, digits)} [${formatChange(low, digits)}, ${formatChange(high, digits)}]`;

  // Resolves to the ablations of a layer; null without any.
  nd.loadAblation = async (layer) => {
    if (layer.ablation && !layer.ablations) {
      const { facts, arrays } = await nd.get(`layer-${layer.index}-ablation`, layer.runNumber);
      layer.ablations = { ...facts, ...arrays };
    }
    return layer.ablations || null;
  };

  // Says what is lost without a concept's units, or why they were not removed; null where nothing was measured.
  nd.makeAblationLine = (layer, concept) => {
    if (!layer.ablations) return null;
    const found = layer.ablations.concepts.find((each) => each.concept === concept);
    const name = nd.run.concepts[concept];
    if (!found) {
      const left = layer.ablations.leftOut.find(([each]) => each === concept);
      return left ? make("p.note", {}, `Its units were not removed from the network: ${left[1]}.`) : null;
    }
    const { units, className, margin, matched, q, accuracy, matchedAccuracy } = found;
    const digits = Math.abs(margin) >= 1 ? 1 : 2;
    return make("p.ablation-line", {}, `Remove the ${units.length === 1 ? "unit" : `${nd.formatCount(units.length)} units`} of `, make("em", {}, name), `: margin of class ${className} `,
      make("strong", {}, formatMargin(found, digits)), `; matched random ${formatChange(matched, digits)}. Accuracy ${formatChange(accuracy, 3)}; matched ${formatChange(matchedAccuracy, 3)}. `,
      make(`span.chance${isReal(found) ? "" : ".unsure"}`, { title: "false discovery rate: random units of similar mean activation lose as much" }, `q ${nd.formatProbability(q, nd.LEVEL)}`));
  };

  // Returns the classes for which a unit is among the most important, as [name, rank], best rank first.
  nd.listUnitClasses = ({ ablations }, unit) => {
    if (!ablations || !ablations.curves.length) return [];
    const most = ablations.units.length / ablations.curves.length;
    return ablations.curves.map(([name], place) => [name, ablations.units.subarray(place * most, (place + 1) * most).indexOf(unit + 1) + 1])
      .filter(([, rank]) => rank).sort((a, b) => a[1] - b[1]);
  };

  // Shows a layer's ablations on the overview.
  nd.drawAblation = async (layer) => {
    if (shown === layer) return;
    shown = layer;
    const home = byId("ablation");
    home.hidden = !layer.ablation;
    const found = await nd.loadAblation(layer);
    if (shown !== layer || !found) return;
    byId("ablation-words").replaceChildren(...describe(layer, found));
    for (const part of ["ablation-table", "ablation-key"]) byId(part).hidden = !found.concepts.length;
    byId("ablation-notes").replaceChildren(...listNotes(found));
    fillTable(found, false);
    byId("ablation-curves").replaceChildren(...nd.makeClassCurves(layer, found));
    nd.drawClassCurves();
  };

  function describe(layer, { replacement, images, classes, accuracy, concepts, matchedSets }) {
    const real = concepts.filter(isReal).length;
    const to = replacement === "mean" ? "their means" : "0";
    return [
      make("p", {}, `All units of a concept in ${layer.name} are set to ${to}, and the class outputs of ${nd.formatUnits(images, "image")} of ${nd.formatUnits(classes, "class")} are computed again (accuracy of the whole network: ${(100 * accuracy).toFixed(1)} %). The margin of an image is the output of its class minus the largest output of another class.`),
      make("p.ablation-count", {}, !concepts.length ? "The units of no concept were removed." : [make("strong", {}, nd.formatCount(real)), ` of ${nd.formatUnits(concepts.length, "concept")}: without its units, a class loses more margin than without random units of similar mean activation (q < ${nd.LEVEL}, up to ${nd.formatUnits(matchedSets, "set")}).`]),
    ];
  }

  function listNotes({ notes, leftOut }) {
    const left = leftOut.length ? make("details", {}, make("summary", {}, `${nd.formatUnits(leftOut.length, "concept")} left out`),
      make("ul", {}, leftOut.map(([concept, why]) => make("li", {}, make("b", {}, nd.run.concepts[concept]), ` ${why}`)))) : null;
    return [...notes.map((note) => make("p", {}, `${note[0].toUpperCase()}${note.slice(1)}${note.endsWith(".") ? "" : "."}`)), left].filter(Boolean);
  }

  function fillTable(found, open) {
    const { concepts } = found;
    const ends = concepts.flatMap(({ margin, low, high, matched, matchedLow, matchedHigh }) => [margin, low, high, matched, matchedLow, matchedHigh]).filter((value) => value !== null);
    const axis = { low: Math.min(0, ...ends), high: Math.max(0, ...ends) };
    axis.place = (value) => (axis.high > axis.low ? (100 * (value - axis.low)) / (axis.high - axis.low) : 0);
    const rest = open ? 0 : Math.max(0, concepts.length - ROWS);
    const heads = [["units", "figure"], ["class", ""], [null, "plot-cell"], ["change of margin", "figure"], ["matched", "figure"], ["q", "figure"], ["accuracy", "figure"], ["matched", "figure"]];
    byId("ablation-table").replaceChildren(
      make("div.scroll", { tabIndex: 0, role: "region", "aria-label": "Table of ablations" }, make("table", {},
        make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "without the units of"), heads.map(([text, kind]) => (text === null ? make(`td.${kind}`, {}, makeAxis(axis)) : make(`th${kind && `.${kind}`}`, { scope: "col" }, text))))),
        make("tbody", {}, concepts.slice(0, concepts.length - rest).map((each) => makeRow(each, axis))))),
      rest ? make("button.more", { type: "button", onclick: () => fillTable(found, true) }, `${nd.formatUnits(rest, "concept")} more`) : "");
  }

  function makeRow(found, axis) {
    const { concept, units, className, share, images, matched, q, accuracy, matchedAccuracy } = found;
    const slot = nd.run.slots[nd.run.category[concept]];
    const why = share === null ? "the class has the name of the concept" : `${nd.formatPercent(share)} of its images have the concept`;
    const cells = [nd.formatCount(units.length), className, null, formatMargin(found), formatChange(matched), nd.formatProbability(q, nd.LEVEL), formatChange(accuracy, 3), formatChange(matchedAccuracy, 3)];
    return make("tr", {},
      make("th", { scope: "row" }, make(`span.swatch.k-${slot}${isReal(found) ? "" : ".hollow"}`), make("a", { href: nd.makeAddress({ view: "concept", concept }) }, nd.run.concepts[concept]),
        make("span.narrow", {}, `${nd.formatUnits(units.length)}, class ${className}`)),
      cells.map((text, at) => (text === null ? make("td.plot-cell", {}, makeInterval(found, slot, axis))
        : make(`td${at === 1 ? "" : ".figure"}`, { title: at === 1 ? `${nd.formatUnits(images, "image")}; ${why}` : null }, text))));
  }

  // The interval of a change, its mean, and mean and interval of matched sets, on the table's axis.
  function makeInterval(found, slot, axis) {
    const mark = (name, left, width) => {
      const element = make(name);
      element.style.left = `${left}%`;
      if (width !== undefined) element.style.width = `${width}%`;
      return element;
    };
    return make(`span.interval.k-${slot}${isReal(found) ? "" : ".hollow"}`, { "aria-hidden": "true" }, mark("span.zero", axis.place(0)),
      found.matchedLow === null || found.matchedHigh === null ? null : mark("span.band", axis.place(found.matchedLow), axis.place(found.matchedHigh) - axis.place(found.matchedLow)),
      mark("span.range", axis.place(found.low), axis.place(found.high) - axis.place(found.low)),
      mark("span.matched", axis.place(found.matched)), mark("span.dot", axis.place(found.margin)));
  }

  function makeAxis(axis) {
    const ticks = [...new Set([axis.low, 0, axis.high])].filter((value) => value === 0 || Math.abs(axis.place(value) - axis.place(0)) > 25);
    return make("span.interval-axis", { "aria-hidden": "true" }, ticks.map((value) => {
      const tick = make("span", {}, value === 0 ? "0" : formatChange(value));
      tick.style.left = `${axis.place(value)}%`;
      if (axis.place(value) < 8) tick.className = "first";
      if (axis.place(value) > 92) tick.className = "last";
      return tick;
    }));
  }
})();
