"use strict";
// Every unit's score with a concept as a dot on one axis per layer, spread vertically so that few dots overlap.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  const LANE = 46;
  const NAME = 16; // above a lane on a phone, where the names have no column
  const FOOT = 22;

  nd.makePlot = (concept, scores) => {
    const { run } = nd;
    const canvas = make("canvas", { role: "img", "aria-label": `${run.scoreTitle} of every unit with ${run.concepts[concept]}; the units that reach the threshold are listed below` });
    const names = make("div.lanes", {}, run.layers.map((layer) => make("span", { title: layer.name }, make("b", {}, nd.breakName(layer.name)))));
    const tip = make("p.tip", { hidden: true });
    const field = make("div.field", {}, canvas, tip);
    const element = make("div.plot", {}, names, field);
    const most = Math.max(nd.run.threshold * 1.5, ...scores.map((values) => values.reduce((a, b) => Math.max(a, b), 0))) * 1.03;
    let dots = [];

    function draw() {
      const { cut } = nd.state;
      const width = field.clientWidth;
      if (!width) return;
      const above = window.matchMedia("(max-width: 640px)").matches ? NAME : 0;
      const lane = LANE + above;
      [...names.children].forEach((span, index) => { span.style.top = `${lane * index}px`; });
      const height = lane * run.layers.length + FOOT;
      const context = nd.prepareCanvas(canvas, width, height);
      const x = (value) => 6 + (value / most) * (width - 12);
      const fill = nd.getColor(`fill-${run.slots[run.category[concept]]}`);
      const tick = [0.01, 0.02, 0.04, 0.1, 0.2].find((step) => most / step <= 8) || 0.25;
      context.font = `12px ${nd.getColor("sans")}`;
      context.fillStyle = nd.getColor("soft");
      for (let at = 0; at <= most; at += tick) {
        context.textAlign = at === 0 ? "left" : "center";
        context.fillText(at.toFixed(2), at === 0 ? 0 : x(at), height - 6);
      }
      dots = [];
      run.layers.forEach((layer, index) => {
        const middle = lane * index + above + LANE / 2;
        context.fillStyle = nd.getColor("rule");
        context.fillRect(0, middle, width, 1);
        drawLane(context, layer, scores[index], { x, middle, cut, fill });
      });
      context.globalAlpha = 1;
      context.setLineDash([3, 3]);
      context.strokeStyle = nd.getColor("soft");
      context.beginPath();
      context.moveTo(x(cut), 0);
      context.lineTo(x(cut), height - FOOT);
      context.stroke();
      context.setLineDash([]);
    }

    function drawLane(context, layer, values, { x, middle, cut, fill }) {
      const order = [...values.keys()].filter((unit) => values[unit] > 0).sort((a, b) => values[a] - values[b]);
      context.lineWidth = 1;
      order.forEach((unit, i) => {
        const passes = values[unit] >= cut;
        const own = passes && layer.label[unit] === concept;
        const y = middle + 0.5 + [0, -7, 7, -13, 13, -4, 10, -10, 4][i % 9];
        context.beginPath();
        context.arc(x(values[unit]), y, own ? 4 : 3.2, 0, 7);
        context.strokeStyle = passes ? fill : nd.getColor("control");
        context.globalAlpha = passes ? 1 : 0.75;
        context.fillStyle = own ? fill : nd.getColor("paper");
        context.fill(); // keeps overlapping dots apart
        context.stroke();
        if (passes) dots.push({ x: x(values[unit]), y, layer, unit, value: values[unit] });
      });
    }

    function findNearest(event) {
      const box = canvas.getBoundingClientRect();
      const [px, py] = [event.clientX - box.left, event.clientY - box.top];
      let [found, best] = [null, 144];
      for (const dot of dots) {
        const distance = (dot.x - px) ** 2 + (dot.y - py) ** 2;
        if (distance < best) [found, best] = [dot, distance];
      }
      return found;
    }

    let named = null; // the dot in the tip, which a click opens: the place of a click is rounded to pixels, that of a move is not
    const show = (event) => {
      const dot = named = findNearest(event);
      canvas.classList.toggle("pick", Boolean(dot));
      tip.hidden = !dot;
      if (!dot) return;
      setText(tip, `unit ${dot.unit + 1}, ${run.concepts[dot.layer.label[dot.unit]]}, ${nd.run.scoreTitle} ${dot.value.toFixed(3)}`);
      tip.style.left = `${Math.min(dot.x, field.clientWidth - 190)}px`;
      tip.style.top = `${dot.y - 34}px`;
    };
    canvas.addEventListener("pointermove", show);
    canvas.addEventListener("pointerdown", show);
    canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
    canvas.addEventListener("click", () => {
      if (named) nd.go({ view: "unit", layer: named.layer.index, unit: named.unit });
    });
    return { element, draw };
  };
})();
