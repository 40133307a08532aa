"use strict";
// A page in a frame of a notebook is a document without an address of its own (about:srcdoc); only its fragment can change.
(() => {
  if (location.protocol !== "about:") return;
  const base = location.href.split("#")[0];
  for (const name of ["pushState", "replaceState"]) {
    const original = history[name].bind(history);
    history[name] = (state, title, address) => original(state, title, address ? base + address.slice(address.indexOf("#")) : undefined);
  }
  const { open } = document.documentElement.dataset;
  if (open && !location.hash) history.replaceState(null, "", open);
})();
