"use strict";
// An image of a unit to post or to send: its name and score, five exemplars with its mask, and the citation; 1200 x 630 pixels.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  const SIZE = [1200, 630];
  const MARGIN = 56;
  const TILES = [["strongest", 3], ["typical", 2]];
  const GAP = 10;
  const TOP = 252; // of the images

  // Returns the slots of the exemplars that are shown; without groups, the five strongest.
  function listSlots(layer, unit) {
    const groups = layer.group.typical && layer.group.typical.count ? TILES : [["strongest", 5]];
    return groups.flatMap(([name, most]) => {
      const { first } = layer.group[name];
      return [...nd.getImages(layer, unit, name)].map((place, at) => ({ place, slot: first + at })).filter(({ place }) => place >= 0).slice(0, most);
    });
  }

  async function loadImage(place) {
    const image = new Image();
    image.src = nd.run.getImageURL(place);
    await image.decode();
    return image;
  }

  // Resolves to a canvas with the image of a unit.
  nd.drawUnitImage = async (layer, unit) => {
    const grids = await nd.loadGrids(layer, unit);
    await nd.loadTrust(layer);
    const slots = listSlots(layer, unit);
    const images = await Promise.all(slots.map(({ place }) => loadImage(place)));
    if (document.fonts) await document.fonts.ready;
    const canvas = make("canvas", { width: SIZE[0], height: SIZE[1] });
    const context = canvas.getContext("2d");
    context.fillStyle = nd.getColor("paper");
    context.fillRect(0, 0, ...SIZE);
    drawWords(context, layer, unit);
    const width = Math.floor((SIZE[0] - 2 * MARGIN - 4 * GAP) / 5);
    const height = Math.min(320, Math.round((width * nd.run.input[0]) / nd.run.input[1]));
    const across = Math.round((height * nd.run.input[1]) / nd.run.input[0]);
    const values = nd.decodeValues(layer, unit);
    images.forEach((image, at) => {
      const left = MARGIN + at * (width + GAP) + Math.floor((width - across) / 2);
      context.drawImage(image, left, TOP, across, height);
      if (nd.state.mask === "image") return;
      const mask = make("canvas", { width: across, height });
      nd.paintMask(mask.getContext("2d"), layer, grids, values, slots[at].slot, 0, across, height, nd.state.mask, image);
      context.drawImage(mask, left, TOP);
    });
    return canvas;
  };

  function drawWords(context, layer, unit) {
    const { run } = nd;
    const [serif, sans] = ['"Source Serif 4", Georgia, serif', '"Source Sans 3", system-ui, sans-serif'];
    const right = SIZE[0] - MARGIN;
    const concept = layer.label[unit];
    const kind = layer.best[unit];
    const write = (text, x, y, font, color, align = "left", room = right - x) => {
      context.font = font;
      context.fillStyle = nd.getColor(color);
      context.textAlign = align;
      context.fillText(text, x, y, room);
      return context.measureText(text).width;
    };
    const fill = concept < 0 ? "rule" : `fill-${run.slots[kind]}`;
    context.fillStyle = nd.getColor(fill);
    context.fillRect(0, 0, SIZE[0], 10);
    write(`${run.network}, ${layer.name}, unit ${unit + 1}`, MARGIN, 82, `25px ${sans}`, "text");
    const score = concept < 0 ? "" : nd.formatScore(layer.labelScore[unit]);
    const wide = write(score, right, 184, `68px ${serif}`, "ink", "right", 400);
    write(concept < 0 ? "no concept" : run.concepts[concept], MARGIN, 184, `84px ${serif}`, "ink", "left", right - MARGIN - wide - 40);
    if (concept >= 0) {
      write(`${run.categories[kind]}, ${run.scoreTitle}${nd.formatInterval(layer, unit)}`, right, 82, `25px ${sans}`, `text-${run.slots[kind]}`, "right", 500);
    }
    const words = layer.group.typical && layer.group.typical.count ? "Three strongest and two typical images" : "The strongest images";
    write(`${words}; the unit is active where they are marked.`, MARGIN, SIZE[1] - 116, `21px ${sans}`, "text");
    context.fillStyle = nd.getColor("rule");
    context.fillRect(MARGIN, SIZE[1] - 84, right - MARGIN, 1);
    write(nd.formatCitation(), MARGIN, SIZE[1] - 44, `21px ${sans}`, "text", "left", right - MARGIN);
  }

  // Returns a part of the share dialog that shows the image of a unit, and saves and copies it where the browser allows that.
  nd.makeImagePart = (layer, unit) => {
    const home = make("div.share-image", { role: "img", "aria-label": `Image of unit ${unit + 1} to share` });
    const save = make("button.plain", { type: "button", disabled: true }, "Save image");
    const copy = make("button.plain", { type: "button", disabled: true }, "Copy image");
    const note = make("p.fine", { role: "status" });
    nd.drawUnitImage(layer, unit).then((canvas) => {
      home.replaceChildren(canvas);
      if (!isReadable(canvas)) return setText(note, "A browser does not let a page save the images of a folder on your disk. The single file (netdissect report RUN --single-file) and a published report save this one.");
      const name = `${nd.run.network} ${layer.name} ${unit + 1}.png`.replace(/[^\p{L}\p{N} ._-]+/gu, "-");
      save.disabled = false;
      save.onclick = () => canvas.toBlob((blob) => saveBlob(blob, name));
      copy.disabled = !window.ClipboardItem;
      copy.onclick = () => canvas.toBlob((blob) => navigator.clipboard.write([new window.ClipboardItem({ "image/png": blob })])
        .then(() => setText(note, "Copied."), () => setText(note, "This browser does not let the page copy images: save it.")));
      return null;
    }, () => setText(note, "The images of this unit could not be loaded."));
    return make("section", { "aria-label": "Image" }, home, make("div.share-buttons", {}, save, copy), note);
  };

  // Returns whether the page may read a canvas: not with images from a folder on disk.
  function isReadable(canvas) {
    try {
      canvas.getContext("2d").getImageData(0, 0, 1, 1);
      return true;
    } catch {
      return false;
    }
  }

  function saveBlob(blob, name) {
    const link = make("a", { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }
})();
