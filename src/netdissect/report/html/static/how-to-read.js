"use strict";
// "How to read this": one unit of the run in one image, from its activation to its mask to the overlap with its label.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const TRIED = 12; // best units that are asked for an image with mask and label
  const CLEAR = 0.3; // share of a mask on its label that shows what is meant

  // Makes the section; it fills itself when it comes near the window, and stays hidden where no unit can be shown.
  nd.makeHowToRead = () => {
    const view = { home: make("div.reading-steps"), tiles: [], element: make("section.reading", { "aria-labelledby": "reading-title", hidden: true }) };
    view.element.append(make("h2", { id: "reading-title" }, "How to read this"), view.home);
    view.fill = () => fill(view);
    view.draw = () => paint(view);
    return view;
  };

  async function fill(view) {
    if (view.started) return;
    view.started = true;
    const chosen = await choose();
    if (!chosen) return;
    Object.assign(view, chosen);
    view.element.hidden = false;
    build(view);
  }

  // Returns a unit, its exemplar with the mask on the label, and what is drawn of them; null if there is none.
  async function choose() {
    const { run } = nd;
    const layer = [...run.layers].reverse().find((each) => each.exemplars && nd.countDetectors(each, run.threshold, each.sure) > 0);
    if (!layer || !run.anyLabels) return null;
    await Promise.all([nd.loadLayer(layer), nd.loadStory()]);
    const whole = new Set(["scene", "texture"]);
    const units = [...layer.sure.ranked.subarray(0, nd.countDetectors(layer, run.threshold, layer.sure))];
    const local = units.filter((unit) => !whole.has(run.categories[layer.best[unit]]));
    let best = null;
    for (const unit of [...local, ...units].slice(0, TRIED)) {
      const concept = layer.label[unit];
      for (const group of ["on_concept", "strongest"]) {
        const { first = 0, count = 0 } = layer.group[group] || {};
        for (let slot = first; slot < first + Math.min(count, 4); slot++) {
          const place = layer.images[unit * layer.slots + slot];
          if (place < 0) continue;
          const labels = await nd.loadLabels(place);
          if (!labels || !labels.concepts.has(concept + 1) || labels.whole.includes(concept + 1)) continue;
          const grids = await nd.loadGrids(layer, unit);
          const share = nd.measureShare(layer, grids, nd.decodeValues(layer, unit), slot, labels, concept);
          const found = { layer, unit, concept, slot, place, grids, share };
          if (share > CLEAR) return found;
          if (share > (best ? best.share : 0)) best = found;
        }
      }
    }
    return best;
  }

  function build(view) {
    const { run } = nd;
    const { layer, unit, concept, place } = view;
    const name = run.concepts[concept];
    const score = layer.labelScore[unit];
    const words = [
      [nd.makeTerm("Activation", "unit"), `: how strongly unit ${unit + 1} responds, place by place.`],
      [nd.makeTerm("Mask", "mask"), `: where it is above its threshold `, nd.makeTerm("T", "T"), ", its strongest 1 in ", `${nd.formatCount(Math.round(1 / run.quantile))} places.`],
      [nd.makeTerm("Label", "concept"), `: the dashed line is where people marked ${name}.`],
    ];
    view.tiles = words.map((caption, at) => nd.makeTile(place, { name: ["Activation", "Mask", "Mask and label"][at], caption: [make("p", {}, caption)] }));
    const link = make("a", { href: nd.makeAddress({ view: "unit", layer: layer.index, unit }) }, `unit ${unit + 1} of ${layer.name}`);
    const overlap = makeOverlap(layer, unit, score);
    view.home.replaceChildren(...view.tiles.map((tile) => tile.element),
      make("div.overlap", {}, overlap, make("p", {}, nd.makeTerm(run.scoreTitle, run.scoreTitle === "IoU" ? "IoU" : "score"),
        ` is the overlap over all ${nd.formatCount(run.images)} images: ${score.toFixed(3)} for `, link, `. At ${nd.formatThreshold(run.threshold)} or more it is a `, nd.makeTerm("detector", "detector"), ` of ${name}.`)));
    for (const tile of view.tiles) tile.ready.then(() => paint(view));
    paint(view);
  }

  // Makes the two areas of the mask and the label to scale, side by side, with what they share between them.
  function makeOverlap(layer, unit, score) {
    const { I, A } = layer.story;
    if (!I || nd.run.scoreTitle !== "IoU") return "";
    const [both, mask, label] = [I[unit], A[unit] - I[unit], nd.run.G[layer.label[unit]] - I[unit]];
    const all = both + mask + label;
    const part = (share, kind, text) => {
      const piece = make(`span.${kind}`, { title: text });
      piece.style.flexGrow = String(share / all);
      return piece;
    };
    const bar = make("div.overlap-bar", { role: "img", "aria-label": `Of the pixels in the mask or the label, ${nd.formatPercent(mask / all)} are in the mask only, ${nd.formatPercent(both / all)} in both, ${nd.formatPercent(label / all)} in the label only: IoU ${score.toFixed(3)}` },
      part(mask, "area-mask", "mask only"), part(both, "area-both", "both"), part(label, "area-label", "label only"));
    return make("div", {}, make("div.overlap-names", { "aria-hidden": "true" }, make("span.area-mask", {}, "mask only"), make("span.area-both", {}, "both"), make("span.area-label", {}, "label only")), bar);
  }

  function paint({ tiles, layer, unit, grids, slot, concept }) {
    if (!tiles.length) return;
    ["heat", nd.styles[0], nd.styles[0]].forEach((style, at) => nd.paintTile(tiles[at], layer, unit, grids, slot, style));
    nd.drawOutline(tiles[2], concept, true);
  }
})();
