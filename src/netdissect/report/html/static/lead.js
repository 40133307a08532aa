"use strict";
// The lead of the first page: sentences made from counts, whose numbers are links to what they count.
(() => {
  const nd = window.netdissect;
  const { make } = nd;

  const link = (changes, ...words) => make("a", { href: nd.makeAddress({ query: "", show: "all", ...changes }) }, ...words);
  const toSet = (set, ...words) => link({ view: "units", set }, ...words);
  const toLayer = (layer, ...words) => link({ view: "layer", layer: layer.index }, ...words);
  const within = (id, layer) => `${id}@${layer.name.replace(/[%:;,@]/g, encodeURIComponent)}`;
  const nameOf = (layer) => nd.listShortNames().short[layer.index];
  const number = (count, noun) => nd.formatUnits(count, noun);

  // Returns the paragraphs of the lead, as lists of nodes.
  nd.describeNetwork = () => {
    const { run, state } = nd;
    const counts = run.layers.map((layer) => nd.recount(layer, state.cut));
    return [
      [...countAll(counts), ...describeGrowth(counts), ...describeCategories(counts)],
      [...describeControl(counts), ...describeAgreement(counts), ...describeEdge()],
    ].filter((nodes) => nodes.length);
  };

  function countAll(counts) {
    const { run, state } = nd;
    const units = run.layers.reduce((sum, layer) => sum + layer.units, 0);
    const named = counts.reduce((sum, count) => sum + count.detectors, 0);
    const concepts = new Set(counts.flatMap((count) => count.found.map((entry) => entry.concept))).size;
    const where = run.layers.length === 1 ? [" of ", toLayer(run.layers[0], nameOf(run.layers[0]))] : [` in ${nd.formatUnits(run.layers.length, "layer")}`];
    const words = ["Of ", `${number(units)}`, ...where, ", "];
    if (!named) return [...words, `none has a concept at or above the threshold, ${run.scoreTitle} ≥ ${nd.formatThreshold(state.cut)}.`];
    const beyond = run.anyChance && !state.beyond ? run.layers.reduce((sum, layer) => sum + (layer.q ? nd.countBeyond(layer, state.cut) : 0), 0) : null;
    const detect = named === 1 ? "detects one concept" : [" detect ", link({ view: nd.pages.has("concepts") ? "concepts" : "units", set: "" }, number(concepts, "concept"))];
    return [...words, toSet("", nd.formatCount(named)), ...(Array.isArray(detect) ? detect : [` ${detect}`]), beyond === null ? ". " : beyond === named ? ", all of them beyond chance. " : [`; ${nd.formatCount(beyond)} of them are beyond chance. `]].flat();
  }

  // Says how many concepts the first and the last layer detect.
  function describeGrowth(counts) {
    const { run, state } = nd;
    if (run.layers.length < 2) return [];
    const [first, last] = [run.layers[0], run.layers[run.layers.length - 1]];
    const [before, after] = [counts[0].byLabel, counts[counts.length - 1].byLabel];
    const spread = (layer) => nd.formatSpread(layer, "label", state.cut);
    if (before === after) return [`${nameOf(first)} and ${nameOf(last)} detect `, toLayer(last, number(after, "different concept")), " each. "];
    const verb = after > before ? "rises" : "falls";
    return [`The number of different concepts ${verb} from `, toLayer(first, `${nd.formatCount(before)}${spread(first)}`), ` in ${nameOf(first)} to `, toLayer(last, `${nd.formatCount(after)}${spread(last)}`), ` in ${nameOf(last)}. `];
  }

  // Names the categories whose share of the units grows and shrinks most from the first to the last layer.
  function describeCategories(counts) {
    const { run } = nd;
    if (run.layers.length < 2) return describeLargest(counts[0]);
    const [first, last] = [0, counts.length - 1];
    const share = (at, kind) => counts[at].perCategory[kind] / run.layers[at].units;
    const changes = run.categories.map((name, kind) => ({ name, kind, change: share(last, kind) - share(first, kind) })).sort((a, b) => b.change - a.change);
    const parts = [];
    const [most, least] = [changes[0], changes[changes.length - 1]];
    const say = ({ kind }) => link({ view: "layer", layer: last, show: run.categories[kind] }, `${nd.formatPercent(share(first, kind))} to ${nd.formatPercent(share(last, kind))}`);
    const name = ({ name: word, kind }) => make(`span.t-${run.slots[kind]}`, {}, word);
    if (most && most.change > 0.005) parts.push("Units for ", name(most), " grow most, from ", say(most), " of the layer");
    if (least && least !== most && least.change < -0.005) parts.push(parts.length ? "; those for " : "Units for ", name(least), " shrink most, from ", say(least));
    return parts.length ? [...parts, ". "] : [];
  }

  function describeLargest(count) {
    const { run } = nd;
    const kind = count.perCategory.indexOf(Math.max(...count.perCategory));
    if (!count.detectors || kind < 0) return [];
    return ["Most often the concept is a kind of ", link({ view: "layer", layer: 0, show: run.categories[kind] }, run.categories[kind]), ` (${number(count.perCategory[kind])}). `];
  }

  // Says what the control of the latest layer that has one finds.
  function describeControl(counts) {
    const { state } = nd;
    const layer = [...nd.run.layers].reverse().find((each) => each.controls.length);
    if (!layer) return [];
    const control = layer.controls[0];
    const found = nd.countControl(control, state.cut);
    const [named, unique] = found ? [found.named, found.units.size] : [control.units, control.unique];
    const own = counts[layer.index];
    const few = named > 0 && own.byLabel > 1.5 * unique ? ": a name alone is not evidence. " : ". ";
    return [`The same ${nd.formatUnits(control.total)} of ${nameOf(layer)} with `, nd.makeTerm(nd.nameControl(control), "control"), ` get ${number(named, "name")}, but `, toLayer(layer, number(unique, "concept")), ` instead of ${nd.formatCount(own.byLabel)}`, few];
  }

  // Says how many detectors of the last layer do not show their label.
  function describeAgreement(counts) {
    const list = nd.unitLists.get("not-seen");
    const layer = [...nd.run.layers].reverse().find((each) => each.story && each.story.shown);
    if (!layer || !counts[layer.index].detectors) return [];
    const units = list.find(layer).length;
    const asked = Array.from(nd.getCounter(layer).ranked.subarray(0, counts[layer.index].detectors)).filter((unit) => layer.story.asked[unit] >= 3).length;
    if (!asked) return [];
    if (!units) return [`Each of ${nameOf(layer)}’s ${number(asked, "detector")} whose images are labeled for it shows its concept in one of its ten strongest images. `];
    return [toSet(within("not-seen", layer), `${nd.formatCount(units)} of ${nameOf(layer)}’s ${number(asked, "detector")}`), " that could show their concept in their ten strongest images show it in none. "];
  }

  function describeEdge() {
    if (!nd.run.layers.some((layer) => layer.story && layer.story.low)) return [];
    const units = nd.listUnits(nd.unitLists.get("edge")).length;
    return units ? [toSet("edge", number(units)), units === 1 ? " is too near the threshold to be sure of." : " are too near the threshold to be sure of."] : [];
  }
})();
