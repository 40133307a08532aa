"use strict";
// The answer beside the pointer on an image: the labels there, and how strongly the unit fires there. On touch, a tap asks.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const AWAY = 16; // from the pointer
  const EDGE = 8; // from the edges of the window
  const MOST = 8; // labels that are named
  let box = null;

  // Shows nodes beside a point of the window, inside the window; null hides them.
  nd.answer = (nodes, x, y) => {
    if (!nodes) {
      if (box) box.hidden = true;
      return;
    }
    if (!box) {
      box = make("div.answer", { "aria-hidden": "true", hidden: true });
      document.body.append(box);
    }
    box.replaceChildren(...nodes);
    box.hidden = false;
    const [width, height] = [box.offsetWidth, box.offsetHeight];
    const left = x + AWAY + width > document.documentElement.clientWidth - EDGE ? x - AWAY - width : x + AWAY;
    const top = y + AWAY + height > window.innerHeight - EDGE ? y - AWAY - height : y + AWAY;
    box.style.left = `${Math.max(EDGE, left)}px`;
    box.style.top = `${Math.max(EDGE, top)}px`;
  };

  // Makes a tile answer with what is under the pointer.
  nd.answerOver = (tile) => {
    const { frame } = tile;
    const show = (event) => {
      const bounds = frame.getBoundingClientRect();
      const [right, down] = [(event.clientX - bounds.left) / bounds.width, (event.clientY - bounds.top) / bounds.height];
      const nodes = right < 0 || down < 0 || right > 1 || down > 1 ? [] : describePoint(tile, right, down);
      nd.answer(nodes.length ? nodes : null, event.clientX, event.clientY);
    };
    frame.addEventListener("pointermove", (event) => { if (event.pointerType !== "touch") show(event); });
    frame.addEventListener("click", (event) => { if (event.pointerType === "touch") show(event); });
    frame.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") nd.answer(null); });
  };
  for (const type of ["scroll", "hashchange", "popstate"]) window.addEventListener(type, () => nd.answer(null), { passive: true });
  document.addEventListener("pointerdown", () => nd.answer(null));
  document.addEventListener("keydown", () => nd.answer(null));

  // Returns a line per label at a point of a tile, and one for the unit's activation there.
  function describePoint(tile, right, down) {
    const nodes = [];
    if (tile.labels) {
      const concepts = nd.findLabels(tile.labels, right, down);
      const { run } = tile.labels;
      for (const concept of concepts.slice(0, MOST)) nodes.push(make("span.label", {}, make(`span.swatch.k-${run.slots[run.category[concept]]}`), run.concepts[concept]));
      if (concepts.length > MOST) nodes.push(make("span", {}, `and ${concepts.length - MOST} more`));
      if (!concepts.length) nodes.push(make("span", {}, "Nothing is labeled here."));
    }
    const fired = describeFiring(tile, right, down);
    if (fired) nodes.push(make("span.fired", {}, fired));
    return nodes;
  }

  // Returns "212, 0.92 × T", the activation at a point by the unit's grid; "" for a tile without a mask.
  function describeFiring({ firing }, right, down) {
    if (!firing) return "";
    const { layer, unit, grids, slot } = firing;
    const side = 64; // steps across the image; the grid is smooth between its cells
    const axes = nd.makeAxes(layer, side, side, false);
    const [row, column] = [down, right].map((share) => Math.min(side - 1, Math.floor(share * side)));
    const codes = (y, x) => grids.codes[grids.start + (slot * layer.grid[0] + y) * layer.grid[1] + x];
    const corners = [axes[0].lower[row], axes[0].upper[row]].map((y) => [axes[1].lower[column], axes[1].upper[column]].map((x) => codes(y, x)));
    const values = nd.decodeValues(layer, unit);
    const [above, below] = corners.map(([a, b]) => values[a] + axes[1].fraction[column] * (values[b] - values[a]));
    const distance = above + axes[0].fraction[row] * (below - above);
    if (distance <= 0 && corners.flat().includes(0)) return "below T"; // cells far from the mask are not known exactly
    const value = layer.T[unit] + (layer.scale[2 * unit] || 1) * distance;
    return [nd.formatNumber(value), layer.T[unit] > 0 ? nd.formatActivation(layer, unit, value) : distance > 0 ? "above T" : "below T"].join(", ");
  }
})();
