"use strict";
// Which part of a map is shown: from places on the map, 0 to 1, to pixels and back. At zoom 1 the whole map is shown.
(() => {
  const nd = window.netdissect;
  const MOST = 60; // times the whole map
  const MARGIN = 26; // pixels around the whole map

  nd.makeMapView = (x, y) => {
    const range = (values) => values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
    const [[left, right], [top, bottom]] = [range(x), range(y)];
    const [wide, tall] = [Math.max(right - left, 1e-3), Math.max(bottom - top, 1e-3)];
    const view = { zoom: 1, width: 1, height: 1, middle: [(left + right) / 2, (top + bottom) / 2] };
    let stretch = [1, 1];

    // Fits the map to the field; its two axes may be stretched a little differently, since no direction of the map means anything.
    view.resize = (width, height) => {
      Object.assign(view, { width, height });
      const [across, down] = [(width - 2 * MARGIN) / wide, (height - 2 * MARGIN) / tall];
      stretch = [Math.min(across, 1.7 * down), Math.min(down, 1.7 * across)];
    };
    view.toX = (place) => view.width / 2 + (place - view.middle[0]) * stretch[0] * view.zoom;
    view.toY = (place) => view.height / 2 + (place - view.middle[1]) * stretch[1] * view.zoom;
    view.panBy = (across, down) => {
      view.middle[0] = Math.min(right, Math.max(left, view.middle[0] - across / (stretch[0] * view.zoom)));
      view.middle[1] = Math.min(bottom, Math.max(top, view.middle[1] - down / (stretch[1] * view.zoom)));
    };
    // Zooms so that what lies at a point of the field stays there.
    view.zoomAt = (factor, at = view.width / 2, below = view.height / 2) => {
      const zoom = Math.min(MOST, Math.max(1, view.zoom * factor));
      const change = zoom / view.zoom - 1;
      view.zoom = zoom;
      if (zoom === 1) return view.fit();
      view.panBy(-change * (at - view.width / 2), -change * (below - view.height / 2));
    };
    view.fit = () => Object.assign(view, { zoom: 1, middle: [(left + right) / 2, (top + bottom) / 2] });
    return view;
  };
})();
