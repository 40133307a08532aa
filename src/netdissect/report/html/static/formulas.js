"use strict";
// Formulas of units that are beyond chance: concepts joined by OR, AND and AND NOT, read from left to right.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const OPERATORS = ["OR", "AND", "AND NOT"];
  const OR = 0;
  const AND_NOT = 2;

  // Returns a unit's formula as { concepts, operators }; null where none is beyond chance.
  nd.getFormula = (layer, unit) => {
    const { formulaColumns: columns, formulaOperators: operators } = layer;
    if (!columns) return null;
    const most = columns.length / layer.units;
    const concepts = [...columns.subarray(unit * most, (unit + 1) * most)].filter((concept) => concept >= 0);
    if (concepts.length < 2) return null;
    return { concepts, operators: operators.subarray(unit * (most - 1), unit * (most - 1) + concepts.length - 1) };
  };

  // Returns the parts of a formula, with parentheses where OR meets another operator; `name` makes the part of a concept.
  function listParts({ concepts, operators }, name) {
    let parts = [name(concepts[0])];
    operators.forEach((operator, at) => {
      const turns = at > 0 && (operators[at - 1] === OR) !== (operator === OR);
      if (turns) parts = ["(", ...parts, ")"];
      parts.push(` ${OPERATORS[operator]} `, name(concepts[at + 1]));
    });
    return parts;
  }

  nd.formatFormula = (formula) => listParts(formula, (concept) => nd.run.concepts[concept]).join("");

  // Returns what a unit's formula adds to its label, as "OR sheep, AND NOT grass" after "cow": operators apply to everything before
  // them. Returns the whole formula if it does not start with the label.
  nd.formatAddition = (layer, unit, { concepts, operators }) => {
    const at = concepts.indexOf(layer.label[unit]);
    const first = at === 0 || (at === 1 && operators[0] !== AND_NOT); // the first two may change places
    if (!first) return nd.formatFormula({ concepts, operators });
    const others = concepts.filter((_, place) => place !== at);
    return others.map((concept, place) => `${OPERATORS[operators[place]]} ${nd.run.concepts[concept]}`).join(", ");
  };

  // Returns a formula whose concepts are links to their pages.
  nd.makeFormula = (formula) => make("span.formula", {}, listParts(formula, (concept) => make("a", { href: nd.makeAddress({ view: "concept", concept }) }, nd.run.concepts[concept])));

  // Returns the concepts of a unit's formula on which it fires: all but those after AND NOT.
  nd.listFormulaConcepts = (layer, unit) => {
    const formula = nd.getFormula(layer, unit);
    return formula ? formula.concepts.filter((_, at) => at === 0 || formula.operators[at - 1] !== AND_NOT) : [];
  };

  // Returns whether a search, in lower case, is a part of a unit's formula; one without AND, OR or NOT searches concepts alone.
  nd.matchesFormula = (layer, unit, text) => {
    if (!layer.formulaColumns || !/(^|\s)(and|or|not)(\s|$)/.test(text)) return false;
    const formula = nd.getFormula(layer, unit);
    return formula !== null && nd.formatFormula(formula).toLowerCase().replace(/[()]/g, "").includes(text.replace(/[()]/g, ""));
  };

  // Says how many units of a layer have a formula that is beyond chance; null where none were searched.
  nd.describeFormulas = ({ formulas }) => {
    if (!formulas) return null;
    const { length, shifts, asked, beyond } = formulas;
    const than = shifts ? ` beyond chance (${nd.formatUnits(shifts, "shift")})` : ", of which it is not known what chance gives";
    return make("p", {}, make("strong", {}, nd.formatCount(beyond)), ` of ${nd.formatUnits(asked)} ${beyond === 1 ? "has" : "have"} a formula of up to ${nd.formatUnits(length, "concept")}${than}.`);
  };

  // Resolves to the figures of the formulas of a layer's units; null without any.
  nd.loadFormulas = async (layer) => {
    if (layer.formulas && !layer.formulaTables) layer.formulaTables = (await nd.get(`layer-${layer.index}-formulas`, layer.runNumber)).arrays;
    return layer.formulaTables || null;
  };
})();
