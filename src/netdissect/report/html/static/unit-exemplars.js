"use strict";
// The images of a unit's page: a switch of groups, each with a dot per image that says whether it shows the label, the images of the
// chosen group, and a strip of images by activation level.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  const FIRST = 10; // images before "more"

  // Makes the images of a unit; call `fill` once its layer and names are loaded, and `paint` once `grids` are set.
  nd.makeUnitImages = (layer, unit) => {
    const concept = layer.label[unit];
    const name = concept < 0 ? "" : nd.run.concepts[concept];
    const buttons = make("div.groups", { role: "group", "aria-label": "Which images" });
    const words = make("p.note.group-words");
    const home = make("div.images");
    const more = make("button.more", { type: "button", hidden: true, onclick: showAll });
    const levels = make("section.levels", { "aria-label": "By activation", hidden: true });
    const element = make("div", {}, buttons, words, home, more, levels);
    const images = { element, grids: null, filled: false, fill, paint, choose };
    const made = new Map(); // tiles by slot
    let open = [];
    let strip = [];
    let whole = false;

    function fill() {
      const names = nd.groups.filter((group) => nd.listSlots(layer, unit, group).length);
      buttons.hidden = names.length < 2;
      buttons.replaceChildren(...names.map((each) => makeButton(each)));
      images.filled = true;
      fillLevels();
      choose();
    }

    function makeButton(group) {
      const slots = nd.listSlots(layer, unit, group).slice(0, FIRST);
      const title = { strongest: "Strongest", typical: "Typical", on_concept: `On ${name}`, missed: `Missed` }[group];
      const dots = concept < 0 ? null : make("span.dots", { "aria-hidden": "true" }, slots.map((slot) => makeDot(slot, group)));
      const button = make("button", { type: "button", title: describeShown(group, slots), onclick: () => nd.change({ group }) }, make("span", {}, title), dots);
      button.dataset.group = group;
      return button;
    }

    function makeDot(slot, group) {
      const share = nd.getShare(layer, unit, slot);
      const kind = nd.run.slots[layer.best[unit]];
      return make(`i${share === null ? ".unknown" : share > nd.SHOWN_SHARE && group !== "missed" ? `.on.k-${kind}` : ""}`);
    }

    // Returns "7 of 10 on cow", of the images with labels of the category.
    function describeShown(group, slots) {
      if (concept < 0 || group === "missed") return "";
      const { on, known } = nd.countShown(layer, unit, slots);
      const unknown = slots.length - known;
      const category = nd.run.categories[layer.best[unit]];
      if (!layer.labeled) return "";
      return known ? `${on} of ${known} on ${name}${unknown ? `, ${unknown} without ${category} labels` : ""}` : `none of these has ${category} labels`;
    }

    // Shows the images of the group that the address names; the strongest if the unit has none of it.
    function choose() {
      const group = nd.listSlots(layer, unit, nd.state.group).length ? nd.state.group : "strongest";
      whole = false;
      for (const button of buttons.children) button.setAttribute("aria-pressed", String(button.dataset.group === group));
      const slots = nd.listSlots(layer, unit, group);
      const shown = describeShown(group, slots.slice(0, FIRST));
      const rule = {
        strongest: "The highest activations.",
        typical: "Drawn in proportion to the area of its mask: the pixels that the score is made of.",
        on_concept: `Most pixels of its mask on ${name}.`,
        missed: `Most pixels labeled ${name}, none of them in its mask.`,
      }[group];
      words.replaceChildren(...[shown ? make("strong", {}, `${shown[0].toUpperCase()}${shown.slice(1)}. `) : null, layer.groups.length > 1 ? rule : null].filter(Boolean));
      open = slots.map((slot) => getTile(slot));
      draw();
    }

    function showAll() {
      whole = true;
      draw();
    }

    function draw() {
      const tiles = whole ? open : open.slice(0, FIRST);
      home.replaceChildren(...tiles.map((tile) => tile.element));
      more.hidden = tiles.length === open.length;
      setText(more, `${nd.formatUnits(open.length - tiles.length, "image")} more`);
      paint();
    }

    function getTile(slot) {
      if (made.has(slot)) return made.get(slot);
      const place = nd.getPlace(layer, unit, slot);
      const file = nd.run.names[place];
      const share = make("span.share-on");
      const maximum = layer.maxima[unit * layer.slots + slot];
      const tile = nd.makeTile(place, {
        name: `${file}, marked where unit ${unit + 1} is above its threshold`,
        caption: [make("span", { title: `largest activation on ${file}${Number.isNaN(maximum) ? "" : `: ${nd.formatNumber(maximum)}`}` }, Number.isNaN(maximum) ? nd.formatActivation(layer, unit, maximum) : `max ${nd.formatActivation(layer, unit, maximum)}`), share, make("span.file", {}, file)],
      });
      Object.assign(tile, { exemplar: slot, share });
      tile.ready.then(() => showLabels(tile));
      made.set(slot, tile);
      return tile;
    }

    function showLabels(tile) {
      if (!images.grids) return;
      nd.showShare(tile.share, tile, layer, unit, images.grids, tile.exemplar, concept);
      nd.drawOutline(tile, concept, nd.state.outlines);
    }

    // Makes the strip of images by falling maximum, with a line where it falls below the threshold.
    function fillLevels() {
      const slots = nd.listSlots(layer, unit, "levels");
      levels.hidden = !slots.length;
      const below = slots.findIndex((slot) => !(layer.maxima[unit * layer.slots + slot] > layer.T[unit]));
      strip = slots.map((slot) => nd.makeTile(nd.getPlace(layer, unit, slot), {
        name: `${nd.run.names[nd.getPlace(layer, unit, slot)]}, where unit ${unit + 1} reaches ${nd.formatActivation(layer, unit, layer.maxima[unit * layer.slots + slot])}`,
        caption: [make("span", {}, nd.formatActivation(layer, unit, layer.maxima[unit * layer.slots + slot]))],
      }));
      strip.forEach((tile, i) => {
        tile.exemplar = slots[i];
        tile.element.classList.toggle("first-below", i === below && i > 0);
        tile.ready.then(() => nd.drawOutline(tile, concept, nd.state.outlines));
      });
      levels.replaceChildren(make("h2", {}, "By activation"),
        make("p.note", {}, "From strong to weak, one image at each level of its maximum. ", below > 0 ? "Right of the line the unit stays below its threshold T: no mask." : below === 0 ? "All stay below its threshold T." : ""),
        make("div.level-strip", { tabIndex: 0, role: "region", "aria-label": "Images by activation" }, strip.map((tile) => tile.element)));
    }

    function paint() {
      if (!images.grids) return;
      for (const tile of [...open, ...strip]) {
        if (!tile.element.isConnected) continue;
        nd.paintTile(tile, layer, unit, images.grids, tile.exemplar, nd.state.mask);
        if (!tile.share) nd.drawOutline(tile, concept, nd.state.outlines);
        else if (tile.labels !== null) showLabels(tile);
        else tile.ready.then(() => showLabels(tile));
      }
    }
    return images;
  };
})();
