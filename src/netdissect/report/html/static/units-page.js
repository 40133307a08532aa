"use strict";
// A page of units from any layers, as cards: a list found by a rule, a selection, or every detector.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  const BATCH = 24; // cards that are added at once
  let page = null;

  nd.addPage("units", {
    title: "Units",
    link: () => ({ view: "units", set: "" }),
    query: ({ set }) => nd.encodeSet(set || ""),
    parse: (parts, words) => {
      const set = words.get("set") || "";
      nd.parseSet(set);
      return { set };
    },
    draw: (changed, { element }) => drawUnits(changed, element),
  });

  function drawUnits(changed, element) {
    const { set } = nd.state;
    if (!page || page.set !== set || changed.has("view")) build(set, element);
    else if (changed.has("cut") || changed.has("beyond") || changed.has("query")) list();
    else for (const batch of page.batches) batch.fit();
  }

  function build(set, element) {
    const { run } = nd;
    page = { set, ...nd.parseSet(set), cards: new Map(), batches: [], drawn: [] };
    page.heading = make("h1.title", { tabIndex: -1 });
    page.lead = make("p.lead");
    page.chips = make("nav.set-chips", { "aria-label": "Lists of units" });
    page.home = make("div.set-cards");
    page.end = make("div.set-end", { "aria-hidden": "true" });
    page.nothing = make("p.nothing", { hidden: true }, "No unit is in this list at this threshold.");
    document.title = `Units, ${run.network}`;
    const styles = make("div.styles", { role: "group", "aria-label": "How masks are shown" });
    nd.buildStyles(styles);
    element.replaceChildren(
      make("nav.crumbs", { "aria-label": "Page" }, make("a.up", { href: nd.makeAddress({ view: "network" }) }, `← ${run.network}`), nd.thresholdControl),
      make("header.unit-head", {}, make("p.kicker", {}, "Units"), page.heading, page.lead),
      page.chips, make("div.set-tools", {}, styles), page.home, page.nothing, page.end);
    nd.drawStyles();
    page.heading.focus({ preventScroll: true });
    watch(page);
    list();
    if (nd.loadStory) nd.loadStory().then(list);
  }

  // Adds cards as the end of the page comes near.
  function watch(mine) {
    mine.observer = new IntersectionObserver((entries) => {
      if (mine === page && entries.some((entry) => entry.isIntersecting)) addBatch();
    }, { rootMargin: "1200px" });
    mine.observer.observe(mine.end);
  }

  function list() {
    const { run } = nd;
    page.shown = page.units || nd.listUnits(page.list, page.layer);
    const layers = new Set(page.shown.map(([index]) => index)).size;
    const within = !page.list || page.layer === null ? "" : ` in ${run.layers[page.layer].name}`;
    setText(page.heading, page.list ? `${page.list.title}${within}` : `${nd.formatUnits(page.shown.length)}, chosen`);
    page.lead.replaceChildren(...(page.list ? [make("strong", {}, nd.formatUnits(page.shown.length)), layers > 1 ? ` of ${nd.formatUnits(layers, "layer")}. ` : ". ", page.list.rule()]
      : [`From ${nd.formatUnits(layers, "layer")}. The address of this page holds the selection.`]));
    clearTimeout(page.timer);
    page.timer = setTimeout(drawChips, page.chips.childElementCount ? 160 : 0);
    page.nothing.hidden = page.shown.length > 0;
    // Cards that stay keep their place: when the slider moves, the best units remain the best.
    const same = page.drawn.length && page.drawn.every(([index, unit], at) => page.shown[at] && page.shown[at][0] === index && page.shown[at][1] === unit);
    if (same) {
      for (const batch of page.batches) batch.fit();
      askForMore();
      return;
    }
    page.batches = [];
    page.drawn = [];
    page.home.replaceChildren();
    addBatch();
  }

  function drawChips() {
    const { run } = nd;
    const link = (set, current, ...words) => make("a.set-chip", { href: nd.makeAddress({ view: "units", set }), "aria-current": current ? "page" : null }, ...words);
    const number = (count) => make("span.number", {}, ` ${nd.formatCount(count)}`);
    const lists = [...nd.unitLists.values()].filter((each) => !each.needs || each.needs()).map((each) => link(each.id, each === page.list && page.layer === null, each.title, number(nd.listUnits(each).length)));
    const layers = page.list && run.layers.length > 1 ? run.layers.map((layer) => [layer, page.list.find(layer).length]).filter(([, count]) => count)
      .map(([layer, count]) => link(`${page.list.id}@${layer.name.replace(/[%:;,@]/g, encodeURIComponent)}`, page.layer === layer.index, layer.name, number(count))) : [];
    page.chips.replaceChildren(make("p", {}, lists), layers.length > 1 ? make("p.of-layers", {}, layers) : "");
  }

  function addBatch() {
    const next = page.shown.slice(page.drawn.length, page.drawn.length + BATCH);
    if (!next.length) return;
    page.drawn.push(...next);
    const batch = nd.makeCardRow(next.map(([index, unit]) => getCard(index, unit)));
    page.batches.push(batch);
    page.home.append(batch);
    batch.fit();
    for (const index of new Set(next.map(([at]) => at))) nd.loadLayer(nd.run.layers[index]).then(batch.fit);
    askForMore();
  }

  // Asks again whether the end of the page is near.
  function askForMore() {
    page.observer.unobserve(page.end);
    page.observer.observe(page.end);
  }

  function getCard(index, unit) {
    const key = `${index}:${unit}`;
    if (!page.cards.has(key)) page.cards.set(key, nd.nameLayer(nd.makeCard(nd.run.layers[index], unit)));
    return page.cards.get(key);
  }

  // Makes a card say of which layer its unit is.
  nd.nameLayer = (card) => {
    if (nd.run.layers.length > 1) card.element.querySelector(".number").textContent = `${card.layer.name}, unit ${card.unit + 1}, `;
    return card;
  };
})();
