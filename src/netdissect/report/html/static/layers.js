"use strict";
// The tabs of the layers, with a bar of the share of detectors per category, and the table across layers.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  let tabs = [];
  let rows = [];

  nd.buildLayers = () => {
    const { run } = nd;
    const home = document.getElementById("tabs");
    tabs = run.layers.map((layer) => {
      const tab = {
        link: make("a.tab", { href: "#" }, make("span.tab-name", {}, nd.breakName(layer.name))),
        note: make("span.tab-note"),
        bar: makeShareBar(),
      };
      tab.link.dataset.keep = "";
      tab.link.append(tab.note, tab.bar.element);
      home.append(tab.link);
      home.classList.toggle("many", run.layers.length > 6);
      return tab;
    });
    const legend = document.getElementById("legend");
    for (const [kind, name] of run.categories.entries()) legend.append(make("span.key", {}, make(`span.swatch.k-${run.slots[kind]}`), name));
    legend.append(make("span.key", {}, make("span.swatch.none"), "no concept reaches the threshold"));
    buildTable();
  };

  function makeShareBar() {
    const parts = nd.run.categories.map((_, kind) => make(`span.k-${nd.run.slots[kind]}`));
    return { element: make("span.share", { "aria-hidden": "true" }, parts), parts };
  }

  function buildTable() {
    const { run } = nd;
    const section = document.getElementById("across");
    section.hidden = run.layers.length < 2;
    const heads = ["units", "detectors", "by label", "by category"].map((text) => make("th", { scope: "col", className: "figure" }, text));
    const kinds = run.categories.map((name, kind) => make("th", { scope: "col", className: `t-${run.slots[kind]}` }, name));
    rows = run.layers.map((layer) => {
      const link = make("a", { href: "#" }, layer.name);
      link.dataset.keep = "";
      const figures = heads.map(() => make("td.figure"));
      const bars = run.categories.map((_, kind) => {
        const fill = make(`span.k-${run.slots[kind]}`);
        const text = make("span.bar-text");
        return { fill, text, cell: make("td", {}, make("span.bar", {}, fill), text) };
      });
      return { link, figures, bars, row: make("tr", {}, make("th", { scope: "row" }, link), figures, bars.map((bar) => bar.cell)) };
    });
    section.querySelector("table").append(
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "layer"), heads, kinds)),
      make("tbody", {}, rows.map((row) => row.row)),
    );
  }

  nd.drawLayers = (counts) => {
    const { run, state } = nd;
    const widest = Math.max(1e-9, ...counts.flatMap((count, index) => [...count.perCategory].map((units) => units / run.layers[index].units)));
    run.layers.forEach((layer, index) => {
      const { link, note, bar } = tabs[index];
      const count = counts[index];
      const current = index === state.layer ? "page" : null;
      if (current) link.setAttribute("aria-current", current); else link.removeAttribute("aria-current");
      link.href = nd.makeAddress({ view: "layer", layer: index });
      setText(note, `${nd.formatCount(count.detectors)} of ${nd.formatCount(layer.units)} named, ${nd.formatUnits(count.byLabel, "concept")}`);
      bar.parts.forEach((part, kind) => { part.style.width = `${(100 * count.perCategory[kind]) / layer.units}%`; });
      const row = rows[index];
      row.link.href = link.href;
      row.row.classList.toggle("here", index === state.layer);
      [layer.units, count.detectors, count.byLabel, count.byCategory].forEach((value, at) => setText(row.figures[at], nd.formatCount(value)));
      row.bars.forEach(({ fill, text }, kind) => {
        const share = count.perCategory[kind] / layer.units;
        fill.style.width = `${(100 * share) / widest}%`;
        setText(text, count.perCategory[kind] ? nd.formatPercent(share) : "–");
      });
    });
  };
})();
