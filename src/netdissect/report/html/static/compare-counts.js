"use strict";
// The counts of a layer in all runs, with their errors, and how they change from one run to another.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  const KINDS = [["detectors", "detectors"], ["label", "unique, by label"], ["category", "unique, by category"]];

  nd.makeCountTable = () => {
    const body = make("table.counts");
    const element = make("section", { "aria-label": "Counts" }, make("div.scroll", { tabIndex: 0, role: "region", "aria-label": "Table of counts" }, body),
      make("p.fine", {}, "± is one standard deviation over resamples of a run’s images; that of a change is what two probe sets, drawn independently, would have."));
    return { element, draw: (view) => body.replaceChildren(...fill(view)) };
  };

  function fill({ track, runs, before, after }) {
    const { cut } = nd.state;
    const sides = track.sides.filter(Boolean);
    const counts = new Map(sides.map((side) => [side, nd.countSide(side, cut)]));
    const chance = sides.some((side) => side.chance);
    const times = sides.some((side) => side.times !== null);
    const heads = [...KINDS.map(([, title]) => title), ...(chance ? ["beyond chance"] : []), ...(times ? ["times chance"] : [])];
    const rows = sides.map((side) => {
      const count = counts.get(side);
      const cells = KINDS.map(([kind]) => (count[kind] ? write(...count[kind]) : "–"));
      cells[0] += ` of ${nd.formatCount(side.units)}`;
      if (chance) cells.push(count.beyond === null ? "–" : nd.formatCount(count.beyond));
      if (times) cells.push(side.times === null ? "–" : nd.describeTimes(side));
      return makeRow(`${runs[side.run].name}${side.name === before.name ? "" : `, ${side.name}`}`, cells, side === before || side === after ? ".chosen" : "");
    });
    const change = KINDS.map(([kind]) => writeChange(counts.get(before)[kind], counts.get(after)[kind]));
    return [make("thead", {}, make("tr", {}, make("td"), heads.map((head) => make("th", { scope: "col" }, head)))),
      make("tbody", {}, rows, makeRow("change", [...change, ...heads.slice(KINDS.length).map(() => "")], ".change"))];
  }

  const makeRow = (name, cells, kind) => make(`tr${kind}`, {}, make("th", { scope: "row" }, name), cells.map((cell) => make("td", {}, cell)));

  const write = (count, sd) => `${nd.formatCount(count)}${sd === null ? "" : ` ± ${nd.formatDeviation(sd)}`}`;

  function writeChange(before, after) {
    if (!before || !after) return "–";
    const [difference, sd] = [after[0] - before[0], before[1] === null || after[1] === null ? null : Math.hypot(before[1], after[1])];
    return `${difference > 0 ? "+" : difference < 0 ? "−" : ""}${nd.formatCount(Math.abs(difference))}${sd === null ? "" : ` ± ${nd.formatDeviation(sd)}`}`;
  }
})();
