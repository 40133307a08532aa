"use strict";
// Numbers as text.
(() => {
  const nd = window.netdissect;

  nd.formatCount = (number) => number.toLocaleString("en-US");
  nd.formatUnits = (number, noun = "unit") => `${nd.formatCount(number)} ${noun}${number === 1 ? "" : "s"}`;
  nd.formatPercent = (share) => `${share >= 0.0095 || share === 0 ? Math.round(share * 100) : (share * 100).toFixed(share >= 0.0005 ? 1 : 2)} %`;

  // A score with three digits, or with four if three would put it on the wrong side of the detection threshold.
  nd.formatScore = (value, cut) => {
    const short = value.toFixed(3);
    return cut !== undefined && (Number(short) >= cut) !== (value >= cut) ? value.toFixed(4) : short;
  };
  nd.formatThreshold = (cut) => (Math.abs(cut * 1000 - Math.round(cut * 1000)) < 1e-6 ? cut.toFixed(3) : String(Number(cut.toFixed(5))));

  // A number of any magnitude with about four digits.
  nd.formatNumber = (value) => {
    if (!Number.isFinite(value)) return "–";
    const size = Math.abs(value);
    if (size === 0) return "0";
    const text = size >= 1e6 || size < 1e-4 ? value.toExponential(2).replace("e+", "e")
      : size < 1 ? String(Number(value.toPrecision(3))) : value.toFixed(size >= 100 ? 1 : 2);
    return text.replaceAll("-", "−");
  };
})();
