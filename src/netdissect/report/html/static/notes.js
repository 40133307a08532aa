"use strict";
// Notes of the reader on units and concepts. They stay in this browser, and leave it only as a file that the reader saves.
(() => {
  const nd = window.netdissect;
  const { make, setText } = nd;
  const getPrefix = () => `netdissect/notes/${nd.run.network}/${nd.run.probeSet}/`;

  // A browser that forbids storage has no notes.
  function useStorage(act) {
    try { return act(window.localStorage); } catch { return null; }
  }

  // Returns all notes on this network and probe set, [{ about, address, text }], by what they are about.
  nd.listNotes = () => useStorage((storage) => {
    const prefix = getPrefix();
    const keys = Array.from({ length: storage.length }, (_, i) => storage.key(i)).filter((key) => key.startsWith(prefix));
    return keys.map((key) => ({ about: key.slice(prefix.length), ...JSON.parse(storage.getItem(key)) })).sort((a, b) => a.about.localeCompare(b.about, "en", { numeric: true }));
  }) || [];

  // Makes the section of notes of a page about something, such as "conv5 unit 7, cow".
  nd.makeNotes = (about) => {
    const key = getPrefix() + about;
    const stored = useStorage((storage) => storage.getItem(key));
    const area = make("textarea", { rows: 3, "aria-label": `Notes on ${about}`, value: stored ? JSON.parse(stored).text : "", placeholder: "What do you see here?" });
    const said = make("span.fine", { role: "status" });
    const count = make("span.fine");
    const exports = [["Save as Markdown", saveMarkdown], ["Save as JSON", saveJSON]].map(([words, save]) => make("button.link", { type: "button", onclick: save }, words));
    const show = () => {
      const { length } = nd.listNotes();
      setText(count, length ? `${nd.formatUnits(length, "note")} on this network.` : "");
      for (const button of exports) button.hidden = !length;
    };
    area.addEventListener("input", () => {
      const text = area.value.trim();
      const kept = useStorage((storage) => {
        if (text) storage.setItem(key, JSON.stringify({ address: nd.makeAddress({}).split("?")[0], text }));
        else storage.removeItem(key);
        return true;
      });
      setText(said, kept ? "" : "This browser does not keep notes for this page.");
      show();
    });
    const element = make("section.notes", { "aria-label": "Notes" }, make("h2", {}, "Notes"), make("p.note", {}, "They stay in this browser, for every report of this network and probe set."), area,
      make("p.notes-end", {}, count, exports, said));
    show();
    return element;
  };

  function saveMarkdown() {
    const parts = nd.listNotes().map(({ about, address, text }) => `## ${about}\n\n${text}\n\n\`${address}\`\n`);
    save("notes.md", "text/markdown", `# Notes on ${nd.run.network}, ${nd.run.probeSet}\n\n${parts.join("\n")}`);
  }

  function saveJSON() {
    save("notes.json", "application/json", `${JSON.stringify({ network: nd.run.network, probe_set: nd.run.probeSet, notes: nd.listNotes() }, null, 2)}\n`);
  }

  function save(name, type, text) {
    const url = URL.createObjectURL(new Blob([text], { type }));
    const link = make("a", { href: url, download: name, hidden: true });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }
})();
