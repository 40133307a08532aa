"use strict";
// Light or dark: follows the system until the reader chooses.
(() => {
  const nd = window.netdissect;
  const system = matchMedia("(prefers-color-scheme: dark)");

  function readStoredTheme() {
    try { return localStorage.getItem("netdissect-theme"); } catch { return null; }
  }

  function applyTheme(theme) {
    nd.theme = theme;
    document.documentElement.dataset.theme = theme;
    nd.forgetColors();
    const button = document.getElementById("theme");
    if (button) button.textContent = theme === "dark" ? "Light" : "Dark";
  }

  nd.toggleTheme = () => {
    const theme = nd.theme === "dark" ? "light" : "dark";
    applyTheme(theme);
    try { localStorage.setItem("netdissect-theme", theme); } catch { /* storage is off */ }
    nd.redraw("theme");
  };

  system.addEventListener("change", () => {
    if (readStoredTheme()) return;
    applyTheme(system.matches ? "dark" : "light");
    nd.redraw("theme");
  });

  applyTheme(readStoredTheme() || (system.matches ? "dark" : "light"));
  document.addEventListener("DOMContentLoaded", () => applyTheme(nd.theme)); // again, now that the button exists
})();
