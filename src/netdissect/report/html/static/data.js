"use strict";
// Loads data files. A page opened from disk can load only scripts, images and fonts, so the data files are scripts that
// call netdissect.put(key, facts, layout, base64): arrays with bytes of equal significance side by side, compressed by
// zlib. In a single file the same arguments are in <script type="application/json"> blocks, which are never executed.
// A comparison has the files of several runs below runs/1/, runs/2/, …, and those of their probe sets below probe-sets/1/, ….
(() => {
  const TYPES = {
    u1: Uint8Array, i1: Int8Array, u2: Uint16Array, i2: Int16Array, u4: Uint32Array, i4: Int32Array,
    f4: Float32Array, f8: Float64Array,
  };
  const loaded = new Map();
  const waiting = new Map();
  const urls = new Map();
  // The number of the run of a comparison that the page shows; 0 in the report of one run.
  const current = Number(document.documentElement.dataset.run) || 0;
  let comparison = { runs: [], tracks: [] }; // of every run its name, page and probe set; names of the layers that are compared
  const IMAGE_TYPES = { png: "image/png", jpg: "image/jpeg", svg: "image/svg+xml" };

  function decodeBase64(base64) {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
    const text = atob(base64);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return bytes;
  }

  async function inflate(bytes) {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  // Returns the array that starts at byte `at`, with its bytes back in order.
  function gather(flat, at, kind, size) {
    const Type = TYPES[kind];
    const width = Type.BYTES_PER_ELEMENT;
    if (width === 1) return new Type(flat.buffer, flat.byteOffset + at, size);
    const bytes = new Uint8Array(size * width);
    for (let plane = 0; plane < width; plane++) {
      const from = at + plane * size;
      for (let i = 0, to = plane; i < size; i++, to += width) bytes[to] = flat[from + i];
    }
    return new Type(bytes.buffer);
  }

  async function unpack(facts, layout, base64) {
    const flat = base64 ? await inflate(decodeBase64(base64)) : new Uint8Array(0);
    const arrays = {};
    let at = 0;
    for (const [name, kind, shape] of layout) {
      const size = shape.reduce((product, side) => product * side, 1);
      arrays[name] = gather(flat, at, kind, size);
      at += size * TYPES[kind].BYTES_PER_ELEMENT;
    }
    return { facts, arrays };
  }

  // Returns the folder of a file of a run: "" in the report of one run, and for files of the whole comparison, whose run is 0.
  function findFolder(file, run) {
    if (!run) return "";
    return /^(labels|image\/probe)\//.test(file) ? `probe-sets/${comparison.runs[run - 1].probeSet}/` : `runs/${run}/`;
  }

  // Files of several runs have the same keys, so the element that loads a file says which it is.
  function put(name, facts, layout, base64) {
    const script = document.currentScript;
    const key = (script && script.dataset.key) || name;
    const entry = waiting.get(key);
    waiting.delete(key);
    if (entry) unpack(facts, layout, base64).then(entry.resolve, entry.reject);
    else loaded.set(key, unpack(facts, layout, base64));
  }

  function load(key, path) {
    const block = document.getElementById(path);
    if (block) {
      const [, facts, layout, base64] = JSON.parse(`[${block.textContent}]`);
      block.remove();
      return unpack(facts, layout, base64);
    }
    return new Promise((resolve, reject) => {
      waiting.set(key, { resolve, reject });
      const script = document.createElement("script");
      script.dataset.key = key;
      script.src = `${path}.js`;
      script.onload = () => script.remove();
      script.onerror = () => reject(new Error(`${path}.js is missing: keep all files of this folder`));
      document.head.append(script);
    });
  }

  // Resolves to the facts and arrays of a file of a run, which is loaded once; the run is the one that the page shows by default.
  // Every page that needs a file says if it is missing. (Browsers tell pages opened from disk of no promise that is rejected.)
  function get(name, run = current) {
    const path = `${findFolder(name, run)}data/${name}`;
    const key = run ? path : name;
    if (!loaded.has(key)) loaded.set(key, load(key, path));
    const found = loaded.get(key);
    found.catch((error) => window.netdissect.sayFailure(error));
    return found;
  }

  // Returns the URL of an image file of a run: a path of the report's folder, or a blob in a single file.
  function imageURL(file, run = current) {
    const path = findFolder(file, run) + file;
    if (!urls.has(path)) {
      const block = document.getElementById(path);
      const type = IMAGE_TYPES[path.split(".").pop()];
      urls.set(path, block ? URL.createObjectURL(new Blob([decodeBase64(block.textContent)], { type }))
        : path.split("/").map(encodeURIComponent).join("/"));
    }
    return urls.get(path);
  }

  // Resolves to the runs of a comparison and its layers; to none in the report of one run.
  async function loadComparison() {
    if (current) comparison = (await get("runs", 0)).facts;
    return comparison;
  }

  window.netdissect = { put, get, imageURL, loadComparison, currentRun: current };
})();
