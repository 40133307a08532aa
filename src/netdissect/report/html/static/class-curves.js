"use strict";
// How well one class is recognized among all others without its most important units, without random ones, and with these alone.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const HEIGHT = 230;
  const ROOM = { left: 40, right: 116, top: 14, bottom: 34 };
  let chart = null;

  // Returns the elements of a layer's curves: a choice of classes, the chart, its numbers and the units; none without curves.
  nd.makeClassCurves = (layer, found) => {
    chart = null;
    if (!found.curves.length) return [];
    const select = make("select.field-like", { onchange: () => { chart.choice = Number(select.value); fill(); } },
      make("option", { value: "-1" }, `mean of ${nd.formatCount(found.curves.length)} classes`), found.curves.map(([name], place) => make("option", { value: String(place) }, name)));
    const canvas = make("canvas", { role: "img" });
    chart = { layer, found, choice: -1, canvas, field: make("div.curve-field", {}, canvas), table: make("table"), units: make("div") };
    fill();
    return [make("div.curve-head", {}, make("h3", {}, "One class, without its most important units"), make("label", {}, "Class ", select)),
      make("p.note", {}, "Balanced accuracy of “is it this class”. Units are ordered by its loss on one half of the images and measured on the other half."),
      make("div.curve-body", {}, chart.field, make("div", {}, make("div.scroll", { tabIndex: 0, role: "region", "aria-label": "Table of balanced accuracies" }, chart.table), chart.units))];
  };

  // Returns the values of the chosen class, or their means over all classes.
  function readCurve({ found, choice }) {
    const { curves, steps, removed, random, intact, only } = found;
    const places = choice < 0 ? [...curves.keys()] : [choice];
    const mean = (value) => {
      const values = places.map(value).filter((each) => !Number.isNaN(each));
      return values.length ? values.reduce((a, b) => a + b, 0) / values.length : NaN;
    };
    const all = mean((place) => intact[place]);
    const along = (array) => [all, ...steps.map((_, step) => mean((place) => array[place * steps.length + step]))];
    return { steps: [0, ...steps], removed: along(removed), random: along(random), only: mean((place) => only[place]) };
  }

  function fill() {
    const { found, choice, table, units, canvas } = chart;
    const curve = chart.curve = readCurve(chart);
    const text = (value) => (Number.isNaN(value) ? "–" : value.toFixed(3));
    const row = (name, values) => make("tr", {}, make("th", { scope: "row" }, name), values.map((value) => make("td.figure", {}, text(value))));
    table.replaceChildren(
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "units removed"), curve.steps.map((step) => make("th.figure", { scope: "col" }, String(step))))),
      make("tbody", {}, row("most important", curve.removed), row("random", curve.random)));
    const most = found.units.length / found.curves.length;
    const kept = make("p", {}, `With only the ${nd.formatUnits(most, "most important unit")}: `, make("strong", {}, text(curve.only)), ".");
    units.replaceChildren(kept, ...(choice < 0 ? [] : listUnits(choice, most)));
    const name = choice < 0 ? "mean over all classes" : found.curves[choice][0];
    canvas.setAttribute("aria-label", `Balanced accuracy, ${name}: ${curve.steps.map((step, at) => `${text(curve.removed[at])} without ${step} units`).join(", ")}; all values are in the table`);
    nd.drawClassCurves();
  }

  function listUnits(choice, most) {
    const { layer, found } = chart;
    const numbers = [...found.units.subarray(choice * most, (choice + 1) * most)].filter(Boolean);
    return [make("p", {}, `Most important for ${found.curves[choice][0]} (${nd.formatUnits(found.curves[choice][1], "image")} measured):`), make("ol.unit-names", {}, numbers.map((number) => {
      const concept = layer.label[number - 1];
      return make("li", {}, make("a", { href: nd.makeAddress({ view: "unit", layer: layer.index, unit: number - 1 }) }, `unit ${number}`), ` ${concept < 0 ? "no concept" : nd.run.concepts[concept]}`);
    }))];
  }

  // Draws the chart in the colors and the width of the page.
  nd.drawClassCurves = () => {
    if (!chart || !chart.field.clientWidth) return;
    const { canvas, field, curve } = chart;
    const width = field.clientWidth;
    const context = nd.prepareCanvas(canvas, width, HEIGHT);
    const values = [...curve.removed, ...curve.random, curve.only].filter((value) => !Number.isNaN(value));
    const low = Math.floor(Math.min(...values) * 10 - 1e-9) / 10;
    const across = (at) => ROOM.left + (at / Math.max(1, curve.steps.length - 1)) * (width - ROOM.left - ROOM.right);
    const down = (value) => ROOM.top + ((1 - value) / (1 - low || 1)) * (HEIGHT - ROOM.top - ROOM.bottom);
    drawAxes(context, width, low, across, down);
    drawLine(context, curve.random, across, down, "control", [4, 4]);
    drawLine(context, curve.removed, across, down, "ink", []);
    labelEnds(context, width, down);
  };

  function drawAxes(context, width, low, across, down) {
    const step = 1 - low > 0.45 ? 0.2 : 0.1;
    context.font = `12px ${nd.getColor("sans")}`;
    for (let at = 0; at <= 10; at++) {
      const value = 1 - at * step;
      if (value < low - 1e-6) break;
      context.fillStyle = nd.getColor("rule");
      context.fillRect(ROOM.left, Math.round(down(value)), width - ROOM.left - ROOM.right, 1);
      context.fillStyle = nd.getColor("soft");
      context.textAlign = "right";
      context.fillText(value.toFixed(1), ROOM.left - 8, down(value) + 4);
    }
    context.textAlign = "center";
    chart.curve.steps.forEach((number, at) => context.fillText(String(number), across(at), HEIGHT - ROOM.bottom + 16));
    context.fillText("units removed", (ROOM.left + width - ROOM.right) / 2, HEIGHT - 3);
  }

  function drawLine(context, values, across, down, color, dash) {
    const points = values.map((value, at) => [value, at]).filter(([value]) => !Number.isNaN(value));
    context.strokeStyle = context.fillStyle = nd.getColor(color);
    context.lineWidth = 2;
    context.setLineDash(dash);
    context.beginPath();
    points.forEach(([value, at]) => context.lineTo(across(at), down(value)));
    context.stroke();
    context.setLineDash([]);
    for (const [value, at] of points) {
      context.beginPath();
      context.arc(across(at), down(value), 3.5, 0, 7);
      context.fill();
    }
  }

  // Writes the name of each line at its end, and marks the accuracy with the most important units alone.
  function labelEnds(context, width, down) {
    const { curve } = chart;
    const last = (values) => values.filter((value) => !Number.isNaN(value)).pop();
    const names = [["random", last(curve.random), "text"], ["most important", last(curve.removed), "ink"], ["only these", curve.only, "ink"]]
      .filter(([, value]) => value !== undefined && !Number.isNaN(value)).map(([name, value, color]) => ({ name, color, at: down(value), y: down(value) })).sort((a, b) => a.y - b.y);
    names.forEach((name, at) => { if (at) name.y = Math.max(name.y, names[at - 1].y + 15); });
    const over = names.length ? Math.max(0, names[names.length - 1].y - (HEIGHT - ROOM.bottom)) : 0;
    context.textAlign = "left";
    for (const { name, color, at, y } of names) {
      context.fillStyle = context.strokeStyle = nd.getColor(color);
      if (name === "only these") {
        context.beginPath();
        context.arc(width - ROOM.right + 12, at, 3.5, 0, 7);
        context.stroke();
      }
      context.fillText(name, width - ROOM.right + 22, y - over + 4);
    }
  }

})();
