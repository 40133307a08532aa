"use strict";
// Light or dark: follows the system until the reader chooses.
(() => {
  const nd = window.netdissect;
  const system = matchMedia("(prefers-color-scheme: dark)");

  function stored() {
    try { return localStorage.getItem("netdissect-theme"); } catch { return null; }
  }

  function set(theme) {
    nd.theme = theme;
    document.documentElement.dataset.theme = theme;
    nd.forgetColors();
    const button = document.getElementById("theme");
    if (button) button.textContent = theme === "dark" ? "Light" : "Dark";
  }

  nd.toggleTheme = () => {
    const theme = nd.theme === "dark" ? "light" : "dark";
    set(theme);
    try { localStorage.setItem("netdissect-theme", theme); } catch { /* storage is off */ }
    nd.redraw("theme");
  };

  system.addEventListener("change", () => {
    if (stored()) return;
    set(system.matches ? "dark" : "light");
    nd.redraw("theme");
  });

  set(stored() || (system.matches ? "dark" : "light"));
  document.addEventListener("DOMContentLoaded", () => set(nd.theme)); // now the button exists
})();
