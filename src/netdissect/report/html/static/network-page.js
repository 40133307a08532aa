"use strict";
// The first page: what the network has learned, over all layers.
(() => {
  const nd = window.netdissect;
  const { make } = nd;

  Object.assign(nd.pages.get("network"), { draw: (changed, page) => drawNetwork(changed, page) });

  function drawNetwork(changed, page) {
    const { run } = nd;
    if (!changed.has("view")) return;
    document.title = `${run.network}, dissected`;
    page.element.replaceChildren(make("h1.title", { tabIndex: -1 }, run.network),
      make("ul", {}, run.layers.map((layer) => make("li", {}, make("a", { href: nd.makeAddress({ view: "layer", layer: layer.index }) }, layer.name)))));
  }
})();
