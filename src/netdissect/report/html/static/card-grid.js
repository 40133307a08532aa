"use strict";
// A grid of cards for thousands of units. Only cards in or near the window are in the page; all have the same size, from which
// their positions are computed.
(() => {
  const nd = window.netdissect;
  const MIN_WIDTH = 330; // of a card
  const GAP = [32, 30]; // between columns and rows
  const HEAD = 66; // height of a card above its images
  const AHEAD = 0.6; // height beyond the window that is drawn, in windows
  const CACHED = 160; // cards cached for scrolling back
  const PRINTED = 60; // cards that are printed

  // Makes a grid in a list element; `units` returns the channels to show.
  nd.makeGrid = (home, units) => {
    const cards = new Map();
    let layer = null;
    let printing = false;
    let place = { columns: 1, width: MIN_WIDTH, row: 100 };

    function measure() {
      const room = Math.max(MIN_WIDTH / 2, home.clientWidth); // the width is 0 before the page is laid out
      const columns = printing ? 2 : Math.max(1, Math.min(6, Math.floor((room + GAP[0]) / (MIN_WIDTH + GAP[0]))));
      const width = Math.floor((room - (columns - 1) * GAP[0]) / columns);
      const { exemplars, group } = nd.run.layers[nd.state.layer];
      const image = exemplars ? Math.round((nd.measureStrip(width, group.typical ? 2 : 0).tile * nd.run.input[0]) / nd.run.input[1]) : -10;
      place = { columns, width, row: HEAD + image + GAP[1], card: HEAD + image };
    }

    function getCard(unit) {
      let card = cards.get(unit);
      if (card) cards.delete(unit); // keeps the map in order of use
      else card = nd.makeCard(layer, unit);
      cards.set(unit, card);
      return card;
    }

    function draw() {
      const now = nd.run.layers[nd.state.layer];
      if (layer !== now) {
        layer = now;
        cards.clear();
        home.replaceChildren();
        nd.loadLayer(layer).then(draw);
        nd.setText(document.querySelector(".found .hint"), layer.group.typical ? "Three strongest and two typical images of each unit, with its mask" : "Each unit’s strongest images, with its mask");
      }
      const list = units();
      const rows = Math.ceil(list.length / place.columns);
      const height = `${Math.max(0, rows * place.row - GAP[1])}px`;
      if (home.style.height !== height) home.style.height = height;
      const top = -home.getBoundingClientRect().top;
      const window_ = window.innerHeight;
      // Draws at least two rows, so that the Tab key reaches them from anywhere.
      const upper = Math.max(0, Math.min(rows - 2, Math.floor((top - AHEAD * window_) / place.row)));
      const lower = Math.max(upper + 2, Math.ceil((top + (1 + AHEAD) * window_) / place.row));
      const first = upper * place.columns;
      const last = Math.min(list.length, lower * place.columns);
      const focused = document.activeElement && document.activeElement.closest("li");
      const drawn = [];
      for (let at = first; at < last; at++) {
        const card = getCard(list[at]);
        drawn.push(card);
        placeCard(card, at, list.length);
      }
      updateList(drawn, focused);
      for (const card of drawn) nd.showImages(card, place.width);
      for (const [unit, card] of cards) {
        if (cards.size <= CACHED) break;
        if (!card.element.isConnected) cards.delete(unit);
      }
    }

    function placeCard(card, at, all) {
      const x = (at % place.columns) * (place.width + GAP[0]);
      const y = Math.floor(at / place.columns) * place.row;
      const where = `translate(${x}px, ${y}px)`;
      const { element } = card;
      if (card.where !== where || card.across !== place.width) {
        card.where = where;
        card.across = place.width;
        element.style.transform = where;
        element.style.width = `${place.width}px`;
        element.style.height = `${place.card}px`;
      }
      if (card.at !== at || card.all !== all) {
        Object.assign(card, { at, all });
        element.setAttribute("aria-posinset", at + 1);
        element.setAttribute("aria-setsize", all);
      }
      nd.fillCard(card);
    }

    // Puts exactly these cards into the list, in the order of the Tab key. A card that has the focus stays even if it is
    // scrolled away.
    function updateList(drawn, focused) {
      const wanted = new Set(drawn.map((card) => card.element));
      for (const element of [...home.children]) if (!wanted.has(element) && element !== focused) element.remove();
      let next = home.firstElementChild;
      if (next && next === focused && !wanted.has(next)) next = next.nextElementSibling;
      for (const { element } of drawn) {
        if (element === next) next = next.nextElementSibling;
        else home.insertBefore(element, next);
      }
    }

    // Moves the focus by columns and rows, or to the first visible card.
    function step(across, down) {
      const list = units();
      if (!list.length) return;
      const card = [...cards.values()].find((entry) => entry.link === document.activeElement);
      const visible = Math.max(0, Math.ceil((120 - home.getBoundingClientRect().top) / place.row)) * place.columns;
      const at = card ? card.at + across + down * place.columns : Math.min(visible, list.length - 1);
      if (at < 0 || at >= list.length) return;
      focus(list[at]);
    }

    // Scrolls to a unit and gives it the focus.
    function focus(unit) {
      const at = units().indexOf(unit);
      if (at < 0) return;
      const top = home.getBoundingClientRect().top + Math.floor(at / place.columns) * place.row;
      const above = nd.measureToolbar();
      if (top < above) window.scrollBy(0, top - above - 12);
      else if (top + place.card > window.innerHeight - 20) window.scrollBy(0, top + place.card - window.innerHeight + 20);
      draw();
      const card = cards.get(unit);
      if (card) card.link.focus({ preventScroll: true });
    }

    // Gives the focus to the card of the unit with an address; returns whether there is one. Where `elsewhere`, scrolls to it if it
    // is out of sight.
    function focusAddress(address, elsewhere) {
      const { view, layer: index, unit } = nd.parseAddress(address);
      if (view !== "unit" || index !== nd.state.layer || !units().includes(unit)) return false;
      draw();
      const card = cards.get(unit);
      const drawn = Boolean(card) && card.element.isConnected;
      const { top, bottom } = drawn ? card.element.getBoundingClientRect() : { top: 0, bottom: 0 };
      if (elsewhere && !(bottom > nd.measureToolbar() && top < window.innerHeight)) focus(unit);
      else if (drawn) card.link.focus({ preventScroll: true });
      else return false;
      return true;
    }

    // Lays out the first cards for printing, or all cards for the screen again.
    function print(on) {
      printing = on;
      home.classList.toggle("printing", on);
      measure();
      if (!on) return draw();
      const list = units().slice(0, PRINTED);
      const drawn = [...list].map((unit, at) => {
        const card = getCard(unit);
        placeCard(card, at, list.length);
        return card;
      });
      updateList(drawn, null);
      for (const card of drawn) {
        nd.showImages(card, place.width);
        nd.paintNow(card);
      }
      home.style.height = "auto";
      const rest = units().length - list.length;
      document.getElementById("print-rest").textContent = rest > 0 ? `The first ${nd.formatCount(list.length)} of ${nd.formatCount(list.length + rest)} units; filter or search to print others.` : "";
    }

    const listDrawn = () => [...cards.values()].filter((card) => card.element.isConnected);

    return { draw, measure, step, focus, focusAddress, print, listDrawn };
  };
})();
