"use strict";
// Terms with a dotted underline, and the sentence that explains each, beside it.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const EDGE = 12; // pixels between a sentence and the edge of the window
  let box = null;
  let opened = null;

  const sentences = {
    unit: () => "One channel of a layer: it gives every place of an image a number, its activation.",
    layer: () => "One step of the network, whose outputs are dissected.",
    concept: () => "Something that people have labeled in the images and that has a name, such as “dog” or “striped”.",
    category: () => "A kind of concept: object, part, scene, material, texture or color.",
    probeSet: () => `The labeled images that the network is dissected with, here ${nd.run.probeSet}, ${nd.formatCount(nd.run.images)} images.`,
    mask: () => "The pixels of an image where a unit’s activation is above its threshold T.",
    T: () => `The activation that a unit exceeds in ${nd.formatNumber(nd.run.quantile * 100)} % of all places in all images; every unit has its own.`,
    quantile: () => "The share of a unit’s activations that are above its threshold T.",
    IoU: () => "Intersection over union: the pixels in both a unit’s masks and a concept’s labels, divided by the pixels in either, over all images. 0 is no overlap, 1 the same pixels.",
    score: () => `How well a unit fits a concept, here by ${nd.run.scoreTitle}; the best one decides the unit’s label.`,
    threshold: () => `The ${nd.run.scoreTitle} from which a unit counts as a detector of its concept; the slider changes it everywhere in this report.`,
    detector: () => `A unit whose best concept has ${/^[AEIOU]/.test(nd.run.scoreTitle) ? "an" : "a"} ${nd.run.scoreTitle} at or above the threshold.`,
    unique: () => "The number of different concepts that are the label of at least one detector.",
    byCategory: () => "A unit may count once in each category, for every concept that is the best of its category; the figures of the paper count so.",
    label: () => "The concept that fits a unit best, and so its name.",
    attainable: () => "The largest IoU that a mask and a label of these sizes could have, if one lay inside the other.",
    precision: () => "The share of a unit’s mask, in images labeled for the category, that lies on the concept.",
    recall: () => "The share of the concept’s labeled pixels that lie in the unit’s mask.",
    control: () => "A network that cannot have learned what is asked, such as one with random weights, dissected in the same way.",
    q: () => "The share of units with such a score that are expected by chance alone; below .05 a unit counts as beyond chance, otherwise it is drawn hollow.",
    spread: () => "One standard deviation of a number over resamples: the images are drawn again, and everything is counted again.",
    interval: () => "Holds the value over all images of this kind for about 95 % of probe sets.",
    chance: () => "The score that a unit reaches with the labels of other images.",
    timesChance: () => "The layer’s scores as a multiple of what the same units reach with the labels of other images.",
    typical: () => "Images drawn in proportion to the area of the unit’s mask: the pixels that IoU is made of.",
    exemplar: () => "One of the images that are shown for a unit.",
    geometry: () => "How the cells of a layer lie on the image: by what each cell sees, or evenly divided.",
    labelGrid: () => "The size of the label maps, in pixels, at which masks and labels are compared.",
  };

  // Makes a term: a word that can be pressed for the sentence that explains it.
  nd.makeTerm = (word, term = word) => make("button.term", { type: "button", "aria-expanded": "false", onclick: (event) => toggle(event.currentTarget, term) }, word);

  // Makes terms of the elements in `home` that name one by data-term.
  nd.fillTerms = (home = document) => {
    for (const element of home.querySelectorAll("[data-term]")) element.replaceWith(nd.makeTerm(element.textContent, element.dataset.term));
  };

  function toggle(button, term) {
    const again = opened === button;
    close();
    if (again) return;
    box = box || makeBox();
    box.textContent = sentences[term]();
    button.setAttribute("aria-expanded", "true");
    button.setAttribute("aria-describedby", "term-box");
    (button.closest("dialog, main, header, section") || document.body).append(box);
    if (box.showPopover) box.showPopover();
    else box.hidden = false;
    opened = button;
    place(button);
  }

  function makeBox() {
    const made = make("div.term-box", { id: "term-box", role: "note" });
    if (made.showPopover) made.setAttribute("popover", "manual");
    return made;
  }

  // Places the sentence below its term, or above where there is no room.
  function place(button) {
    const at = button.getBoundingClientRect();
    const left = Math.max(EDGE, Math.min(at.left, document.documentElement.clientWidth - box.offsetWidth - EDGE));
    const below = at.bottom + 6 + box.offsetHeight < window.innerHeight;
    box.style.left = `${left}px`;
    box.style.top = `${below ? at.bottom + 6 : Math.max(EDGE, at.top - 6 - box.offsetHeight)}px`;
  }

  function close() {
    if (!opened) return;
    if (box.hidePopover) box.hidePopover();
    else box.hidden = true;
    opened.setAttribute("aria-expanded", "false");
    opened.removeAttribute("aria-describedby");
    box.remove();
    opened = null;
  }

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !opened) return;
    event.stopPropagation();
    event.preventDefault();
    close();
  }, true);
  document.addEventListener("pointerdown", (event) => {
    if (opened && !box.contains(event.target) && !opened.contains(event.target)) close();
  }, true);
  document.addEventListener("focusin", (event) => {
    if (opened && event.target !== opened && !box.contains(event.target)) close();
  });
  window.addEventListener("scroll", close, { passive: true, capture: true });
  window.addEventListener("resize", close);
  window.addEventListener("popstate", close);
})();
