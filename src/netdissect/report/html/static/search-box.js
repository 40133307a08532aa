"use strict";
// The search box of the navigation: a combobox whose list has the results of all kinds, in groups.
(() => {
  const nd = window.netdissect;
  const { make } = nd;
  let [box, list, words, home, panel] = [];
  let active = -1;
  let drawn = "";
  let before = null; // what had the focus

  nd.buildSearch = () => {
    box = make("input.field-like", {
      id: "find", type: "text", role: "combobox", "aria-label": "Search concepts, units, layers and images", "aria-expanded": "false", "aria-controls": "find-list", "aria-autocomplete": "list",
      placeholder: "Search  /", autocomplete: "off", autocapitalize: "off", spellcheck: false,
    });
    list = make("div", { id: "find-list", role: "listbox", "aria-label": "Results" });
    words = make("p.find-words", { role: "status" });
    panel = make("div.find-panel", { hidden: true }, words, list);
    home = make("div.find", { role: "search", "aria-label": "Report" }, box, panel);
    document.querySelector(".top .buttons").before(home);
    box.addEventListener("input", draw);
    box.addEventListener("focus", prepare);
    box.addEventListener("keydown", press);
    home.addEventListener("focusout", (event) => { if (!home.contains(event.relatedTarget)) close(); });
    list.addEventListener("pointerdown", (event) => event.preventDefault()); // keeps the focus in the box
    list.addEventListener("click", (event) => { if (event.target.closest("a") && !event.ctrlKey && !event.metaKey) setTimeout(leave, 0); });
  };

  nd.focusSearch = () => {
    before = document.activeElement;
    box.focus();
    box.select();
  };

  function prepare() {
    nd.prepareSearch();
    if (nd.pages.has("image")) nd.loadImageSearch().then(() => { drawn = ""; if (document.activeElement === box) draw(); });
    draw();
  }

  function draw() {
    const query = box.value;
    const key = `${query.trim()} ${nd.state.cut} ${nd.state.beyond} ${nd.theme}`;
    if (!query.trim()) return close();
    open();
    if (key === drawn) return;
    drawn = key;
    let groups = nd.search(query);
    const found = groups.reduce((sum, group) => sum + group.count, 0);
    if (!groups.length) groups = [nd.searchNearest(query)].filter((group) => group.options.length);
    words.textContent = found ? `${nd.formatCount(found)} found` : `Nothing is called “${query.trim()}”${groups.length ? "" : "; a concept, a unit number, a layer or an image is searched"}.`;
    words.classList.toggle("sr", found > 0);
    list.replaceChildren(...groups.map(makeGroup));
    setActive(-1);
  }

  function makeGroup({ title, count, options }, at) {
    const id = `find-group-${at}`;
    return make("div.find-group", { role: "group", "aria-labelledby": id }, make("p.find-title", { id }, title, count > options.length ? make("span.number", {}, ` ${nd.formatCount(count)}`) : ""),
      options.map(({ address, parts }, place) => make("a.find-option", { id: `${id}-${place}`, role: "option", href: address, tabIndex: -1, "aria-selected": "false" }, parts)));
  }

  const getOptions = () => [...list.querySelectorAll("[role=option]")];

  function setActive(at) {
    const options = getOptions();
    active = at;
    options.forEach((option, place) => option.setAttribute("aria-selected", String(place === at)));
    if (options[at]) {
      box.setAttribute("aria-activedescendant", options[at].id);
      options[at].scrollIntoView({ block: "nearest" });
    } else box.removeAttribute("aria-activedescendant");
  }

  function press(event) {
    const options = getOptions();
    const shown = !panel.hidden && options.length > 0;
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") {
      if (box.value) {
        box.value = "";
        close();
      } else leave(before);
    } else if (event.key === "Enter") {
      draw();
      const chosen = getOptions()[Math.max(active, 0)];
      if (chosen) chosen.click();
    } else if (move && shown) setActive((active + move + options.length + (active < 0 && move < 0 ? 1 : 0)) % options.length);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function open() {
    panel.hidden = false;
    box.setAttribute("aria-expanded", "true");
  }

  function close() {
    panel.hidden = true;
    box.setAttribute("aria-expanded", "false");
    box.removeAttribute("aria-activedescendant");
  }

  // Leaves the box, empty, for what had the focus.
  function leave(to) {
    box.value = "";
    drawn = "";
    close();
    if (document.activeElement === box) box.blur();
    if (to && to.isConnected && to !== document.body) to.focus({ preventScroll: true });
  }
})();
