"use strict";
// Keyboard shortcuts, and swiping between neighbors. Shortcuts of single keys can be switched off (WCAG 2.1.4).
(() => {
  const nd = window.netdissect;
  const byId = (id) => document.getElementById(id);
  let on = true;

  try { on = localStorage.getItem("netdissect-keys") !== "off"; } catch { /* stays on */ }

  const shortcuts = {
    "?": () => nd.openHelp(),
    d: () => nd.toggleTheme(),
    m: () => nd.change({ mask: nd.styles[(nd.styles.indexOf(nd.state.mask) + 1) % nd.styles.length] }),
    o: () => nd.change({ outlines: !nd.state.outlines }),
    p: () => nd.togglePin(),
    b: () => nd.toggleBeyond(),
    ",": () => nd.stepThreshold(-1),
    ".": () => nd.stepThreshold(1),
    "[": () => stepLayer(-1),
    "]": () => stepLayer(1),
    "/": () => nd.focusSearch(),
    f: () => {
      if (!findFilter()) nd.go({ view: "layer" });
      findFilter().focus();
      findFilter().select();
    },
  };

  // Returns the box that filters what the open page lists, if it has one.
  const findFilter = () => document.querySelector("main > :not([hidden]) input[data-filter]");

  function stepLayer(step) {
    const layer = nd.state.layer + step;
    if (!nd.run.layers[layer]) return;
    if (nd.state.view === "layer") nd.step({ layer }, true);
    else nd.go({ view: "layer", layer });
  }

  function moveByArrow(key) {
    const { view } = nd.state;
    const across = { ArrowLeft: -1, ArrowRight: 1 }[key] || 0;
    const down = { ArrowUp: -1, ArrowDown: 1 }[key] || 0;
    if (view !== "layer") return across ? nd.stepPage(across) : false;
    nd.grid.step(across, down);
    return true;
  }

  function escape() {
    const filter = findFilter();
    if (filter && document.activeElement === filter) {
      if (nd.state.query) clearSearch(filter, {});
      else filter.blur();
    } else if (filter && (nd.state.query || nd.state.show !== "all")) {
      clearSearch(filter, { show: "all" });
    } else {
      nd.goBack();
    }
  }

  // Empties the filter now, not in the next frame, so that what is typed meanwhile is not added to the old search.
  function clearSearch(filter, changes) {
    filter.value = "";
    nd.change({ query: "", ...changes });
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
    const { target } = event;
    if (event.key === "Escape") return escape();
    if (target === byId("search") && (event.key === "Enter" || event.key === "ArrowDown")) {
      event.preventDefault();
      nd.flush();
      const first = nd.listShownUnits()[0];
      if (first !== undefined) nd.grid.focus(first);
      return;
    }
    if (target.matches("input, select, textarea")) {
      if (target.type !== "checkbox" && (target.type !== "range" || event.key.startsWith("Arrow"))) return;
    }
    if (event.key.startsWith("Arrow")) {
      if (!event.shiftKey && moveByArrow(event.key)) event.preventDefault();
      return;
    }
    const run = on && shortcuts[event.key];
    if (!run) return;
    event.preventDefault();
    run();
  });

  nd.openHelp = () => byId("help").showModal();

  nd.buildKeys = () => {
    byId("help-open").addEventListener("click", nd.openHelp);
    byId("help-close").addEventListener("click", () => byId("help").close());
    byId("theme").addEventListener("click", nd.toggleTheme);
    byId("skip").addEventListener("click", () => {
      if (nd.state.view !== "layer") document.querySelector("main > :not([hidden]) h1")?.focus();
      else if (nd.listShownUnits().length) nd.grid.focus(nd.listShownUnits()[0]);
    });
    byId("keys-on").checked = on;
    byId("keys-on").addEventListener("change", (event) => {
      on = event.target.checked;
      try { localStorage.setItem("netdissect-keys", on ? "on" : "off"); } catch { /* lasts as long as the page */ }
    });
    let start = null;
    byId("page").addEventListener("touchstart", (event) => {
      const touch = event.touches[0];
      start = event.touches.length === 1 ? [touch.clientX, touch.clientY] : null;
    }, { passive: true });
    byId("page").addEventListener("touchend", (event) => {
      if (!start) return;
      const touch = event.changedTouches[0];
      const [across, down] = [touch.clientX - start[0], touch.clientY - start[1]];
      if (Math.abs(across) > 60 && Math.abs(across) > 2 * Math.abs(down)) nd.stepPage(across < 0 ? 1 : -1);
    }, { passive: true });
  };
})();
