"use strict";
// Printing. The button waits until every image of the page is there. The browser's own command cannot wait: it prints what is
// loaded and says how to print the rest.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  let complete = false; // whether everything was loaded before printing

  const listImages = () => [...document.querySelectorAll("main img")].filter((image) => image.getClientRects().length);

  // Redraws everything for printing (`on`), or for the screen again.
  function layOut(on) {
    document.documentElement.classList.toggle("printing", on);
    nd.printing = on;
    for (const image of listImages()) image.decoding = on ? "sync" : "async"; // else loaded images can be missing on paper
    nd.redraw("size");
    if (nd.state.view === "layer") nd.grid.print(on);
  }

  // Loads the images and the masks of the page as it will be printed, then prints it.
  nd.printPage = async () => {
    nd.announce("Loading all images to print");
    layOut(true);
    await nd.whenPrintable();
    complete = true;
    window.print();
  };

  // Resolves when all images of the page are decoded, and the masks of the grid's cards are painted.
  nd.whenPrintable = async () => {
    const cards = nd.state.view === "layer" ? nd.grid.listDrawn() : [];
    await Promise.all(cards.map((card) => nd.loadGrids(card.layer, card.unit)));
    await Promise.all(listImages().map((image) => {
      image.loading = "eager";
      return image.decode().catch(() => null); // a missing file does not keep the others from being printed
    }));
    for (const card of cards) nd.paintNow(card);
  };

  function begin() {
    if (!nd.printing) layOut(true);
    const missing = complete ? [] : listImages().filter((image) => !image.complete || !image.naturalWidth);
    const left = new Set(missing.map((image) => image.closest("li, figure") || image));
    for (const element of left) element.classList.add("not-printed");
    setText(nd.printNote, left.size ? `${nd.formatUnits(left.size, "card")} whose images were not loaded yet ${left.size === 1 ? "is" : "are"} left out: “Share”, “Print or PDF” in the page prints all.` : "");
    setText(nd.printFoot, `${nd.formatCitation()} ${nd.onSite ? nd.makeLink() : ""}`);
  }

  function end() {
    complete = false;
    for (const element of document.querySelectorAll(".not-printed")) element.classList.remove("not-printed");
    layOut(false);
  }

  nd.buildPrint = () => {
    nd.printNote = make("p.print-only", { id: "print-note" });
    nd.printFoot = make("p.print-only", { id: "print-foot" });
    document.querySelector("main").append(nd.printNote, nd.printFoot);
    window.addEventListener("beforeprint", begin);
    window.addEventListener("afterprint", end);
  };
})();
