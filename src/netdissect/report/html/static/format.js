"use strict";
// Numbers as text.
(() => {
  const nd = window.netdissect;

  nd.formatCount = (number) => number.toLocaleString("en-US");
  nd.formatUnits = (number, noun = "unit") => `${nd.formatCount(number)} ${noun}${number === 1 ? "" : noun.endsWith("s") ? "es" : "s"}`;
  nd.formatPercent = (share) => `${share >= 0.0095 || share === 0 ? Math.round(share * 100) : (share * 100).toFixed(share >= 0.0005 ? 1 : 2)} %`;

  // A score with three digits, or with four if three would put it on the wrong side of the detection threshold.
  nd.formatScore = (value, cut) => {
    const short = value.toFixed(3);
    return cut !== undefined && (Number(short) >= cut) !== (value >= cut) ? value.toFixed(4) : short;
  };
  nd.formatThreshold = (cut) => (Math.abs(cut * 1000 - Math.round(cut * 1000)) < 1e-6 ? cut.toFixed(3) : String(Number(cut.toFixed(5))));

  // A standard deviation of a count: whole, or with one digit below 1.
  nd.formatDeviation = (sd) => (sd >= 0.05 && sd < 0.95 ? sd.toFixed(1) : nd.formatCount(Math.round(sd)));

  // How many times chance, with two digits.
  nd.formatTimes = (times) => times.toFixed(times < 0.995 ? 2 : times < 9.95 ? 1 : 0);

  // A probability as ".003"; with more digits if three would put it on the wrong side of a level.
  nd.formatProbability = (value, level) => {
    if (value < 0.0005) return "< .001";
    const digits = value >= 0.095 ? 2 : 3;
    const right = [digits, 3, 4, 6].find((number) => (Number(value.toFixed(number)) >= level) === (value >= level)) || 8;
    return value.toFixed(right).replace(/^0/, "");
  };

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
