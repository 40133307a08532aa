"use strict";
// Sorts the units of a layer page by label, score or number.
(() => {
  const list = document.querySelector(".units");
  const buttons = document.querySelectorAll("button[data-sort]");
  const number = (unit, key) => Number(unit.dataset[key]);
  const orders = {
    label: (a, b) => a.dataset.label.localeCompare(b.dataset.label) || number(a, "score") - number(b, "score"),
    score: (a, b) => number(a, "score") - number(b, "score"),
    unit: (a, b) => number(a, "unit") - number(b, "unit"),
  };
  buttons.forEach((button) => button.addEventListener("click", () => {
    buttons.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
    list.append(...Array.from(list.children).sort(orders[button.dataset.sort]));
  }));
})();
