"use strict";
// Starts the page: loads the run, reads the address, and draws what has changed.
(() => {
  const nd = window.netdissect;
  const byId = (id) => document.getElementById(id);
  let pageWidth = 0;

  // The threshold control is moved between the toolbar of the overview and the top of the other pages.
  nd.thresholdControl = byId("threshold-control");

  // Announces something to screen readers.
  nd.announce = (text) => { byId("announcement").textContent = text; };

  nd.redraw = (what) => draw(new Set([what]));

  nd.drawOverview = () => {
    const { run, state } = nd;
    const layer = run.layers[state.layer];
    const counts = run.layers.map((each) => nd.recount(each, state.cut));
    const count = counts[state.layer];
    nd.setText(byId("layer-title"), layer.name);
    nd.drawLayers(counts);
    nd.drawThreshold(layer, count);
    nd.drawTrust(layer, count);
    nd.drawGraph(layer, count);
    nd.drawAblation(layer);
    nd.drawPanels(layer);
    nd.drawToolbar(layer, count);
    nd.grid.measure();
    nd.grid.draw();
  };

  // Draws what a search changes.
  function drawFound() {
    const layer = nd.run.layers[nd.state.layer];
    nd.drawToolbar(layer, nd.recount(layer, nd.state.cut));
    nd.grid.draw();
  }

  function draw(changed) {
    const { state, run } = nd;
    const overview = state.view === "layer";
    const page = nd.pages.get(state.view);
    const newPage = changed.has("view") || changed.has("start");
    if (changed.has("missing") || newPage) nd.drawMissing();
    nd.drawNavigation();
    if (newPage) {
      byId("overview").hidden = !overview;
      const element = overview ? null : nd.getPageElement(state.view);
      for (const other of nd.pages.values()) if (other.element) other.element.hidden = other.element !== element;
      byId("about").hidden = state.view !== "network";
      if (overview) byId("sort").before(nd.thresholdControl);
      document.body.dataset.view = state.view;
      document.body.classList.toggle("no-images", !run.layers.some((layer) => layer.exemplars));
    }
    if (overview) {
      if (newPage || changed.has("layer")) document.title = `${run.network}, ${run.layers[state.layer].name}`;
      nd.drawStyles();
      if ([...changed].every((name) => name === "query")) drawFound();
      else nd.drawOverview();
      if (newPage || changed.has("theme") || changed.has("size")) nd.drawClassCurves();
    } else {
      if (newPage) changed.add("view");
      if (changed.has("cut") || changed.has("beyond")) drawThresholdControl();
      if (page.draw) page.draw(changed, page);
    }
  }

  // Updates the threshold control on the page of a unit or a concept.
  function drawThresholdControl() {
    const layer = nd.run.layers[nd.state.layer];
    byId("threshold-bar").value = String(nd.state.cut);
    nd.setText(byId("threshold-value"), nd.formatThreshold(nd.state.cut));
    nd.setText(byId("threshold-found"), nd.formatDetectors(layer, nd.countDetectors(layer, nd.state.cut), nd.state.cut));
    byId("beyond").checked = nd.state.beyond;
  }

  function resize() {
    const width = document.documentElement.clientWidth;
    if (width === pageWidth) return scroll(); // a taller window shows more cards
    pageWidth = width;
    draw(new Set(["size"]));
  }

  let scrollPending = false;
  function scroll() {
    if (scrollPending || nd.state.view !== "layer") return;
    scrollPending = true;
    requestAnimationFrame(() => {
      scrollPending = false;
      if (nd.state.view === "layer") nd.grid.draw();
    });
  }

  async function start() {
    const run = await nd.loadRun();
    document.documentElement.classList.add("running");
    byId("missing").hidden = true;
    if (!run.layers.length) return;
    nd.buildNavigation();
    nd.buildRunSwitch();
    nd.buildSearch();
    nd.buildLayers();
    nd.buildThreshold();
    nd.buildTrust();
    nd.buildGraph();
    nd.buildToolbar();
    nd.buildKeys();
    nd.buildShare();
    nd.buildPrint();
    nd.fillTerms();
    nd.grid = nd.makeGrid(byId("cards"), nd.listShownUnits);
    nd.onChange(draw);
    Object.assign(nd.state, nd.parseAddress(location.hash));
    pageWidth = document.documentElement.clientWidth;
    draw(new Set(["start", "view", "layer", "cut"]));
    drawThresholdControl();
    if (history.state && history.state.scroll) nd.returnTo(history.state, "");
    document.addEventListener("click", nd.followLink);
    window.addEventListener("scroll", scroll, { passive: true });
    window.addEventListener("resize", resize);
    window.addEventListener("pagehide", () => nd.rememberPlace());
    if (document.fonts) document.fonts.ready.then(() => draw(new Set(["size"])));
    performance.mark("netdissect-ready");
  }

  start().catch(nd.sayFailure);
})();
