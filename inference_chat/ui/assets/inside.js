// Looking inside: an answer coloured by probability, the tokens of a text, and what a picture's answer rests on.

const percent = (share) => share > 0 && share < 0.0005 ? "< 0.1 %" : `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
const visible = (text) => (text ? text.replace(/\n/g, "↵").replace(/^ | $/g, "␣") : "(nothing)");
const nothing = () => el("div", { class: "ic-nothing" }, el("p", {}, props.empty));

function others(token, at) {
  return el("div", { class: "ic-others", role: "menu", "aria-label": "What else might stand here" }, ...token.top.map((one) =>
    el("button", { type: "button", role: "menuitem", "aria-current": one.text === token.text ? "true" : null, title: `Go on with “${visible(one.text)}”`,
      on: { click: (event) => { event.stopPropagation(); close(); trigger("select", { at, text: one.text }); } } },
      el("code", {}, visible(one.text)), el("meter", { min: 0, max: 1, value: one.p }), el("b", {}, percent(one.p)))));
}

function close() {
  $$(".ic-others").forEach((node) => node.remove());
  $$("[aria-expanded=true]").forEach((node) => node.setAttribute("aria-expanded", "false"));
}

function open(node, token, at) {
  close();
  node.setAttribute("aria-expanded", "true");
  const box = others(token, at);
  $(".ic-inside").append(box);
  const place = node.getBoundingClientRect(), around = $(".ic-inside").getBoundingClientRect();
  box.style.top = `${place.bottom - around.top + 4}px`;
  box.style.left = `${Math.max(0, Math.min(place.left - around.left, around.width - box.offsetWidth))}px`;
}

function drawAnswer() {
  const tokens = (props.value || {}).tokens || [];
  if (!tokens.length) return $(".ic-inside").replaceChildren(nothing());
  const spans = tokens.map((token, at) => {
    const node = el("span", { class: token.chosen ? "ic-token chosen" : "ic-token", tabIndex: 0, role: "button", "aria-haspopup": "menu", "aria-expanded": "false",
      "aria-label": `${visible(token.text)}, ${percent(token.p)}`, style: `--unsure: ${Math.round((1 - token.p) * 60)}%` }, token.text.replace(/\n/g, "↵\n"));
    node.addEventListener("mouseenter", () => open(node, token, at));
    node.addEventListener("click", () => open(node, token, at));
    node.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(node, token, at); $(".ic-others button").focus(); }
    });
    return node;
  });
  $(".ic-inside").replaceChildren(el("p", { class: "ic-answer", dir: "auto" }, ...spans));
  $(".ic-inside").onmouseleave = close;
  $(".ic-inside").onkeydown = (event) => { if (event.key === "Escape") close(); };
}

function drawPieces() {
  const found = props.value || {};
  if (!found.tokens) return $(".ic-inside").replaceChildren(nothing());
  $(".ic-inside").replaceChildren(el("p", { class: "ic-answer ic-pieces", dir: "auto" }, ...found.tokens.map((token, at) => {
    const before = found.tokens[at - 1];
    const rest = before && token.start !== null && before.start === token.start && before.end === token.end; // another byte of the same letter
    return el("span", { class: token.special ? "ic-piece special" : "ic-piece", title: `${token.id}: ${token.token}${rest ? " (another byte of the same letter)" : ""}` },
      token.special ? token.token : rest ? "·" : token.text.replace(/\n/g, "↵\n") || "·");
  })),
  el("details", {}, el("summary", {}, "As numbers"), el("code", {}, found.tokens.map((token) => token.id).join(" "))));
}

function drawHeat() {
  const found = props.value || {};
  if (!found.heat) return $(".ic-inside").replaceChildren(nothing());
  const mask = el("div", { class: "ic-heat", style: `mask-image: url(${found.heat}); -webkit-mask-image: url(${found.heat})` });
  const box = found.box ? el("div", { class: "ic-box", style: `--tone: var(--ic-accent); left:${(100 * found.box.xmin) / found.size[0]}%; top:${(100 * found.box.ymin) / found.size[1]}%; width:${(100 * (found.box.xmax - found.box.xmin)) / found.size[0]}%; height:${(100 * (found.box.ymax - found.box.ymin)) / found.size[1]}%` }) : null;
  const slider = el("input", { type: "range", min: 0, max: 100, value: 75, "aria-label": "How strongly the map is shown", on: { input: () => { mask.style.opacity = slider.value / 100; } } });
  $(".ic-inside").replaceChildren(
    el("div", { class: "ic-canvas" }, el("img", { src: found.source, alt: `The picture; red where ${found.label} is seen` }), mask, box),
    el("label", { class: "ic-threshold" }, "Map", slider),
    found.labels.length > 1 ? el("div", { class: "ic-chips" }, ...found.labels.map((label) => el("button", { type: "button", "aria-current": label === found.label ? "true" : null, on: { click: () => trigger("select", { label }) } }, label))) : null);
}
