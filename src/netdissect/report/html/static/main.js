"use strict";
// Puts the page together: opens the run, reads the address, draws what changed.
(() => {
  const nd = window.netdissect;
  const byId = (id) => document.getElementById(id);
  let narrow = 0;

  // The cut stands in the bar of the overview, or at the top of a page.
  nd.cutControl = byId("cut-control");

  // Says something to those who do not see it.
  nd.announce = (text) => { byId("said").textContent = text; };

  nd.redraw = (what) => draw(new Set([what]));

  nd.drawOverview = () => {
    const { run, state } = nd;
    const layer = run.layers[state.layer];
    const counts = run.layers.map((each) => nd.recount(each, state.cut));
    const count = counts[state.layer];
    nd.drawTabs(counts);
    nd.drawCut(layer, count);
    nd.drawGraph(layer, count);
    nd.drawPanels(layer);
    nd.drawToolbar(layer, count);
    nd.grid.measure();
    nd.grid.draw();
  };

  function draw(changed) {
    const { state, run } = nd;
    const overview = state.view === "layer";
    const turned = changed.has("view") || changed.has("start");
    if (turned) {
      byId("overview").hidden = !overview;
      byId("page").hidden = overview;
      if (overview) byId("sort").before(nd.cutControl);
      document.body.dataset.view = state.view;
      document.body.classList.toggle("no-pictures", !run.layers.some((layer) => layer.exemplars));
    }
    if (overview) {
      if (turned || changed.has("layer")) document.title = `${run.network}, ${run.layers[state.layer].name}`;
      nd.drawStyles();
      nd.drawOverview();
    } else {
      if (changed.has("cut")) drawBar();
      if (state.view === "unit") nd.drawUnit(changed);
      else nd.drawConcept(changed);
    }
  }

  // On a unit's or a concept's page only the bar of the cut follows it.
  function drawBar() {
    const layer = nd.run.layers[nd.state.layer];
    byId("cut-bar").value = String(nd.state.cut);
    nd.say(byId("cut-value"), nd.cutText(nd.state.cut));
    nd.say(byId("cut-found"), nd.units(nd.recount(layer, nd.state.cut).detectors, "detector"));
  }

  // Links within the page are steps of its history.
  function follow(event) {
    const link = event.target.closest && event.target.closest("a[href^='#/']");
    if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    if (link.classList.contains("up") && history.state && history.state.inside) nd.back();
    else {
      const { view, layer, unit, concept } = nd.parse(link.getAttribute("href"));
      nd.go({ view, layer: view === "concept" ? nd.state.layer : layer, unit, concept }, "keep" in link.dataset);
    }
  }

  function resized() {
    const width = document.documentElement.clientWidth;
    if (width === narrow) return scroll(); // a taller window shows more cards
    narrow = width;
    draw(new Set(["size"]));
  }

  // Canvases are as wide as the page: before paper they are drawn again for its width.
  function print(on) {
    document.documentElement.classList.toggle("printing", on);
    nd.printing = on;
    draw(new Set(["size"]));
    if (nd.state.view === "layer") nd.grid.print(on);
  }

  let scrolled = false;
  function scroll() {
    if (scrolled || nd.state.view !== "layer") return;
    scrolled = true;
    requestAnimationFrame(() => {
      scrolled = false;
      if (nd.state.view === "layer") nd.grid.draw();
    });
  }

  async function start() {
    const run = await nd.openRun();
    document.documentElement.classList.add("running");
    byId("missing").hidden = true;
    if (!run.layers.length) return;
    nd.buildTabs();
    nd.buildCut();
    nd.buildGraph();
    nd.buildToolbar();
    nd.buildKeys();
    nd.grid = nd.makeGrid(byId("cards"), nd.chosen);
    nd.watch(draw);
    Object.assign(nd.state, nd.parse(location.hash));
    narrow = document.documentElement.clientWidth;
    draw(new Set(["start", "view", "layer", "cut"]));
    drawBar();
    window.scrollTo(0, (history.state && history.state.scroll) || 0);
    document.addEventListener("click", follow);
    window.addEventListener("scroll", scroll, { passive: true });
    window.addEventListener("resize", resized);
    window.addEventListener("pagehide", nd.rememberScroll);
    window.addEventListener("beforeprint", () => print(true));
    window.addEventListener("afterprint", () => print(false));
    if (document.fonts) document.fonts.ready.then(() => draw(new Set(["size"])));
    performance.mark("netdissect-ready");
  }

  start().catch((error) => {
    byId("missing").hidden = false;
    byId("missing").textContent = String((error && error.message) || error);
  });
})();
