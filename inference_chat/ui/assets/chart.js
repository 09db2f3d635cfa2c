// Small charts as inline SVG: steps of time as bars or lines, and points of two measures. Each has its axes
// with units, and tells its values under the pointer, or by the arrow keys.

const SVG = "http://www.w3.org/2000/svg";
const TALL = 170, LEFT = 52, RIGHT = 10, TOP = 10, BELOW = 22;

function draw(tag, props = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// A number as people read it, with its unit.
function amount(value, unit = "") {
  if (value === null || value === undefined) return "–";
  if (unit === "ms") return value >= 1000 ? `${(value / 1000).toPrecision(3)} s` : `${value >= 10 ? Math.round(value) : +value.toFixed(1)} ms`;
  if (unit === "B") return value >= 2 ** 30 ? `${(value / 2 ** 30).toFixed(1)} GiB` : `${Math.round(value / 2 ** 20)} MiB`;
  if (unit === "%") return `${+(value * 100).toFixed(value > 0.995 && value < 1 ? 2 : 1)} %`;
  const short = value >= 1e6 ? `${+(value / 1e6).toFixed(1)} M` : value >= 1e4 ? `${+(value / 1e3).toFixed(1)} k` : +value.toFixed(value < 10 ? 1 : 0);
  return unit ? `${short} ${unit}` : String(short);
}

// At most `count` round steps from 0 to at least `most`.
function ticks(most, count = 4) {
  if (!(most > 0)) return [0, 1];
  const rough = most / count, size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((one) => one * size >= rough - 1e-12) * size;
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, at) => at * step);
}

function frameOf(title, note, label) {
  const tip = el("div", { class: "ic-tip", hidden: true, role: "status" });
  const figure = el("figure", { class: "ic-chart", tabIndex: 0, "aria-label": label },
    el("figcaption", {}, el("b", {}, title), el("span", {}, note)), el("div", { class: "ic-plot" }, tip));
  return { figure, tip, plot: tip.parentNode };
}

function place(tip, plot, x, ...lines) {
  tip.replaceChildren(...lines);
  tip.hidden = false;
  tip.style.left = `${Math.min(Math.max(4, x + 12), plot.clientWidth - tip.offsetWidth - 4)}px`;
  if (x + 12 + tip.offsetWidth > plot.clientWidth) tip.style.left = `${Math.max(4, x - tip.offsetWidth - 12)}px`;
}

function grid(svg, wide, tall, most, unit) {
  const y = (value) => TOP + (TALL - TOP - BELOW) * (1 - value / (most || 1));
  for (const value of ticks(most)) {
    if (value > most * 1.0001) continue;
    svg.append(draw("line", { x1: LEFT, x2: wide - RIGHT, y1: y(value), y2: y(value), class: "rule" }));
    const text = draw("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" });
    text.append(amount(value, unit));
    svg.append(text);
  }
  return y;
}

