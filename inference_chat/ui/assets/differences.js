// Where answers differ: words that only one has, boxes of all models on one picture, one picture over another.

// The text of a column, compared with another: what only it has is marked.
function marked(pair, mine) {
  return pair.pieces.filter(([op]) => op === "same" || op === mine).map(([op, text]) => (op === "same" ? text : el("mark", {}, text)));
}

// The pair of two columns, and which of its sides is the first one's.
function pairOf(value, one, other) {
  const pair = value.pairs.find(({ between }) => between.includes(one) && between.includes(other));
  return pair && { ...pair, mine: pair.between[0] === one ? "removed" : "added" };
}

// Everybody's boxes on the one picture they looked at: a colour for each model, chips to switch them.
function overlay(value) {
  const own = value.columns.map((column) => (Array.isArray(column.output) ? column.output.filter((item) => item.box) : []));
  if (!value.source || own.filter((items) => items.length).length < 2) return null;
  const canvas = el("div", { class: "ic-canvas" }, el("img", { src: value.source, alt: "The picture that was sent, with the boxes of all models", on: { load: () => apart() } }));
  const apart = () => untangle($$(".ic-box:not([hidden])", canvas)); // names of the same thing would lie over each other
  const chips = el("div", { class: "ic-chips", role: "group", "aria-label": "Models shown" });
  own.forEach((items, at) => {
    const tone = `hsl(${HUES[at % HUES.length]} 75% 42%)`;
    const nodes = items.map((item) => {
      const node = box(item, tone);
      placed(node, value.size);
      node.style.borderStyle = ["solid", "dashed", "dotted", "double"][at % 4];
      return node;
    });
    canvas.append(...nodes);
    const chip = el("button", { type: "button", "aria-pressed": "true", style: `--tone:${tone}`, on: { click: () => {
      const shown = chip.getAttribute("aria-pressed") !== "true";
      chip.setAttribute("aria-pressed", String(shown));
      for (const node of nodes) node.hidden = !shown;
      apart();
    } } }, el("i"), el("span", {}, `${value.columns[at].name} ${items.length}`));
    chips.append(chip);
  });
  return el("section", { class: "ic-together" }, el("h3", {}, "All boxes together"), canvas, chips);
}

// The picture of a column: made, or a map of depths.
function pictureOf({ output }) {
  return output && !Array.isArray(output) ? output.images?.[0] || output.depth || null : null;
}

// Two pictures, one over the other up to where the slider stands; with more, lists to choose by.
function pictureSlider(value) {
  const at = value.columns.map((column, number) => (pictureOf(column) ? number : -1)).filter((number) => number >= 0);
  if (at.length < 2) return null;
  const place = el("div", { class: "ic-canvas ic-over" });
  const range = el("input", { type: "range", min: "0", max: "100", value: "50", "aria-label": "How much of the left picture is shown" });
  const lists = [0, 1].map((side) => el("select", { "aria-label": side ? "Right picture" : "Left picture", on: { change: draw } },
    at.map((number) => el("option", { value: String(number), selected: number === at[side] }, value.columns[number].name))));
  function cut() {
    const top = $(".ic-top", place);
    if (top) top.style.clipPath = `inset(0 ${100 - range.value}% 0 0)`;
    place.style.setProperty("--cut", `${range.value}%`);
  }
  function draw() {
    const [left, right] = lists.map((list) => value.columns[Number(list.value)]);
    place.replaceChildren(el("img", { src: pictureOf(right), alt: `By ${right.name}` }), el("img", { src: pictureOf(left), alt: `By ${left.name}`, class: "ic-top" }), el("i", { class: "ic-split" }));
    cut();
  }
  range.addEventListener("input", cut);
  draw();
  return el("section", { class: "ic-together" }, el("h3", {}, "One over the other"), place, el("div", { class: "ic-slide" }, lists[0], range, lists[1]));
}

// How much each two agree, in a sentence.
function agreements(value) {
  if (!value.pairs?.length) return null;
  return el("section", { class: "ic-together" }, el("h3", {}, "How much they agree"), el("ul", { class: "ic-agree" }, value.pairs.map(({ between, agreement, say }) =>
    el("li", {}, el("b", {}, between.map((at) => value.columns[at].name).join(" and ")), agreement === null ? null : el("meter", { min: 0, max: 1, value: agreement, "aria-label": `Agreement ${percent(agreement)}` }), el("span", {}, say)))));
}
