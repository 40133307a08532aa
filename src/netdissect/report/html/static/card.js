"use strict";
// The card of a unit: number, category, label, formula or second best concept if it reaches the threshold, a bar per category,
// score and five images: three of the strongest and two typical ones, and a badge where they do not show the label. The browser
// draws the images; the masks are one canvas over all five, painted when there is time.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  const IMAGES = 5;
  const GAP = 2;
  const APART = 6; // between the strongest and the typical images
  const BARS = [66, 28];
  const waiting = new Set();

  const template = make("li", {}, make("a.card", { href: "#" },
    make("span.meta", {}, make("span.number"), make("span.kind"), make("span.chance", { hidden: true })),
    make("span.line", {}, make("span.names", {}, make("span.name"), make("span.also")), make("canvas.bars", { "aria-hidden": "true" }), make("span.score")),
    make("span.strip")));

  nd.makeCard = (layer, unit) => {
    const element = template.cloneNode(true);
    const link = element.firstChild;
    const [meta, line, strip] = link.children;
    const [names, bars, score] = line.children;
    meta.firstChild.textContent = `Unit ${unit + 1}, `;
    const card = {
      layer, unit, element, link, strip, bars, score, kind: meta.children[1], chance: meta.lastChild, name: names.firstChild, also: names.lastChild,
      masks: make("canvas.masks", { "aria-hidden": "true" }), painted: "", seen: make("span.seen", { hidden: true }),
    };
    fillChip(card);
    // The counts of a large layer take a while to load, so that begins before the card is pressed. `get` says if they are missing.
    for (const kind of ["pointerenter", "focus"]) link.addEventListener(kind, () => nd.loadCounts(layer).catch(() => {}), { once: true });
    return card;
  };

  // Shows the chip of a card's unit, which no threshold changes.
  function fillChip(card) {
    const found = nd.describeChance(card.layer, card.unit);
    card.chance.hidden = !found;
    if (!found) return;
    card.chance.classList.toggle("unsure", !found.sure);
    card.chance.title = found.q;
    setText(card.chance, found.words);
  }

  // Updates a card's text and bars for the threshold; does nothing if nothing has changed.
  nd.fillCard = (card) => {
    const { layer, unit } = card;
    const { cut } = nd.state;
    const concept = layer.label[unit];
    const detector = nd.isDetector(layer, unit, cut);
    const passes = concept >= 0 && layer.labelScore[unit] >= cut;
    const kind = layer.best[unit];
    const address = nd.makeAddress({ view: "unit", layer: layer.index, unit });
    if (card.address !== address) {
      card.address = address;
      card.link.setAttribute("href", address);
    }
    if (card.detector !== detector) {
      card.detector = detector;
      card.link.className = detector ? `card e-${nd.run.slots[kind]}${nd.isBeyond(layer, unit) === false ? " hollow" : ""}` : "card low";
      card.kind.className = detector ? `kind t-${nd.run.slots[kind]}` : "kind";
    }
    setText(card.kind, passes ? nd.run.categories[kind] : "below threshold");
    setText(card.name, concept < 0 ? "no concept" : passes ? nd.run.concepts[concept] : `closest: ${nd.run.concepts[concept]}`);
    const formula = nd.getFormula(layer, unit);
    const also = detector && layer.nextScore[unit] >= cut ? `also ${nd.run.concepts[layer.next[unit]]}` : "";
    setText(card.also, formula ? nd.formatAddition(layer, unit, formula) : also);
    card.also.title = formula ? nd.formatFormula(formula) : "";
    setText(card.score, nd.formatScore(layer.labelScore[unit], cut));
    showDisagreement(card, passes);
    drawBars(card, cut);
  };

  // Shows the badge of a card whose images and label disagree, once the layer's exemplars are loaded.
  function showDisagreement(card, passes) {
    const { layer, unit } = card;
    card.passes = passes;
    if (layer.images && card.words === undefined) {
      card.words = nd.describeDisagreement(layer, unit);
      setText(card.seen, card.words);
      card.seen.title = card.words ? `At most one of the images below has more than ${nd.SHOWN_SHARE * 100} % of the mask on its label; those without a label of its category are not counted` : "";
    }
    card.seen.hidden = !card.words || !passes;
  }

  // Returns width and positions of a card's images, the typical ones apart from the strongest.
  nd.measureStrip = (width, typical) => {
    const tile = Math.floor((width - (IMAGES - 1) * GAP - (typical ? APART - GAP : 0)) / IMAGES);
    const lefts = Array.from({ length: IMAGES }, (_, i) => (typical ? (i < IMAGES - typical ? i * (tile + GAP) : width - (IMAGES - i) * (tile + GAP) + GAP) : Math.round((i * (width - tile)) / (IMAGES - 1))));
    return { tile, lefts };
  };

  function drawBars(card, cut) {
    const { layer, unit } = card;
    const key = `${cut} ${nd.theme}`;
    if (card.barsAt === key) return;
    card.barsAt = key;
    const [width, height] = BARS;
    const context = nd.prepareCanvas(card.bars, width, height);
    const step = Math.min(14, width / Math.max(layer.kinds, 1));
    const most = Math.max(0.2, layer.labelScore[unit]);
    for (let kind = 0; kind < layer.kinds; kind++) {
      const score = layer.score[unit * layer.kinds + kind];
      const tall = Math.max(score > 0 ? 1.5 : 0, (score / most) * (height - 2));
      context.globalAlpha = score >= cut ? 1 : 0.4;
      context.fillStyle = nd.getColor(`fill-${nd.run.slots[kind]}`);
      context.fillRect(kind * step + 0.75, height - tall, step - 1.5, tall);
    }
    context.globalAlpha = 1;
    const y = Math.round(height - (cut / most) * (height - 2)) - 0.5;
    if (y > 0) {
      context.setLineDash([2, 2]);
      context.strokeStyle = nd.getColor("soft");
      context.beginPath();
      context.moveTo(0, y);
      context.lineTo(width, y);
      context.stroke();
      context.setLineDash([]);
    }
  }

  // Shows a card's images, if the layer's are loaded.
  nd.showImages = (card, width) => {
    const { layer, unit } = card;
    if (!layer.images) return;
    if (card.width === width) return nd.schedulePaint(card);
    card.width = width;
    const { slots, typical } = nd.listCardSlots(layer, unit);
    const { tile, lefts } = nd.measureStrip(width, slots.length === IMAGES ? typical : 0);
    card.lefts = lefts;
    showDisagreement(card, card.passes);
    const tall = Math.round((tile * nd.run.input[0]) / nd.run.input[1]);
    card.size = [tile, tall];
    if (!card.count) {
      card.slots = slots;
      card.count = slots.length;
      card.strip.append(...slots.map((slot) => make("img", { src: nd.run.getImageURL(nd.getPlace(layer, unit, slot)), alt: "", decoding: "async", draggable: false })), card.masks, card.seen);
    }
    card.strip.style.height = `${tall}px`;
    card.strip.querySelectorAll("img").forEach((image, i) => {
      image.width = tile;
      image.height = tall;
      image.style.left = `${card.lefts[i]}px`;
    });
    nd.schedulePaint(card);
  };

  // Schedules painting a card's masks. Painting takes a few milliseconds per frame; the latest request comes first, because
  // its card is on the screen.
  nd.schedulePaint = (card) => {
    if (!waiting.size) requestAnimationFrame(paintSome);
    waiting.delete(card);
    waiting.add(card);
  };

  function paintSome() {
    const until = performance.now() + 5;
    for (const card of [...waiting].reverse()) {
      if (performance.now() > until) break;
      waiting.delete(card);
      if (card.element.isConnected) paint(card);
    }
    if (waiting.size) requestAnimationFrame(paintSome);
  }

  // Paints a card's masks now, if its grids are loaded.
  nd.paintNow = (card) => paint(card);

  function paint(card) {
    const { layer, unit, size, count } = card;
    const style = nd.state.mask;
    const key = `${style} ${nd.theme} ${size}`;
    if (!size || !count || card.painted === key) return;
    card.grids = card.grids || nd.getGrids(layer, unit);
    if (!card.grids) {
      if (!card.requested) {
        card.requested = true;
        nd.loadGrids(layer, unit).then((grids) => { card.grids = grids; nd.schedulePaint(card); });
      }
      return;
    }
    card.painted = key;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const [tile, tall] = size.map((side) => Math.round(side * ratio));
    const context = nd.prepareCanvas(card.masks, card.lefts[count - 1] + size[0], size[1]);
    if (style === "image") return;
    const values = nd.decodeValues(layer, unit);
    const images = card.strip.getElementsByTagName("img");
    card.slots.forEach((slot, i) => {
      const ready = nd.paintMask(context, layer, card.grids, values, slot, Math.round(card.lefts[i] * ratio), tile, tall, style, images[i]);
      if (!ready) nd.paintAfterLoad(images[i], () => { card.painted = ""; nd.schedulePaint(card); });
    });
  }
})();
