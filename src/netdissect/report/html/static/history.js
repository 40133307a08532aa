"use strict";
// The way from page to page. Opening a page adds a step to the browser's history. Going to the neighbor of a unit, a concept or an
// image replaces the current step, so that "←" and Esc lead to where one was.
// A step holds the addresses before it (`trail`), how far its page is scrolled, the link that was followed from it (`focus`), and
// `up` if it was opened by going up to it and not by a link.
(() => {
  const nd = window.netdissect;
  const PATIENCE = 2000; // ms for a page to draw what one comes back to
  let returning = 0;

  const getTrail = () => (history.state && history.state.trail) || [];
  const getPath = (address) => address.split("?")[0];

  // Opens a page as a new step. `keep` keeps the scroll position; `link` is the link that was followed.
  nd.go = (changes, keep = false, link = document.activeElement) => open(changes, { keep, link });

  function open(changes, { keep = false, link = null, up = false }) {
    nd.writeAddress();
    nd.rememberPlace(link);
    const trail = [...getTrail(), location.hash];
    const { view } = nd.state;
    returning++;
    nd.applyChanges({ missing: "", ...changes });
    history.pushState({ trail, up }, "", nd.makeAddress(nd.state));
    nd.flush();
    if (!keep) window.scrollTo(0, 0);
    if (nd.state.view !== view) focusHeading();
  }

  // Goes to a neighbor of what the page shows, in place of the current step.
  nd.step = (changes, keep = false) => {
    nd.writeAddress();
    returning++;
    nd.applyChanges({ missing: "", ...changes });
    history.replaceState({ ...history.state, scroll: keep ? window.scrollY : 0, focus: "" }, "", nd.makeAddress(nd.state));
    nd.flush();
    if (!keep) window.scrollTo(0, 0);
  };

  // Stores in the current step how far the page is scrolled and which link is followed.
  nd.rememberPlace = (link = document.activeElement) => {
    const address = link && link.closest("main") && link.getAttribute("href");
    history.replaceState({ ...history.state, scroll: window.scrollY, focus: address ? getPath(address) : "" }, "");
  };

  // Goes back to where one was; up to the page that holds this one if it was not opened from another.
  nd.goBack = () => {
    const { trail = [], up = false } = history.state || {};
    if (trail.length && !up) history.back();
    else {
      const parent = nd.pages.get(nd.state.view).up(nd.state);
      if (parent) openParent(parent);
    }
  };

  function openParent(changes) {
    const left = getPath(nd.makeAddress({}));
    open(changes, { up: true });
    returnTo({}, left);
  }

  // Returns to the last step that has a page, or opens it.
  nd.returnToPage = (address) => {
    const trail = getTrail();
    const at = trail.findLastIndex((step) => getPath(step) === getPath(address));
    if (at >= 0) history.go(at - trail.length);
    else openParent(nd.parseAddress(address));
  };

  // Returns what the reader has set for all pages: links, back and forward keep it.
  function getSettings() {
    const { cut, mask, outlines, pin, beyond, group } = nd.state;
    return { cut, mask, outlines, pin, beyond, group };
  }

  // Opens a link within the report without loading the page again. The settings are those of now, not of when it was drawn.
  nd.followLink = (event) => {
    const link = event.target.closest && event.target.closest("a[href^='#/']");
    if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    const address = link.getAttribute("href");
    if (link.classList.contains("up")) nd.returnToPage(address);
    else if (["prev", "next"].includes(link.rel)) nd.step({ ...nd.parseAddress(address), ...getSettings() });
    else nd.go({ ...nd.parseAddress(address), ...getSettings() }, "keep" in link.dataset, link);
  };

  // Goes to the page before (-1) or after (1) this one in its list; returns whether there is one.
  nd.stepPage = (step) => {
    const link = document.querySelector(`main > :not([hidden]) a[rel="${step < 0 ? "prev" : "next"}"]`);
    if (link) nd.step({ ...nd.parseAddress(link.getAttribute("href")), ...getSettings() });
    return Boolean(link);
  };

  // Back and forward keep threshold, mask style, pin and what counts; an address that was typed or pasted sets everything.
  window.addEventListener("popstate", (event) => {
    const left = getPath(nd.makeAddress({}));
    const fromHistory = event.state !== null;
    nd.applyChanges({ ...nd.parseAddress(location.hash), ...(fromHistory ? getSettings() : {}) });
    nd.flush();
    nd.writeAddress();
    if (fromHistory) returnTo(event.state, left);
    else window.scrollTo(0, 0);
  });

  // Scrolls to where the page was left, and gives the focus to the link of the page one comes from or to the one that was followed,
  // as soon as they are drawn; stops when the reader does something.
  function returnTo({ scroll = 0, focus = "" }, left) {
    const turn = ++returning;
    const until = performance.now() + PATIENCE;
    const page = nd.pages.get(nd.state.view);
    const attempt = () => {
      if (turn !== returning) return;
      window.scrollTo(0, scroll);
      const arrived = Math.abs(window.scrollY - scroll) < 2;
      const late = performance.now() > until;
      const link = findLink(left) || findLink(focus);
      if (link && (arrived || late)) return showLink(link, left !== focus);
      if (arrived && page.focus && page.focus(left, left !== focus)) return;
      focusHeading();
      if (!late) setTimeout(attempt, 30);
    };
    attempt();
  }
  nd.returnTo = returnTo;

  for (const name of ["wheel", "keydown", "pointerdown", "touchstart"]) window.addEventListener(name, () => { returning++; }, { passive: true, capture: true });

  const findLink = (path) => path && [...document.querySelectorAll("main > :not([hidden]) a[href^='#/']")].find((link) => getPath(link.getAttribute("href")) === path && link.offsetParent);

  function showLink(link, elsewhere) {
    const { top, bottom } = link.getBoundingClientRect();
    if (elsewhere && (bottom < 0 || top > window.innerHeight)) link.scrollIntoView({ block: "center" });
    link.focus({ preventScroll: true });
  }

  // Gives the focus to the heading of a page that has not taken it, for screen readers and the Tab key.
  function focusHeading() {
    const page = document.querySelector("main > :not([hidden])");
    if (!page || page.contains(document.activeElement)) return;
    const heading = page.querySelector("h1");
    if (heading) heading.focus({ preventScroll: true });
  }

  history.scrollRestoration = "manual";
})();
