"use strict";
// What an address names and the run does not have: it is said above the Network page, with links to what is nearest.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const MOST = 4;

  // Makes the error of something that is missing; `near` are the names of what is nearest with the changes of the state that lead
  // there, [name, changes] each.
  nd.makeMissing = (message, near = []) => Object.assign(new Error(message), { near: near.length ? near.slice(0, MOST) : nd.noNear });

  nd.drawMissing = () => {
    const { missing, near } = nd.state;
    const home = document.getElementById("missing");
    home.hidden = !missing;
    home.replaceChildren(missing, ...near.flatMap(([name, changes], at) => [at ? ", " : " Nearest: ", make("a", { href: nd.makeAddress({ missing: "", ...changes }) }, name)]), near.length ? "." : "");
  };

  // Returns the index of the layer with a name; throws an error with the nearest ones if the run has none.
  nd.findLayer = (name = "") => {
    const { layers } = nd.run;
    const index = layers.findIndex((layer) => layer.name === name || layer.stem === name);
    if (index >= 0) return index;
    const alike = listLike(name, layers.map((layer) => layer.name));
    throw nd.makeMissing(`No layer “${name}” in this run.`, alike.map((at) => [layers[at].name, { view: "layer", layer: at }]));
  };

  // Returns the index of the concept with a number or a name; throws an error with the nearest ones if the probe set has none.
  nd.findConcept = (text = "") => {
    const { run } = nd;
    const number = /^\d+$/.test(text) ? run.conceptAt.get(Number(text)) : undefined;
    if (number !== undefined) return number;
    const words = nd.splitWords(text).join(" ");
    const concept = run.concepts.findIndex((name) => name === text);
    const spelled = concept >= 0 || !words ? concept : run.concepts.findIndex((name) => nd.splitWords(name).join(" ") === words);
    if (spelled >= 0) return spelled;
    const matcher = nd.makeMatcher(text);
    const found = matcher ? nd.matchConcepts(matcher, nd.countUnitsOf).map((entry) => entry.concept) : [];
    const alike = found.length ? found : nd.findNearest(text, MOST);
    throw nd.makeMissing(`No concept “${text}” in this probe set.`, alike.map((at) => [run.concepts[at], { view: "concept", concept: at }]));
  };

  function listLike(name, names) {
    const [typed] = nd.splitWords(name);
    const having = typed ? [...names.keys()].filter((at) => names[at].toLowerCase().includes(name.toLowerCase()) || nd.splitWords(names[at]).includes(typed)) : [];
    return having.length ? having : nd.findNearest(name, MOST, names);
  }
})();
