// Marks in a clip: the object to follow, shown in one of its frames; lines to cross and zones to be in.

const NEAR_CORNER = 0.03; // a click so near to a zone's first corner closes it, of the picture's side
const SETTLED = 120; // milliseconds that the moment must stand still before its frame is fetched

function clipping(shown) {
  const [width, height] = shown.size;
  const pixels = ([x, y]) => [Math.round(x * width * 10) / 10, Math.round(y * height * 10) / 10];
  let lines = [], zones = [], open = [], points = [], boxes = [], corner = null, marked = 0;
  let now = shown.at_s || 0;
  const tools = choices("What a click means", shown.shows ? { on: "Follow this", off: "Not this", box: "Box around it", line: "Line", zone: "Zone" } : { line: "Line", zone: "Zone" });
  const canvas = surface(shown, "Mark in the clip: move with the arrow keys, mark with Enter", {
    down: (place) => { corner = place; },
    move: (place) => { if (["box", "line"].includes(tools.value())) redraw([corner, place]); },
    up: (place) => {
      const tool = tools.value();
      if (tool === "line") {
        if (Math.hypot(place[0] - corner[0], place[1] - corner[1]) > 0.02) lines = [...lines, [pixels(corner), pixels(place)]];
      } else if (tool === "zone") {
        const [first] = open;
        if (open.length > 2 && Math.hypot(place[0] - first[0], place[1] - first[1]) < NEAR_CORNER) closeZone();
        else open = [...open, place];
      } else shows(tool, place);
      changed();
    },
  });
  const picture = $("img", canvas);
  const clock = el("output", { class: "ic-none" });
  const moment = el("input", { type: "range", min: "0", max: String(Math.max(0, shown.seconds - 1 / shown.fps)), step: String(Math.max(0.001, 1 / shown.fps)), value: String(now), "aria-label": "Moment of the clip that is shown", on: { input: () => later() } });
  let waiting = null;

  // What is meant is shown at one moment: marking at another one begins anew.
  function shows(tool, place) {
    if (now !== marked) { points = []; boxes = []; marked = now; }
    if (tool === "box") {
      const [[a, b], [c, d]] = [corner, place];
      const box = [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];
      if (box[2] - box[0] > 0.01 && box[3] - box[1] > 0.01) boxes = points.length ? [box] : [...boxes, box];
    } else {
      points = [...points, { place, on: tool === "on" }];
      boxes = boxes.slice(-1);
    }
  }
  function later() {
    clock.textContent = `${Number(moment.value).toFixed(2)} s`;
    clearTimeout(waiting);
    const mine = (waiting = setTimeout(async () => {
      try {
        const still = await ask("still", { clip: shown.clip, at_s: Number(moment.value) });
        if (mine !== waiting) return;
        picture.src = still.source;
        now = still.at_s;
        redraw();
      } catch (error) { if (mine === waiting) clock.textContent = error.message; }
    }, SETTLED));
  }
  function closeZone() {
    zones = [...zones, open.map(pixels)];
    open = [];
  }
  function changed() {
    redraw();
    const value = {};
    if (lines.length) value.lines = lines;
    if (zones.length) value.zones = zones;
    if (points.length) Object.assign(value, { points: points.map((one) => pixels(one.place)), point_labels: points.map((one) => Number(one.on)) });
    if (boxes.length) value.boxes = boxes.map(([a, b, c, d]) => [...pixels([a, b]), ...pixels([c, d])]);
    if (points.length || boxes.length) value.at_s = marked;
    props.value = value;
  }
  function redraw(draft = null) {
    for (const node of $$(".ic-point, .ic-box, .ic-places", canvas)) node.remove();
    const drawn = tools.value() === "line" && draft ? [...lines, draft.map(pixels)] : lines;
    canvas.append(places(shown.size, drawn, zones));
    if (now === marked) canvas.append(...pointed(points, boxes, tools.value() === "box" ? draft : null));
    canvas.append(...open.map((place) => dot(place, "corner")));
    finish.hidden = open.length < 3;
    told.textContent = said();
  }
  function said() {
    const object = points.length || boxes.length ? `what to follow is shown at ${marked.toFixed(2)} s` : "";
    const several = (list, noun) => (list.length ? `${list.length} ${noun}${list.length > 1 ? "s" : ""}` : "");
    return [object, several(lines, "line"), several(zones, "zone")].filter(Boolean).join(" · ");
  }
  const finish = small("Close the zone", () => { closeZone(); changed(); });
  const clear = small("Clear", () => { lines = []; zones = []; open = []; points = []; boxes = []; changed(); });
  const told = el("span", { class: "ic-none" });
  clock.textContent = `${now.toFixed(2)} s`;
  redraw();
  const what = shown.shows ? "Show what to follow: click on it or draw a box around it, in any frame. " : "";
  const title = shown.shows ? "Show what to follow, and mark lines and zones" : "Mark lines and zones to count at";
  return [el("details", { class: "ic-clip-marks", open: shown.shows }, el("summary", {}, title, " ", told),
    note(`${what}Drag a line to count who crosses it, the dot is the way in; click the corners of a zone to count who is in it.`),
    el("div", { class: "ic-tools" }, tools, finish, clear), canvas, el("label", { class: "ic-threshold" }, "Moment", moment, clock))];
}
