"use strict";
// Panels that other packages add to the pages of a layer and of a unit: text, a table and a figure, without markup or scripts.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  let shown = null; // layer whose panels are on the overview

  nd.makePanels = (panels) => panels.map(({ title, text, table, figure, alt }) => make("section.panel", {}, make("h2", {}, title),
    text ? make("p", {}, text) : null,
    table.length ? makeTable(title, table) : null,
    figure ? make("img", { src: nd.imageURL(figure), alt: alt || title }) : null));

  function makeTable(title, [head, ...rows]) {
    return make("div.scroll", { tabIndex: 0, role: "region", "aria-label": `Table: ${title}` }, make("table", {},
      make("thead", {}, make("tr", {}, head.map((cell) => make("th", { scope: "col" }, cell)))),
      make("tbody", {}, rows.map((row) => make("tr", {}, row.map((cell) => make("td", {}, cell)))))));
  }

  // Shows a layer's panels on the overview.
  nd.drawPanels = async (layer) => {
    if (shown === layer) return;
    shown = layer;
    const { layer: panels } = await nd.loadPanels(layer);
    if (shown !== layer) return;
    const home = document.getElementById("panels");
    home.hidden = !panels.length;
    home.replaceChildren(...nd.makePanels(panels));
  };
})();
