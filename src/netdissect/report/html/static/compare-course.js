"use strict";
// The course of several runs: detectors of each category as a stream, and every unit's label in every run.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const STREAM = 200;
  const ROW = 15;
  const GAP = 6; // between the rows of two runs, filled where a unit keeps its label
  const NAMES = 96; // pixels for names of runs

  nd.makeCourse = () => {
    const stream = make("canvas", { role: "img" });
    const ribbons = make("canvas", { role: "img", "aria-label": "Every unit’s label in every run; the labels of a unit are listed where it is chosen" });
    const home = make("div.course-ribbons", { tabIndex: 0, role: "region", "aria-label": "Every unit in every run" }, ribbons);
    const element = make("section.course", { "aria-labelledby": "course-title" }, make("h2", { id: "course-title" }, "From run to run"),
      make("p.note", {}, "Detectors of every category. Click to compare with a run."), make("div.stream", {}, stream),
      make("h3", {}, "Every unit’s label"), make("p.note", {}, "A column per unit, a row per run; color is the category of the label, joined to the next row where the label stays. Hollow: chance would do as well."), home);
    let [view, cells] = [null, null];

    function draw(now) {
      view = now;
      const sides = view.track.sides.filter(Boolean);
      element.hidden = sides.length < 3;
      const width = stream.parentElement.clientWidth;
      if (element.hidden || !width) return;
      drawStream(stream, view, sides, width);
      cells = drawRibbons(ribbons, view, sides, width);
    }

    const findCell = (event) => {
      const box = ribbons.getBoundingClientRect();
      return cells && cells.find(event.clientX - box.left, event.clientY - box.top);
    };
    let named = null; // the cell in the answer, which a click opens
    const show = (event) => {
      const cell = named = findCell(event);
      ribbons.style.cursor = cell ? "pointer" : "";
      nd.answer(cell ? [make("span.label", {}, nd.makeNamed(cell.concept), `\u00a0${cell.side.score[cell.unit].toFixed(3)}`), make("span", {}, `unit ${cell.unit + 1} in ${view.runs[cell.side.run].name}`)] : null, event.clientX, event.clientY);
    };
    ribbons.addEventListener("pointermove", show);
    ribbons.addEventListener("pointerdown", show);
    ribbons.addEventListener("pointerleave", () => nd.answer(null));
    ribbons.addEventListener("click", () => {
      if (named) nd.showPair(named.base, true);
    });
    stream.addEventListener("click", (event) => {
      const box = stream.getBoundingClientRect();
      const sides = view.track.sides.filter(Boolean);
      const at = sides[Math.round(Math.max(0, Math.min(1, (event.clientX - box.left - 14) / (box.width - 28 - NAMES))) * (sides.length - 1))].run;
      if (at !== nd.state.before) nd.change({ after: at });
    });
    return { element, draw };
  };

  // Draws how many units are named after each category, one above the other, about the middle.
  function drawStream(canvas, view, sides, width) {
    const { tables } = view;
    const counts = sides.map((side) => {
      const of = new Array(tables.categories.length).fill(0);
      for (let unit = 0; unit < side.units; unit++) {
        const concept = nd.getNamed(side, unit, nd.state.cut);
        if (concept >= 0) of[tables.category[concept]] += 1;
      }
      return of;
    });
    const context = nd.prepareCanvas(canvas, width, STREAM);
    const totals = counts.map((of) => of.reduce((a, b) => a + b, 0));
    const most = Math.max(1, ...totals);
    const x = (at) => 14 + (at / (sides.length - 1)) * (width - 28 - NAMES);
    const unit = (STREAM - 44) / most;
    const tops = totals.map((total) => 22 + (STREAM - 44 - total * unit) / 2);
    context.font = `12.5px ${nd.getColor("sans")}`;
    tables.categories.forEach((category, kind) => {
      const lows = tops.map((top, at) => top + counts[at][kind] * unit);
      if (!counts.some((of) => of[kind])) return;
      context.fillStyle = nd.getColor(`fill-${tables.slots[kind]}`);
      context.beginPath();
      trace(context, tops.map((y, at) => [x(at), y]), true);
      trace(context, lows.map((y, at) => [x(at), y]).reverse(), false);
      context.closePath();
      context.fill();
      const last = counts.length - 1;
      if (lows[last] - tops[last] > 9) {
        context.fillStyle = nd.getColor("text");
        context.textAlign = "left";
        context.fillText(`${category} ${counts[last][kind]}`, x(last) + 8, (lows[last] + tops[last]) / 2 + 4);
      }
      lows.forEach((low, at) => { tops[at] = low; });
    });
    let free = -Infinity;
    sides.forEach((side, at) => {
      const { name } = view.runs[side.run];
      const chosen = side === view.before || side === view.after;
      context.font = `${chosen ? "600 " : ""}12.5px ${nd.getColor("sans")}`;
      const half = context.measureText(name).width / 2;
      context.fillStyle = nd.getColor(chosen ? "ink" : "rule");
      context.fillRect(x(at), 14, 1, STREAM - 32);
      if (x(at) - half < free + 8 && !chosen) return;
      const middle = Math.max(half, x(at));
      context.textAlign = "center";
      context.fillStyle = nd.getColor(chosen ? "ink" : "soft");
      context.fillText(name, middle, STREAM - 3);
      context.fillText(String(totals[at]), middle, 10);
      free = middle + half;
    });
    canvas.setAttribute("aria-label", `Detectors of every category: ${sides.map((side, at) => `${view.runs[side.run].name} ${totals[at]}`).join(", ")}`);
  }

  // Traces a smooth line through points.
  function trace(context, points, first) {
    points.forEach(([px, py], at) => {
      if (!at) return first ? context.moveTo(px, py) : context.lineTo(px, py);
      const [qx, qy] = points[at - 1];
      const middle = (px + qx) / 2;
      context.bezierCurveTo(middle, qy, middle, py, px, py);
    });
  }

  // Draws a column per unit, ordered by its label in the last run that names it; returns what finds the cell at a point.
  function drawRibbons(canvas, view, sides, width) {
    const { track, byNumber, tables } = view;
    const columns = [];
    for (let base = 0; base < track.units; base++) {
      const units = sides.map((side) => nd.findPartner(track, byNumber, base, side.run));
      const concepts = sides.map((side, at) => nd.getNamed(side, units[at], nd.state.cut));
      const last = [...concepts].reverse().find((concept) => concept >= 0);
      if (last !== undefined) columns.push({ base, units, concepts, last, since: concepts.indexOf(last) });
    }
    columns.sort((a, b) => tables.category[a.last] - tables.category[b.last] || a.last - b.last || a.since - b.since || a.base - b.base);
    const wide = Math.max(3, Math.min(14, (width - NAMES) / Math.max(1, columns.length)));
    const context = nd.prepareCanvas(canvas, NAMES + wide * columns.length, sides.length * (ROW + GAP));
    context.font = `12.5px ${nd.getColor("sans")}`;
    sides.forEach((side, row) => {
      context.fillStyle = nd.getColor(side === view.before || side === view.after ? "ink" : "text");
      context.fillText(nd.shortenText(context, view.runs[side.run].name, NAMES - 8), 0, row * (ROW + GAP) + 12);
    });
    const inner = wide > 4 ? wide - 1 : wide - 0.5;
    columns.forEach(({ units, concepts }, at) => {
      const x = NAMES + at * wide;
      concepts.forEach((concept, row) => {
        const y = row * (ROW + GAP);
        if (concept < 0) {
          context.fillStyle = nd.getColor("rule");
          context.fillRect(x, y + ROW - 2, inner, 1.5);
          return;
        }
        const hollow = sides[row].chance && sides[row].chance[units[row]];
        context.fillStyle = context.strokeStyle = nd.getColor(`fill-${nd.getConceptSlot(concept)}`);
        context.lineWidth = 1;
        if (hollow) context.strokeRect(x + 0.5, y + 0.5, Math.max(1, inner - 1), ROW - 1);
        else context.fillRect(x, y, inner, ROW);
        if (concepts[row + 1] === concept) context.fillRect(x + inner / 2 - 0.75, y + ROW, 1.5, GAP);
      });
    });
    return { find: (px, py) => {
      const column = columns[Math.floor((px - NAMES) / wide)];
      const row = Math.floor(py / (ROW + GAP));
      return column && px >= NAMES && row < sides.length && column.units[row] >= 0 ? { base: column.base, side: sides[row], unit: column.units[row], concept: column.concepts[row] } : null;
    } };
  }
})();
