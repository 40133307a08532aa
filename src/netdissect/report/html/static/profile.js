"use strict";
// A unit's concept profile: its IoU with every concept as a spectrum, and a table of the best.
(() => {
  const nd = window.netdissect;
  const { make, say } = nd;
  const BEST = 8;
  const EACH = 3; // per category
  const HEIGHT = 74;

  nd.makeProfile = (layer, unit) => {
    const { run } = nd;
    const measured = run.concepts.map((_, concept) => nd.measure(layer, unit, concept));
    const best = measured.filter((entry) => entry.I > 0).sort((a, b) => b.iou - a.iou || a.concept - b.concept);
    const canvas = make("canvas", { role: "img", "aria-label": `IoU of unit ${unit + 1} with all ${run.concepts.length} concepts` });
    const kinds = make("div.spectrum-kinds", { "aria-hidden": "true" });
    const body = make("tbody");
    const extra = layer.scores;
    const heads = [["Concept", "concept"], ["IoU", "figure"], ["", "bar-cell"], ["Att.", "figure"], ["Prec.", "figure"], ["Recall", "figure"], ...extra.map((name) => [name, "figure"])];
    const table = make("table.profile", {}, make("thead", {}, make("tr", {}, heads.map(([text, cls]) => (text ? make(`th.${cls}`, { scope: "col" }, text) : make(`td.${cls}`))))), body);
    let grouped = false;
    const choices = [["Best", false], ["By category", true]].map(([text, value]) => make("button", { type: "button", onclick: () => { grouped = value; draw(); } }, text));
    const element = make("section", {},
      make("div.head", {}, make("h2", {}, "Concept profile"), make("div.small-switch", { role: "group", "aria-label": "Which concepts" }, choices)),
      make("p.note", {}, `IoU with all ${nd.units(run.concepts.length, "concept")}, by category.`),
      make("div.spectrum", {}, canvas, kinds), make("div.scroll", {}, table),
      make("p.fine", {}, "Prec.: share of its mask that lies on the concept. Recall: share of the concept under its mask. Att.: the largest IoU a mask of this size could reach, the upright mark. Dashed: the cut."));

    function draw() {
      choices.forEach((button, at) => button.setAttribute("aria-pressed", String(Boolean(at) === grouped)));
      drawSpectrum(canvas, kinds, measured);
      const rows = grouped
        ? run.categories.flatMap((_, kind) => best.filter((entry) => run.category[entry.concept] === kind).slice(0, EACH))
        : best.slice(0, BEST);
      const most = Math.max(nd.state.cut * 1.25, 0.05, ...rows.map((entry) => entry.iou));
      body.replaceChildren(...rows.map((entry) => row(layer, unit, entry, most, extra)));
      if (!rows.length) body.append(make("tr", {}, make("td", { colSpan: heads.length }, "No labelled pixel lies under the mask.")));
    }
    return { element, draw };
  };

  function row(layer, unit, entry, most, extra) {
    const { run, state } = nd;
    const slot = run.slots[run.category[entry.concept]];
    const passes = entry.iou >= state.cut;
    const fill = make(`span.k-${slot}`);
    fill.style.width = `${(100 * Math.min(entry.iou, most)) / most}%`;
    const cut = make("span.cut");
    cut.style.left = `${(100 * state.cut) / most}%`;
    const mark = entry.attainable <= most ? make("span.attainable") : null;
    if (mark) mark.style.left = `${(100 * entry.attainable) / most}%`;
    const name = make("a", { href: nd.address({ view: "concept", concept: entry.concept }) }, run.concepts[entry.concept]);
    return make(`tr${passes ? "" : ".below"}`, {},
      make("th.concept", { scope: "row" }, make(`span.swatch.${passes ? `k-${slot}` : "none"}`, { title: run.categories[run.category[entry.concept]] }), name),
      make("td.figure.iou", { title: `I ${nd.count(entry.I)}, A ${nd.count(entry.A)}, G ${nd.count(entry.G)} pixels` }, nd.iou(entry.iou, state.cut)),
      make("td.bar-cell", { "aria-hidden": "true" }, make("span.bar", {}, fill, cut, mark)),
      make("td.figure", {}, entry.attainable.toFixed(2)),
      make("td.figure", {}, nd.percent(entry.precision)),
      make("td.figure", {}, nd.percent(entry.recall)),
      extra.map((score) => make("td.figure", {}, nd.number(layer.counts[`score.${score}`][unit * run.concepts.length + entry.concept]))));
  }

  function drawSpectrum(canvas, kinds, measured) {
    const { run, state } = nd;
    const width = canvas.parentElement.clientWidth;
    if (!width) return;
    const context = nd.canvas(canvas, width, HEIGHT);
    const groups = run.categories.map((_, kind) => measured.filter((entry) => run.category[entry.concept] === kind));
    const gap = 9;
    const least = 34; // room for a category's name
    const room = width - gap * (groups.length - 1) - least * groups.length;
    const most = Math.max(state.cut * 1.2, ...measured.map((entry) => entry.iou));
    const y = HEIGHT - 1 - (state.cut / most) * (HEIGHT - 12);
    let left = 0;
    kinds.replaceChildren();
    groups.forEach((group, kind) => {
      const size = least + (room * group.length) / Math.max(1, measured.length);
      context.fillStyle = nd.color("rule");
      context.fillRect(left, HEIGHT - 1, size, 1);
      const columns = new Float64Array(Math.max(1, Math.min(group.length, Math.floor(size))));
      group.forEach((entry, i) => {
        const at = Math.floor((i * columns.length) / group.length);
        columns[at] = Math.max(columns[at], entry.iou);
      });
      const step = size / columns.length;
      context.fillStyle = nd.color(`fill-${run.slots[kind]}`);
      columns.forEach((value, i) => {
        if (!value) return;
        context.globalAlpha = value >= state.cut ? 1 : 0.45;
        const tall = Math.max(0.75, (value / most) * (HEIGHT - 12));
        context.fillRect(left + i * step, HEIGHT - 1 - tall, Math.max(0.75, step - (step > 3 ? 1 : 0)), tall);
      });
      context.globalAlpha = 1;
      const name = make(`span.t-${run.slots[kind]}`, {}, run.categories[kind]);
      name.style.left = `${left}px`;
      kinds.append(name);
      left += size + gap;
    });
    context.setLineDash([3, 3]);
    context.strokeStyle = nd.color("soft");
    context.beginPath();
    context.moveTo(0, Math.round(y) + 0.5);
    context.lineTo(width, Math.round(y) + 0.5);
    context.stroke();
    context.setLineDash([]);
    context.fillStyle = nd.color("soft");
    context.font = `12px ${nd.color("sans")}`;
    context.textAlign = "right";
    context.fillText(`cut ${nd.cutText(state.cut)}`, width, Math.max(9, y - 4));
  }
})();
