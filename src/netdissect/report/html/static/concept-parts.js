"use strict";
// Parts of a concept's page: its best score over the layers, the images where its units miss it, and what is labeled beside it.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const MISSES = 6;
  const CURVE = { height: 190, left: 44, right: 16, top: 14, foot: 40 };

  // Makes the curve of the best score of any unit of each layer with a concept, with the units named after it in the controls; null
  // for a run of one layer. `best` has a score for every layer.
  nd.makeConceptCurve = (concept, best) => {
    const { run } = nd;
    if (run.layers.length < 2) return null;
    const name = run.concepts[concept];
    const controls = run.layers.map((layer) => listControlScores(layer, concept));
    const intervals = run.layers.map((layer) => findInterval(layer, concept, best[layer.index]));
    const known = run.layers.some((layer) => layer.controls.some((control) => control.scores));
    const any = controls.some((scores) => scores.length);
    const canvas = make("canvas.concept-curve", { role: "img", "aria-label": `Best ${run.scoreTitle} with ${name} in each layer: ${run.layers.map((layer, at) => `${layer.name} ${best[at].toFixed(3)}`).join(", ")}` });
    const field = make("div.curve-home", {}, canvas);
    const words = `${nd.listShortNames().prefix ? `Layers of ${nd.listShortNames().prefix.replace(/[./_-]$/, "")}, from the first to the last. ` : ""}Dashed: the threshold.${intervals.some(Boolean) ? " Whisker: 95 % interval." : ""}${
      any ? ` Gray ring: the best unit of the control (${nameControls()}) that is named ${name}.` : known ? ` No unit of the control (${nameControls()}) is named ${name}.` : ""}`;
    const element = make("section", {}, make("h2", {}, `Best ${run.scoreTitle} with ${name}, layer by layer`), make("p.note", {}, words), field);
    return { element, draw: () => drawCurve({ canvas, field, concept, best, controls, intervals }) };
  };

  const nameControls = () => [...new Set(nd.run.layers.flatMap((layer) => layer.controls.map(nd.nameControl)))].join(", ");

  // Returns the best score of each control's units that are named after a concept.
  function listControlScores(layer, concept) {
    return layer.controls.filter((control) => control.scores)
      .map((control) => control.scores.reduce((most, score, unit) => (control.label[unit] === concept ? Math.max(most, score) : most), 0)).filter((score) => score > 0);
  }

  // Returns the 95 % interval of the best score, if it is that of a unit named after the concept.
  function findInterval(layer, concept, best) {
    const [unit] = layer.all.unitsOf.get(concept) || [];
    if (unit === undefined || !layer.story || !layer.story.low || Number.isNaN(layer.story.low[unit]) || Math.abs(layer.labelScore[unit] - best) > 1e-5) return null;
    return [layer.story.low[unit], layer.story.high[unit]];
  }

  function drawCurve({ canvas, field, concept, best, controls, intervals }) {
    const { run, state } = nd;
    const width = field.clientWidth;
    if (!width) return;
    const { height, left, right, top, foot } = CURVE;
    const context = nd.prepareCanvas(canvas, width, height);
    const most = 1.06 * Math.max(state.cut * 1.4, 0.01, ...best, ...controls.flat(), ...intervals.filter(Boolean).map(([, high]) => high));
    const step = (width - left - right) / (run.layers.length - 1);
    const x = (at) => left + at * step;
    const y = (score) => top + (1 - score / most) * (height - top - foot);
    context.font = `12px ${nd.getColor("sans")}`;
    context.fillStyle = nd.getColor("soft");
    const tick = [0.01, 0.02, 0.05, 0.1, 0.2].find((size) => most / size <= 5) || 0.25;
    context.textAlign = "right";
    for (let at = 0; at <= most; at += tick) {
      context.fillText(at.toFixed(2), left - 10, y(at) + 4);
      context.fillRect(left - 4, y(at), width - left - right + 8, at ? 0.3 : 1);
    }
    drawNames(context, x, step, height - foot + 18);
    const line = (dash, color, draw) => {
      context.setLineDash(dash);
      context.strokeStyle = nd.getColor(color);
      context.beginPath();
      draw();
      context.stroke();
      context.setLineDash([]);
    };
    context.lineWidth = 1;
    line([3, 3], "soft", () => { context.moveTo(left - 4, y(state.cut)); context.lineTo(width - right + 4, y(state.cut)); });
    controls.forEach((scores, at) => scores.forEach((score) => line([], "control", () => context.arc(x(at), y(score), 5, 0, 7))));
    const color = `fill-${run.slots[run.category[concept]]}`;
    context.lineWidth = 2;
    line([], color, () => best.forEach((score, at) => (at ? context.lineTo(x(at), y(score)) : context.moveTo(x(at), y(score)))));
    context.lineWidth = 1.5;
    intervals.forEach((ends, at) => { if (ends) line([], color, () => { context.moveTo(x(at), y(ends[0])); context.lineTo(x(at), y(Math.min(ends[1], most))); }); });
    best.forEach((score, at) => {
      context.beginPath();
      context.arc(x(at), y(score), 4.5, 0, 7);
      context.fillStyle = nd.getColor(score >= state.cut ? color : "paper");
      context.fill();
      line([], color, () => context.arc(x(at), y(score), 4.5, 0, 7));
    });
  }

  // Writes the layers' names below the axis, as many as have room.
  function drawNames(context, x, step, y) {
    const { short } = nd.listShortNames();
    context.fillStyle = nd.getColor("text");
    let free = -Infinity;
    short.forEach((name, at) => {
      const last = at === short.length - 1;
      const room = Math.max(56, step * Math.ceil(56 / step) - 8);
      let text = name;
      while (text.length > 2 && context.measureText(text).width > room) text = `${text.slice(0, text.endsWith("…") ? -2 : -1)}…`;
      const size = context.measureText(text).width;
      const start = at === 0 ? x(at) - 4 : last ? x(at) + 8 - size : x(at) - size / 2;
      if (start < free) return;
      context.textAlign = "left";
      context.fillText(text, start, y);
      free = start + size + 8;
    });
  }

  // Returns the images labeled with a concept on which most of its units have no mask pixel, by the units' own lists of their largest
  // misses: [{ place, units }], most units first.
  nd.findMisses = (units) => {
    const counts = new Map();
    for (const { layer, unit } of units) {
      if (!layer.group.missed) continue;
      for (const place of new Set(nd.getImages(layer, unit, "missed"))) if (place >= 0) counts.set(place, (counts.get(place) || 0) + 1);
    }
    return [...counts].map(([place, number]) => ({ place, units: number })).sort((a, b) => b.units - a.units || a.place - b.place).slice(0, MISSES);
  };

  // Makes the section of these images; null where no unit misses the concept or the run does not say.
  nd.makeMisses = (concept, units) => {
    const found = nd.findMisses(units);
    if (!found.length) return null;
    const name = nd.run.concepts[concept];
    const tiles = found.map(({ place, units: number }) => nd.makeTile(place, { name: `${name}, missed by ${nd.formatUnits(number)}`, caption: [`missed by ${nd.formatCount(number)} of ${nd.formatCount(units.length)}`] }));
    const paint = () => tiles.forEach((tile) => { if (tile.labels) nd.paintLabeled(tile, concept); });
    tiles.forEach((tile) => tile.ready.then(() => nd.paintLabeled(tile, concept)));
    const element = make("section", {}, make("h2", {}, `Where its units miss ${name}`),
      make("p.note", {}, `${name} is labeled here, and units named after it are above their threshold at none of its pixels. Each unit lists the five images where it misses most of it; shown are those on the most lists.`), make("div.misses", {}, tiles.map((tile) => tile.element)));
    return { element, paint };
  };

  // Makes the section of the concepts that are labeled in the same images and of those that its units detect too.
  nd.makeCompanions = (concept, { companions, together }, units) => {
    const { run } = nd;
    const each = companions.length / run.concepts.length;
    const beside = Array.from({ length: each }, (_, i) => [companions[concept * each + i], together[concept * each + i]]).filter(([other]) => other >= 0);
    const also = new Map();
    for (const { layer, unit } of units) if (layer.nextScore[unit] >= nd.state.cut) also.set(layer.next[unit], (also.get(layer.next[unit]) || 0) + 1);
    const second = [...also].sort((a, b) => b[1] - a[1]).slice(0, each);
    if (!beside.length && !second.length) return null;
    const list = (entries, says) => make("ul.companions", {}, entries.map(([other, number]) => make("li", {}, nd.linkConcepts([other]), make("span.note", {}, says(number)))));
    const name = run.concepts[concept];
    return make("section", {}, make("h2", {}, `Beside ${name}`),
      beside.length ? [make("p.note", {}, `Labeled in the same images; the numbers are of the ${nd.formatUnits(run.labeled[concept], "image")} of this report that ${run.labeled[concept] === 1 ? "has" : "have"} ${name}:`), list(beside, (number) => nd.formatCount(number))] : [],
      second.length ? [make("p.note", {}, "The second best concepts of its units, at or above the threshold:"), list(second, (number) => nd.formatUnits(number))] : []);
  };

  // Says in how many images a concept is labeled: of the whole probe set where that is known.
  nd.describeImages = (concept, known) => {
    const { run } = nd;
    const [shown, all] = [run.labeled[concept], nd.formatCount(run.images)];
    if (known >= 0) return `labeled in ${nd.formatCount(known)} of ${all} images`;
    return run.row.length === run.images ? `labeled in ${nd.formatCount(shown)} of ${all} images` : `labeled in at least ${nd.formatCount(shown)} of ${all} images`;
  };
})();
