"use strict";
// How far a unit's label can be trusted: its score, the interval of it, and the scores that it reaches by chance, on one axis.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const HEIGHT = 62;
  const MIDDLE = 22;

  const known = (...values) => values.every((value) => !Number.isNaN(value));

  // Returns a unit's interval as " (0.147–0.223)"; "" while it is not known.
  nd.formatInterval = (layer, unit) => {
    const tables = layer.tables;
    return tables && known(tables.low[unit], tables.high[unit]) ? ` (${tables.low[unit].toFixed(3)}–${tables.high[unit].toFixed(3)})` : "";
  };

  // Makes the section of a unit's page, or null where nothing was measured. The layer's trust tables must be loaded.
  nd.makeUnitTrust = (layer, unit) => {
    const { tables } = layer;
    if (!tables || layer.label[unit] < 0) return null;
    const shifts = tables.shifted ? tables.shifted.length / layer.units : 0;
    const shifted = Array.from({ length: shifts }, (_, shift) => tables.shifted[shift * layer.units + unit]);
    const facts = listFacts(layer, unit);
    if (!facts.length) return null;
    const canvas = make("canvas", { role: "img", "aria-label": describe(layer, unit, shifts) });
    const home = make("div.sure-strip", {}, canvas);
    const words = [shifts ? `Gray: the best score with the labels of other images, ${shifts} times.` : "", nd.formatInterval(layer, unit) ? "Bar: the 95 % interval of the score." : "", "Dashed: the threshold."];
    const element = make("section", { "aria-label": "How sure" }, make("h2", {}, "How sure"),
      make("p.note", {}, words.filter(Boolean).join(" ")), home,
      make("dl.facts.sure-facts", {}, facts.map(([name, value, title]) => make("div", { title }, make("dt", {}, name), make("dd", {}, value)))));
    return { element, draw: () => draw(canvas, home, layer, unit, shifted) };
  };

  function describe(layer, unit, shifts) {
    const { tables } = layer;
    const interval = nd.formatInterval(layer, unit);
    const chance = shifts && known(tables.chance[unit]) ? `; by chance ${tables.chance[unit].toFixed(3)}` : "";
    return `${nd.run.scoreTitle} ${layer.labelScore[unit].toFixed(3)}${interval && `, 95 % interval${interval}`}${chance}`;
  }

  // Returns name, value and explanation of everything that was measured.
  function listFacts(layer, unit) {
    const { tables } = layer;
    const { scoreTitle } = nd.run;
    const value = (name) => (tables[name] ? tables[name][unit] : NaN);
    const q = layer.q ? layer.q[unit] : NaN;
    const qReference = layer.qReference ? layer.qReference[unit] : NaN;
    const score = layer.labelScore[unit];
    const probability = (number) => nd.formatProbability(number, nd.LEVEL);
    const labels = tables.labels[unit] || [];
    const rows = [
      [known(value("low"), value("high")), "95 % interval", () => `${value("low").toFixed(3)}–${value("high").toFixed(3)}`, `of ${scoreTitle} over all images of this kind`],
      [known(value("chance")), "By chance", () => `${value("chance").toFixed(3)}, ${value("cut").toFixed(3)} at most in 95 %`, "with the labels of other images"],
      [known(value("lift")), "Times chance", () => nd.formatTimes(value("lift")), `${scoreTitle} divided by the score by chance`],
      [known(value("p")), "p, own p", () => `${probability(value("p"))}, ${probability(value("p_own"))}`, "of such a score by chance: from all units’ shifts, and from its own alone"],
      [known(q), "q", () => `${probability(q)}${q < nd.LEVEL ? "" : ", no concept beats chance"}`, "false discovery rate among units of at most this p"],
      [known(value("q_within")), `q within ${layer.trust.within || "scenes"}`, () => probability(value("q_within")), "the same, with labels exchanged only among images of the same kind: the concept itself, not its usual surroundings"],
      [known(qReference), "q against untrained", () => probability(qReference), "false discovery rate of: no better than untrained networks"],
      [known(value("keep")), "Same label", () => `in ${nd.formatPercent(value("keep"))} of resamples`, "share of resamples of the images in which the unit has this label"],
      [labels.length > 1, "Label is one of", () => labels.join(", "), "the fewest labels that 90 % of resamples name"],
      [known(value("honest")) && score - value("honest") > value("high") - value("low"), "On other images", () => value("honest").toFixed(3), `${scoreTitle} on images that did not choose the label`],
    ];
    return rows.filter(([there]) => there).map(([, name, text, title]) => [name, text(), title]);
  }

  function draw(canvas, home, layer, unit, shifted) {
    const { tables } = layer;
    const width = home.clientWidth;
    if (!width) return;
    const { cut } = nd.state;
    const score = layer.labelScore[unit];
    const [low, high] = [tables.low[unit], tables.high[unit]];
    const most = Math.max(score, cut, ...shifted, ...(known(high) ? [high] : [])) * 1.06 || 1;
    const x = (value) => 7 + (Math.min(value, most) / most) * (width - 14);
    const context = nd.prepareCanvas(canvas, width, HEIGHT);
    context.fillStyle = nd.getColor("rule");
    context.fillRect(0, MIDDLE, width, 1);
    context.fillStyle = nd.getColor("control");
    for (const value of shifted) context.fillRect(x(value) - 0.75, MIDDLE - 10, 1.5, 21);
    context.strokeStyle = nd.getColor("soft");
    context.setLineDash([3, 3]);
    context.beginPath();
    context.moveTo(x(cut), 0);
    context.lineTo(x(cut), HEIGHT - 20);
    context.stroke();
    context.setLineDash([]);
    const fill = nd.getColor(`fill-${nd.run.slots[layer.best[unit]]}`);
    context.fillStyle = fill;
    if (known(low, high)) context.fillRect(x(low), MIDDLE - 2, Math.max(2, x(high) - x(low)), 5);
    context.beginPath();
    context.arc(x(score), MIDDLE + 0.5, 6, 0, 7);
    context.lineWidth = 2;
    context.strokeStyle = fill;
    context.fillStyle = nd.isBeyond(layer, unit) === false ? nd.getColor("paper") : fill; // hollow where chance does as well
    context.fill();
    context.stroke();
    nd.drawScoreAxis(context, x, most, HEIGHT);
  }

  // Draws the numbers of an axis of scores at the bottom of a canvas.
  nd.drawScoreAxis = (context, x, most, height) => {
    const tick = [0.005, 0.01, 0.02, 0.04, 0.1, 0.2].find((step) => most / step <= 8) || 0.25;
    context.font = `12px ${nd.getColor("sans")}`;
    context.fillStyle = nd.getColor("soft");
    for (let at = 0; at <= most; at += tick) {
      context.textAlign = at === 0 ? "left" : "center";
      context.fillText(at.toFixed(tick < 0.01 ? 3 : 2), at === 0 ? 0 : x(at), height - 6);
    }
  };
})();
