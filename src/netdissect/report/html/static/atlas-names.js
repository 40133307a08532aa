"use strict";
// Names on the atlas: units with one label that lie together share a name at their middle; names do not overlap.
(() => {
  const nd = window.netdissect;
  const REACH = 56; // pixels between units of one group
  const HEIGHT = 18; // of a name
  const MOST = 90;
  const widths = new Map();
  const FEW = 4; // units whose name stands below them
  const SIZES = [13, 17]; // pixels of a name, larger for more units

  // Returns groups of units with the same label near each other on the screen, largest first: { concept, count, x, y }.
  nd.groupNames = (dots) => {
    const byConcept = new Map();
    for (const dot of dots) {
      if (!dot.detector) continue;
      if (!byConcept.has(dot.concept)) byConcept.set(dot.concept, []);
      byConcept.get(dot.concept).push(dot);
    }
    const groups = [];
    for (const [concept, members] of byConcept) {
      const rest = new Set(members);
      for (const first of members) {
        if (!rest.delete(first)) continue;
        const group = [first];
        for (const dot of group) {
          for (const other of rest) {
            if ((dot.x - other.x) ** 2 + (dot.y - other.y) ** 2 > REACH * REACH) continue;
            rest.delete(other);
            group.push(other);
          }
        }
        const mean = (side) => group.reduce((sum, dot) => sum + dot[side], 0) / group.length;
        const below = group.length < FEW ? Math.max(...group.map((dot) => dot.y + (dot.below || dot.radius))) + HEIGHT / 2 : mean("y"); // beside few dots, over many
        groups.push({ concept, count: group.length, best: Math.max(...group.map((dot) => dot.score)), x: mean("x"), y: below });
      }
    }
    return groups.sort((a, b) => b.count - a.count || b.best - a.best);
  };

  // Returns the width of a name in a font of one pixel.
  function measureName(context, text) {
    if (!widths.has(text)) {
      context.font = `600 100px ${nd.getColor("sans")}`;
      widths.set(text, context.measureText(text).width / 100);
    }
    return widths.get(text);
  }

  // Draws as many names as fit, largest groups first; `taken` are boxes that names keep away from. Returns what was drawn.
  nd.drawNames = (context, groups, width, height, taken = []) => {
    const drawn = [];
    Object.assign(context, { textAlign: "center", textBaseline: "middle", lineJoin: "round", lineWidth: 4, strokeStyle: nd.getColor("paper") });
    for (const group of groups) {
      if (drawn.length >= MOST) break;
      if (group.y < HEIGHT / 2 || group.y > height - HEIGHT / 2 || group.x < 0 || group.x > width) continue;
      const text = nd.run.concepts[group.concept];
      const size = Math.min(SIZES[1], SIZES[0] + Math.log2(group.count) / 1.4);
      const half = (measureName(context, text) * size) / 2 + 3;
      const x = Math.min(width - half, Math.max(half, group.x));
      const box = { left: x - half, right: x + half, top: group.y - HEIGHT / 2, bottom: group.y + HEIGHT / 2 };
      if ([...drawn, ...taken].some((other) => other.left < box.right && other.right > box.left && other.top < box.bottom && other.bottom > box.top)) continue;
      drawn.push({ ...box, text });
      context.font = `600 ${size.toFixed(1)}px ${nd.getColor("sans")}`;
      context.strokeText(text, x, group.y);
      context.fillStyle = nd.getColor("ink");
      context.fillText(text, x, group.y);
    }
    return drawn;
  };
})();
