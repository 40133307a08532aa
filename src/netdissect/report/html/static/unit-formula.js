"use strict";
// A unit's formula on its page: the IoU of the best single concept, of the formula and of the best formula of any length, and
// what the same search gains by chance.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const HEIGHT = 54;
  const MIDDLE = 20;

  const known = (value) => !Number.isNaN(value);

  function read(layer, unit) {
    const { iou, single, baseline, ceiling, chance, concepts, proved } = layer.formulaTables;
    return { iou: iou[unit], single: single[unit], baseline: baseline[unit], ceiling: ceiling[unit], chance: chance[unit], concepts: concepts[unit], proved: proved[unit], gain: iou[unit] - baseline[unit] };
  }

  const PROVED = 3; // the most concepts of a formula that is proved best
  const describeSearch = ({ formulas }, { proved }) => (proved ? `proved best of ${Math.min(PROVED, formulas.length)}` : formulas.length > PROVED ? `best found of ${formulas.length}` : "not proved best");

  // Returns a sentence of a unit's formula, for the top of its page; null where none is beyond chance.
  nd.makeFormulaLine = (layer, unit) => {
    const formula = nd.getFormula(layer, unit);
    if (!formula || !layer.formulaTables) return null;
    const found = read(layer, unit);
    return make("p.lead.formula-line", {}, "As a formula: ", nd.makeFormula(formula), ", IoU ", make("strong", {}, found.iou.toFixed(3)), `, ${describeSearch(layer, found)}`,
      known(found.chance) ? `, chance gain ${found.chance.toFixed(3)}.` : ".");
  };

  // Makes the section of a unit's page; null for a unit whose formula was not searched. The layer's figures must be loaded.
  nd.makeUnitFormula = (layer, unit) => {
    if (!layer.formulaTables || !known(layer.formulaTables.iou[unit]) || layer.label[unit] < 0) return null;
    const found = read(layer, unit);
    const formula = nd.getFormula(layer, unit);
    const canvas = make("canvas", { role: "img", "aria-label": describe(found, formula) });
    const home = make("div.sure-strip", {}, canvas);
    const element = make("section", { "aria-label": "Formula" }, make("h2", {}, "Formula"),
      formula ? make("p.formula-name", {}, nd.makeFormula(formula)) : null,
      make("p.note", {}, formula ? "Filled: the best single concept. Ring: the formula. Mark: the ceiling." : explain(layer, found),
        known(found.chance) && found.chance > 0 ? " Gray: what the search gains with the labels of other images." : "", formula ? describeImages(formula, found) : ""),
      home,
      make("dl.facts.sure-facts", {}, listFacts(layer, found, formula).map(([name, value, title]) => make("div", { title }, make("dt", {}, name), make("dd", {}, value)))));
    return { element, draw: () => draw(canvas, home, layer, unit, found, formula) };
  };

  // Says on which images a formula of several categories was measured, and the best single concept on these images if it is better there.
  function describeImages({ concepts }, { single, baseline }) {
    const kinds = [...new Set(concepts.map((concept) => nd.run.category[concept]))].sort((a, b) => a - b).map((kind) => nd.run.categories[kind]);
    if (kinds.length < 2) return "";
    return ` Its IoU is over the images with labels of ${kinds.slice(0, -1).join(", ")} and ${kinds[kinds.length - 1]}${baseline > single ? `, where the best single concept reaches ${baseline.toFixed(3)}` : ""}.`;
  }

  function explain(layer, { concepts, gain, chance }) {
    const upTo = `up to ${nd.formatUnits(layer.formulas.length, "concept")}`;
    return concepts < 2 ? `No formula of ${upTo} fits better than one concept.`
      : gain <= 0 ? `The best formula of ${upTo} is not shown: on its images a single concept does as well.`
      : `The best formula of ${upTo} is not shown: it gains ${gain.toFixed(3)}, and ${known(chance) ? `chance as much (${chance.toFixed(3)})` : "what chance gives is not known"}.`;
  }

  function describe(found, formula) {
    const chance = known(found.chance) ? `; the search gains ${found.chance.toFixed(3)} by chance` : "";
    return `IoU of the best single concept ${found.single.toFixed(3)}${formula ? `, of the formula ${found.iou.toFixed(3)}` : ""}, ceiling ${found.ceiling.toFixed(3)}${chance}`;
  }

  function listFacts(layer, found, formula) {
    return [
      ["Single concept", found.single.toFixed(3), "IoU of the best single concept"],
      ...(formula && found.baseline > found.single ? [["On the formula’s images", found.baseline.toFixed(3), "IoU of the best single concept over the images of the formula"]] : []),
      ...(formula ? [
        ["Formula", `${found.iou.toFixed(3)}, ${describeSearch(layer, found)}`, "over the images that have every category that it names"],
        ["Gain", `${found.gain.toFixed(3)}${known(found.chance) ? `, ${found.chance.toFixed(3)} by chance` : ""}`, `by chance: the largest gain with the labels of other images, ${nd.formatUnits(layer.formulas.shifts, "time")}`],
      ] : []),
      ["Ceiling", found.ceiling.toFixed(3), "IoU of the best formula of any length over the labels: no names can describe the unit better"],
    ];
  }

  function draw(canvas, home, layer, unit, found, formula) {
    const width = home.clientWidth;
    if (!width) return;
    const most = Math.max(found.ceiling, found.iou, found.baseline + (known(found.chance) ? found.chance : 0)) * 1.06 || 1;
    const x = (value) => 7 + (value / most) * (width - 14);
    const context = nd.prepareCanvas(canvas, width, HEIGHT);
    context.fillStyle = nd.getColor("rule");
    context.fillRect(0, MIDDLE, width, 1);
    context.fillStyle = nd.getColor("idle");
    if (known(found.chance)) context.fillRect(x(found.baseline), MIDDLE - 5, x(found.baseline + found.chance) - x(found.baseline), 11);
    context.fillStyle = nd.getColor("ink");
    context.fillRect(x(found.ceiling) - 1, MIDDLE - 10, 2, 21);
    const fill = nd.getColor(`fill-${nd.run.slots[layer.best[unit]]}`);
    context.strokeStyle = context.fillStyle = fill;
    context.lineWidth = 2;
    if (formula) context.fillRect(x(found.baseline), MIDDLE - 0.5, x(found.iou) - x(found.baseline), 2);
    drawDot(context, x(found.baseline), fill);
    if (formula) drawDot(context, x(found.iou), nd.getColor("paper"));
    nd.drawScoreAxis(context, x, most, HEIGHT);
  }

  function drawDot(context, x, fill) {
    context.beginPath();
    context.arc(x, MIDDLE + 0.5, 6, 0, 7);
    context.fillStyle = fill;
    context.fill();
    context.stroke();
  }
})();
