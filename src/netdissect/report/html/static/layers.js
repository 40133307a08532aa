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
    const { short } = nd.listShortNames();
    tabs = run.layers.map((layer, index) => {
      const tab = {
        link: make("a.tab", { href: "#", title: short[index] === layer.name ? null : layer.name }, make("span.tab-name", {}, nd.breakName(short[index]))),
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
    if (run.anyChance) legend.append(make("span.key", {}, make("span.swatch.hollow.k-other"), "hollow, in its color: no better than chance"));
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
    const sure = run.layers.some((layer) => layer.trust || layer.controls.length) ? ["beyond chance", "times chance"] : [];
    const heads = ["units", "detectors", "by label", "by category", ...sure].map((text) => make("th", { scope: "col", className: "figure" }, text));
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
      const controls = [...new Set(layer.controls.map((control) => control.kind))]
        .map((kind) => makeControlRow(kind, layer.controls.filter((control) => control.kind === kind), figures.length + bars.length));
      return { link, figures, bars, controls, row: make("tr", {}, make("th", { scope: "row" }, link), figures, bars.map((bar) => bar.cell)) };
    });
    section.classList.toggle("with-trust", sure.length > 0);
    section.querySelector("table").append(
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "layer"), heads, kinds)),
      make("tbody", {}, rows.flatMap((row) => [row.row, ...row.controls])),
    );
  }

  // Makes the row of the controls of one kind below their layer, at their own threshold: the range over several of them.
  function makeControlRow(kind, controls, cells) {
    const range = (name, format, sd) => {
      const values = controls.map((control) => control[name]).filter((value) => value !== null).sort((a, b) => a - b);
      const ends = [...new Set([values[0], values[values.length - 1]])].map((value) => (value === undefined ? "" : format(value)));
      const error = controls.length === 1 && sd && controls[0][sd] !== null ? ` ± ${nd.formatDeviation(controls[0][sd])}` : "";
      return ends.join("–") + error;
    };
    const texts = [range("total", nd.formatCount), range("units", nd.formatCount, "unitsSd"), range("unique", nd.formatCount, "uniqueSd"), "", "", range("times", nd.formatTimes)];
    const figures = Array.from({ length: cells }, (_, at) => make("td.figure", {}, texts[at] || ""));
    const name = controls.length === 1 ? kind : `${kind}, ${nd.formatUnits(controls.length, "run")}`;
    return make("tr.control", {}, make("th", { scope: "row", title: controls.map((control) => control.name).join(", ") }, name), figures);
  }

  // Scrolls the row of tabs so that the layer's is in sight.
  let scrolledTo = -1;
  function scrollTabs(index) {
    const home = document.getElementById("tabs");
    if (scrolledTo === index || !home.clientWidth) return;
    scrolledTo = index;
    const [from, room] = [tabs[index].link.getBoundingClientRect().left - home.getBoundingClientRect().left + home.scrollLeft, tabs[index].link.offsetWidth];
    if (from < home.scrollLeft || from + room > home.scrollLeft + home.clientWidth) home.scrollLeft = from - (home.clientWidth - room) / 2;
  }

  nd.drawLayers = (counts) => {
    const { run, state } = nd;
    nd.loadStory().then(() => { if (!run.storyShown) { run.storyShown = true; nd.redraw("story"); } });
    const widest = Math.max(1e-9, ...counts.flatMap((count, index) => [...count.perCategory].map((units) => units / run.layers[index].units)));
    run.layers.forEach((layer, index) => {
      const { link, note, bar } = tabs[index];
      const count = counts[index];
      const current = index === state.layer ? "page" : null;
      if (current) link.setAttribute("aria-current", current); else link.removeAttribute("aria-current");
      link.href = nd.makeAddress({ view: "layer", layer: index });
      const [detectors, label, category] = [[count.detectors, "detectors"], [count.byLabel, "label"], [count.byCategory, "category"]]
        .map(([number, which]) => nd.formatCount(number) + nd.formatSpread(layer, which, state.cut));
      setText(note, `${detectors} of ${nd.formatCount(layer.units)} named, ${label} concept${count.byLabel === 1 ? "" : "s"}`);
      bar.parts.forEach((part, kind) => { part.style.width = `${(100 * count.perCategory[kind]) / layer.units}%`; });
      const row = rows[index];
      row.link.href = link.href;
      row.row.classList.toggle("here", index === state.layer);
      const beyond = layer.q ? nd.formatCount(nd.countBeyond(layer, state.cut)) : "";
      const texts = [nd.formatCount(layer.units), detectors, label, category, beyond, layer.trust ? nd.describeTimes(layer.trust) : ""];
      row.figures.forEach((cell, at) => setText(cell, texts[at]));
      row.bars.forEach(({ fill, text }, kind) => {
        const share = count.perCategory[kind] / layer.units;
        fill.style.width = `${(100 * share) / widest}%`;
        setText(text, count.perCategory[kind] ? nd.formatPercent(share) : "–");
      });
    });
    scrollTabs(state.layer);
  };
})();
