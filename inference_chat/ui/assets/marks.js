// Marks on a picture: points on or beside an object, boxes around some, or paint over what shall be drawn anew.

const SIDE = 1024; // longest side of the mask that is sent, in pixels
const STEP = 0.02; // how far an arrow key moves the cross, of the picture's side

const MODES = { paint: (shown) => painting(shown), point: (shown) => pointing(shown), clip: (shown) => clipping(shown) };

function drawMarks() {
  props.value = {};
  const shown = props.picture;
  $(".ic-marks").replaceChildren(...(shown?.source ? MODES[shown.mode](shown) : []));
}

// A picture that takes a pointer or the arrow keys; places are fractions of its width and height.
function surface(shown, label, { down, move = () => {}, up = () => {} }) {
  const cross = el("div", { class: "ic-cross", hidden: true });
  const [width, height] = shown.size;
  const wide = `min(100%, ${(62 * width) / height}vh, max(320px, ${width}px))`;
  const canvas = el("div", { class: "ic-canvas ic-markable", tabindex: "0", role: "application", "aria-label": label, style: `width:${wide}` }, el("img", { src: shown.source, alt: "", draggable: "false" }), cross);
  const at = [0.5, 0.5];
  let held = false;
  const clip = (value) => Math.min(1, Math.max(0, value));
  const place = (event) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return [clip((event.clientX - left) / width), clip((event.clientY - top) / height)];
  };
  canvas.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    held = true;
    cross.hidden = true;
    down(place(event));
  });
  canvas.addEventListener("pointermove", (event) => held && move(place(event)));
  canvas.addEventListener("pointerup", (event) => { if (held) up(place(event)); held = false; });
  canvas.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!way && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    if (way) way.forEach((step, axis) => { at[axis] = clip(at[axis] + step * STEP * (event.shiftKey ? 5 : 1)); });
    cross.hidden = false;
    Object.assign(cross.style, { left: `${at[0] * 100}%`, top: `${at[1] * 100}%` });
    if (way) { if (held) move([...at]); return; }
    if (held) up([...at]); else down([...at]);
    held = !held;
  });
  return canvas;
}

function pointing(shown) {
  const [width, height] = shown.size;
  const pixels = ([x, y]) => [Math.round(x * width * 10) / 10, Math.round(y * height * 10) / 10];
  let points = [], boxes = [], corner = null;
  const tools = choices("What a click means", { on: "On it", off: "Not this", box: "Box" });
  const canvas = surface(shown, "Show what to cut out: move with the arrow keys, mark with Enter", {
    down: (place) => { corner = place; },
    move: (place) => { if (tools.value() === "box") redraw([corner, place]); },
    up: (place) => {
      if (tools.value() === "box") {
        const [[a, b], [c, d]] = [corner, place];
        const box = [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];
        if (box[2] - box[0] > 0.01 && box[3] - box[1] > 0.01) boxes = points.length ? [box] : [...boxes, box];
      } else {
        points = [...points, { place, on: tools.value() === "on" }];
        boxes = boxes.slice(-1);
      }
      redraw();
      keep();
    },
  });
  function keep() {
    const value = {};
    if (points.length) Object.assign(value, { points: points.map((one) => pixels(one.place)), point_labels: points.map((one) => Number(one.on)) });
    if (boxes.length) value.boxes = boxes.map(([a, b, c, d]) => [...pixels([a, b]), ...pixels([c, d])]);
    props.value = value;
  }
  function redraw(draft = null) {
    for (const node of $$(".ic-point, .ic-box", canvas)) node.remove();
    canvas.append(...pointed(points, boxes, draft));
  }
  const clear = small("Clear", () => { points = []; boxes = []; redraw(); keep(); });
  return [note("Click on what to cut out, or draw a box around it. Without marks everything is cut out."), canvas, el("div", { class: "ic-tools" }, tools, clear)];
}

