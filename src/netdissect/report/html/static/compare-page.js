"use strict";
// The page that compares the runs of a comparison: what became of every unit from one run to another, and the course of concepts.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  if (!nd.currentRun) return;
  if (!location.hash) history.replaceState(history.state, "", "#/compare");
  Object.assign(nd.state, { track: 0, before: 0, after: 0, matching: "", traced: -1 });
  let page = null;

  nd.addPage("compare", {
    title: "Compare",
    path: ({ track, before, after, traced }) => [encodeURIComponent(nd.comparison.tracks[track]), ...(before !== after ? [`${before + 1}-${after + 1}`, ...(traced >= 0 ? [traced + 1] : [])] : [])].join("/"),
    query: ({ matching }) => (matching ? `match=${matching}` : ""),
    parse: ([name, pair, unit], words) => {
      const { runs, tracks } = nd.comparison;
      const track = name === undefined ? 0 : tracks.indexOf(name);
      if (track < 0) throw new Error(`No layer “${name}” is compared.`);
      const [, first = 1, second = runs.length] = /^(\d+)-(\d+)$/.exec(pair || "") || [];
      const [before, after] = [first - 1, second - 1];
      if (!(runs[before] && runs[after] && before !== after)) throw new Error(`No runs “${pair}” in this comparison, which has ${nd.formatUnits(runs.length, "run")}.`);
      const matching = words.get("match");
      return { track, before, after, matching: ["number", "likeness"].includes(matching) ? matching : "", traced: unit >= 1 ? unit - 1 : -1 };
    },
    draw: (changed, { element }) => drawCompare(changed, element),
  });

  async function drawCompare(changed, element) {
    const tables = await nd.loadCompared();
    if (nd.state.view !== "compare") return;
    if (changed.has("view") || !page) build(tables, element);
    page.changed = changed;
    draw(tables);
  }

  function build(tables, element) {
    const { runs } = nd.comparison;
    page = { heading: make("h1.title", { tabIndex: -1 }), lead: make("p.lead"), notes: make("div.compare-notes") };
    document.title = `${runs.map((run) => run.name).join(", ")}, compared`;
    page.controls = buildControls(tables);
    page.parts = [nd.makeCountTable(), nd.makeSlope(), nd.makeUnitPair(), nd.makeUnitTable(), nd.makeCourse(), nd.makeRunConcepts()];
    element.replaceChildren(
      make("nav.crumbs", { "aria-label": "Page" }, make("span", {}, `${nd.formatUnits(runs.length, "run")}, compared`), nd.thresholdControl),
      make("header.unit-head", {}, make("p.kicker", {}, "Compare"), page.heading, page.lead, page.notes), page.controls.element,
      ...page.parts.map((part) => part.element));
    page.heading.focus({ preventScroll: true });
  }

  // Returns the choice of layer, runs and matching, and of the later run by a slider where there are several.
  function buildControls(tables) {
    const { runs, tracks } = nd.comparison;
    const choose = (name, options, change) => {
      const select = make("select.field-like", { onchange: () => change(Number(select.value)) }, options.map((word, at) => make("option", { value: String(at) }, word)));
      return { select, element: make("label.choice", {}, make("span", {}, name), select) };
    };
    const names = runs.map((run) => run.name);
    const layer = choose("Layer", tracks, (track) => nd.change({ track, traced: -1, matching: "" }));
    const before = choose("Before", names, (at) => nd.change(at === nd.state.after ? { before: at, after: nd.state.before } : { before: at }));
    const after = choose("After", names, (at) => nd.change(at === nd.state.before ? { after: at, before: nd.state.after } : { after: at }));
    const matches = ["number", "likeness"].map((kind) => make("button", { type: "button", onclick: () => nd.change({ matching: kind }) }, kind === "number" ? "by number" : "by likeness"));
    const matching = make("div.choice", { role: "group", "aria-label": "How units are matched" }, make("span", {}, "Units matched"), make("div.small-switch", {}, matches));
    const slider = make("input", { type: "range", min: "0", max: String(runs.length - 1), step: "1", "aria-label": "Later run", oninput: () => {
      const at = Number(slider.value);
      if (at !== nd.state.before) nd.change({ after: at });
    } });
    const marks = make("div.run-marks", { "aria-hidden": "true" }, names.map((name) => make("span", { title: name }, name)));
    const scrubber = runs.length > 2 ? make("div.scrubber", {}, slider, marks) : "";
    return { layer: layer.select, before: before.select, after: after.select, matches, matching, slider, marks,
      element: make("section.compare-controls", { "aria-label": "What is compared" }, tracks.length > 1 ? layer.element : "", before.element, after.element, matching, scrubber) };
  }

  function draw(tables) {
    const { state } = nd;
    const track = tables.tracks[state.track];
    fixRuns(track);
    const byNumber = track.numbered && (state.matching ? state.matching === "number" : track.byNumber);
    const traced = nd.traceUnits(track, byNumber, state.before, state.after, state.cut);
    const view = { tables, track, byNumber, traced, before: track.sides[state.before], after: track.sides[state.after], runs: nd.comparison.runs, changed: page.changed };
    const { layer, before, after, matches, matching, slider, marks } = page.controls;
    [layer.value, before.value, after.value, slider.value] = [state.track, state.before, state.after, state.after].map(String);
    matches.forEach((button, at) => button.setAttribute("aria-pressed", String(byNumber === (at === 0))));
    matching.hidden = !track.numbered;
    [...marks.children].forEach((mark, at) => mark.classList.toggle("chosen", at === state.before || at === state.after));
    for (const select of [before, after]) for (const option of select.options) option.disabled = !track.sides[Number(option.value)];
    page.heading.replaceChildren(view.runs[state.before].name, make("span.to", { "aria-label": "compared with" }, " → "), view.runs[state.after].name);
    page.lead.replaceChildren(...describe(view));
    page.notes.replaceChildren(...listNotes(view).map((words) => make("p.note", {}, words)));
    for (const part of page.parts) part.draw(view);
  }

  // Chooses other runs where a layer is not in those of the address.
  function fixRuns(track) {
    const { state } = nd;
    const present = [...track.sides.keys()].filter((run) => track.sides[run]);
    if (!track.sides[state.before]) state.before = present.find((run) => run !== state.after);
    if (!track.sides[state.after] || state.after === state.before) state.after = present.filter((run) => run !== state.before).pop();
    if (state.traced >= track.units) state.traced = -1;
  }

  // Returns what happened, in sentences.
  function describe({ traced, track, before, after, byNumber }) {
    const count = (fate, of = traced) => of.filter((entry) => entry.fate === fate).length;
    const link = (number, fate) => make("button.link", { type: "button", onclick: () => nd.showFate(fate) }, nd.formatCount(number));
    const say = (fate, one, many) => [link(count(fate), fate), count(fate) === 1 ? one : many];
    const words = [`Of ${nd.formatUnits(traced.length)} of ${track.names[nd.state.before]}, `, ...say("kept", " keeps its concept, ", " keep their concept, "), ...say("changed", " is named after another, ", " are named after another, "),
      ...say("lost", " loses its own and ", " lose theirs and "), ...say("gained", " gains one. ", " gain one. ")];
    const sure = traced.filter((entry) => entry.sure && entry.before >= 0 && entry.after >= 0);
    if (before.sure && after.sure) {
      words.push(sure.length ? `Of the ${nd.formatUnits(sure.length)} whose labels more than 95 % of resamples keep in both, ${nd.formatCount(count("changed", sure))} ${count("changed", sure) === 1 ? "is" : "are"} named after another. ` : "No unit has a label in both that more than 95 % of resamples keep. ");
    }
    const alike = track.matches[nd.state.after === track.base ? nd.state.before : nd.state.after];
    if (byNumber) words.push("Units are matched by number.");
    else if (alike) words.push(`Units are matched by likeness: a mean correlation of ${nd.formatLikeness(alike.best)} over all concepts${alike.same === null ? "" : `, ${nd.formatLikeness(alike.same)} by number`}, and ${nd.formatLikeness(alike.usual)} among any two.`);
    return words;
  }

  function listNotes({ track, before, after, runs, byNumber }) {
    const notes = [];
    const bases = [...new Set([before, after].map(({ run }) => runs[run].basis))];
    if (bases.length > 1) notes.push(`The runs differ: ${bases.join("; ")}. This explains part of any difference.`);
    if (before.name !== after.name) notes.push(`No layer has the same name in both, so ${before.name} is compared with ${after.name}.`);
    if (!byNumber && before.units !== after.units) notes.push(`${before.name} has ${nd.formatUnits(before.units)} in ${runs[before.run].name} and ${nd.formatCount(after.units)} in ${runs[after.run].name}: units without a partner are left out.`);
    if (!byNumber && ![before.run, after.run].includes(track.base)) notes.push(`Each run’s units are matched with those of ${runs[track.base].name}.`);
    return notes;
  }
})();
