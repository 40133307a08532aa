"use strict";
// What is sent to others: a citation of the open page with its address, BibTeX, an image of the open unit, and a print.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  const published = (document.querySelector("meta[name='netdissect-address']") || {}).content || ""; // the URL of the site
  const onSite = Boolean(published) || location.protocol.startsWith("http");
  let dialog = null;

  // Returns the open page as one line of text, with the version and the hashes of network and probe set.
  nd.formatCitation = () => {
    const { run, state } = nd;
    return `${run.network} ${describePage(run, state)} (${run.source})`;
  };

  function describePage(run, { view, layer: at, unit, concept, cut }) {
    const layer = run.layers[at];
    if (view === "unit") {
      const label = layer.label[unit];
      return `${layer.name}:${unit + 1} ${label < 0 ? "no concept" : `“${run.concepts[label]}” ${nd.formatScore(layer.labelScore[unit])}`}`;
    }
    if (view === "concept") return `“${run.concepts[concept]}”`;
    if (view === "layer") {
      const { detectors, byLabel } = nd.recount(layer, cut);
      return `${layer.name}, ${detectors} of ${nd.formatUnits(layer.units)} detect ${nd.formatUnits(byLabel, "concept")}, ${run.scoreTitle} ≥ ${nd.formatThreshold(cut)}`;
    }
    return `over ${nd.formatUnits(run.images, "image")} of ${run.probeSet}`;
  }

  // Returns the address of the open page: where the report was published, or on this site; on disk, the name of the file alone,
  // because its folder means nothing on another machine.
  nd.makeLink = () => {
    nd.flush();
    const here = location.href.replace(/[#?].*$/, "");
    const base = published || (onSite ? here : here.split("/").pop());
    return base + nd.makeAddress({});
  };

  // Copies a text; resolves to whether that was possible.
  nd.copyText = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = make("textarea", { value: text, "aria-label": "Text to copy" });
      (dialog && dialog.open ? dialog : document.body).append(area);
      area.select();
      const copied = document.execCommand("copy");
      area.remove();
      return copied;
    }
  };

  // Copies the citation of the open page with its address, and says so on a button.
  nd.copyCitation = (button) => copy(button, `${nd.formatCitation()}\n${nd.makeLink()}`);

  async function copy(button, text) {
    const copied = await nd.copyText(text);
    nd.announce(copied ? "Copied" : text);
    if (!copied) return;
    const words = button.textContent;
    setText(button, "Copied");
    setTimeout(() => setText(button, words), 1600);
  }

  const makeCopyButton = (words, text) => make("button.plain", { type: "button", onclick: (event) => copy(event.target, text()) }, words);

  nd.openShare = () => {
    const { state } = nd;
    dialog.replaceChildren(
      make("h2", { id: "share-title" }, "Share this page"),
      make("p.share-text", {}, nd.formatCitation(), make("br"), make("span.fine", {}, nd.makeLink())),
      make("div.share-buttons", {}, makeCopyButton("Copy citation", () => `${nd.formatCitation()}\n${nd.makeLink()}`), makeCopyButton("Copy BibTeX", () => nd.run.bibtex),
        make("button.plain", { type: "button", onclick: () => { dialog.close(); nd.printPage(); } }, "Print or PDF")),
      onSite ? ""
        : make("p.fine", {}, "This report is on your disk. To send it, netdissect report RUN --lite writes it as one file, and --publish DIR as a site."),
      ...(state.view === "unit" && nd.run.layers[state.layer].exemplars ? [nd.makeImagePart(nd.run.layers[state.layer], state.unit)] : []),
      make("details.bibtex", {}, make("summary", {}, "BibTeX"), make("pre", { tabIndex: 0 }, nd.run.bibtex)),
      make("button.plain", { type: "button", onclick: () => dialog.close() }, "Close"),
    );
    dialog.showModal();
  };

  nd.onSite = onSite;

  nd.buildShare = () => {
    dialog = make("dialog.share-dialog", { id: "share", "aria-labelledby": "share-title" });
    dialog.addEventListener("keydown", (event) => {
      event.stopPropagation(); // no shortcuts of the page below
      if (event.key !== "Escape") return;
      event.preventDefault();
      dialog.close();
    });
    document.body.append(dialog);
    document.getElementById("share-open").addEventListener("click", nd.openShare);
  };
})();
