// The files of messages: shown, opened large, and pointed at.

const NOUNS = { image: "picture", audio: "sound", video: "clip" };

// A file as it is shown in a message; `data-medium` is how sources name it.
function fileNode(file, number) {
  const name = `${NOUNS[file.kind][0].toUpperCase()}${NOUNS[file.kind].slice(1)} ${number}`;
  const named = { "data-medium": file.id ? `media:${file.id}` : null, "data-kind": file.kind };
  const missing = (node) => node.addEventListener("error", () => figure.replaceChildren(el("p", { class: "ic-gone" }, `${name} is no longer kept here.`)), true);
  const figure = el("figure", { class: "ic-media", "aria-label": name, ...named });
  if (file.kind === "image") {
    const picture = el("img", { src: file.url, alt: name, loading: "lazy" });
    figure.append(el("button", { type: "button", "aria-label": `Open ${name.toLowerCase()} large`, on: { click: () => enlarge(figure) } }, picture));
    missing(picture);
  } else {
    const player = el(file.kind, { src: file.url, controls: true, preload: "metadata", playsInline: true, "aria-label": name });
    figure.append(player);
    missing(player);
  }
  return figure;
}

function filesNode(files) {
  const counted = {};
  return el("div", { class: "ic-files" }, files.map((file) => {
    counted[file.kind] = (counted[file.kind] || 0) + 1;
    return fileNode(file, counted[file.kind]);
  }));
}

// A picture over the whole window, with what is pointed at; Escape closes it.
function enlarge(figure) {
  const dialog = el("dialog", { class: "ic-large", "aria-label": figure.getAttribute("aria-label") });
  const close = el("button", { type: "button", class: "ic-icon", "aria-label": "Close", on: { click: () => dialog.close() } }, icon("close"));
  const canvas = el("div", { class: "ic-media" }, $("img", figure).cloneNode());
  for (const mark of $$(".ic-mark", figure)) canvas.append(mark.cloneNode(true));
  dialog.append(canvas, close);
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => dialog.remove());
  element.querySelector(".ic").append(dialog);
  dialog.showModal();
}

// Show where something is: a box over the picture or the frame, a moment in the player.
function point(source, from) {
  const before = $$(`.ic-media[data-medium="${source.medium}"]`).filter((node) => node.compareDocumentPosition(from) & Node.DOCUMENT_POSITION_FOLLOWING);
  const figure = before.at(-1) || $(`.ic-media[data-medium="${source.medium}"]`);
  if (!figure) return toast("That file is not shown in this branch of the conversation.");
  for (const mark of $$(".ic-mark")) mark.remove();
  const shown = $("img, video, audio", figure);
  if (source.start_s !== null && source.start_s !== undefined && shown.play) seek(shown, source);
  if (source.box) mark(figure, shown, source);
  state.stuck = false;
  figure.scrollIntoView({ block: "nearest", behavior: window.matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  say(`${source.text} is shown.`);
}

function seek(player, source) {
  const go = () => {
    player.currentTime = source.start_s;
    if (source.kind === "speech") player.play().catch(() => {}); // a browser may want a click on the player first
    else player.pause();
  };
  if (player.readyState >= 1) go();
  else player.addEventListener("loadedmetadata", go, { once: true });
}

function mark(figure, shown, { box, text }) {
  const [width, height] = [shown.naturalWidth || shown.videoWidth, shown.naturalHeight || shown.videoHeight];
  if (!width) return shown.addEventListener(shown.tagName === "VIDEO" ? "loadedmetadata" : "load", () => mark(figure, shown, { box, text }), { once: true });
  const share = (value, whole) => `${(value / whole) * 100}%`;
  const node = el("div", { class: `ic-mark${box.ymin / height < 0.12 ? " low" : ""}` }, el("span", {}, text));
  Object.assign(node.style, { left: share(box.xmin, width), top: share(box.ymin, height), width: share(box.xmax - box.xmin, width), height: share(box.ymax - box.ymin, height) });
  ($("button", figure) || figure).append(node);
}
