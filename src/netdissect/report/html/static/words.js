"use strict";
// How what is typed is compared with names: without case, accents and punctuation, in the singular, in American spelling, by the
// beginning of a word, by a part of it, and with one letter wrong. `netdissect.results.concept_words` does so for the commands.
(() => {
  const nd = window.netdissect;
  const PLURALS = [["people", "person"], ["men", "man"], ["children", "child"], ["feet", "foot"], ["teeth", "tooth"], ["mice", "mouse"], ["geese", "goose"], ["ves", "f"], ["ves", "fe"], ["ies", "y"], ["es", ""], ["s", ""]];
  const SPELLINGS = [[/our$/, "or"], [/([bt])re$/, "$1er"], [/^grey/, "gray"], [/^aero(?=plane)/, "air"]];
  const SHORTEST_PART = 3; // letters of a part of a word
  const SHORTEST_NEAR = 4; // letters of a word that may have one of them wrong

  // How well a word fits, best first; a word of a synonym fits one less.
  nd.FIT = { exact: 0, form: 2, start: 4, part: 6, near: 8, none: 255 };
  const { FIT } = nd;

  // Returns the words of a text.
  nd.splitWords = (text) => text.toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "").split(/[^\p{L}\p{N}]+/u).filter(Boolean);

  // Returns a word with its singulars, in American spelling.
  function listForms(word) {
    const spelled = SPELLINGS.reduce((text, [pattern, other]) => text.replace(pattern, other), word);
    const forms = new Set([word, spelled]);
    for (const [plural, singular] of PLURALS) {
      if (!spelled.endsWith(plural)) continue;
      const stem = spelled.slice(0, spelled.length - plural.length);
      if ((stem + singular).length > 2 && !(plural === "s" && stem.endsWith("s"))) forms.add(stem + singular);
    }
    return forms;
  }

  // Returns whether one letter too many, too few or wrong, or two in the other order, make the difference of two words.
  function isNear(a, b) {
    if (Math.abs(a.length - b.length) > 1) return false;
    let from = 0;
    while (from < a.length && a[from] === b[from]) from++;
    const [restA, restB] = [a.slice(from), b.slice(from)];
    return restA.slice(1) === restB.slice(1) || restA.slice(1) === restB || restA === restB.slice(1)
      || (restA[0] === restB[1] && restA[1] === restB[0] && restA.slice(2) === restB.slice(2));
  }

  // Returns the number of letters to change between two words (Levenshtein).
  nd.countChanges = (a, b) => {
    let row = Array.from({ length: b.length + 1 }, (_, at) => at);
    for (let i = 1; i <= a.length; i++) {
      const next = [i];
      for (let j = 1; j <= b.length; j++) next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
      row = next;
    }
    return row[b.length];
  };

  // Makes a dictionary of things that have names: `names` and `synonyms` are a list of texts for each. Its method `fit` returns how
  // well each thing fits a typed word, Uint8Array; the results of the last words are kept.
  nd.makeDictionary = (names, synonyms = []) => {
    const entries = new Map(); // word -> { word, forms, own: things, other: things of which it is a synonym's }
    const add = (words, thing, kind) => {
      for (const word of words) {
        if (!entries.has(word)) entries.set(word, { word, forms: null, own: [], other: [] });
        entries.get(word)[kind].push(thing);
      }
    };
    names.forEach((texts, thing) => {
      for (const text of texts) {
        const words = nd.splitWords(text);
        add(words, thing, "own");
        if (words.length > 1) add([words.join("")], thing, "own"); // "livingroom"
      }
      for (const text of synonyms[thing] || []) add([...nd.splitWords(text), nd.splitWords(text).join("")], thing, "other");
    });
    const all = [...entries.values()];
    for (const entry of all) entry.forms = [...listForms(entry.word)];
    const cached = new Map();

    function measure(typed, forms, { word, forms: own }) {
      if (word === typed) return FIT.exact;
      if (own.some((form) => forms.has(form))) return FIT.form;
      if (word.startsWith(typed)) return FIT.start;
      return typed.length >= SHORTEST_PART && word.includes(typed) ? FIT.part : FIT.none;
    }

    function fit(typed) {
      if (cached.has(typed)) return cached.get(typed);
      const found = new Uint8Array(names.length).fill(FIT.none);
      const forms = listForms(typed);
      let any = false;
      const give = (entry, value) => {
        any = true;
        for (const thing of entry.own) found[thing] = Math.min(found[thing], value);
        if (value !== FIT.part && value !== FIT.near) for (const thing of entry.other) found[thing] = Math.min(found[thing], value + 1);
      };
      for (const entry of all) {
        const value = measure(typed, forms, entry);
        if (value !== FIT.none) give(entry, value);
      }
      if (!any && typed.length >= SHORTEST_NEAR && /\p{L}/u.test(typed)) for (const entry of all) if (entry.word.length >= SHORTEST_NEAR && [...forms].some((form) => isNear(form, entry.word))) give(entry, FIT.near);
      if (cached.size > 60) cached.clear();
      cached.set(typed, found);
      return found;
    }
    return { fit };
  };
})();
