"use strict";
// How far counts can be trusted: the error of every count, what is beyond chance, and the controls beside the layer.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  const byId = (id) => document.getElementById(id);
  const KINDS = { detectors: 0, label: 1, category: 2 };
  const STEP = 0.001; // of the threshold, between points of the curves
  nd.LEVEL = 0.05; // false discovery rate below which a unit is beyond chance

  // Returns standard deviation and 95 % interval of a count over resamples, [sd, low, high]; null where there are none.
  nd.findSpread = (layer, kind, cut) => {
    const { deviations, ends } = layer;
    if (!deviations) return null;
    const points = deviations.length / 6; // all units, or those beyond chance; 3 counts
    const at = Math.round(cut / STEP);
    if (at >= points) return [0, 0, 0];
    const row = (nd.state.beyond ? 3 : 0) + KINDS[kind];
    return [deviations[row * points + at], ends[2 * row * points + at], ends[(2 * row + 1) * points + at]];
  };

  // Returns " ± 3", or "" where there is none.
  nd.formatSpread = (layer, kind, cut) => {
    const found = nd.findSpread(layer, kind, cut);
    return found ? ` ± ${nd.formatDeviation(found[0])}` : "";
  };

  nd.formatDetectors = (layer, number, cut) => `${nd.formatCount(number)}${nd.formatSpread(layer, "detectors", cut)} detector${number === 1 ? "" : "s"}`;

  // Shows the error of the three counts beside them.
  nd.showSpread = (layer, cut) => {
    for (const kind of Object.keys(KINDS)) {
      const found = nd.findSpread(layer, kind, cut);
      const home = byId(`sd-${kind}`);
      setText(home, found ? `± ${nd.formatDeviation(found[0])}` : "");
      home.title = found ? `${found[1]} to ${found[2]} in 95 % of ${nd.formatCount(layer.trust.resamples)} resamples of the images` : "";
    }
  };

  nd.countBeyond = (layer, cut) => nd.countDetectors(layer, cut, layer.sure);

  // Returns how many detectors are beyond untrained networks.
  const countReference = (layer, cut) => layer.qReference.reduce((sum, q, unit) => sum + (q < nd.LEVEL && nd.isDetector(layer, unit, cut) ? 1 : 0), 0);

  // Returns times chance with its interval, as "6.6 (5.9–7.3)"; "" where it was not measured.
  nd.describeTimes = ({ times, timesLow, timesHigh }) => {
    if (times === null) return "";
    return `${nd.formatTimes(times)}${timesLow === null || timesHigh === null ? "" : ` (${nd.formatTimes(timesLow)}–${nd.formatTimes(timesHigh)})`}`;
  };

  // Returns what a unit's chip says: its q, and the words of a card; null where the unit has no q.
  nd.describeChance = (layer, unit) => {
    const value = layer.q ? layer.q[unit] : NaN;
    if (Number.isNaN(value)) return null;
    const q = `q ${nd.formatProbability(value, nd.LEVEL)}`;
    return { q, sure: value < nd.LEVEL, words: value < nd.LEVEL ? q : "no better than chance" };
  };

  nd.makeChip = (layer, unit) => {
    const found = nd.describeChance(layer, unit);
    return found && make(`span.chance${found.sure ? "" : ".unsure"}`, { title: "false discovery rate among units of at most this p" }, found.q);
  };

  nd.toggleBeyond = () => {
    if (nd.run.anyChance) nd.change({ beyond: !nd.state.beyond });
  };

  nd.buildTrust = () => {
    byId("beyond-check").hidden = !nd.run.anyChance;
    byId("beyond").addEventListener("change", (event) => nd.change({ beyond: event.target.checked }));
  };

  nd.drawTrust = (layer, count) => {
    byId("beyond").checked = nd.state.beyond;
    const lines = [...describeLayer(layer, count), nd.describeFormulas(layer), ...layer.controls.map(describeControl), ...warn(layer, count)].filter(Boolean);
    byId("sure").hidden = !lines.length;
    byId("sure-lines").replaceChildren(...lines);
    byId("sure-help").hidden = !layer.trust;
  };

  function describeLayer(layer, count) {
    const { trust } = layer;
    if (!trust || !trust.shifts) return [];
    const { cut, beyond } = nd.state;
    const all = beyond ? "" : ` of ${nd.formatUnits(count.detectors, "detector")}`;
    const parts = [make("strong", {}, nd.formatCount(nd.countBeyond(layer, cut))), `${all} beyond chance (q < ${nd.LEVEL}, ${trust.shifts} shifts)`];
    if (layer.qReference) parts.push(", ", make("strong", {}, nd.formatCount(countReference(layer, cut))), ` beyond untrained networks (${nd.formatUnits(trust.referenceRuns, "run")})`);
    parts.push(". ");
    if (trust.times !== null) parts.push("The scores are ", make("strong", {}, nd.describeTimes(trust)), " times chance. ");
    if (trust.unconvincing) parts.push(`${nd.formatCount(trust.unconvincing)} of ${nd.formatUnits(layer.units)}: no concept beats chance.`);
    return [make("p", {}, parts), make("p.note", {}, describeChance(trust))];
  }

  // Returns what is known of a layer's chance besides, which decides nothing.
  function describeChance({ cut, nullShare, leftOut }) {
    const share = `${nd.LEVEL * 100} %`;
    return [
      cut === null ? `At no threshold are as few as ${share} of the detectors expected by chance.` : `At a threshold of ${cut.toFixed(3)}, ${share} of the detectors are expected by chance.`,
      nullShare === null ? "" : `Storey’s estimate of the share of units that are no better than chance: ${nullShare.toFixed(2)}.`,
      leftOut ? `${nd.formatUnits(leftOut, "image")} could not exchange ${leftOut === 1 ? "its" : "their"} labels with another and took no part.` : "",
    ].filter(Boolean).join(" ");
  }

  function describeControl({ name, kind, units, total, unique, unitsSd, uniqueSd, times, threshold }) {
    const deviation = (sd) => (sd === null ? "" : ` ± ${nd.formatDeviation(sd)}`);
    const at = threshold === nd.run.threshold ? "" : ` at a threshold of ${nd.formatThreshold(threshold)}`;
    return make("p.control", {}, `Control, ${kind} (${name})${at}: ${nd.formatCount(units)}${deviation(unitsSd)} of ${nd.formatUnits(total)} detect `,
      `${nd.formatCount(unique)}${deviation(uniqueSd)} unique concepts${times === null ? "" : `; ${nd.formatTimes(times)} times chance`}.`);
  }

  // Warns where the probe set is small for what the layer claims.
  function warn(layer, count) {
    const { cut } = nd.state;
    const unique = nd.findSpread(layer, "label", cut);
    const beyond = nd.countBeyond(layer, cut);
    const reasons = [];
    if (unique && count.byLabel && unique[0] > count.byLabel / 10) reasons.push(`${nd.formatUnits(count.byLabel, "unique concept")} are uncertain by ± ${nd.formatDeviation(unique[0])}`);
    if (layer.q && !nd.state.beyond && beyond < count.detectors / 2) reasons.push(`only ${nd.formatCount(beyond)} of ${nd.formatUnits(count.detectors, "detector")} are beyond chance (q < ${nd.LEVEL})`);
    return reasons.length ? [make("p.caution", {}, `${nd.formatCount(nd.run.images)} images are few for these counts: ${reasons.join(", and ")}; more images would narrow this.`)] : [];
  }
})();
