"use strict";
// Numbers as people read them, and elements in one line each.
(() => {
  const nd = window.netdissect;

  nd.count = (number) => number.toLocaleString("en-US");
  nd.units = (number, noun = "unit") => `${nd.count(number)} ${noun}${number === 1 ? "" : "s"}`;
  nd.percent = (share) => `${share >= 0.0095 || share === 0 ? Math.round(share * 100) : (share * 100).toFixed(share >= 0.0005 ? 1 : 2)} %`;

  // A score in three digits, or in four where three would put it on the wrong side of the cut.
  nd.scoreText = (value, cut) => {
    const short = value.toFixed(3);
    return cut !== undefined && (Number(short) >= cut) !== (value >= cut) ? value.toFixed(4) : short;
  };
  nd.cutText = (cut) => (Math.abs(cut * 1000 - Math.round(cut * 1000)) < 1e-6 ? cut.toFixed(3) : String(Number(cut.toFixed(5))));

  // A number of any size in about four digits.
  nd.number = (value) => {
    if (!Number.isFinite(value)) return "–";
    const size = Math.abs(value);
    if (size === 0) return "0";
    const text = size >= 1e6 || size < 1e-4 ? value.toExponential(2).replace("e+", "e")
      : size < 1 ? String(Number(value.toPrecision(3))) : value.toFixed(size >= 100 ? 1 : 2);
    return text.replaceAll("-", "−");
  };

  // make("a.card", {href}, child, "text") returns an element; classes follow dots.
  nd.make = (what, properties, ...children) => {
    const [tag, ...classes] = what.split(".");
    const element = document.createElement(tag);
    if (classes.length) element.className = classes.join(" ");
    for (const [name, value] of Object.entries(properties || {})) {
      if (value === undefined || value === null || value === false) continue;
      if (name in element && !name.startsWith("aria") && name !== "role" && name !== "list") element[name] = value;
      else element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
    return element;
  };

  // A layer's name that may be broken after its dots and slashes.
  nd.breakable = (name) => name.split(/(?<=[./_-])/).flatMap((part) => [part, document.createElement("wbr")]);

  // Sets a text only where it changed, so that nothing is laid out again for nothing.
  nd.say = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };

  // Makes a canvas sharp: its pixels are the screen's. Returns its context, scaled to CSS pixels.
  nd.canvas = (canvas, width, height) => {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const [across, down] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
    const fresh = canvas.width !== across || canvas.height !== down || nd.printing;
    if (fresh) {
      canvas.width = across; // clears it; what is cleared otherwise is printed white
      canvas.height = down;
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    const context = canvas.getContext("2d");
    context.setTransform(across / width, 0, 0, down / height, 0, 0);
    if (!fresh) context.clearRect(0, 0, width, height);
    return context;
  };

  // The page's colors. Each is read once a theme: reading one makes the browser compute all styles.
  const colors = new Map();
  nd.color = (name) => {
    if (!colors.has(name)) colors.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
    return colors.get(name);
  };
  nd.forgetColors = () => colors.clear();
})();
