"use strict";
// A unit in two runs side by side. Pointing at an image marks the same image of the other unit.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const IMAGES = 8;
  let element = null;

  // Shows a unit of the base run in both runs.
  nd.showPair = (unit, scroll = false) => {
    nd.change({ traced: unit });
    if (scroll) element.scrollIntoView({ block: "start" });
  };

  nd.makeUnitPair = () => {
    element = make("section.pair", { "aria-label": "A unit in both runs" });
    let [drawn, columns] = ["", []];
    function draw(view) {
      const entry = view.traced.find(({ unit }) => unit === nd.state.traced) || pickExample(view);
      element.hidden = !entry;
      if (!entry) return;
      const key = [nd.state.track, nd.state.before, nd.state.after, view.byNumber, entry.unit, nd.state.cut, nd.state.beyond].join(" ");
      if (drawn !== key || view.changed.has("view")) {
        drawn = key;
        columns = [makeColumn(view, view.before, entry.from, entry.before), makeColumn(view, view.after, entry.to, entry.after)];
        element.replaceChildren(makeHeading(view, entry), make("div.pair-columns", {}, columns.map((column) => column.element)), make("p.note.same-images", { role: "status" }));
        Promise.all(columns.map((column) => column.load())).then(() => link(columns, element.querySelector(".same-images")));
      } else for (const column of columns) column.paint();
    }
    return { element, draw };
  };

  // Returns the unit that is shown before one is chosen: the one of the largest score that changed its label, the surest first.
  function pickExample({ traced }) {
    const rank = (entry) => (entry.sure ? 2 : 0) + (entry.fate === "changed" ? 1 : 0) + Math.min(...entry.scores) / 2;
    return traced.filter((entry) => entry.fate).sort((a, b) => rank(b) - rank(a))[0];
  }

  function makeHeading(view, entry) {
    const number = entry.from === entry.to ? `Unit ${entry.from + 1}` : `Units ${entry.from + 1} and ${entry.to + 1}`;
    const course = view.runs.length > 2 ? make("ol.unit-course", { "aria-label": "The unit’s label in every run" }, view.track.sides.filter(Boolean).map((side) => {
      const unit = nd.findPartner(view.track, view.byNumber, entry.unit, side.run);
      const concept = nd.getNamed(side, unit, nd.state.cut);
      return make("li", {}, make("span.fine", {}, view.runs[side.run].name), make("span", {}, nd.makeNamed(concept, unit >= 0 && Boolean(side.chance && side.chance[unit]))));
    })) : "";
    const title = nd.state.traced >= 0 ? "" : " For example; choose another in the chart or in the list.";
    return make("header", {}, make("h2", {}, `${number}: `, make(`span.fate.${entry.fate || "neither"}`, {}, entry.fate || "named in neither")), title ? make("p.note", {}, title) : "", course);
  }

  function makeColumn(view, side, unit, concept) {
    const described = view.runs[side.run];
    const tiles = make("div.pair-tiles");
    const interval = side.low && !Number.isNaN(side.low[unit]) ? ` (${side.low[unit].toFixed(3)}–${side.high[unit].toFixed(3)})` : "";
    const closest = concept < 0 && side.label[unit] >= 0 ? `closest: ${view.tables.concepts[side.label[unit]]}` : "";
    const chance = Boolean(side.chance && side.chance[unit]);
    const address = `${described.page}#/unit/${encodeURIComponent(side.name)}/${unit + 1}`;
    const column = { element: make("article", {}, make("p.kicker", {}, described.name),
      make("h3", {}, closest ? make("i", {}, closest) : nd.makeNamed(concept, chance), make("span.score", {}, ` ${nd.formatScore(side.score[unit], nd.state.cut)}`), make("span.note", {}, interval),
        chance && concept >= 0 ? make("span.chance.unsure", {}, "no better than chance") : ""), tiles,
      make("p", {}, make("a", { href: address }, `Unit ${unit + 1} in ${described.name}`))), tiles: [] };
    column.load = async () => {
      const run = await nd.openRun(side.run + 1);
      const layer = await nd.loadLayer(run.layers[view.track.layers[side.run]]);
      const grids = await nd.loadGrids(layer, unit);
      const places = [...nd.getImages(layer, unit)].map((place, slot) => [place, slot]).filter(([place]) => place >= 0).slice(0, IMAGES);
      column.tiles = places.map(([place, slot]) => Object.assign(nd.makeTile(place, { name: `Image ${slot + 1} of unit ${unit + 1} in ${described.name}`, run }), { slot, image: `${described.probeSet}:${run.row[place]}` }));
      tiles.replaceChildren(...column.tiles.map((tile) => tile.element));
      column.paint = () => column.tiles.forEach((tile) => nd.paintTile(tile, layer, unit, grids, tile.slot, nd.state.mask));
      column.paint();
    };
    column.paint = () => {};
    return column;
  }

  // Marks the same images of both units when one is pointed at, and says how many there are.
  function link(columns, note) {
    const [first, second] = columns.map(({ tiles }) => tiles);
    const shared = first.filter((tile) => second.some((other) => other.image === tile.image)).length;
    if (first.length && second.length) note.textContent = shared ? `${shared} of ${first.length} images are the same; point at one to find it in the other run.` : "None of these images are the same.";
    for (const tile of [...first, ...second]) {
      const mark = (on) => [...first, ...second].filter((other) => other.image === tile.image).forEach((other) => other.element.classList.toggle("same", on));
      tile.frame.addEventListener("pointerenter", () => mark(true));
      tile.frame.addEventListener("pointerleave", () => mark(false));
    }
  }
})();
