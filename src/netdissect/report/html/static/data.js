"use strict";
// Loads data files. A page opened from disk can load only scripts, images and fonts, so the data files are scripts that
// call netdissect.put(key, facts, layout, base64): arrays with bytes of equal significance side by side, compressed by
// zlib. In a single file the same arguments are in <script type="application/json"> blocks, which are never executed.
(() => {
  const TYPES = {
    u1: Uint8Array, i1: Int8Array, u2: Uint16Array, i2: Int16Array, u4: Uint32Array, i4: Int32Array,
    f4: Float32Array, f8: Float64Array,
  };
  const loaded = new Map();
  const waiting = new Map();
  const urls = new Map();
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

  function put(key, facts, layout, base64) {
    const entry = waiting.get(key);
    waiting.delete(key);
    if (entry) unpack(facts, layout, base64).then(entry.resolve, entry.reject);
    else loaded.set(key, unpack(facts, layout, base64));
  }

  function load(key) {
    const block = document.getElementById(`data/${key}`);
    if (block) {
      const [, facts, layout, base64] = JSON.parse(`[${block.textContent}]`);
      block.remove();
      return unpack(facts, layout, base64);
    }
    return new Promise((resolve, reject) => {
      waiting.set(key, { resolve, reject });
      const script = document.createElement("script");
      script.src = `data/${key}.js`;
      script.onload = () => script.remove();
      script.onerror = () => reject(new Error(`data/${key}.js is missing: keep all files of the folder html/`));
      document.head.append(script);
    });
  }

  // Resolves to the facts and arrays of a file, which is loaded once.
  function get(key) {
    if (!loaded.has(key)) loaded.set(key, load(key));
    return loaded.get(key);
  }

  // Returns the URL of an image file: a path of the report's folder, or a blob in a single file.
  function imageURL(path) {
    if (!urls.has(path)) {
      const block = document.getElementById(path);
      const type = IMAGE_TYPES[path.split(".").pop()];
      urls.set(path, block ? URL.createObjectURL(new Blob([decodeBase64(block.textContent)], { type }))
        : path.split("/").map(encodeURIComponent).join("/"));
    }
    return urls.get(path);
  }

  window.netdissect = { put, get, imageURL };
})();
