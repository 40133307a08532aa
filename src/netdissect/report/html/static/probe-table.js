"use strict";
// The table of every concept of the probe set: searched, filtered by why it is not detected, and sorted by any column.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  const FIRST = 150; // rows before "all"

  const columns = [
    { id: "name", title: "concept", down: false, value: (row) => row.name },
    { id: "units", title: "detectors", figure: true, value: (row) => row.units },
    { id: "best", title: "best", figure: true, value: (row) => row.best },
    { id: "attainable", title: "attainable", figure: true, value: (row) => row.attainable, hint: "the largest IoU that a mask of the size of any unit’s could have with it" },
    { id: "pixels", title: "of all pixels", figure: true, value: (row) => row.share },
    { id: "images", title: "images shown", figure: true, value: (row) => row.images, hint: "images of this report that have it" },
    { id: "why", title: "why not detected", down: false, value: (row) => row.reason || "\uffff" },
  ];

  // Makes the table; `draw` fills it for the threshold and the state's probeOrder, probeReason and probeFind.
  nd.makeProbeTable = (probe) => {
    const { run } = nd;
    const head = new Map(columns.map((column) => [column.id, make("button.link", { type: "button", onclick: () => sortBy(column) }, column.id === "best" ? `best ${run.scoreTitle}` : column.title)]));
    const heads = columns.map((column) => make("th", { scope: "col", className: column.figure ? "figure" : "", title: column.hint }, head.get(column.id)));
    const body = make("tbody");
    const found = make("strong", { "aria-live": "polite" });
    const search = make("input.field-like", { type: "search", placeholder: "Concept", "aria-label": "Search concepts of the probe set", autocomplete: "off", spellcheck: false, oninput: () => nd.change({ probeFind: search.value }) });
    const reason = make("select.field-like", { "aria-label": "Which concepts", onchange: () => nd.change({ probeReason: reason.value }) });
    const all = make("button.more", { type: "button", hidden: true, onclick: () => { most = Infinity; draw(); } });
    let most = FIRST;
    const element = make("div.probe-table", {}, make("div.probe-tools", {}, search, reason, found),
      make("div.scroll", { tabIndex: 0, role: "region", "aria-label": "Table of concepts" }, make("table", {}, make("thead", {}, make("tr", {}, heads)), body)), all);

    function sortBy({ id, down = true }) {
      const [now, turned] = (nd.state.probeOrder || "units").split("-");
      nd.change({ probeOrder: now === id && !turned ? `${id}-turned` : id, probeDown: down });
    }

    function collect() {
      const pixels = run.images * run.labelSize[0] * run.labelSize[1];
      return run.concepts.map((name, concept) => ({
        concept, name, share: run.G[concept] / pixels, images: run.labeled[concept], attainable: probe.attainable[concept],
        best: probe.bestScore[concept], units: nd.countDetectorsOf(concept), reason: nd.findReason(concept),
      }));
    }

    function draw() {
      const { probeOrder = "units", probeReason = "", probeFind = "" } = nd.state;
      const rows = collect();
      fillReasons(rows, probeReason);
      if (document.activeElement !== search) search.value = probeFind;
      const [id, turned] = probeOrder.split("-");
      const column = columns.find((each) => each.id === id) || columns[1];
      const sign = (column.down === false ? 1 : -1) * (turned ? -1 : 1);
      const hits = probeFind.trim() ? new Set(nd.findConcepts(probeFind, Infinity)) : null;
      const shown = rows.filter((row) => (!hits || hits.has(row.concept)) && (!probeReason || (probeReason === "detected" ? !row.reason : probeReason === "not" ? row.reason : row.reason === probeReason)));
      const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
      shown.sort((a, b) => sign * compare(column.value(a), column.value(b)) || b.best - a.best || b.share - a.share);
      heads.forEach((cell, at) => cell.setAttribute("aria-sort", columns[at] !== column ? "none" : sign > 0 ? "ascending" : "descending"));
      setText(found, nd.formatUnits(shown.length, "concept"));
      all.hidden = shown.length <= most;
      setText(all, `All ${nd.formatCount(shown.length)}`);
      body.replaceChildren(...shown.slice(0, most).map(makeRow));
      if (!shown.length) body.append(make("tr", {}, make("td", { colSpan: columns.length }, hits && !hits.size ? `Nothing is called “${probeFind.trim()}”.` : "No concept is left by this choice.")));
    }

    function fillReasons(rows, chosen) {
      const count = (test) => rows.filter(test).length;
      const options = [["", "all concepts", rows.length], ["detected", "detected", count((row) => !row.reason)], ["not", "not detected", count((row) => row.reason)],
        ...Object.entries(nd.reasons).map(([id, words]) => [id, `not: ${words}`, count((row) => row.reason === id)])].filter(([id, , number]) => number || id === chosen);
      reason.replaceChildren(...options.map(([id, words, number]) => make("option", { value: id, selected: id === chosen }, `${words} (${nd.formatCount(number)})`)));
    }

    function makeRow(row) {
      const kind = run.category[row.concept];
      const text = (value) => make("td.figure", {}, value);
      return make("tr", {}, make("th", { scope: "row" }, make(`span.swatch.k-${run.slots[kind]}`, { title: run.categories[kind] }), make("a", { href: nd.makeAddress({ view: "concept", concept: row.concept }) }, row.name)),
        text(row.units ? nd.formatCount(row.units) : "–"), text(row.best ? nd.formatScore(row.best, nd.state.cut) : "–"), text(row.attainable >= 0 ? row.attainable.toFixed(2) : "–"),
        text(row.share ? nd.formatPercent(row.share) : "–"), text(run.anyLabels ? nd.formatCount(row.images) : "–"), make("td.why", {}, nd.describeReason(row.concept)));
    }
    return { element, draw };
  };
})();
