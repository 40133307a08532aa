"use strict";
// The sticky toolbar (search, categories with counts, sort, mask style), and the line below it that says what is shown.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  const byId = (id) => document.getElementById(id);
  let buttons = [];

  nd.buildToolbar = () => {
    const search = byId("search");
    search.addEventListener("input", () => nd.change({ query: search.value }));
    search.addEventListener("focus", nd.prepareSearch);
    byId("sort").addEventListener("change", (event) => nd.change({ sort: event.target.value }));
    const names = ["all", ...nd.run.categories, "below"];
    buttons = names.map((name, at) => {
      const kind = at - 1;
      const swatch = name === "all" ? null : make(`span.swatch.${name === "below" ? "none" : `k-${nd.run.slots[kind]}`}`);
      const number = make("span.number");
      const title = name === "below" ? "Units whose best concept does not reach the threshold" : null;
      const button = make("button.chip", { type: "button", title, onclick: () => nd.change({ show: name }) }, swatch, name === "all" ? "All" : name, number);
      byId("categories").append(button);
      return { name, kind, button, number };
    });
    for (const home of document.querySelectorAll(".styles")) nd.buildStyles(home);
  };

  // Adds the buttons for mask styles; the page of a unit has them too.
  nd.buildStyles = (home) => {
    for (const style of nd.styles) {
      const button = make("button", { type: "button", onclick: () => nd.change({ mask: style }) }, style[0].toUpperCase() + style.slice(1));
      button.dataset.style = style;
      home.append(button);
    }
  };

  nd.drawStyles = () => {
    for (const button of document.querySelectorAll(".styles button")) button.setAttribute("aria-pressed", String(button.dataset.style === nd.state.mask));
  };

  nd.drawToolbar = (layer, count) => {
    const { state } = nd;
    const search = byId("search");
    if (search.value !== state.query) search.value = state.query;
    byId("sort").value = state.sort;
    for (const { name, kind, button, number } of buttons) {
      const units = name === "all" ? null : name === "below" ? nd.getCounter(layer).ranked.length - count.detectors : count.perCategory[kind];
      button.setAttribute("aria-pressed", String(state.show === name));
      setText(number, units === null ? "" : ` ${nd.formatCount(units)}`);
    }
    const shown = nd.listShownUnits().length;
    setText(byId("found-number"), nd.formatCount(shown));
    setText(byId("found-rest"), ` of ${nd.formatUnits(layer.units)} in ${layer.name}`);
    byId("nothing").hidden = shown > 0;
    if (!shown) byId("nothing").replaceChildren(...nd.makeNothing(layer, state.query));
    drawSuggestions(state.query);
  };

  let suggested = null;
  function drawSuggestions(query) {
    const key = `${query} ${nd.state.cut} ${nd.state.layer} ${nd.state.beyond}`;
    if (key === suggested) return;
    suggested = key;
    const concepts = nd.findConcepts(query, 4);
    const home = byId("suggestions");
    home.hidden = !concepts.length;
    home.replaceChildren(...concepts.flatMap((concept, at) => [
      at ? ", " : "Concept page: ", make("a", { href: nd.makeAddress({ view: "concept", concept }) }, nd.run.concepts[concept]),
    ]));
  }

  // Returns the height of the toolbar if it covers the top of the window.
  nd.measureToolbar = () => {
    const bar = byId("toolbar");
    return getComputedStyle(bar).position === "sticky" ? bar.offsetHeight : 0;
  };
})();
