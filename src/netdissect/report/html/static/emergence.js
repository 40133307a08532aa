"use strict";
// Where concepts emerge: a row a concept, by the first layer that detects it, and a column a layer. A dot's area is the number of
// units, its depth their best score; hollow: none is beyond chance; a ring in the last column is the control.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  const SHOWN = 44; // rows before "all"
  const SIDES = [6, 24]; // of a dot
  const NUMBERED = 4; // units from which a dot has its number
  const PALEST = 0.4;

  nd.makeEmergence = () => {
    const view = { open: false, panels: [], element: make("div.emergence"), columns: 0 };
    view.more = make("button.more", { type: "button", onclick: () => { view.open = !view.open; draw(view); } });
    view.home = make("div.panels-of-concepts");
    view.element.append(view.home, view.more);
    view.nothing = make("p.nothing", { hidden: true }, "No unit reaches this threshold.");
    view.element.append(view.nothing);
    return { element: view.element, draw: () => draw(view) };
  };

  // Returns what every concept that is detected has in each layer: [{ concept, first, total, cells: [{ units, best, sure }] }].
  function listConcepts() {
    const { run, state } = nd;
    const found = new Map();
    run.layers.forEach((layer, index) => {
      for (const { concept, passing, units } of nd.recount(layer, state.cut).found) {
        if (!found.has(concept)) found.set(concept, { concept, first: index, total: 0, best: 0, cells: [] });
        const row = found.get(concept);
        const best = layer.labelScore[units[0]];
        row.cells[index] = { units: passing, best, sure: !layer.q || units.slice(0, passing).some((unit) => nd.isBeyond(layer, unit)) };
        row.total += passing;
        row.best = Math.max(row.best, best);
      }
    });
    return [...found.values()];
  }

  // Returns the controls with units that the run records, the last layer's first: one column.
  function findControl() {
    for (const layer of [...nd.run.layers].reverse()) {
      const control = layer.controls.find((each) => each.scores);
      if (control) return { layer, control, found: nd.countControl(control, nd.state.cut) };
    }
    return null;
  }

  function draw(view) {
    const { run } = nd;
    if (!view.element.clientWidth) return;
    const concepts = listConcepts();
    const control = findControl();
    const byStrength = [...concepts].sort((a, b) => b.total - a.total || b.best - a.best || a.concept - b.concept);
    const shown = (view.open ? byStrength : byStrength.slice(0, SHOWN)).sort((a, b) => a.first - b.first || b.total - a.total || b.best - a.best);
    const columns = run.layers.length + (control ? 1 : 0);
    const panels = Math.max(1, Math.min(2, Math.floor(view.element.clientWidth / (190 + columns * 62)), Math.ceil(shown.length / 6)));
    const key = `${panels} ${columns}`;
    if (view.key !== key) {
      view.key = key;
      view.panels = Array.from({ length: panels }, (_, at) => makePanel(control, panels > 1 ? `, part ${at + 1}` : ""));
      view.home.replaceChildren(...view.panels.map((panel) => panel.element));
    }
    const each = Math.ceil(shown.length / panels);
    const most = Math.max(1, ...concepts.flatMap((row) => row.cells.filter(Boolean).map((cell) => cell.units)), ...(control ? [...control.found.units.values()].map((cell) => cell.units) : []));
    view.panels.forEach((panel, at) => fillPanel(panel, shown.slice(at * each, (at + 1) * each), control, most));
    view.more.hidden = concepts.length <= SHOWN;
    setText(view.more, view.open ? "fewer" : `all ${nd.formatCount(concepts.length)} concepts`);
    view.more.setAttribute("aria-expanded", String(view.open));
    view.nothing.hidden = concepts.length > 0;
    view.home.hidden = !concepts.length;
  }

  function makePanel(control, part) {
    const { short } = nd.listShortNames();
    const names = short.map((name, index) => make("th", { scope: "col" }, make("a", { href: nd.makeAddress({ view: "layer", layer: index }), title: nd.run.layers[index].name }, name)));
    const head = make("tr", {}, make("th", { scope: "col" }, make("span.sr", {}, "concept")), names, control ? make("th.of-control", { scope: "col", title: `${control.layer.name}, ${nd.nameControl(control.control)}` }, nd.nameControl(control.control).replace(/ weights$/, "")) : "");
    const body = make("tbody");
    const table = make(`table${names.length > 8 ? ".slanted" : ""}`, {}, make("thead", {}, head), body);
    return { element: make("div.scroll", { tabIndex: 0, role: "region", "aria-label": `Concepts by layer${part}` }, table), body, rows: [] };
  }

  function fillPanel(panel, concepts, control, most) {
    while (panel.rows.length < concepts.length) panel.rows.push(makeConceptRow(nd.run.layers.length, control));
    concepts.forEach((entry, at) => {
      fillRow(panel.rows[at], entry, control, most);
      if (!panel.rows[at].element.parentNode) panel.body.append(panel.rows[at].element);
    });
    for (let at = concepts.length; at < panel.rows.length; at++) panel.rows[at].element.remove();
  }

  function makeConceptRow(layers, control) {
    const row = { link: make("a", { href: "#/" }), cells: [] };
    for (let at = 0; at < layers + (control ? 1 : 0); at++) {
      const cell = { dot: make("span.dot"), number: make("span.dot-number"), line: make("span.dot-line") };
      cell.element = make(at === layers ? "td.of-control" : "td", {}, cell.line, cell.dot, cell.number);
      row.cells.push(cell);
    }
    row.head = make("th", { scope: "row" }, row.link);
    row.element = make("tr", {}, row.head, row.cells.map((cell) => cell.element));
    return row;
  }

  function fillRow(row, { concept, cells, first }, control, most) {
    const { run } = nd;
    const slot = run.slots[run.category[concept]];
    row.link.href = nd.makeAddress({ view: "concept", concept });
    setText(row.link, run.concepts[concept]);
    row.element.className = `k-${slot}`;
    const last = cells.length - 1;
    run.layers.forEach((layer, index) => {
      const cell = row.cells[index];
      cell.line.className = `dot-line${index >= first && index <= last && first < last ? (index === first ? " from" : index === last ? " to" : " on") : ""}`;
      fillCell(cell, cells[index], most, cells[index] && `${layer.name}: ${nd.formatUnits(cells[index].units)}, best ${run.scoreTitle} ${cells[index].best.toFixed(3)}${cells[index].sure ? "" : ", no better than chance"}`);
    });
    if (!control) return;
    const found = control.found.units.get(concept);
    fillCell(row.cells[run.layers.length], found && { ...found, sure: false }, most, found && `${control.layer.name} with ${nd.nameControl(control.control)}: ${nd.formatUnits(found.units)}, best ${run.scoreTitle} ${found.best.toFixed(3)}`);
  }

  function fillCell({ element, dot, number }, cell, most, title) {
    dot.className = cell ? `dot${cell.sure ? "" : " hollow"}` : "dot none";
    element.title = title || "";
    setText(number, cell ? String(cell.units) : "0");
    number.classList.toggle("sr", !cell || cell.units < NUMBERED);
    const side = cell ? SIDES[0] + (SIDES[1] - SIDES[0]) * Math.sqrt(Math.max(0, cell.units - 1) / Math.max(1, most - 1)) : 3;
    dot.style.width = dot.style.height = `${side.toFixed(1)}px`;
    element.style.setProperty("--radius", `${(side / 2).toFixed(1)}px`);
    dot.style.setProperty("--depth", cell ? `${Math.round(100 * (PALEST + (1 - PALEST) * Math.min(1, cell.best / (nd.run.axis * 0.8)) ** 0.75))}%` : "");
  }
})();
