"use strict";
// Finds concepts, units, layers, categories and images by what is typed. Every word has to fit, wherever it does: "cow fire9" finds
// the units of fire9 named cow, "unit 433", "#433" and "fire9:433" units by number.
(() => {
  const nd = window.netdissect;
  const { FIT } = nd;
  let index = null;
  let images = null;
  let synonyms = null; // of every concept

  // Returns the dictionaries, made when they are first needed.
  function getIndex() {
    const { run } = nd;
    index = index || {
      concepts: nd.makeDictionary(run.concepts.map((name) => [name])),
      layers: nd.makeDictionary(run.layers.map((layer) => [layer.name])),
      categories: nd.makeDictionary(run.categories.map((name) => [name])),
    };
    return index;
  }

  // Makes the dictionaries, and adds the synonyms of the concepts, once; draws what a search has found again with them.
  nd.prepareSearch = async () => {
    getIndex();
    if (synonyms) return;
    synonyms = [];
    synonyms = (await nd.loadConcepts()).synonyms;
    index.concepts = nd.makeDictionary(nd.run.concepts.map((name) => [name]), synonyms);
    if (nd.state.query) nd.redraw("query");
  };

  // Loads the names of the images, so that they are found too.
  nd.loadImageSearch = async () => {
    await nd.run.loadNames();
    images = images || nd.makeDictionary(nd.run.names.map((name) => [name]));
  };

  // Returns the parts of a search: words, and numbers of units where it says so.
  nd.parseSearch = (query) => {
    const parts = [];
    const text = query.replace(/(?:\b(?:units?|channels?)\s+#?|#|:\s*)(\d+)\b/gi, (_, number) => {
      parts.push({ number });
      return " ";
    });
    return [...nd.splitWords(text).map((word) => ({ word })), ...parts];
  };

  // Returns tests of how well things fit a search, FIT.none where they do not; null for an empty search. What fits worse than
  // exactly adds up over its words.
  nd.makeMatcher = (query) => {
    const parts = nd.parseSearch(query).map(makePart);
    if (!parts.length) return null;
    if (parts.length === 1 && parts[0].number) parts[0].layers = makeNone(nd.run.layers.length); // "7" is no layer "features.7"
    const add = (measure) => {
      let sum = 0;
      for (const part of parts) {
        const value = measure(part);
        if (value === FIT.none) return FIT.none;
        sum += value;
      }
      return Math.min(sum, FIT.none - 1);
    };
    const text = query.trim().toLowerCase();
    return {
      words: parts.map((part) => part.word),
      concept: (concept) => {
        if (!parts.some((part) => part.concepts[concept] !== FIT.none)) return FIT.none;
        return add((part) => Math.min(part.concepts[concept], part.categories[nd.run.category[concept]]));
      },
      layer: (at) => add((part) => part.layers[at]),
      category: (kind) => add((part) => part.categories[kind]),
      image: (place) => (images ? add((part) => (part.word === undefined ? FIT.none : images.fit(part.word)[place])) : FIT.none),
      unit: (layer, unit, cut) => {
        const value = add((part) => measureUnit(part, layer, unit, cut));
        return value === FIT.none && nd.matchesFormula(layer, unit, text) ? FIT.part : value;
      },
    };
  };

  const makeNone = (length) => new Uint8Array(length).fill(FIT.none);

  function makePart({ word, number }) {
    const { run } = nd;
    const { concepts, layers, categories } = getIndex();
    if (word === undefined) return { number, exact: true, concepts: makeNone(run.concepts.length), layers: makeNone(run.layers.length), categories: makeNone(run.categories.length) };
    return { word, number: /^\d+$/.test(word) ? word : null, concepts: concepts.fit(word), layers: layers.fit(word), categories: categories.fit(word) };
  }

  // Returns how well a unit fits a word: by its label or category, its number, another concept that reaches the threshold or is part
  // of its formula, or its layer.
  function measureUnit(part, layer, unit, cut) {
    if (part.number !== null) {
      const number = String(unit + 1);
      if (number === part.number) return FIT.exact;
      if (number.startsWith(part.number) && !part.exact) return FIT.start;
    }
    const { concepts } = part;
    const label = layer.label[unit];
    let best = part.layers[layer.index];
    if (label >= 0) best = Math.min(best, concepts[label], part.categories[nd.run.category[label]]);
    const other = (concept) => { if (concept >= 0 && concepts[concept] < best) best = Math.min(best, concepts[concept] + 1); };
    if (best === FIT.exact) return best;
    if (layer.nextScore[unit] >= cut) other(layer.next[unit]);
    for (let at = unit * layer.kinds; at < (unit + 1) * layer.kinds; at++) if (layer.score[at] >= cut) other(layer.column[at]);
    if (layer.formulaColumns) nd.listFormulaConcepts(layer, unit).forEach(other);
    return best;
  }

  // Returns the units of a layer that fit, in their order by score.
  nd.matchUnits = (layer, matcher, cut) => [...nd.getCounter(layer).ranked].filter((unit) => matcher.unit(layer, unit, cut) !== FIT.none);

  // Returns the concepts that fit, best first, and of equals those of more units.
  nd.matchConcepts = (matcher, count) => nd.run.concepts.map((name, concept) => ({ concept, fit: matcher.concept(concept), length: name.length }))
    .filter(({ fit }) => fit !== FIT.none)
    .map((entry) => ({ ...entry, units: count(entry.concept) }))
    .sort((a, b) => a.fit - b.fit || b.units - a.units || a.length - b.length);

  // Returns the concepts whose names are nearest to a text that fits nothing, best first.
  nd.findNearest = (text, most, names = nd.run.concepts) => {
    const typed = nd.splitWords(text).join(" ");
    const limit = Math.max(2, Math.floor(typed.length / 3));
    return names.map((name, at) => {
      const words = nd.splitWords(name);
      return { at, changes: Math.min(...[words.join(" "), ...words].map((word) => nd.countChanges(typed, word))) };
    }).filter(({ changes }) => changes <= limit && changes < typed.length).sort((a, b) => a.changes - b.changes || names[a.at].length - names[b.at].length)
      .slice(0, most).map(({ at }) => at);
  };
})();
