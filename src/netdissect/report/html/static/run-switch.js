"use strict";
// The switch between the runs of a comparison. Every run has an HTML file of its own, which loads the run's files.
(() => {
  const nd = window.netdissect;
  const { make } = nd;

  // Returns the address of a page in another run, by the number of the run: its file and the same place, or `changes` of it.
  nd.makeRunAddress = (number, hash = location.hash) => nd.comparison.runs[number - 1].page + hash;

  nd.buildRunSwitch = () => {
    if (!nd.comparison.runs.length) return;
    const select = make("select.field-like", { id: "run-switch", "aria-label": "Run" }, nd.comparison.runs.map((run, at) =>
      make("option", { value: String(at + 1), selected: at + 1 === nd.currentRun }, run.name)));
    select.addEventListener("change", () => location.assign(nd.makeRunAddress(Number(select.value))));
    window.addEventListener("pageshow", () => { select.value = String(nd.currentRun); }); // after "back"
    document.querySelector("header.top .buttons").prepend(make("div.run-switch", {}, make("span", { "aria-hidden": "true" }, "Run"), select));
  };
})();
