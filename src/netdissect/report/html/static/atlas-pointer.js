"use strict";
// Moving the atlas: drag, wheel, two fingers and keys; and choosing units by drawing a line around them (lasso).
(() => {
  const nd = window.netdissect;
  const CLICK = 5; // pixels that a click may move
  const PAN = 60; // pixels of an arrow key
  const ZOOM = 1.5;

  // Makes a map answer to pointers and keys.
  //   moved()             the view has changed
  //   pointed(dot, at)    a dot, or null, is under the pointer at [x, y]; on touch, it was tapped
  //   opened(dot)         a dot was clicked
  //   lassoing()          whether a drag draws a line; so does a drag with Shift
  //   chose(numbers)      the units inside the line
  //   refused()           the wheel was turned without Ctrl over a map that has not the focus
  nd.moveMap = (map, { moved, pointed, opened, lassoing, chose, refused }) => {
    const { field, view } = map;
    const fingers = new Map();
    let [start, line, far] = [null, null, false];
    const where = (event) => {
      const box = field.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const setTouch = () => { field.style.touchAction = view.zoom > 1 || lassoing() ? "none" : "pan-y"; };
    const move = () => { setTouch(); moved(); };
    setTouch();
    map.setTouch = setTouch;

    field.addEventListener("pointerdown", (event) => {
      if (event.button || event.target.closest("a, button")) return;
      fingers.set(event.pointerId, where(event));
      if (fingers.size === 1) [start, far, line] = [where(event), false, lassoing() || event.shiftKey ? [where(event)] : null];
      else line = null;
      if (event.pointerType !== "touch" || line) field.setPointerCapture(event.pointerId);
    });

    field.addEventListener("pointermove", (event) => {
      const at = where(event);
      const last = fingers.get(event.pointerId);
      if (!last) {
        if (event.pointerType !== "touch") pointed(event.target.closest("a, button") ? null : map.find(...at), at);
        return;
      }
      if (fingers.size === 2) pinch(event.pointerId, last, at);
      else if (line) extend(at);
      else if (far || Math.hypot(at[0] - start[0], at[1] - start[1]) > CLICK) {
        far = true;
        pointed(null);
        view.panBy(at[0] - last[0], at[1] - last[1]);
        move();
      }
      fingers.set(event.pointerId, at);
    });

    function pinch(id, last, at) {
      const [other] = [...fingers].filter(([each]) => each !== id).map(([, place]) => place);
      const spread = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]);
      far = true;
      view.zoomAt(spread(at) / Math.max(20, spread(last)), (at[0] + other[0]) / 2, (at[1] + other[1]) / 2);
      view.panBy((at[0] - last[0]) / 2, (at[1] - last[1]) / 2);
      move();
    }

    function extend(at) {
      far = true;
      line.push(at);
      map.draw();
      drawLasso(map, line);
    }

    const end = (event) => {
      const known = fingers.delete(event.pointerId);
      if (!known || fingers.size) return;
      if (line && line.length > 2) chose(findInside(map.dots, line));
      else if (!far && event.type === "pointerup") {
        const dot = map.find(...where(event), event.pointerType === "touch" ? 24 : 14);
        if (event.pointerType === "touch") pointed(dot, where(event), true);
        else if (dot) opened(dot);
      }
      line = null;
    };
    field.addEventListener("pointerup", end);
    field.addEventListener("pointercancel", end);
    field.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch" && !fingers.size) pointed(null); });

    field.addEventListener("wheel", (event) => {
      if (!(event.ctrlKey || event.metaKey || field.contains(document.activeElement))) return refused();
      event.preventDefault();
      view.zoomAt(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), ...where(event));
      move();
    }, { passive: false });

    const keys = {
      ArrowLeft: () => view.panBy(PAN, 0), ArrowRight: () => view.panBy(-PAN, 0), ArrowUp: () => view.panBy(0, PAN), ArrowDown: () => view.panBy(0, -PAN),
      "+": () => view.zoomAt(ZOOM), "=": () => view.zoomAt(ZOOM), "-": () => view.zoomAt(1 / ZOOM), 0: () => view.fit(),
    };
    field.addEventListener("keydown", (event) => {
      if (event.target !== field || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
      event.preventDefault();
      event.stopPropagation();
      keys[event.key]();
      move();
    });
  };

  function drawLasso({ canvas }, line) {
    const context = canvas.getContext("2d");
    context.beginPath();
    line.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.closePath();
    Object.assign(context, { fillStyle: nd.getColor("labeled"), strokeStyle: nd.getColor("labeled"), lineWidth: 2, globalAlpha: 0.12 });
    context.fill();
    context.globalAlpha = 1;
    context.stroke();
  }

  // Returns the numbers of the dots inside a closed line.
  function findInside(dots, line) {
    const inside = ({ x, y }) => {
      let odd = false;
      for (let i = 0, j = line.length - 1; i < line.length; j = i++) {
        const [[ax, ay], [bx, by]] = [line[i], line[j]];
        if ((ay > y) !== (by > y) && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
      }
      return odd;
    };
    return dots.filter(inside).map((dot) => dot.number);
  }
})();
