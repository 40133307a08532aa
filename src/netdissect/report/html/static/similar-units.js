"use strict";
// Units to compare a unit with: those of its layer that fire on the same images, those with the most and the least similar concept
// profile, and a pinned unit.
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

  const ways = {
    images: {
      title: "Same images",
      words: (layer) => `Units of ${layer.name} that share most of its ${layer.exemplars} strongest images; the masks show whether they respond to the same part.`,
      list: (layer, unit) => nd.findSimilarUnits(layer, unit).map(({ unit: other, shared }) => [other, `, ${nd.formatUnits(shared, "image")} shared`]),
      none: "No unit shares more of its strongest images than chance would.",
    },
    profile: {
      title: "Same profile",
      words: (layer) => `Units of ${layer.name} whose IoU with all concepts is most like its own: the correlation of √IoU, less the layer’s mean.`,
      list: (layer, unit) => nd.listByProfile(layer, unit).slice(0, MOST).filter(({ r }) => r > 0).map(nameProfile),
      none: "No unit has a similar profile.",
    },
    opposite: {
      title: "Opposite profile",
      words: (layer) => `Units of ${layer.name} that respond to what it leaves out: the lowest correlations of √IoU, less the layer’s mean.`,
      list: (layer, unit) => nd.listByProfile(layer, unit).slice(-MOST).reverse().filter(({ r }) => r < 0).map(nameProfile),
      none: "No unit has an opposite profile.",
    },
  };
  let way = "images"; // stays from unit to unit

  const nameProfile = ({ unit, r }) => [unit, `, correlation ${r.toFixed(2).replace("-", "−")}`];

  // Makes the section of units to compare a unit with; null for the only unit of a layer, or without images. The layer's exemplars must be loaded.
  nd.makeSimilarUnits = (layer, unit) => {
    if (layer.units < 2 || !layer.exemplars) return null;
    const buttons = Object.keys(ways).map((name) => make("button", { type: "button", onclick: () => { way = name; choose(name); } }, ways[name].title));
    const words = make("p.note");
    const home = make("div");
    const element = make("section.similar", { "aria-label": "Similar units" }, make("div.head", {}, make("h2", {}, "Units to compare"), make("div.small-switch", { role: "group", "aria-label": "Similar by" }, buttons)), words, home);
    let row = null;

    async function choose(name) {
      Object.keys(ways).forEach((each, i) => buttons[i].setAttribute("aria-pressed", String(each === name)));
      if (name !== "images") await nd.loadCounts(layer);
      const found = ways[name].list(layer, unit);
      words.textContent = found.length ? ways[name].words(layer) : ways[name].none;
      row = nd.makeCardRow(found.map(([other, said]) => {
        const card = nd.makeCard(layer, other);
        card.kind.after(make("span.shared", {}, said));
        return card;
      }));
      home.replaceChildren(row);
      row.fit();
    }

    choose(way === "images" && !nd.findSimilarUnits(layer, unit).length ? "profile" : way);
    return { element, fit: () => row && row.fit() };
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
