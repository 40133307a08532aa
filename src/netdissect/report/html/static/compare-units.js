"use strict";
// The units whose label is another in the later run, as a list with search and sort.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  const BATCH = 24;
  const SORTS = {
    change: ["by change of score", (a, b) => Math.abs(b.scores[1] - b.scores[0]) - Math.abs(a.scores[1] - a.scores[0])],
    score: ["by score", (a, b) => Math.max(...b.scores) - Math.max(...a.scores)],
    unit: ["by number", (a, b) => a.from - b.from],
  };
  let fate = "";
  let [query, sort, most] = ["", "change", BATCH];
  let redraw = () => {};

  // Shows the units of one fate, and scrolls to them.
  nd.showFate = (chosen) => {
    fate = chosen;
    most = BATCH;
    redraw();
    document.getElementById("traced-title").scrollIntoView({ block: "start" });
  };

  nd.makeUnitTable = () => {
    const heading = make("h2", { id: "traced-title" }, "Units that changed, and those that did not");
    const chips = make("div.fate-chips", { role: "group", "aria-label": "What became of the label" });
    const search = make("input.field-like", { type: "search", placeholder: "Concept or unit number", "aria-label": "Search the units by concept or number", value: query, oninput: () => { query = search.value; most = BATCH; redraw(); } });
    const order = make("select.field-like", { "aria-label": "Sort", onchange: () => { sort = order.value; redraw(); } }, Object.entries(SORTS).map(([name, [words]]) => make("option", { value: name, selected: name === sort }, words)));
    const found = make("p.note", { role: "status" });
    const list = make("ol.traced-list", { role: "list" });
    const more = make("button.more", { type: "button", onclick: () => { most += BATCH * 4; redraw(); } });
    const element = make("section", { "aria-labelledby": "traced-title" }, heading, make("div.traced-tools", {}, chips, search, order), found, list, more);
    let view = null;
    redraw = () => {
      const named = view.traced.filter((entry) => entry.fate);
      const count = (name) => named.filter((entry) => !name || entry.fate === name).length;
      chips.replaceChildren(...["", ...nd.fates].map((name) => make("button.chip", { type: "button", "aria-pressed": String(name === fate), onclick: () => { fate = name; most = BATCH; redraw(); } }, name || "all", make("span.number", {}, ` ${nd.formatCount(count(name))}`))));
      const shown = named.filter((entry) => (!fate || entry.fate === fate) && matches(view, entry)).sort(SORTS[sort][1]);
      setText(found, shown.length ? "" : query ? `No such unit answers “${query}”.` : "No such unit at this threshold.");
      list.replaceChildren(...shown.slice(0, most).map((entry) => makeRow(view, entry)));
      more.hidden = shown.length <= most;
      setText(more, `${nd.formatUnits(shown.length - most)} more`);
    };
    return { element, draw: (now) => {
      view = now;
      redraw();
    } };
  };

  // Returns whether every word of the search is in a unit's names, its number or its fate.
  function matches({ tables }, entry) {
    const text = [entry.before, entry.after].filter((concept) => concept >= 0).map((concept) => tables.concepts[concept].toLowerCase()).join(" ");
    return query.toLowerCase().split(/\s+/).filter(Boolean).every((word) => {
      const number = /^#?(\d+)$/.exec(word);
      return word === "unit" || word === entry.fate || (number && [entry.from + 1, entry.to + 1].includes(Number(number[1]))) || text.includes(word) || text.includes(word.replace(/e?s$/, ""));
    });
  }

  function makeRow(view, entry) {
    const side = (which, unit, concept, score) => make("span.named", {}, nd.makeNamed(concept, Boolean(which.chance && which.chance[unit])), make("span.score", {}, nd.formatScore(score, nd.state.cut)));
    const number = entry.from === entry.to ? `${entry.from + 1}` : `${entry.from + 1} → ${entry.to + 1}`;
    const alike = view.byNumber ? null : nd.getLikeness(view.track, false, entry.unit, nd.state.after === view.track.base ? nd.state.before : nd.state.after);
    return make("li", {}, make("button.traced", { type: "button", "aria-pressed": String(entry.unit === nd.state.traced), onclick: () => nd.showPair(entry.unit, true) },
      make("span.unit-number", {}, make("span.sr", {}, "unit "), number), make(`span.fate.${entry.fate}`, {}, entry.fate),
      side(view.before, entry.from, entry.before, entry.scores[0]), make("span.arrow", { "aria-hidden": "true" }, "→"), side(view.after, entry.to, entry.after, entry.scores[1]),
      make("span.fine", {}, [entry.sure === false ? "not sure" : "", alike === null ? "" : `alike ${nd.formatLikeness(alike)}`].filter(Boolean).join(", "))));
  }
})();
