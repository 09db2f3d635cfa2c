// Boxes and masks over the picture they belong to: classes to switch on and off, a threshold, a table.

const HUES = [168, 28, 262, 340, 205, 95, 48, 300, 130, 0];

function regions({ source, size }, items) {
  const names = [...new Set(items.map((item) => item.label))];
  const colour = Object.fromEntries(names.map((name, number) => [name, `hsl(${HUES[number % HUES.length]} 75% ${number < HUES.length ? 45 : 32}%)`]));
  const behind = props.behind || [];
  const on = new Set(names.some((name) => !behind.includes(name)) ? names.filter((name) => !behind.includes(name)) : names);
  const scored = items.some((item) => item.score !== undefined);
  const canvas = el("div", { class: "ic-canvas" }, el("img", { src: source, alt: "The picture that was sent", on: { load: (event) => { fill(event); place(); } } }));
  if (size) filled(canvas, ...size);
  const table = el("tbody");
  const count = el("output", { class: "ic-none" });
  const slider = el("input", { type: "range", min: "0", max: "1", step: "0.01", value: String(props.threshold ?? 0.5), "aria-label": "Threshold", on: { input: draw } });
  const chips = el("div", { class: "ic-chips", role: "group", "aria-label": "Classes shown" });

  function draw() {
    const least = scored ? Number(slider.value) : 0;
    const sure = items.filter((item) => (item.score ?? 1) >= least);
    const kept = sure.filter((item) => on.has(item.label));
    for (const chip of chips.children) {
      const number = sure.filter((item) => item.label === chip.dataset.name).length;
      chip.hidden = !number;
      chip.lastChild.textContent = number > 1 ? `${chip.dataset.name} ${number}` : chip.dataset.name;
    }
    for (const node of $$(".ic-box, .ic-mask", canvas)) node.remove();
    canvas.append(...kept.map((item) => (item.mask ? mask(item, colour[item.label]) : null)).filter(Boolean), ...kept.filter((item) => item.box).map((item) => box(item, colour[item.label])));
    count.textContent = `${kept.length} of ${items.length} shown${scored ? ` · threshold ${least.toFixed(2)}` : ""}`;
    table.replaceChildren(...kept.map((item) => row(item, colour[item.label])));
    place();
  }
  // Boxes are in pixels of the picture as it was sent; the browser knows how large it is shown.
  function place() {
    const image = $("img", canvas);
    const [width, height] = size || [image.naturalWidth, image.naturalHeight];
    for (const node of $$(".ic-box", canvas)) placed(node, [width, height]);
    untangle($$(".ic-box", canvas));
  }
  for (const name of names) {
    const chip = el("button", { type: "button", "aria-pressed": String(on.has(name)), "data-name": name, style: `--tone:${colour[name]}`, on: { click: () => {
      if (on.has(name)) on.delete(name); else on.add(name);
      chip.setAttribute("aria-pressed", String(on.has(name)));
      draw();
    } } }, el("i"), el("span"));
    chips.append(chip);
  }
  draw();
  const head = el("thead", {}, el("tr", {}, ["", "label", scored ? "score" : null, items.some((item) => item.box) ? "box (x, y – x, y)" : null].filter((name) => name !== null).map((name) => el("th", { scope: "col" }, name))));
  return [canvas, scored ? el("label", { class: "ic-threshold" }, "Threshold", slider, count) : count, chips, el("div", { class: "ic-table" }, el("table", {}, head, table))];
}

// A name that would cover another one stands inside its box or below it.
function untangle(boxes) {
  const taken = [];
  const meets = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  for (const node of boxes) {
    const name = node.firstChild;
    const places = node.classList.contains("low") ? ["low", "under"] : ["", "low", "under"];
    const free = places.find((place) => {
      node.classList.remove("low", "under");
      if (place) node.classList.add(place);
      const here = name.getBoundingClientRect();
      return taken.every((other) => !meets(here, other));
    });
    if (free === undefined) {
      node.classList.remove("low", "under");
      if (places[0]) node.classList.add(places[0]);
    }
    taken.push(name.getBoundingClientRect());
  }
}

function box(item, tone) {
  const node = el("div", { class: "ic-box", style: `--tone:${tone}` }, el("span", {}, `${item.label}${item.score === undefined ? "" : ` ${percent(item.score)}`}`));
  node.box = item.box;
  return node;
}

// Where a box is on a picture of that size; its name stays within the picture.
function placed(node, [width, height]) {
  const { xmin, ymin, xmax, ymax } = node.box;
  Object.assign(node.style, { left: `${(xmin / width) * 100}%`, top: `${(ymin / height) * 100}%`, width: `${((xmax - xmin) / width) * 100}%`, height: `${((ymax - ymin) / height) * 100}%` });
  node.classList.toggle("low", ymin / height < 0.06);
  node.classList.toggle("far", xmin / width > 0.6);
}

function mask(item, tone) {
  return el("div", { class: "ic-mask", style: `--tone:${tone};mask-image:url(${item.mask});-webkit-mask-image:url(${item.mask})` });
}

function row(item, tone) {
  const { xmin, ymin, xmax, ymax } = item.box || {};
  return el("tr", {}, el("td", {}, el("i", { class: "ic-tone", style: `--tone:${tone}` })), el("td", {}, item.label), item.score === undefined ? null : el("td", {}, percent(item.score)),
    item.box ? el("td", {}, `${Math.round(xmin)}, ${Math.round(ymin)} – ${Math.round(xmax)}, ${Math.round(ymax)}`) : null);
}
