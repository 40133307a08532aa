"use strict";
// Helpers for elements, canvases, colors and what fails.
(() => {
  const nd = window.netdissect;

  // make("a.card", { href }, child, "text") returns an element: a tag and its classes, properties or attributes, children.
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

  // Returns a layer's name as nodes that allow a line break after each dot and slash.
  nd.breakName = (name) => name.split(/(?<=[./_-])/).flatMap((part) => [part, document.createElement("wbr")]);

  // Sets the text of an element if it has changed, which saves layout.
  nd.setText = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };

  // Sizes and clears a canvas with the screen's pixel ratio; returns its context, scaled to CSS pixels.
  nd.prepareCanvas = (canvas, width, height) => {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const [across, down] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
    const fresh = canvas.width !== across || canvas.height !== down || nd.printing;
    if (fresh) {
      canvas.width = across; // also clears it: a canvas cleared with clearRect prints white
      canvas.height = down;
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    const context = canvas.getContext("2d");
    context.setTransform(across / width, 0, 0, down / height, 0, 0);
    if (!fresh) context.clearRect(0, 0, width, height);
    return context;
  };

  // Returns a color of the page's style sheet. Colors are cached until the theme changes: reading one recomputes all styles.
  const colors = new Map();
  nd.getColor = (name) => {
    if (!colors.has(name)) colors.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
    return colors.get(name);
  };
  nd.forgetColors = () => colors.clear();

  // Says at the top of the page what failed.
  nd.sayFailure = (error) => {
    const home = document.getElementById("missing");
    home.hidden = false;
    nd.setText(home, String((error && error.message) || error));
  };
})();