// Series over time: `lines` are {name, values, tone, bar}; null is a gap. `at` are the beginnings of steps.
function timeChart({ title, note, unit = "", at, step, lines }) {
  const { figure, tip, plot } = frameOf(title, note, `${title}, ${note}. Arrow keys tell the values.`);
  const most = ticks(Math.max(...lines.flatMap((line) => line.values.map((value) => value ?? 0)), 0)).at(-1);
  const clock = (date) => date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const day = (date) => date.toLocaleDateString([], { weekday: "short", day: "numeric" });
  const long = step * at.length > 86400 * 2;
  let shown = -1, x = () => 0, wide = 0;

  function render() {
    wide = plot.clientWidth;
    if (!wide) return;
    const svg = draw("svg", { width: wide, height: TALL, "aria-hidden": "true" });
    const each = (wide - LEFT - RIGHT) / at.length;
    const y = grid(svg, wide, TALL, most, unit);
    x = (index) => LEFT + each * (index + 0.5);
    svg.append(draw("line", { x1: 0, x2: 0, y1: TOP, y2: TALL - BELOW, class: "cursor" }));
    for (const line of lines) {
      if (line.bar) {
        line.values.forEach((value, index) => value && svg.append(draw("rect", {
          x: x(index) - each * 0.36, width: Math.max(1, each * 0.72), y: y(value), height: Math.max(1.5, y(0) - y(value)), rx: 2, fill: line.tone })));
        continue;
      }
      let path = "", before = false;
      line.values.forEach((value, index) => {
        const here = value !== null && value !== undefined;
        if (here) path += `${before ? "L" : "M"}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
        before = here;
        if (here) svg.append(draw("circle", { cx: x(index), cy: y(value), r: 2.2, fill: line.tone }));
      });
      svg.append(draw("path", { d: path, class: "line", stroke: line.tone }));
    }
    const every = Math.max(1, Math.ceil(at.length / Math.max(2, Math.floor((wide - LEFT) / 74))));
    at.forEach((date, index) => {
      if (index % every) return;
      const text = draw("text", { x: x(index), y: TALL - 5, "text-anchor": "middle" });
      text.append(long ? day(date) : clock(date));
      svg.append(text);
    });
    plot.querySelector("svg")?.remove();
    plot.prepend(svg);
  }

  function tell(index) {
    shown = Math.min(at.length - 1, Math.max(0, index));
    const cursor = plot.querySelector(".cursor");
    if (!cursor) return;
    cursor.setAttribute("transform", `translate(${x(shown)} 0)`);
    cursor.classList.add("on");
    const from = at[shown], until = new Date(+from + step * 1000);
    place(tip, plot, x(shown), el("b", {}, `${long ? `${day(from)} ` : ""}${clock(from)} – ${clock(until)}`),
      ...lines.map((line) => el("span", {}, el("i", { style: `background:${line.tone}` }), `${line.name} ${amount(line.values[shown], unit)}`)));
  }
  const hide = () => { tip.hidden = true; plot.querySelector(".cursor")?.classList.remove("on"); shown = -1; };
  plot.addEventListener("pointermove", (event) => tell(Math.floor(((event.clientX - plot.getBoundingClientRect().left - LEFT) / (wide - LEFT - RIGHT)) * at.length)));
  plot.addEventListener("pointerleave", hide);
  figure.addEventListener("blur", hide);
  figure.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move) return;
    event.preventDefault();
    tell(shown < 0 ? at.length - 1 : shown + move);
  });
  new ResizeObserver(render).observe(plot);
  return figure;
}

// How much of one box lies over another.
const covered = (one, other) => Math.max(0, Math.min(one.right, other.right) - Math.max(one.left, other.left)) * Math.max(0, Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top));

// A place for the name of each dot {x, y, r, width}: beside it, or as near as it covers no other name and no dot.
function namesAt(dots, wide, tall) {
  const boxOf = ({ x, y, r }) => ({ left: x - r, right: x + r, top: y - r, bottom: y + r });
  const taken = [];
  return dots.map((dot) => {
    let best = null;
    for (let step = 0; step < 46; step += 1) {
      for (const way of step ? [1, -1] : [1]) {
        const high = dot.y + way * step * 4, over = Math.abs(high - dot.y) > dot.r + 8;
        for (const left of [dot.x + dot.r + 5, dot.x - dot.r - 5 - dot.width, ...(over ? [dot.x - dot.width / 2] : [])]) {
          const box = { left, right: left + dot.width, top: high - 7, bottom: high + 7 };
          if (box.left < LEFT || box.right > wide - 2 || box.top < 0 || box.bottom > tall - BELOW) continue;
          const cost = 50 * taken.reduce((sum, other) => sum + covered(box, other), 0) + dots.reduce((sum, other) => sum + covered(box, boxOf(other)), 0) + step;
          if (!best || cost < best.cost) best = { ...box, cost, high, over };
        }
      }
    }
    best ||= { left: LEFT, right: LEFT + dot.width, top: dot.y - 7, bottom: dot.y + 7, high: dot.y, over: false };
    taken.push(best);
    return best;
  });
}

// Points: {name, x, y, size, best, told}. Those that are `best` are joined by a line; `least` is where heights begin.
function pointChart({ title, note, across, unitX, unitY, points, most = null, least = 0 }) {
  const { figure, tip, plot } = frameOf(title, note, `${title}, ${note}: ${points.map((one) => `${one.name} ${one.told}`).join("; ")}`);
  const top = most ?? ticks(Math.max(...points.map((one) => one.y), 0)).at(-1);
  const right = ticks(Math.max(...points.map((one) => one.x), 0)).at(-1);
  const head = TOP + 10; // dots at the top are whole
  const pen = document.createElement("canvas").getContext("2d");
  function render() {
    const wide = plot.clientWidth, tall = TALL + 60;
    if (!wide) return;
    const svg = draw("svg", { width: wide, height: tall + 16, "aria-hidden": "true" });
    const y = (value) => head + (tall - head - BELOW) * (1 - (value - least) / (top - least || 1));
    const x = (value) => LEFT + (wide - LEFT - RIGHT - 14) * (value / (right || 1));
    for (const value of ticks(top - least).map((step) => step + least)) {
      if (value > top * 1.0001) continue;
      const text = draw("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" });
      text.append(amount(value, unitY));
      svg.append(draw("line", { x1: LEFT, x2: wide - RIGHT, y1: y(value), y2: y(value), class: "rule" }), text);
    }
    for (const value of ticks(right, wide < 420 ? 3 : 5)) {
      if (value > right * 1.0001) continue;
      const text = draw("text", { x: x(value), y: tall - 5, "text-anchor": "middle" });
      text.append(amount(value, unitX));
      svg.append(text);
    }
    const name = draw("text", { x: wide - RIGHT, y: tall + 11, "text-anchor": "end", class: "axis" });
    name.append(across);
    svg.append(name);
    const best = points.filter((one) => one.best).sort((one, other) => one.x - other.x || other.y - one.y)
      .filter((one, at, all) => all.slice(0, at).every((other) => other.y < one.y)); // some are best in size alone
    pen.font = `12.5px ${getComputedStyle(plot).fontFamily}`;
    const names = namesAt(points.map((one) => ({ x: x(one.x), y: y(one.y), r: one.size, width: pen.measureText(one.name).width + 2 })), wide, tall);
    const labels = []; // above all dots
    svg.append(draw("path", { class: "front", d: best.map((one, at) => `${at ? "L" : "M"}${x(one.x)} ${y(one.y)}`).join("") }));
    for (const [at, one] of points.entries()) {
      const dot = draw("circle", { cx: x(one.x), cy: y(one.y), r: one.size, class: one.best ? "dot best" : "dot" });
      const { left, right: end, high, over } = names[at];
      const label = draw("text", { x: left, y: high + 4, class: "name" });
      label.append(one.name);
      if (over) svg.append(draw("line", { x1: x(one.x), y1: y(one.y), x2: Math.min(end, Math.max(left, x(one.x))), y2: high, class: "leader" }));
      const tell = () => place(tip, plot, x(one.x), el("b", {}, one.name), el("span", {}, one.told), one.best ? el("span", {}, "No other is better in everything.") : null);
      dot.addEventListener("pointerenter", tell);
      dot.addEventListener("pointerleave", () => { tip.hidden = true; });
      svg.append(dot);
      labels.push(label);
    }
    svg.append(...labels);
    plot.querySelector("svg")?.remove();
    plot.prepend(svg);
  }
  new ResizeObserver(render).observe(plot);
  return figure;
}
