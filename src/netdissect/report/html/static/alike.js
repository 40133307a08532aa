"use strict";
// Beside a unit: the units of its layer that fire on the same pictures, and a unit that was pinned to compare.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const MOST = 6;
  const GAP = 32;
  const LEAST = 330; // width of a card

  // A list of cards in columns as wide as there is room; call its `fit` once it is in the page.
  nd.makeRow = (cards, most = Infinity) => {
    const list = make("ol.row.fit", { role: "list" }, cards.map((card) => card.element));
    list.fit = () => {
      const columns = Math.max(1, Math.min(most, Math.floor((list.clientWidth + GAP) / (LEAST + GAP))));
      const width = Math.floor((list.clientWidth - (columns - 1) * GAP) / columns);
      if (width < 50) return; // not laid out
      list.style.gridTemplateColumns = `repeat(${columns}, ${width}px)`;
      for (const card of cards) {
        nd.fillCard(card);
        nd.showPictures(card, width);
        if (nd.printing) nd.paintNow(card); // paper does not wait
      }
    };
    return list;
  };

  // Units of a layer with most strongest pictures in common with one, and how many; fewer than chance would give
  // (three times the expected number) are left out.
  nd.alike = (layer, unit) => {
    const each = layer.exemplars;
    const own = new Set(layer.images.subarray(unit * each, (unit + 1) * each));
    own.delete(-1);
    const least = Math.max(2, Math.ceil((3 * own.size * own.size) / Math.max(1, nd.run.images)));
    const found = [];
    for (let other = 0; other < layer.units; other++) {
      if (other === unit) continue;
      let shared = 0;
      for (let i = other * each; i < (other + 1) * each; i++) if (own.has(layer.images[i])) shared++;
      if (shared >= least) found.push({ unit: other, shared });
    }
    return found.sort((a, b) => b.shared - a.shared || layer.rankOf[a.unit] - layer.rankOf[b.unit]).slice(0, MOST);
  };

  nd.makeAlike = (layer, unit) => {
    const found = nd.alike(layer, unit);
    if (!found.length) return null;
    const cards = found.map(({ unit: other, shared }) => {
      const card = nd.makeCard(layer, other);
      card.kind.after(make("span.shared", {}, `, ${nd.units(shared, "picture")} shared`));
      return card;
    });
    const row = nd.makeRow(cards);
    const element = make("section.alike", { "aria-label": "Units alike" }, make("h2", {}, "Fires on the same pictures"),
      make("p.note", {}, `Units of ${layer.name} that share most of its ${layer.exemplars} strongest pictures; the masks tell whether they look at the same part.`), row);
    return { element, fit: row.fit };
  };

  // The pinned unit as {layer, unit}, or null.
  nd.pinned = () => {
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
    nd.announce(pin === own ? "Not pinned any more" : `Unit ${unit + 1} stays beside the others`);
  };

  // The pinned unit and the one that is looked at as two cards, side by side.
  nd.makePinned = (pin, own) => {
    const row = nd.makeRow([nd.makeCard(pin.layer, pin.unit), nd.makeCard(own.layer, own.unit)], 2);
    const off = make("button.link", { type: "button", onclick: () => nd.change({ pin: "" }) }, "Unpin");
    const element = make("section.pinned", { "aria-label": "Pinned unit" },
      make("p.kicker", {}, `Pinned: unit ${pin.unit + 1} of ${pin.layer.name}, beside this one. `, off), row);
    Promise.all([nd.openLayer(pin.layer), nd.openLayer(own.layer)]).then(row.fit);
    return { element, fit: row.fit };
  };
})();
