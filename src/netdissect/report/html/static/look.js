"use strict";
// A look at images: which labeled units fire in them, and where.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  const byId = (id) => document.getElementById(id);
  const MOST_AT_POINT = 12;
  const STYLES = ["spotlight", "outline", "heat"];
  // `chosen` is the list of units whose mask is shown, by position in the layer's list; `key` says what was chosen.
  const state = { image: 0, layer: 0, style: "spotlight", colored: true, key: "", chosen: [], point: null, held: false };
  let shown = null;

  const frame = byId("frame");

  function getSource(image) {
    return `data:image/jpeg;base64,${byId(`file/${image}`).textContent}`;
  }

  async function showImage(image, layer) {
    const data = await nd.get(`image-${image}`);
    Object.assign(state, { image, layer, key: "", chosen: [], point: null, held: false });
    shown = nd.readLayer(data, layer);
    const { name, row, width, height } = nd.run.images[image];
    byId("image").src = getSource(image);
    byId("image").alt = name;
    byId("image").onload = draw; // a spotlight needs the image
    frame.style.aspectRatio = `${width} / ${height}`;
    frame.style.maxWidth = `calc(max(60vh, 320px) * ${width / height})`;
    frame.setAttribute("aria-label", `${name}. Arrow keys move the point.`);
    setText(byId("caption"), row === null ? name : `${name}, row ${row}`);
    for (const [at, button] of [...byId("thumbs").children].entries()) setCurrent(button, "aria-current", at === image);
    for (const [at, button] of [...byId("layers").children].entries()) button.setAttribute("aria-pressed", String(at === layer));
    drawConcepts();
    draw();
  }

  function setCurrent(button, name, on) {
    if (on) button.setAttribute(name, "true");
    else button.removeAttribute(name);
  }

  // Draws everything that depends on what is chosen and on the point.
  function draw() {
    const [width, height] = [frame.clientWidth, frame.clientHeight];
    if (!width || !shown) return;
    if (state.chosen.length) nd.paintUnits(byId("overlay"), shown, state.chosen, width, height, state.style, byId("image"));
    else if (state.colored) nd.paintConcepts(byId("overlay"), shown, width, height);
    else nd.prepareCanvas(byId("overlay"), width, height);
    nd.paintPoint(byId("marks"), state.point, width, height, state.held);
    for (const button of document.querySelectorAll("[data-key]")) button.setAttribute("aria-pressed", String(button.dataset.key === state.key));
    for (const button of byId("styles").children) button.setAttribute("aria-pressed", String(button.dataset.style === state.style));
    byId("styles").hidden = !state.chosen.length;
  }

  function isUnsure(unit) {
    return unit.q !== null && unit.q >= nd.run.level;
  }

  function makeSwatch(concept) {
    const swatch = make("span.swatch");
    swatch.style.background = concept.color;
    return swatch;
  }

  // Chooses units whose mask is shown; choosing the same again shows all concepts.
  function choose(key, units) {
    const same = state.key === key;
    Object.assign(state, { key: same ? "" : key, chosen: same ? [] : units });
    draw();
  }

  function drawConcepts() {
    const { units, concepts, labeled, known, layer } = shown;
    const of = known === labeled ? nd.formatUnits(labeled, "labeled unit") : `${nd.formatUnits(known, "labeled unit")} that ${known === 1 ? "is" : "are"} known here, of ${nd.formatCount(labeled)}`;
    setText(byId("list-note"), `${nd.formatCount(units.length)} of ${of} of ${layer.name} ${units.length === 1 ? "fires" : "fire"}${units.length > 1 ? "; concepts of the strongest first" : ""}`);
    const rows = concepts.map(({ concept, share, most }) => {
      const described = layer.concepts[concept];
      const members = units.flatMap((unit, at) => (unit.concept === concept ? [at] : []));
      const part = `${nd.formatPercent(share)} of the image`;
      const said = `${described.name}, ${described.category}: ${nd.formatUnits(members.length)}${most > 1 ? `, up to ${most} of them at a pixel` : ""}, ${part}`;
      const row = make("button.concept-row", { type: "button", title: said, "aria-label": said, "data-key": `concept ${concept}` }, makeSwatch(described), make("span.name", {}, described.name), make("span.kind", {}, described.category));
      row.addEventListener("click", () => choose(`concept ${concept}`, members));
      return make("li", {}, row, make("div.unit-chips", { role: "group", "aria-label": `Units of ${described.name}` }, members.map((at) => makeChip(units[at], at))), make("span.note", {}, part));
    });
    byId("concepts").replaceChildren(...rows.length ? rows : [make("li.nothing", {}, "No labeled unit fires in this image.")]);
  }

  function makeChip(unit, at) {
    const said = `unit ${unit.unit}: strength ${unit.strength.toFixed(2)}, ${nd.formatPercent(unit.share)} of the image, ${nd.run.scoreTitle} ${nd.formatScore(unit.score)}${isUnsure(unit) ? ", no better than chance" : ""}`;
    const chip = make(`button.unit-chip${isUnsure(unit) ? ".unsure" : ""}`, { type: "button", title: said, "aria-label": said, "data-key": `unit ${at}` }, String(unit.unit));
    chip.addEventListener("click", () => choose(`unit ${at}`, [at]));
    return chip;
  }

  // Lists the units that fire at the point.
  function drawPoint(announced) {
    const found = state.point ? nd.findFiring(shown, state.point) : [];
    const place = state.point && `${Math.round(state.point[0] * 100)} % across, ${Math.round(state.point[1] * 100)} % down`;
    setText(byId("point-title"), state.point ? `${nd.formatUnits(found.length)} at the point` : "At the point");
    const rows = found.slice(0, MOST_AT_POINT).map(makeRow);
    if (found.length > MOST_AT_POINT) rows.push(make("li.note", {}, `and ${nd.formatUnits(found.length - MOST_AT_POINT)} more`));
    if (!found.length) rows.push(make("li.nothing", {}, state.point ? "No labeled unit fires here." : "Point at the image."));
    byId("point-list").replaceChildren(...rows);
    if (announced && state.point) {
      const names = [...new Set(found.slice(0, 4).map((unit) => shown.layer.concepts[unit.concept].name))];
      setText(byId("announcement"), `${place}: ${nd.formatUnits(found.length)}${names.length ? `, ${names.join(", ")}` : ""}`);
    }
    nd.paintPoint(byId("marks"), state.point, frame.clientWidth, frame.clientHeight, state.held);
    for (const button of document.querySelectorAll("#point-list [data-key]")) button.setAttribute("aria-pressed", String(button.dataset.key === state.key));
  }

  function makeRow(unit) {
    const concept = shown.layer.concepts[unit.concept];
    const bar = make("span");
    bar.style.width = `${Math.min(100, 100 * unit.strength)}%`;
    const row = make("button.fires", { type: "button", "data-key": `unit ${unit.at}` }, makeSwatch(concept),
      make("span.name", {}, concept.name, isUnsure(unit) ? make("span.chance.unsure", {}, "no better than chance") : null),
      make("span.unit", {}, `unit ${unit.unit}`), make("span.strength", { "aria-hidden": "true" }, bar),
      make("span.value", {}, make("span.sr", {}, "strength "), unit.strength.toFixed(2)));
    row.addEventListener("click", () => choose(`unit ${unit.at}`, [unit.at]));
    return make("li", {}, row);
  }

  function setPoint(point, { held = state.held, announced = false } = {}) {
    Object.assign(state, { point, held: point ? held : false });
    drawPoint(announced);
  }

  function getPoint(event) {
    const box = frame.getBoundingClientRect();
    const clamp = (value) => Math.min(0.9999, Math.max(0, value));
    return [clamp((event.clientX - box.left) / box.width), clamp((event.clientY - box.top) / box.height)];
  }

  function moveByKey(event) {
    const step = event.shiftKey ? 0.1 : 0.02;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (event.key === "Escape") return setPoint(null);
    if (event.key === "Enter" && state.point) {
      const [first] = nd.findFiring(shown, state.point);
      if (first) choose(`unit ${first.at}`, [first.at]);
      return undefined;
    }
    const move = moves[event.key];
    if (!move) return undefined;
    event.preventDefault();
    const from = state.point || [0.5, 0.5];
    const to = state.point ? from.map((value, side) => Math.min(0.9999, Math.max(0, value + move[side]))) : from;
    return setPoint(to, { held: true, announced: true });
  }

  function buildFrame() {
    frame.addEventListener("pointermove", (event) => { if (!state.held && event.pointerType !== "touch") setPoint(getPoint(event)); });
    frame.addEventListener("pointerleave", () => { if (!state.held) setPoint(null); });
    frame.addEventListener("click", (event) => {
      const point = getPoint(event);
      const again = state.held && Math.hypot(...point.map((value, side) => value - state.point[side])) < 0.02;
      setPoint(point, { held: !again, announced: true });
    });
    frame.addEventListener("keydown", moveByKey);
  }

  function buildControls() {
    const { images, layers } = nd.run;
    byId("thumbs").hidden = images.length < 2;
    byId("thumbs").replaceChildren(...images.map(({ name, width, height }, at) => {
      const button = make("button.thumb", { type: "button", title: name, "aria-label": name }, make("img", { src: getSource(at), alt: "", width: Math.round((64 * width) / height), height: 64, loading: "lazy" }));
      button.addEventListener("click", () => showImage(at, state.layer));
      return button;
    }));
    byId("layers").hidden = layers.length < 2;
    byId("layers").replaceChildren(...layers.map(({ name }, at) => {
      const button = make("button", { type: "button", title: name }, name);
      button.addEventListener("click", () => showImage(state.image, at));
      return button;
    }));
    byId("styles").replaceChildren(...STYLES.map((style) => {
      const button = make("button", { type: "button", "data-style": style }, style);
      button.addEventListener("click", () => { state.style = style; draw(); });
      return button;
    }));
    byId("colored").addEventListener("change", (event) => {
      Object.assign(state, { colored: event.target.checked, key: "", chosen: [] });
      draw();
    });
    byId("theme").addEventListener("click", nd.toggleTheme);
  }

  nd.redraw = draw;

  async function start() {
    const { facts } = await nd.get("look");
    nd.run = { ...facts, layers: facts.layers.map((layer, index) => ({ ...layer, index, input: facts.input })) };
    if (!nd.run.images.length || !nd.run.layers.length) return;
    byId("body").hidden = false;
    buildControls();
    buildFrame();
    await showImage(0, nd.run.layers.length - 1);
    drawPoint(false);
    new ResizeObserver(draw).observe(frame);
    if (document.fonts) document.fonts.load("600 13px 'Source Sans 3'").then(draw, () => null);
    document.documentElement.classList.add("running");
  }

  start().catch(nd.sayFailure);
})();