// Points and boxes as they stand over the picture; `draft` are two corners of a box that is being drawn.
function pointed(points, boxes, draft = null) {
  const drawn = draft ? [...boxes, [Math.min(draft[0][0], draft[1][0]), Math.min(draft[0][1], draft[1][1]), Math.max(draft[0][0], draft[1][0]), Math.max(draft[0][1], draft[1][1])]] : boxes;
  return [...points.map(({ place, on }) => dot(place, on ? "on" : "off")),
    ...drawn.map(([a, b, c, d]) => el("div", { class: "ic-box", style: `--tone:var(--ic-accent);left:${a * 100}%;top:${b * 100}%;width:${(c - a) * 100}%;height:${(d - b) * 100}%` }))];
}

function dot([x, y], kind) {
  return el("i", { class: `ic-point ${kind}`, style: `left:${x * 100}%;top:${y * 100}%` });
}

function painting(shown) {
  const [width, height] = shown.size;
  const scale = Math.min(1, SIDE / Math.max(width, height));
  const sheet = el("canvas", { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)), class: "ic-paint" });
  const strokes = [];
  const brush = el("input", { type: "range", min: "1", max: "30", value: "8", "aria-label": "Size of the brush, in percent of the picture" });
  const tools = choices("What the brush does", { paint: "Paint", erase: "Erase" });
  const canvas = surface(shown, "Paint over what shall be drawn anew: move with the arrow keys, Enter puts the brush down and lifts it", {
    down: (place) => { strokes.push({ erase: tools.value() === "erase", size: Number(brush.value) / 100, path: [place] }); redraw(); },
    move: (place) => { strokes.at(-1).path.push(place); redraw(); },
    up: () => keep(),
  });
  canvas.append(sheet);
  function redraw() {
    const pen = sheet.getContext("2d");
    pen.clearRect(0, 0, sheet.width, sheet.height);
    pen.lineCap = pen.lineJoin = "round";
    for (const { erase, size, path } of strokes) {
      pen.globalCompositeOperation = erase ? "destination-out" : "source-over";
      pen.strokeStyle = "#f0187c"; // seen on light and on dark pictures
      pen.lineWidth = size * Math.max(sheet.width, sheet.height);
      pen.beginPath();
      for (const [x, y] of [path[0], ...path]) pen.lineTo(x * sheet.width, y * sheet.height);
      pen.stroke();
    }
  }
  // White is drawn anew, black is kept.
  function keep() {
    if (!strokes.some((stroke) => !stroke.erase)) { props.value = {}; return; }
    const mask = el("canvas", { width: sheet.width, height: sheet.height });
    const pen = mask.getContext("2d");
    pen.drawImage(sheet, 0, 0);
    for (const [how, colour] of [["source-in", "#fff"], ["destination-over", "#000"]]) {
      pen.globalCompositeOperation = how;
      pen.fillStyle = colour;
      pen.fillRect(0, 0, mask.width, mask.height);
    }
    props.value = { mask: mask.toDataURL("image/png") };
  }
  const clear = small("Clear", () => { strokes.length = 0; redraw(); keep(); });
  return [note("Paint over what shall be drawn anew; the rest stays as it is. Unpainted, all of it changes."), canvas, el("div", { class: "ic-tools" }, tools, el("label", { class: "ic-brush" }, "Brush", brush), clear)];
}

function choices(label, names) {
  const group = el("div", { class: "ic-choices", role: "radiogroup", "aria-label": label });
  let chosen = Object.keys(names)[0];
  const mark = () => { for (const node of group.children) node.setAttribute("aria-checked", String(node.dataset.name === chosen)); };
  group.append(...Object.entries(names).map(([name, text]) => el("button", { type: "button", class: "ic-small", role: "radio", "data-name": name, on: { click: () => { chosen = name; mark(); } } }, text)));
  mark();
  return Object.assign(group, { value: () => chosen });
}

function small(text, act) {
  return el("button", { type: "button", class: "ic-small", on: { click: act } }, text);
}

function note(text) {
  return el("p", { class: "ic-none" }, text);
}
