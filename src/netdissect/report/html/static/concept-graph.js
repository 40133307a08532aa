"use strict";
// The concept graph: a line per concept with a bar per unit, taller for higher scores. Categories stay in their column when the
// threshold changes, and concepts beyond the first ten of a category are hidden until they are unfolded.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  const SHOWN = 10; // lines of a category before the rest is folded
  const small = matchMedia("(max-width: 640px)"); // taller lines for touch
  const NAMES = 116; // width of the names
  const COUNTS = 40; // room for the count after the ticks
  const BAR = 16; // height of a bar at the score FULL, or at the end of the axis of scores
  const FULL = 0.3;
  const LEAST = 2;
  let groups = [];
  let arranged = "";

  nd.buildGraph = () => {
    groups = nd.run.categories.map((name, kind) => {
      const group = {
        kind,
        open: false,
        lines: [],
        note: make("span.note"),
        list: make("ul.concepts"),
        canvas: make("canvas", { "aria-hidden": "true" }),
        more: make("button.more", { type: "button", onclick: () => unfold(group) }),
      };
      group.heading = make("h3", {}, make(`span.t-${nd.run.slots[kind]}`, {}, name), group.note);
      group.element = make("section.group", {}, group.heading, make("div.lines", {}, group.list, group.canvas), group.more);
      return group;
    });
  };

  function unfold(group) {
    group.open = !group.open;
    nd.drawOverview();
  }

  // Distributes the categories over columns of about equal height at the run's own threshold.
  function arrange(layer) {
    const home = document.getElementById("columns");
    const columns = Math.max(1, Math.min(3, Math.floor(home.clientWidth / 320)));
    const key = `${layer.index} ${columns}`;
    if (key === arranged) return;
    arranged = key;
    const usual = nd.recount(layer, nd.run.threshold).conceptsPerCategory;
    const used = groups.filter((group) => layer.column.some((concept, i) => concept >= 0 && i % layer.kinds === group.kind));
    const heights = used.map((group) => 3 + Math.min(usual[group.kind], SHOWN));
    const target = heights.reduce((sum, height) => sum + height, 0) / columns;
    home.replaceChildren();
    let [column, filled] = [null, 0];
    used.forEach((group, at) => {
      if (!column || (filled + heights[at] / 2 > target && home.childElementCount < columns)) {
        column = make("div.column");
        home.append(column);
        filled = 0;
      }
      column.append(group.element);
      filled += heights[at];
    });
  }

  nd.drawGraph = (layer, count) => {
    setText(document.getElementById("graph-title"), `Concepts detected in ${layer.name}`);
    setText(document.getElementById("layer-words"), describeLayer(layer));
    arrange(layer);
    const empty = document.getElementById("graph-empty");
    empty.hidden = count.detectors > 0;
    if (!empty.hidden) showNearest(empty, layer);
    const most = Math.max(1, ...count.found.map((entry) => entry.passing));
    for (const group of groups) {
      const entries = count.found.filter((entry) => nd.run.category[entry.concept] === group.kind)
        .sort((a, b) => b.passing - a.passing || layer.labelScore[b.units[0]] - layer.labelScore[a.units[0]]);
      const units = count.perCategory[group.kind];
      group.element.classList.toggle("empty", !units);
      setText(group.note, units ? `${nd.formatUnits(units)}, ${nd.formatUnits(entries.length, "concept")}` : "none at this threshold");
      const shown = group.open || entries.length <= SHOWN + 2 ? entries : entries.slice(0, SHOWN);
      fillLines(group, shown);
      group.more.hidden = entries.length <= SHOWN + 2;
      const rest = entries.slice(SHOWN).reduce((sum, entry) => sum + entry.passing, 0);
      setText(group.more, group.open ? "fewer" : `${nd.formatUnits(entries.length - SHOWN, "concept")} more, ${nd.formatUnits(rest)}`);
      group.more.setAttribute("aria-expanded", String(group.open));
      drawBars(group, shown, layer, most);
    }
  };

  // Returns a sentence about a layer.
  function describeLayer({ kind, note, grid, field, geometry }) {
    const short = (number) => String(Number(number.toFixed(1)));
    const apart = field.step[0] === field.step[1] ? short(field.step[0]) : `${short(field.step[1])} and ${short(field.step[0])}`;
    const view = geometry === "grid" ? " that divide the image evenly"
      : `, each of which sees ${short(field.size[1])} × ${short(field.size[0])} pixels, ${apart} apart`;
    const cells = grid[0] * grid[1] === 1 ? "one cell for the whole image" : `${grid[1]} × ${grid[0]} cells${view}`;
    return `${[kind, cells, note].filter(Boolean).join("; ")}.`;
  }

  // Names the unit closest to the threshold, if none reaches it.
  function showNearest(element, layer) {
    const [unit] = nd.getCounter(layer).ranked;
    if (nd.state.beyond && unit === undefined) return setText(element, "No unit is beyond chance.");
    if (unit === undefined || layer.label[unit] < 0) return setText(element, "No unit’s mask touches a labeled pixel.");
    const link = make("a", { href: nd.makeAddress({ view: "unit", unit }) }, `unit ${unit + 1}`);
    return element.replaceChildren(`No unit reaches this threshold. The closest is `, link,
      `, ${nd.run.concepts[layer.label[unit]]}, with ${nd.run.scoreTitle} ${nd.formatScore(layer.labelScore[unit], nd.state.cut)}.`);
  }

  function fillLines(group, entries) {
    while (group.lines.length < entries.length) {
      const line = { name: make("span.name"), count: make("span.count") };
      line.link = make("a", { href: "#" }, line.name, line.count);
      line.item = make("li", {}, line.link);
      group.lines.push(line);
    }
    entries.forEach((entry, at) => {
      const line = group.lines[at];
      if (line.concept !== entry.concept || line.address !== nd.state.cut) {
        line.link.setAttribute("href", nd.makeAddress({ view: "concept", concept: entry.concept }));
        line.address = nd.state.cut;
        line.concept = entry.concept;
      }
      setText(line.name, nd.run.concepts[entry.concept]);
      if (line.passing !== entry.passing) {
        line.passing = entry.passing;
        line.count.textContent = nd.formatCount(entry.passing);
        line.link.title = `${nd.run.concepts[entry.concept]}: ${nd.formatUnits(entry.passing)}`;
      }
      if (!line.item.parentNode) group.list.append(line.item);
    });
    for (let at = entries.length; at < group.lines.length; at++) group.lines[at].item.remove();
  }

  function drawBars(group, entries, layer, most) {
    const width = group.element.clientWidth;
    if (!width) return;
    const room = width - NAMES - COUNTS;
    const step = Math.min(9, room / most);
    const gap = step > 3.5 ? 1.2 : step > 2 ? 0.5 : 0;
    const LINE = small.matches ? 28 : 21;
    const context = nd.prepareCanvas(group.canvas, width, Math.max(1, entries.length * LINE));
    context.fillStyle = nd.getColor(`fill-${nd.run.slots[group.kind]}`);
    const full = Math.min(FULL, nd.run.axis);
    entries.forEach((entry, at) => {
      const bottom = at * LINE + (LINE + BAR) / 2;
      for (let i = 0; i < entry.passing; i++) {
        const tall = Math.max(LEAST, BAR * Math.min(1, layer.labelScore[entry.units[i]] / full));
        const x = NAMES + i * step;
        const hollow = nd.isBeyond(layer, entry.units[i]) === false;
        context.fillRect(x, bottom - tall, step - gap, tall);
        if (hollow && step > 3.5) context.clearRect(x + 1.2, bottom - tall + 1.2, step - gap - 2.4, tall - 2.4);
      }
      group.lines[at].count.style.left = `${NAMES + entry.passing * step + 6}px`;
    });
  }
})();
