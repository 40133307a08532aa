"use strict";
// How many units are named after each concept in every run: concepts by the first run that has them.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const MOST = 44;
  const [WIDTH, WIDTH_EACH] = [190, 90]; // pixels of a table: of its names, and of each run
  const KINDS = [["all", "all"], ["gained", "gained"], ["lost", "lost"], ["both", "in both"]];
  let [kind, open] = ["all", false];

  nd.makeRunConcepts = () => {
    const chips = make("div.fate-chips", { role: "group", "aria-label": "Which concepts" });
    const home = make("div.emergence-columns");
    const more = make("button.more", { type: "button", onclick: () => { open = true; draw(view); } });
    const element = make("section", { "aria-labelledby": "emergence-title" }, make("h2", { id: "emergence-title" }, "Concepts in every run"),
      make("p.note", {}, "Area: units named after the concept, with their number; by the first run that has it. Gained and lost are from before to after."), chips,
      make("div.scroll", { tabIndex: 0, role: "region", "aria-label": "Tables of concepts" }, home), more);
    let view = null;
    function draw(now) {
      view = now;
      const sides = view.track.sides.filter(Boolean);
      const found = sides.map((side) => nd.countConcepts(side, nd.state.cut));
      const rows = listConcepts(view, sides, found);
      chips.replaceChildren(...KINDS.map(([name, words]) => make("button.chip", { type: "button", "aria-pressed": String(name === kind), onclick: () => { kind = name; draw(view); } }, words, make("span.number", {}, ` ${nd.formatCount(rows.filter((row) => fits(row, name)).length)}`))));
      const shown = rows.filter((row) => fits(row, kind));
      const most = Math.max(1, ...found.flatMap((of) => [...of.values()].map(([units]) => units)));
      const listed = open ? shown : shown.slice(0, MOST);
      const columns = Math.max(1, Math.min(3, Math.floor(home.parentElement.clientWidth / (WIDTH + WIDTH_EACH * sides.length))));
      const each = Math.ceil(listed.length / columns);
      const head = () => make("thead", {}, make("tr", {}, make("td"), sides.map((side) => make("th", { scope: "col", className: side === view.before || side === view.after ? "chosen" : "" }, view.runs[side.run].name))));
      home.replaceChildren(...Array.from({ length: columns }, (_, at) => listed.slice(at * each, (at + 1) * each)).filter((rows) => rows.length)
        .map((rows) => make("table.emergence", {}, head(), make("tbody", {}, rows.map((row) => makeRow(row, found, most))))));
      more.hidden = open || shown.length <= MOST;
      more.textContent = `All ${nd.formatUnits(shown.length, "concept")}`;
    }
    return { element, draw };
  };

  const fits = ({ fate }, name) => name === "all" || fate === name;

  function listConcepts(view, sides, found) {
    const concepts = new Set(found.flatMap((of) => [...of.keys()]));
    const of = (side, concept) => (found[sides.indexOf(side)].get(concept) || [0])[0];
    return [...concepts].map((concept) => {
      const [before, after] = [of(view.before, concept), of(view.after, concept)];
      const units = found.map((each) => (each.get(concept) || [0])[0]);
      return { concept, units, first: units.findIndex((number) => number > 0), fate: before ? (after ? "both" : "lost") : after ? "gained" : "neither" };
    }).sort((a, b) => a.first - b.first || Math.max(...b.units) - Math.max(...a.units) || a.concept - b.concept);
  }

  function makeRow({ concept, units }, found, most) {
    const own = nd.run.concepts.findIndex((name, at) => name === nd.getConceptName(concept) && nd.run.slots[nd.run.category[at]] === nd.getConceptSlot(concept));
    const name = own < 0 ? make("span", {}, nd.getConceptName(concept)) : make("a", { href: nd.makeAddress({ view: "concept", concept: own }) }, nd.getConceptName(concept));
    return make("tr", {}, make("th", { scope: "row" }, make(`span.swatch.k-${nd.getConceptSlot(concept)}`), name), units.map((number, at) => {
      if (!number) return make("td.none", {}, make("span.sr", {}, "0"));
      const dot = make(`i.k-${nd.getConceptSlot(concept)}`);
      const size = Math.max(5, 22 * Math.sqrt(number / most));
      dot.style.width = dot.style.height = `${size.toFixed(1)}px`;
      return make("td", { title: `best ${found[at].get(concept)[1].toFixed(3)}` }, make("span.dot", {}, dot), nd.formatCount(number));
    }));
  }
})();
