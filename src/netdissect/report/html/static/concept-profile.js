"use strict";
// A unit's concept profile: its scores with all concepts as a spectrum, and a table of the best.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  const BEST = 8;
  const EACH = 3; // per category
  const HEIGHT = 74;

  nd.makeProfile = (layer, unit) => {
    const { run } = nd;
    const measured = run.concepts.map((_, concept) => nd.measure(layer, unit, concept));
    const best = measured.filter((entry) => entry.I > 0 || entry.score > 0).sort((a, b) => b.score - a.score || a.concept - b.concept);
    const canvas = make("canvas", { role: "img", "aria-label": `${run.scoreTitle} of unit ${unit + 1} with all ${run.concepts.length} concepts` });
    const kinds = make("div.spectrum-kinds", { "aria-hidden": "true" });
    const body = make("tbody");
    const own = Boolean(layer.counts.score); // the run's score is not IoU
    const heads = [["Concept", "concept"], [run.scoreTitle, "figure"], ["", "bar-cell"], ...(own ? [["IoU", "figure"]] : []), ["Mask and label", "venn-cell"]];
    const head = make("tr", {}, heads.map(([text, cls]) => (text ? make(`th.${cls}`, { scope: "col" }, text) : make(`td.${cls}`))));
    const table = make("table.profile", {}, make("thead", {}, head), body);
    const byCategory = () => run.categories.flatMap((_, kind) => best.filter((entry) => run.category[entry.concept] === kind).slice(0, EACH));
    const choices = [["Best", () => best.slice(0, BEST)], ["By category", byCategory], [`All ${nd.formatCount(best.length)}`, () => best]]
      .map(([text, rows]) => ({ rows, button: make("button", { type: "button", onclick: () => choose(rows) }, text) }));
    let chosen = choices[0].rows;
    let pin = null;
    const pinHead = make("th.figure", { scope: "col" });
    const spectrum = makeSpectrum(canvas, kinds, measured);
    const scroll = make("div.scroll", { tabIndex: 0, role: "region", "aria-label": "Table of concepts" }, table);
    const element = make("section", {},
      make("div.head", {}, make("h2", {}, "Concept profile"), make("div.small-switch", { role: "group", "aria-label": "Which concepts" }, choices.map(({ button }) => button))),
      make("p.note", {}, `${run.scoreTitle} with all ${nd.formatUnits(run.concepts.length, "concept")}, by category.`),
      make("div.spectrum", {}, canvas, spectrum.tip, kinds), scroll,
      make("p.fine", {}, "Dashed: the threshold. ", own ? null : ["Mark: the ", nd.makeTerm("attainable"), " IoU. "], nd.formatInterval(layer, unit) ? "Whisker: the 95 % interval of its label. " : null, "Mask and label: gray mask only, colored both, outlined label only."));

    // Adds a column with the pinned unit's scores; null removes it.
    async function setPinned(other) {
      pin = other;
      pinHead.remove();
      if (pin && !pin.layer.counts) {
        draw(); // without the column until its counts are loaded
        await nd.loadCounts(pin.layer);
        if (pin !== other) return;
      }
      if (pin) {
        setText(pinHead, `Unit ${pin.unit + 1}`);
        pinHead.title = `${run.scoreTitle} of the pinned unit ${pin.unit + 1} of ${pin.layer.name}`;
        head.children[1].after(pinHead);
      }
      draw();
    }

    function choose(rows) {
      chosen = rows;
      draw();
    }

    function draw() {
      for (const { rows, button } of choices) button.setAttribute("aria-pressed", String(rows === chosen));
      scroll.classList.toggle("tall", chosen === choices[2].rows);
      spectrum.draw();
      const rows = chosen();
      const most = Math.max(nd.state.cut * 1.25, 0.05, nd.formatInterval(layer, unit) ? layer.tables.high[unit] : 0, ...rows.map((entry) => entry.score));
      body.replaceChildren(...rows.map((entry) => makeRow(layer, unit, entry, most, own, pin)));
      if (!rows.length) body.append(make("tr", {}, make("td", { colSpan: heads.length + 1 }, "The mask covers no labeled pixel.")));
    }
    return { element, draw, setPinned };
  };

  function makeRow(layer, unit, entry, most, own, pin) {
    const { run, state } = nd;
    const slot = run.slots[run.category[entry.concept]];
    const passes = entry.score >= state.cut;
    const hollow = passes && nd.isBeyond(layer, unit) === false ? ".hollow" : ""; // if its best concept does not beat chance, none does
    const fill = make(`span.k-${slot}${hollow}`);
    fill.style.width = `${(100 * Math.min(entry.score, most)) / most}%`;
    const cut = make("span.cut");
    cut.style.left = `${(100 * state.cut) / most}%`;
    const mark = !own && entry.attainable <= most ? make("span.attainable") : null;
    if (mark) mark.style.left = `${(100 * entry.attainable) / most}%`;
    const whisker = makeWhisker(layer, unit, entry, most);
    const name = make("a", { href: nd.makeAddress({ view: "concept", concept: entry.concept }) }, run.concepts[entry.concept]);
    return make(`tr${passes ? "" : ".below"}`, {},
      make("th.concept", { scope: "row" }, make(`span.swatch.${passes ? `k-${slot}${hollow}` : "none"}`, { title: run.categories[run.category[entry.concept]] }), name),
      make("td.figure.iou", { title: `I ${nd.formatCount(entry.I)}, A ${nd.formatCount(entry.A)}, G ${nd.formatCount(entry.G)} pixels; attainable ${entry.attainable.toFixed(2)}` }, nd.formatScore(entry.score, state.cut)),
      pin && pin.layer.counts ? make("td.figure", {}, nd.formatScore(nd.measure(pin.layer, pin.unit, entry.concept).score, state.cut)) : null,
      make("td.bar-cell", { "aria-hidden": "true" }, make("span.bar", {}, fill, cut, mark, whisker)),
      own ? make("td.figure", {}, nd.formatScore(entry.iou, state.cut)) : null,
      make("td.venn-cell", {}, nd.makeOverlapBar(entry)));
  }

  // Makes the 95 % interval of the label's score, the only one that is known; null for other concepts.
  function makeWhisker(layer, unit, entry, most) {
    if (entry.concept !== layer.label[unit] || !nd.formatInterval(layer, unit)) return null;
    const { low, high } = layer.tables;
    const whisker = make("span.whisker");
    whisker.style.left = `${(100 * low[unit]) / most}%`;
    whisker.style.width = `${(100 * (Math.min(high[unit], most) - low[unit])) / most}%`;
    return whisker;
  }

  // Makes the spectrum of all concepts; pointing at one shows its name, a click opens its page.
  function makeSpectrum(canvas, kinds, measured) {
    const tip = make("p.tip", { hidden: true });
    let places = []; // from, to, and the concept with the highest score there
    const findPlace = (event) => {
      const x = event.clientX - canvas.getBoundingClientRect().left;
      return places.reduce((found, place) => (distance(place, x) < distance(found, x) ? place : found), null);
    };
    const distance = (place, x) => (place ? Math.max(place.from - x, x - place.to, 0) : 8);
    let named = null; // the concept in the tip, which a click opens
    const show = (event) => {
      const place = named = findPlace(event);
      canvas.classList.toggle("pick", Boolean(place));
      tip.hidden = !place;
      if (!place) return;
      setText(tip, `${nd.run.concepts[place.entry.concept]}, ${nd.run.scoreTitle} ${nd.formatScore(place.entry.score, nd.state.cut)}`);
      tip.style.left = `${Math.max(0, Math.min(place.from - 20, canvas.clientWidth - tip.offsetWidth))}px`;
    };
    canvas.addEventListener("pointermove", show);
    canvas.addEventListener("pointerdown", show);
    canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
    canvas.addEventListener("click", () => {
      if (named) nd.go({ view: "concept", concept: named.entry.concept });
    });
    return { tip, draw: () => { places = drawSpectrum(canvas, kinds, measured); } };
  }

  function drawSpectrum(canvas, kinds, measured) {
    const { run, state } = nd;
    const width = canvas.parentElement.clientWidth;
    const places = [];
    if (!width) return places;
    const context = nd.prepareCanvas(canvas, width, HEIGHT);
    const groups = run.categories.map((_, kind) => measured.filter((entry) => run.category[entry.concept] === kind));
    const gap = 9;
    const least = 34; // room for a category's name
    const room = width - gap * (groups.length - 1) - least * groups.length;
    const most = Math.max(state.cut * 1.2, ...measured.map((entry) => entry.score));
    const y = HEIGHT - 1 - (state.cut / most) * (HEIGHT - 12);
    let left = 0;
    kinds.replaceChildren();
    groups.forEach((group, kind) => {
      const size = least + (room * group.length) / Math.max(1, measured.length);
      context.fillStyle = nd.getColor("rule");
      context.fillRect(left, HEIGHT - 1, size, 1);
      const columns = Array(Math.max(1, Math.min(group.length, Math.floor(size)))).fill(null);
      group.forEach((entry, i) => {
        const at = Math.floor((i * columns.length) / group.length);
        if (!columns[at] || entry.score > columns[at].score) columns[at] = entry;
      });
      const step = size / columns.length;
      context.fillStyle = nd.getColor(`fill-${run.slots[kind]}`);
      columns.forEach((entry, i) => {
        if (!entry || !entry.score) return;
        context.globalAlpha = entry.score >= state.cut ? 1 : 0.45;
        const tall = Math.max(0.75, (entry.score / most) * (HEIGHT - 12));
        const thick = Math.max(0.75, Math.min(14, step - (step > 3 ? 1 : 0)));
        context.fillRect(left + i * step, HEIGHT - 1 - tall, thick, tall);
        places.push({ from: left + i * step, to: left + i * step + thick, entry });
      });
      context.globalAlpha = 1;
      const name = make(`span.t-${run.slots[kind]}`, {}, run.categories[kind]);
      name.style.left = `${left}px`;
      name.style.maxWidth = `${size + gap - 3}px`;
      kinds.append(name);
      left += size + gap;
    });
    context.setLineDash([3, 3]);
    context.strokeStyle = nd.getColor("soft");
    context.beginPath();
    context.moveTo(0, Math.round(y) + 0.5);
    context.lineTo(width, Math.round(y) + 0.5);
    context.stroke();
    context.setLineDash([]);
    const text = nd.formatThreshold(state.cut);
    context.font = `12px ${nd.getColor("sans")}`;
    const size = context.measureText(text).width;
    context.globalAlpha = 0.85; // behind the text, over the bars
    context.fillStyle = nd.getColor("paper");
    context.fillRect(width - size - 4, Math.max(9, y - 4) - 11, size + 4, 14);
    context.globalAlpha = 1;
    context.fillStyle = nd.getColor("soft");
    context.textAlign = "right";
    context.fillText(text, width, Math.max(9, y - 4));
    return places;
  }
})();
