"use strict";
// The pages of the report. Each file of a page adds it here, and `main.js` shows the one that the address names.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const pages = nd.pages = new Map(); // by view, in the order of the navigation

  // Adds a page.
  //   view     its name, and the first part of its address
  //   title    its words in the navigation; undefined for a page that is not there
  //   link     changes of the state that its link in the navigation makes
  //   path     (state) => the rest of its address, e.g. "fire9%2Fconcat/433"; "" by default
  //   query    (state) => values of its own after the address's "?", e.g. "set=conv5:3,7"; none by default
  //   parse    (parts, words) => changes of the state by the decoded parts of an address and its URLSearchParams;
  //            throws an Error whose message says what is missing
  //   up       (state) => changes that lead to the page that holds it, for Esc on a page opened by its address; null for none
  //   focus    (left, elsewhere) => gives the focus to what leads to the page with the address `left`, without a query, where that may
  //            not be a link in the page; returns whether it did. Scrolls only if one comes from `elsewhere` than the link that was followed
  //   draw     (changed, page) => draws into `page.element` what has changed; `changed` has "view" when the page is opened
  //   element  its element; a new one in <main> by default
  nd.addPage = (view, page) => {
    pages.set(view, { view, path: () => "", parse: () => ({}), link: () => ({ view }), up: () => ({ view: "network" }), ...page });
  };

  nd.getPageElement = (view) => {
    const page = pages.get(view);
    if (!page.element) {
      page.element = make("div.wide.page", { hidden: true });
      page.element.dataset.page = view;
      document.querySelector("main").append(page.element);
    }
    return page.element;
  };

  nd.buildNavigation = () => {
    const home = document.getElementById("navigation");
    for (const page of pages.values()) {
      if (!page.title) continue;
      page.navigation = make("a", { href: "#/" }, page.title);
      home.append(page.navigation);
    }
  };

  nd.drawNavigation = () => {
    for (const page of pages.values()) {
      if (!page.navigation) continue;
      page.navigation.setAttribute("href", nd.makeAddress({ query: "", show: "all", ...page.link() }));
      const current = page.view === nd.state.view || (page.holds || []).includes(nd.state.view);
      if (current) page.navigation.setAttribute("aria-current", page.view === nd.state.view ? "page" : "true");
      else page.navigation.removeAttribute("aria-current");
    }
  };

  nd.addPage("network", { title: "Network", up: () => null });
  nd.addPage("layer", {
    title: "Layers",
    holds: ["unit"],
    link: () => ({ view: "layer", layer: nd.state.layer }),
    path: ({ layer }) => encodeURIComponent(nd.run.layers[layer].name),
    parse: ([name]) => ({ layer: nd.findLayer(name) }),
    focus: (left, elsewhere) => nd.grid.focusAddress(left, elsewhere),
  });
})();
