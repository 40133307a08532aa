"use strict";
// Every unit as a square, a row of squares a layer, the last layer on top and its control below all. Hue is the category, depth the
// score; hollow: no better than chance; gray: below the threshold. Point at a square for its card, press it for its page, drag over
// several to list them. With the keyboard: arrows move, Enter opens.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  const SIDES = [9.5, 5]; // least side of a square; the smaller one where a layer has more than MANY units
  const LARGEST = 15; // side of a square, where there is room
  const MANY = 1024;
  const GAP = 1;
  const LEAST_ROWS = 2;
  const PALEST = 0.34; // share of the category's color in the square of a unit at the threshold

  nd.makeSquares = () => {
    const { run } = nd;
    const most = Math.max(...run.layers.map((layer) => layer.units));
    const rows = [...run.layers].reverse().map((layer) => makeRow({ layer }));
    const controls = [...run.layers].reverse().flatMap((layer) => layer.controls.slice(0, 1).map((control) => makeRow({ layer, control })));
    const all = [...rows, ...controls];
    const box = make("div.selection", { hidden: true });
    const card = make("div.hover-card", { hidden: true });
    const element = make("div.squares", {}, all.map((row) => row.element), box, card);
    const view = { rows: all, most, side: SIDES[0], element, box, card, pointed: null };
    for (const row of all) listen(view, row);
    listenToDrags(view);
    return { element, draw: () => draw(view) };
  };

  function makeRow({ layer, control = null }) {
    const short = nd.listShortNames().short[layer.index];
    const name = control ? make("span.row-name", { title: layer.name }, `${short}, ${nd.nameControl(control)}`)
      : make("a.row-name", { href: "#/", title: layer.name }, nd.breakName(short));
    const note = make("span.row-note");
    const canvas = make("canvas", { "aria-hidden": "true" });
    const option = make("div.sr", { id: `square-${layer.index}${control ? "-control" : ""}`, role: "option", "aria-selected": "true" });
    const field = make("div.square-field", control ? {} : { tabIndex: 0, role: "listbox", "aria-label": `Units of ${layer.name}: arrow keys move, Enter opens, Shift and arrow keys select`, "aria-activedescendant": option.id }, control ? "" : option, canvas);
    return { layer, control, name, note, canvas, option, field, at: 0, from: null, element: make(`div.square-row${control ? ".control" : ""}`, {}, make("div", {}, name, note), field) };
  }

  // Returns the side of a square with which the largest layer takes two rows, within bounds.
  function measureSide({ most, rows }) {
    const fitting = Math.floor((2 * (rows[0].field.clientWidth / Math.ceil(most / LEAST_ROWS) - GAP))) / 2;
    return Math.max(most > MANY ? SIDES[1] : SIDES[0], Math.min(LARGEST, fitting));
  }

  function draw(view) {
    if (!view.rows[0].field.clientWidth) return;
    view.side = measureSide(view);
    for (const row of view.rows) {
      arrange(row);
      row.selected = null;
      paint(view, row);
    }
  }

  // Puts a row's units in order: by category, then by falling score; those below the threshold last.
  function arrange(row) {
    const { run, state } = nd;
    const { layer, control } = row;
    if (control) return arrangeControl(row);
    row.name.href = nd.makeAddress({ view: "layer", layer: layer.index, show: "all", query: "" });
    const count = nd.recount(layer, state.cut);
    setText(row.note, `${nd.formatCount(count.detectors)}${nd.formatSpread(layer, "detectors", state.cut)} of ${nd.formatCount(layer.units)} named, ${nd.formatUnits(count.byLabel, "concept")}`);
    const kinds = run.categories.length;
    const parts = Array.from({ length: kinds + 1 }, () => []);
    for (const unit of layer.ranked) parts[nd.isDetector(layer, unit, state.cut) ? layer.best[unit] : kinds].push(unit);
    row.units = parts.flat();
    row.option.textContent = describe(row, row.at);
    row.of = (unit) => ({ score: layer.labelScore[unit], kind: nd.isDetector(layer, unit, state.cut) ? layer.best[unit] : -1, hollow: nd.isBeyond(layer, unit) === false });
  }

  function arrangeControl(row) {
    const { run, state } = nd;
    const { control } = row;
    const found = nd.countControl(control, state.cut);
    const [named, unique] = found ? [found.named, found.units.size] : [control.units, control.unique];
    setText(row.note, `${nd.formatCount(named)} of ${nd.formatCount(control.total)} named, ${nd.formatUnits(unique, "concept")}`);
    const passes = (unit) => (found ? control.scores[unit] > 0 && control.scores[unit] >= state.cut : unit < control.units);
    const kind = (unit) => (!passes(unit) ? -1 : found && control.label[unit] >= 0 ? run.category[control.label[unit]] : run.categories.length);
    const order = (unit) => (kind(unit) < 0 ? run.categories.length + 1 : kind(unit));
    const score = (unit) => (found ? control.scores[unit] : 0);
    row.units = Array.from({ length: control.total }, (_, unit) => unit).sort((a, b) => order(a) - order(b) || score(b) - score(a));
    row.of = (unit) => ({ score: score(unit), kind: kind(unit), hollow: !found });
  }

  function paint(view, row) {
    const { run } = nd;
    const width = row.field.clientWidth;
    if (!width) return;
    const pitch = view.side + GAP;
    const across = Math.max(1, Math.floor((width + GAP) / pitch));
    row.tall = Math.max(Math.min(LEAST_ROWS, row.units.length), Math.ceil(row.units.length / across));
    const context = nd.prepareCanvas(row.canvas, width, row.tall * pitch);
    row.units.forEach((unit, at) => {
      const [x, y] = [Math.floor(at / row.tall) * pitch, (at % row.tall) * pitch];
      const { kind, score, hollow } = row.of(unit);
      const color = kind < 0 ? nd.getColor("idle") : nd.getColor(`fill-${run.slots[kind] || "other"}`);
      context.fillStyle = context.strokeStyle = color;
      context.globalAlpha = kind < 0 ? 0.62 : PALEST + (1 - PALEST) * Math.min(1, score / (run.axis * 0.8)) ** 0.75;
      if (kind >= 0 && hollow) {
        context.globalAlpha = 1;
        context.lineWidth = 1.3;
        context.strokeRect(x + 0.65, y + 0.65, view.side - 1.3, view.side - 1.3);
      } else context.fillRect(x, y, view.side, view.side);
      if (row.selected && row.selected.has(at)) {
        context.globalAlpha = 1;
        context.strokeStyle = nd.getColor("ink");
        context.lineWidth = 1.6;
        context.strokeRect(x + 0.3, y + 0.3, view.side - 0.6, view.side - 0.6);
      }
    });
    context.globalAlpha = 1;
  }

  // Marks squares of a row, by their places; null for none.
  function mark(view, row, places) {
    row.selected = places && places.length ? new Set(places) : null;
    paint(view, row);
  }

  // Returns the place of the square at a point of the window; -1 for none.
  function findPlace(view, row, x, y) {
    const box = row.canvas.getBoundingClientRect();
    const pitch = view.side + GAP;
    const [column, line] = [Math.floor((x - box.left) / pitch), Math.floor((y - box.top) / pitch)];
    const at = column * row.tall + line;
    return column >= 0 && line >= 0 && line < row.tall && at < row.units.length ? at : -1;
  }

  function describe(row, at) {
    const { layer } = row;
    const unit = row.units[at];
    const concept = layer.label[unit];
    const words = concept < 0 ? "no concept" : `${nd.run.concepts[concept]}, ${nd.run.scoreTitle} ${nd.formatScore(layer.labelScore[unit], nd.state.cut)}`;
    return `unit ${unit + 1}: ${nd.isDetector(layer, unit, nd.state.cut) || concept < 0 ? "" : "below the threshold, closest "}${words}`;
  }

  function openUnit(row, at) {
    nd.go({ view: "unit", layer: row.layer.index, unit: row.units[at] });
  }

  // Goes to the list of some squares: pairs of a row and a place.
  function openSelection(pairs) {
    const units = pairs.map(([row, at]) => [row.layer.index, row.units[at]]);
    if (units.length) nd.go({ view: "units", set: nd.formatSet(units) });
  }

  function listen(view, row) {
    const { field } = row;
    let named = -1; // the unit in the answer, which a click opens
    field.addEventListener("pointermove", (event) => {
      if (event.pointerType === "touch" || view.dragged) return;
      named = findPlace(view, row, event.clientX, event.clientY);
      point(view, row, named, event);
    });
    field.addEventListener("pointerleave", () => { named = -1; if (!view.dragged) point(view, row, -1); });
    if (row.control) return;
    field.addEventListener("click", (event) => {
      if (view.suppress) return;
      const at = named >= 0 ? named : findPlace(view, row, event.clientX, event.clientY);
      if (at >= 0) openUnit(row, at);
    });
    field.addEventListener("keydown", (event) => moveByKey(view, row, event));
    field.addEventListener("focus", () => field.matches(":focus-visible") && mark(view, row, [row.at]));
    field.addEventListener("blur", () => { row.from = null; mark(view, row, null); hideCard(view); });
  }

  function moveByKey(view, row, event) {
    const step = { ArrowLeft: -row.tall, ArrowRight: row.tall, ArrowUp: -1, ArrowDown: 1, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "Enter") {
      event.preventDefault();
      if (row.from !== null && row.from !== row.at) openSelection(listBetween(row.from, row.at).map((at) => [row, at]));
      else openUnit(row, row.at);
    }
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.shiftKey && row.from === null) row.from = row.at;
    if (!event.shiftKey) row.from = null;
    row.at = Math.max(0, Math.min(row.units.length - 1, row.at + step));
    setText(row.option, describe(row, row.at) + (row.from === null ? "" : `; ${nd.formatUnits(listBetween(row.from, row.at).length)} selected, Enter lists them`));
    mark(view, row, row.from === null ? [row.at] : listBetween(row.from, row.at));
    showCard(view, row, row.at);
  }

  function listBetween(a, b) {
    return Array.from({ length: Math.abs(a - b) + 1 }, (_, i) => Math.min(a, b) + i);
  }

  function point(view, row, at) {
    const key = at < 0 ? null : `${view.rows.indexOf(row)}:${at}`;
    if (view.pointed === key) return;
    view.pointed = key;
    for (const other of view.rows) if (other.selected) mark(view, other, null);
    row.field.classList.toggle("over", at >= 0 && !row.control);
    if (at < 0) return hideCard(view);
    mark(view, row, [at]);
    showCard(view, row, at);
  }

  function hideCard(view) {
    view.card.hidden = true;
  }

  // Shows the card of a square beside it.
  function showCard(view, row, at) {
    const { layer, control } = row;
    const unit = row.units[at];
    const home = view.card;
    home.hidden = false;
    if (control) {
      const words = control.scores ? [make("b", {}, control.label[unit] >= 0 ? nd.run.concepts[control.label[unit]] : "no concept"), ` ${control.scores[unit].toFixed(3)}`] : [];
      home.replaceChildren(make("p", {}, `${nd.nameControl(control)}, unit ${unit + 1} `, ...words));
    } else {
      const card = nd.makeCard(layer, unit);
      const list = nd.makeCardRow([nd.nameLayer(card)], 1);
      home.replaceChildren(list);
      card.link.tabIndex = -1;
      list.fit();
      nd.loadLayer(layer).then(list.fit);
    }
    place(view, row, at);
  }

  function place(view, row, at) {
    const pitch = view.side + GAP;
    const [frame, canvas] = [view.element.getBoundingClientRect(), row.canvas.getBoundingClientRect()];
    const x = canvas.left - frame.left + Math.floor(at / row.tall) * pitch;
    const y = canvas.top - frame.top + ((at % row.tall) + 1) * pitch + 7;
    const left = Math.max(0, Math.min(x - 24, frame.width - view.card.offsetWidth));
    view.card.style.transform = `translate(${Math.round(left)}px, ${Math.round(y)}px)`;
  }

  // Selects the squares under a rectangle that is drawn with a mouse or pen.
  function listenToDrags(view) {
    let start = null;
    view.element.addEventListener("pointerdown", (event) => {
      view.suppress = false;
      if (event.pointerType === "touch" || event.button || event.target.closest("a")) return;
      start = [event.clientX, event.clientY];
    });
    window.addEventListener("pointermove", (event) => {
      if (!start || !view.element.isConnected) return;
      if (!view.dragged && Math.hypot(event.clientX - start[0], event.clientY - start[1]) < 6) return;
      view.dragged = [Math.min(start[0], event.clientX), Math.min(start[1], event.clientY), Math.max(start[0], event.clientX), Math.max(start[1], event.clientY)];
      hideCard(view);
      drawSelection(view);
      event.preventDefault();
    });
    window.addEventListener("pointerup", () => {
      start = null;
      if (!view.dragged) return;
      const pairs = view.rows.flatMap((row) => findCovered(view, row).map((at) => [row, at]));
      Object.assign(view, { dragged: null, suppress: true, pointed: null });
      view.box.hidden = true;
      for (const row of view.rows) mark(view, row, null);
      openSelection(pairs);
    });
    window.addEventListener("pointercancel", () => { start = view.dragged = null; view.box.hidden = true; });
  }

  function drawSelection(view) {
    const [left, top, right, bottom] = view.dragged;
    const frame = view.element.getBoundingClientRect();
    Object.assign(view.box.style, { left: `${left - frame.left}px`, top: `${top - frame.top}px`, width: `${right - left}px`, height: `${bottom - top}px` });
    view.box.hidden = false;
    for (const row of view.rows) if (!row.control) mark(view, row, findCovered(view, row));
  }

  // Returns the places of a row's squares that the rectangle touches.
  function findCovered(view, row) {
    if (row.control) return [];
    const [left, top, right, bottom] = view.dragged;
    const box = row.canvas.getBoundingClientRect();
    const pitch = view.side + GAP;
    const found = [];
    row.units.forEach((_, at) => {
      const [x, y] = [box.left + Math.floor(at / row.tall) * pitch, box.top + (at % row.tall) * pitch];
      if (x < right && x + view.side > left && y < bottom && y + view.side > top) found.push(at);
    });
    return found;
  }
})();
