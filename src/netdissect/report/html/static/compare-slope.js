"use strict";
// The slope chart: a line per unit from its score in one run to that in another, drawn by what became of its label.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const HEIGHT = 440;
  const TOP = 34;
  const FOOT = 14;
  const NEAR = 9; // pixels from the pointer
  const STYLES = { // color, width, dashes
    kept: ["control", 1, []], changed: ["ink", 1.4, []], gained: ["labeled", 1.6, []], lost: ["ink", 1.2, [4, 3]],
  };

  nd.makeSlope = () => {
    const canvas = make("canvas", { role: "img" });
    const key = make("p.slope-key", { "aria-hidden": "true" });
    const field = make("div.slope", {}, canvas);
    const element = make("section", { "aria-labelledby": "slope-title" }, make("h2", { id: "slope-title" }, "Every unit, before and after"),
      make("p.note", {}, "A line per unit that is named in either run, from its score before to its score after. A dot’s color is the category of its name; hollow: chance would do as well. Faint: resamples do not keep both labels."),
      key, field);
    let [view, lines, pointed] = [null, [], null];

    function draw(now) {
      view = now;
      const width = field.clientWidth;
      if (!width) return;
      const context = nd.prepareCanvas(canvas, width, HEIGHT);
      const side = Math.max(90, Math.min(230, width * 0.22)); // for names
      const [left, right] = [side, width - side];
      const shown = view.traced.filter((entry) => entry.fate);
      const most = Math.max(nd.state.cut * 1.5, ...shown.flatMap((entry) => entry.scores)) * 1.02;
      const y = (score) => HEIGHT - FOOT - (score / most) * (HEIGHT - TOP - FOOT);
      lines = shown.sort((a, b) => nd.fates.indexOf(b.fate) - nd.fates.indexOf(a.fate))
        .map((entry) => ({ entry, x: [left, right], y: entry.scores.map(y) }));
      drawAxes(context, { left, right, y, most });
      for (const line of lines) drawLine(context, line, false);
      drawNames(context, lines);
      const chosen = lines.find(({ entry }) => entry.unit === nd.state.traced);
      for (const line of [chosen, lines.find(({ entry }) => entry.unit === pointed)]) if (line) drawLine(context, line, true);
      drawKey();
      canvas.setAttribute("aria-label", `${nd.run.scoreTitle} of ${nd.formatUnits(shown.length)} before and after; they are listed below`);
    }

    function drawAxes(context, { left, right, y, most }) {
      context.font = `600 13px ${nd.getColor("sans")}`;
      context.fillStyle = nd.getColor("ink");
      [[left, "right", nd.state.before], [right, "left", nd.state.after]].forEach(([x, align, run]) => {
        context.textAlign = align;
        context.fillText(shorten(context, view.runs[run].name, left - 12), x + (align === "right" ? 8 : -8), 16);
        context.fillStyle = nd.getColor("rule");
        context.fillRect(x, TOP - 6, 1, HEIGHT - TOP - FOOT + 6);
        context.fillStyle = nd.getColor("ink");
      });
      context.font = `12px ${nd.getColor("sans")}`;
      context.textAlign = "center";
      const step = [0.02, 0.05, 0.1, 0.2].find((size) => most / size <= 6) || 0.25;
      for (let at = step; at < most; at += step) {
        context.fillStyle = nd.getColor("rule");
        context.fillRect(left, Math.round(y(at)), right - left, 1);
        context.fillStyle = nd.getColor("soft");
        context.fillText(at.toFixed(2), (left + right) / 2, y(at) - 3);
      }
      context.strokeStyle = nd.getColor("soft");
      context.setLineDash([3, 3]);
      context.beginPath();
      context.moveTo(left, y(nd.state.cut));
      context.lineTo(right, y(nd.state.cut));
      context.stroke();
      context.setLineDash([]);
    }

    function drawLine(context, { entry, x, y }, strong) {
      const [color, width, dashes] = STYLES[entry.fate];
      context.globalAlpha = strong ? 1 : entry.sure === false ? 0.4 : entry.fate === "kept" ? 0.75 : 0.9;
      context.strokeStyle = nd.getColor(color);
      context.lineWidth = strong ? 3 : width;
      context.setLineDash(dashes);
      context.beginPath();
      context.moveTo(x[0], y[0]);
      context.lineTo(x[1], y[1]);
      context.stroke();
      context.setLineDash([]);
      [[entry.before, view.before, entry.from], [entry.after, view.after, entry.to]].forEach(([concept, side, unit], at) => {
        if (concept < 0) return;
        context.beginPath();
        context.arc(x[at], y[at], strong ? 5 : 3, 0, 7);
        context.fillStyle = context.strokeStyle = nd.getColor(`fill-${nd.getConceptSlot(concept)}`);
        context.lineWidth = 1.5;
        if (side.chance && side.chance[unit]) {
          context.fillStyle = nd.getColor("paper");
          context.fill();
          context.stroke();
        } else context.fill();
      });
      context.globalAlpha = 1;
    }

    // Names the units with the largest scores on both sides, those of other fates than kept first, where they do not overlap.
    function drawNames(context, all) {
      const order = [...all].sort((a, b) => (a.entry.fate === "kept") - (b.entry.fate === "kept") || Math.max(...b.entry.scores) - Math.max(...a.entry.scores));
      const room = all.length ? all[0].x[0] - 16 : 0;
      for (const at of [0, 1]) {
        const taken = [];
        for (const { entry, x, y } of order) {
          const concept = at ? entry.after : entry.before;
          if (concept < 0 || taken.some((other) => Math.abs(other - y[at]) < 14) || y[at] < TOP) continue;
          taken.push(y[at]);
          context.font = `12.5px ${nd.getColor("sans")}`;
          context.fillStyle = nd.getColor("text");
          context.textAlign = at ? "left" : "right";
          context.fillText(shorten(context, view.tables.concepts[concept], room), x[at] + (at ? 9 : -9), y[at] + 4);
        }
      }
    }

    function drawKey() {
      key.replaceChildren(...nd.fates.map((fate) => make(`span.fate-key.${fate}`, {}, make("i"), `${fate} ${nd.formatCount(view.traced.filter((entry) => entry.fate === fate).length)}`)));
    }

    // Returns the line next to a point of the chart.
    function findLine(event) {
      const box = canvas.getBoundingClientRect();
      const [px, py] = [event.clientX - box.left, event.clientY - box.top];
      let [best, distance] = [null, NEAR];
      for (const line of lines) {
        const { x, y } = line;
        const share = Math.max(0, Math.min(1, (px - x[0]) / (x[1] - x[0])));
        const slope = (y[1] - y[0]) / (x[1] - x[0]);
        const away = Math.abs(py - y[0] - share * (y[1] - y[0])) / Math.hypot(1, slope);
        if (away < distance && (line.entry.fate !== "kept" || !best || best.entry.fate === "kept")) [best, distance] = [line, away];
      }
      return best;
    }

    let named = null; // the line in the answer, which a click opens
    const show = (event) => {
      const found = named = findLine(event);
      const unit = found ? found.entry.unit : null;
      nd.answer(found ? nd.describeTraced(view, found.entry) : null, event.clientX, event.clientY);
      canvas.style.cursor = found ? "pointer" : "";
      if (unit !== pointed) {
        pointed = unit;
        draw(view);
      }
    };
    canvas.addEventListener("pointermove", show);
    canvas.addEventListener("pointerdown", show);
    canvas.addEventListener("pointerleave", () => {
      nd.answer(null);
      pointed = null;
      if (view) draw(view);
    });
    canvas.addEventListener("click", () => {
      if (named) nd.showPair(named.entry.unit);
    });
    return { element, draw };
  };

  // Returns the lines that answer a pointer at a unit.
  nd.describeTraced = (view, entry) => [[view.before, entry.from, entry.before], [view.after, entry.to, entry.after]].map(([side, unit, concept]) =>
    make("span.label", {}, nd.makeNamed(concept, Boolean(side.chance && side.chance[unit])), `\u00a0${side.score[unit].toFixed(3)}, unit ${unit + 1} in ${view.runs[side.run].name}`));

  function shorten(context, text, width) {
    if (context.measureText(text).width <= width) return text;
    let end = text.length;
    while (end > 1 && context.measureText(`${text.slice(0, end)}…`).width > width) end--;
    return `${text.slice(0, end)}…`;
  }
  nd.shortenText = shorten;
})();
