"use strict";
// Filters the units of a layer by their change, and switches between light and dark.
(() => {
  const nd = window.netdissect;
  for (const filters of document.querySelectorAll(".filters")) {
    const rows = filters.parentElement.querySelectorAll(".unit-table tbody tr");
    filters.addEventListener("click", (event) => {
      const chosen = event.target.closest("button");
      if (!chosen) return;
      for (const button of filters.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button === chosen));
      for (const row of rows) row.hidden = Boolean(chosen.dataset.change) && row.dataset.change !== chosen.dataset.change;
    });
  }
  nd.redraw = () => {};
  document.getElementById("theme").addEventListener("click", nd.toggleTheme);
})();
