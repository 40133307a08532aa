"use strict";
// Units to compare a unit with: those of its layer that fire on the same images, and a pinned unit.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const MOST = 6;
  const GAP = 32;
  const MIN_WIDTH = 330; // of a card

  // Returns a list of cards in columns; call its `fit` after adding it to the page.
  nd.makeCardRow = (cards, most = Infinity) => {
    const list = make("ol.row.fit", { role: "list" }, cards.map((card) => card.element));
    list.fit = () => {
      const columns = Math.max(1, Math.min(most, Math.floor((list.clientWidth + GAP) / (MIN_WIDTH + GAP))));
      const width = Math.floor((list.clientWidth - (columns - 1) * GAP) / columns);
      if (width < 50) return; // not laid out
      list.style.gridTemplateColumns = `repeat(${columns}, ${width}px)`;
      for (const card of cards) {
        nd.fillCard(card);
        nd.showImages(card, width);
        if (nd.printing) nd.paintNow(card); // printing does not wait
      }
    };
    return list;
  };

  // Returns the units that share most exemplars with a unit, and how many they share; units that share fewer than three times
  // the number expected by chance are left out.
  nd.findSimilarUnits = (layer, unit) => {
    const { slots, exemplars } = layer;
    const own = new Set(nd.getImages(layer, unit));
    own.delete(-1);
    const least = Math.max(2, Math.ceil((3 * own.size * own.size) / Math.max(1, nd.run.images)));
    const found = [];
    for (let other = 0; other < layer.units; other++) {
      if (other === unit) continue;
      let shared = 0;
      for (let i = other * slots; i < other * slots + exemplars; i++) if (own.has(layer.images[i])) shared++;
      if (shared >= least) found.push({ unit: other, shared });
    }
    return found.sort((a, b) => b.shared - a.shared || layer.rankOf[a.unit] - layer.rankOf[b.unit]).slice(0, MOST);
  };

  nd.makeSimilarUnits = (layer, unit) => {
    const found = nd.findSimilarUnits(layer, unit);
    if (!found.length) return null;
    const cards = found.map(({ unit: other, shared }) => {
      const card = nd.makeCard(layer, other);
      card.kind.after(make("span.shared", {}, `, ${nd.formatUnits(shared, "image")} shared`));
      return card;
    });
    const row = nd.makeCardRow(cards);
    const element = make("section.similar", { "aria-label": "Similar units" }, make("h2", {}, "Fires on the same images"),
      make("p.note", {}, `Units of ${layer.name} that share most of its ${layer.exemplars} strongest images; the masks show whether they respond to the same part.`), row);
    return { element, fit: row.fit };
  };

  // Returns the pinned unit as { layer, unit }, or null.
  nd.getPinned = () => {
    const { pin } = nd.state;
    if (!pin) return null;
    const [index, unit] = pin.split(":").map(Number);
    return { layer: nd.run.layers[index], unit };
  };

  nd.togglePin = () => {
    const { view, layer, unit, pin } = nd.state;
    if (view !== "unit") return;
    const own = `${layer}:${unit}`;
    nd.change({ pin: pin === own ? "" : own });
    nd.announce(pin === own ? "Unpinned" : `Unit ${unit + 1} is pinned beside the others`);
  };

  // Makes two cards side by side: the pinned unit and the current one.
  nd.makePinned = (pin, own) => {
    const row = nd.makeCardRow([nd.makeCard(pin.layer, pin.unit), nd.makeCard(own.layer, own.unit)], 2);
    const off = make("button.link", { type: "button", onclick: () => nd.change({ pin: "" }) }, "Unpin");
    const element = make("section.pinned", { "aria-label": "Pinned unit" },
      make("p.kicker", {}, `Pinned: unit ${pin.unit + 1} of ${pin.layer.name}, beside this one. `, off), row);
    Promise.all([nd.loadLayer(pin.layer), nd.loadLayer(own.layer)]).then(row.fit);
    return { element, fit: row.fit };
  };
})();
