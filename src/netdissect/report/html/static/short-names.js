"use strict";
// Names of layers without what all of them have in common.
(() => {
  const nd = window.netdissect;

  // Returns every layer's name without the prefix that all share, which ends at a dot, slash, dash or underscore, and that prefix.
  nd.shortenNames = (names) => {
    if (names.length < 2) return { short: names, prefix: "" };
    let length = 0;
    while (names.every((name) => length < name.length && name[length] === names[0][length])) length++;
    const prefix = names[0].slice(0, length).replace(/[^./_-]*$/, "");
    return { short: names.map((name) => name.slice(prefix.length) || name), prefix };
  };

  nd.listShortNames = () => {
    nd.run.shortNames = nd.run.shortNames || nd.shortenNames(nd.run.layers.map((layer) => layer.name));
    return nd.run.shortNames;
  };
})();
