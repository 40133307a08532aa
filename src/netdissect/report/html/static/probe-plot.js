"use strict";
// Every concept of the probe set as a dot: how many pixels have it, the best score of any unit, and what its size allows.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const HEIGHT = 340;
  const [LEFT, RIGHT, TOP, FOOT] = [40, 14, 28, 40];
  const TICKS = [0.001, 0.01, 0.04, 0.1, 0.25, 0.5, 1];

  nd.makeProbePlot = (probe) => {
    const { run } = nd;
    const canvas = make("canvas", { role: "img", "aria-label": `Labeled pixels of every concept and the best ${run.scoreTitle} of any unit with it; the table below has the numbers` });
    const element = make("div.probe-plot", {}, canvas);
    const shares = Array.from(run.G, (pixels) => pixels / (run.images * run.labelSize[0] * run.labelSize[1]));
    const present = [...shares.keys()].filter((concept) => shares[concept] > 0);
    const lowest = Math.log10(Math.min(1e-3, ...present.map((concept) => shares[concept])));
    let dots = [];

    function draw() {
      const width = element.clientWidth;
      if (!width) return;
      const context = nd.prepareCanvas(canvas, width, HEIGHT);
      const x = (share) => LEFT + ((Math.log10(share) - lowest) / (Math.log10(Math.max(0.5, ...shares)) - lowest)) * (width - LEFT - RIGHT);
      const y = (score) => HEIGHT - FOOT - Math.sqrt(Math.max(0, score)) * (HEIGHT - FOOT - TOP);
      drawAxes(context, x, y, width);
      context.fillStyle = nd.getColor("control");
      for (const concept of present) if (probe.attainable[concept] >= 0) context.fillRect(x(shares[concept]) - 3.5, y(probe.attainable[concept]) - 0.75, 7, 1.5);
      dots = present.map((concept) => ({ concept, x: x(shares[concept]), y: y(probe.bestScore[concept]), detected: nd.findReason(concept) === "" }))
        .sort((a, b) => a.detected - b.detected);
      for (const dot of dots) {
        const color = nd.getColor(`fill-${run.slots[run.category[dot.concept]]}`);
        context.beginPath();
        context.arc(dot.x, dot.y, dot.detected ? 4.5 : 3.5, 0, 7);
        context.fillStyle = dot.detected ? color : nd.getColor("paper");
        context.fill();
        Object.assign(context, { strokeStyle: dot.detected ? nd.getColor("paper") : color, lineWidth: dot.detected ? 0.8 : 1.4 });
        context.stroke();
      }
    }

    function drawAxes(context, x, y, width) {
      Object.assign(context, { font: `12.5px ${nd.getColor("sans")}`, fillStyle: nd.getColor("soft"), textAlign: "right", textBaseline: "middle" });
      for (const tick of TICKS) {
        context.fillStyle = nd.getColor("soft");
        context.fillText(tick < 0.01 ? "" : String(tick), LEFT - 8, y(tick));
        context.fillStyle = nd.getColor("rule");
        context.fillRect(LEFT, y(tick), width - LEFT - RIGHT, 1);
      }
      Object.assign(context, { fillStyle: nd.getColor("soft"), textAlign: "center" });
      for (let power = Math.ceil(lowest); power <= -1; power++) if (width > 500 || power % 2) context.fillText(nd.formatPercent(10 ** power), x(10 ** power), HEIGHT - FOOT + 14);
      context.textAlign = "right";
      context.fillText("share of all pixels that have the concept", width - RIGHT, HEIGHT - 8);
      context.textAlign = "left";
      context.fillText(`best ${nd.run.scoreTitle} of any unit`, 0, 8);
      Object.assign(context, { strokeStyle: nd.getColor("ink"), lineWidth: 1.2 });
      context.setLineDash([4, 3]);
      context.beginPath();
      context.moveTo(LEFT, y(nd.state.cut));
      context.lineTo(width - RIGHT, y(nd.state.cut));
      context.stroke();
      context.setLineDash([]);
    }

    function find(event) {
      const box = canvas.getBoundingClientRect();
      let [found, best] = [null, 196];
      for (const dot of dots) {
        const distance = (dot.x - event.clientX + box.left) ** 2 + (dot.y - event.clientY + box.top) ** 2;
        if (distance <= best) [found, best] = [dot, distance];
      }
      return found;
    }
    let named = null; // the dot in the answer, which a click opens
    const show = (event) => {
      named = find(event);
      canvas.classList.toggle("pick", Boolean(named));
      nd.answer(named && describe(named.concept, probe), event.clientX, event.clientY);
    };
    canvas.addEventListener("pointermove", show);
    canvas.addEventListener("pointerdown", show);
    canvas.addEventListener("pointerleave", () => nd.answer(null));
    canvas.addEventListener("click", (event) => {
      if (named && event.pointerType !== "touch") nd.go({ view: "concept", concept: named.concept });
      else if (named) nd.answer(describe(named.concept, probe), event.clientX, event.clientY);
    });
    return { element, draw };
  };

  function describe(concept, probe) {
    const { run } = nd;
    const units = nd.countDetectorsOf(concept);
    const allowed = probe.attainable[concept];
    return [make("span.label", {}, make(`span.swatch.k-${run.slots[run.category[concept]]}`), run.concepts[concept]),
      make("span", {}, `best ${run.scoreTitle} ${nd.formatScore(probe.bestScore[concept], nd.state.cut)}${allowed >= 0 ? `, of ${allowed.toFixed(2)} that its size allows` : ""}`),
      make("span.fired", {}, units ? `${nd.formatUnits(units, "detector")}` : `not detected: ${nd.reasons[nd.findReason(concept)]}`)];
  }
})();
