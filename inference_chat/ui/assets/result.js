// What a model has found or made: drawn by its shape, whatever the task was called.

const KEPT = props.kept ? 200 : 24; // results that are remembered: by the server, or by this page
const SMALL = 128; // pixels a side up to which a picture is enlarged
const SHOWN = 384; // and how large it then is at most
const past = [];
let showing = null;

function drawResult() {
  const shown = props.value;
  if (!shown || !shown.id) return empty();
  if (showing?.id !== shown.id && matchMedia("(max-width: 760px)").matches) {
    // On a phone the place for it is below the form, out of sight.
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
    setTimeout(() => element.scrollIntoView({ block: "start", behavior }));
  }
  if (!shown.preview && !shown.sofar && past[0]?.id !== shown.id && shown.output.images?.length !== 0) {
    past.unshift(shown);
    past.splice(KEPT);
  }
  show(shown);
}

function show(shown) {
  showing = shown;
  const body = shown.preview ? [picture(shown.preview, "What it looks like so far")] : shown.sofar ? [sofar(shown.sofar)] : [...drawn(shown), figures(shown), downloads(shown)];
  $(".ic-result").replaceChildren(...[el("div", { class: "ic-found" }, body), strip()].filter(Boolean));
}

function empty() {
  const text = element.closest("[data-empty]")?.dataset.empty || props.empty || "The result appears here.";
  $(".ic-result").replaceChildren(...[el("p", { class: "ic-nothing" }, text), strip()].filter(Boolean));
}

// What was made before this page was opened, behind what it has made itself.
async function recall() {
  if (!props.kept) return;
  const before = await ask("past");
  past.push(...before.filter(({ id }) => past.every((one) => one.id !== id)));
  if (showing) $(".ic-strip")?.replaceWith(strip());
  else empty();
}

async function forget(shown) {
  await ask("forget", { id: shown.id });
  if (!past.includes(shown)) return; // it was clicked on twice
  past.splice(past.indexOf(shown), 1);
  if (showing !== shown) return $(".ic-strip")?.replaceWith(strip() || "");
  if (past.length) return show(past[0]);
  showing = null;
  empty();
}

// A click asks, a second one removes.
function remover(shown) {
  const sure = () => { once.textContent = "Remove for good"; once.classList.add("sure"); };
  const once = el("button", { type: "button", class: "ic-small", on: { click: () => (once.classList.contains("sure") ? forget(shown) : sure()) } }, "Remove");
  return once;
}

// What has been found until now of something that takes its time.
function sofar({ objects, scenes, text }) {
  if (text !== undefined) return el("p", { class: "ic-said-text", dir: "auto" }, text);
  if (scenes) return el("div", {}, el("p", { class: "ic-none" }, `${scenes.length} so far`), el("div", { class: "ic-keys" }, scenes.slice(-12).map(({ start_s, image }) =>
    el("figure", {}, image ? el("img", { src: image, alt: `Scene from ${start_s.toFixed(1)} s` }) : null, el("figcaption", {}, `${start_s.toFixed(1)} s`)))));
  return el("div", {}, el("p", { class: "ic-none" }, objects.length ? "Followed so far" : "Nothing has been seen yet."), el("div", { class: "ic-chips" }, objects.map(([label, count]) => el("span", { class: "ic-small" }, count > 1 ? `${label} ${count}` : label))));
}

function drawn(shown) {
  const { output, source } = shown;
  if (shown.source_clip) return clip(shown);
  if (Array.isArray(output)) {
    if (!output.length) return [source ? picture(source) : null, el("p", { class: "ic-none" }, "Nothing was found.")];
    return output[0].box || output[0].mask ? regions(shown, output) : [source ? picture(source) : null, bars(output)];
  }
  if (output.images && !output.images.length) return [el("p", { class: "ic-none" }, "It was stopped before a picture was ready.")];
  if (output.images) return [gallery(output.images, output.seeds || [])];
  if (output.depth) return [compared(source, output.depth)];
  if (output.audio) return [el("audio", { controls: true, src: output.audio })];
  if (output.video) return [el("video", { controls: true, loop: true, autoplay: true, muted: true, src: output.video })];
  if (output.embedding) return [source ? picture(source) : null, vector(output.embedding)];
  const said = el("p", { class: "ic-said-text", dir: "auto" }, output.text || "(no words)");
  const shownAt = (output.sources || []).filter((one) => one.box).map((one) => ({ label: `[${one.number}] ${one.text || ""}`, box: one.box }));
  if (source && shownAt.length) return [conversation(shown, said), ...regions(shown, shownAt)];
  return [source ? picture(source) : null, conversation(shown, said)];
}

// What was asked of a picture before, and answered; then what was asked now.
function conversation(shown, answer) {
  const { turns = [], prompt } = shown;
  if (props.kept || !prompt) return answer;
  const before = turns.flatMap((turn) => [question(turn.question), el("p", { class: "ic-said-text", dir: "auto" }, turn.answer || "(no words)")]);
  const anew = () => { trigger("select", { anew: true }); begin.replaceWith(el("span", { class: "ic-none" }, "The next question begins anew.")); };
  const begin = el("button", { type: "button", class: "ic-small", on: { click: anew } }, "Begin anew");
  const last = shown.turns && shown === past[0];
  return el("div", { class: "ic-turns", role: "log", "aria-label": "What was asked of the picture" }, before, question(prompt), answer,
    last ? el("div", { class: "ic-downloads" }, el("span", { class: "ic-none" }, "Ask on: your next question goes along with these."), begin) : null);
}

function question(text) {
  return el("p", { class: "ic-question", dir: "auto" }, text);
}

function picture(url, alt = "The picture that was sent") {
  return el("div", { class: "ic-canvas" }, el("img", { src: url, alt, on: { load: crisp } }));
}

// A very small picture is shown as large as others, each of its pixels as a square: stretched, it would blur.
function crisp({ target }) {
  const { naturalWidth: width, naturalHeight: height } = target;
  if (!width || Math.max(width, height) > SMALL) return fill({ target });
  target.classList.add("ic-crisp");
  target.style.width = `${width * Math.max(1, Math.floor(SHOWN / Math.max(width, height)))}px`;
}

// A picture or clip that has just come, as large as its place lets it be.
function fill({ target }) {
  const canvas = target.closest(".ic-canvas");
  if (canvas) filled(canvas, target.naturalWidth || target.videoWidth, target.naturalHeight || target.videoHeight);
}

function filled(canvas, width, height) {
  if (!width || !height) return;
  canvas.style.setProperty("--ratio", width / height);
  canvas.classList.add("filled");
}

// Classes with their probability.
function bars(items) {
  return el("ol", { class: "ic-bars", "aria-label": "Classes, the likeliest first" }, items.map(({ label, score }) =>
    el("li", {}, el("span", {}, label), el("meter", { min: 0, max: 1, value: score, "aria-label": `${label} ${percent(score)}` }), el("b", {}, percent(score)))));
}

function gallery(images, seeds) {
  return el("div", { class: "ic-gallery", "data-count": String(images.length) }, images.map((url, number) =>
    el("figure", {}, el("img", { src: url, alt: `Picture ${number + 1} of ${images.length}`, on: { load: crisp } }), el("figcaption", {},
      el("button", { type: "button", class: "ic-small", on: { click: () => trigger("select", { image: url.replace(/^media\//, "media:") }) } }, "Use as input"),
      el("a", { class: "ic-small", href: url, download: `picture-${seeds[number] ?? number + 1}.png` }, "Download"),
      seeds[number] === undefined || seeds[number] === null ? null : el("span", { class: "ic-none" }, `seed ${seeds[number]}`)))));
}

// Two pictures of one size, one laid over the other up to where the slider stands.
function compared(below, above) {
  const top = el("img", { src: above, alt: "Depth: white is near", class: "ic-top" });
  const slider = el("input", { type: "range", min: "0", max: "100", value: "100", "aria-label": "How much of the depth map is shown", on: { input: () => { top.style.clipPath = `inset(0 ${100 - slider.value}% 0 0)`; } } });
  top.addEventListener("load", fill);
  return el("div", { class: "ic-found" }, el("div", { class: "ic-canvas" }, below ? el("img", { src: below, alt: "The picture that was sent" }) : null, top), el("label", { class: "ic-threshold" }, "Picture", slider, "Depth: white is near"));
}

function vector(values) {
  const norm = Math.hypot(...values);
  return el("p", { class: "ic-none" }, `${values.length} numbers, length ${norm.toFixed(3)}: ${values.slice(0, 8).map((x) => x.toFixed(3)).join(", ")}, …`);
}

function figures({ figures, notes = [], model, settings, prompt, made_at, output }) {
  const seed = output.video && settings?.seed !== undefined && settings?.seed !== null ? [`seed ${settings.seed}`] : [];
  const when = made_at ? [new Date(made_at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })] : [];
  return el("div", { class: "ic-cost" }, props.kept && prompt ? el("p", { class: "ic-asked", dir: "auto" }, prompt) : null, el("p", {}, [model, ...seed, ...when, ...(figures || [])].join(" · ")), notes.map((note) => el("p", {}, note)),
    settings ? el("details", {}, el("summary", {}, "Settings of this result"), el("pre", {}, JSON.stringify(settings, null, 2))) : null);
}

function downloads(shown) {
  const rows = tableOf(shown.output);
  return el("div", { class: "ic-downloads" },
    el("button", { type: "button", class: "ic-small", on: { click: () => save("result.json", JSON.stringify({ model: shown.model, task: shown.task, output: shown.output }, null, 2), "application/json") } }, "JSON"),
    rows?.length ? el("button", { type: "button", class: "ic-small", on: { click: () => save("result.csv", csv(rows), "text/csv") } }, "CSV") : null,
    shown.output.video ? el("a", { class: "ic-small", href: shown.output.video, download: "clip.mp4" }, shown.source_clip ? "Clip with the objects drawn in" : "Clip") : null,
    props.kept ? remover(shown) : null);
}

// Rows for a table: labels as they are, tracks with one row for each moment, scenes and stretches of a clip.
function tableOf(output) {
  if (output.tracks) return output.tracks.flatMap((track) => track.frames.map((place) => ({ track: track.id, label: track.label, ...place })));
  if (output.scenes) return output.scenes.map(({ start_s, end_s, caption }, number) => ({ scene: number + 1, start_s, end_s, caption }));
  if (output.windows) return output.windows.flatMap(({ start_s, end_s, labels }) => labels.map((label) => ({ start_s, end_s, ...label })));
  return Array.isArray(output) ? output : null;
}

// Without what is a file of its own, as masks are.
function csv(rows) {
  const quoted = (value) => (/[",\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : value ?? "");
  const flat = rows.map(({ box, mask, ...row }) => ({ ...row, ...box }));
  const head = [...new Set(flat.flatMap(Object.keys))].filter((name) => flat.some((row) => row[name] !== undefined));
  return [head.join(","), ...flat.map((row) => head.map((name) => quoted(row[name])).join(","))].join("\n");
}

// What this page has shown before, to look at again.
function strip() {
  if (past.length < 2 && (showing || !past.length)) return null;
  return el("div", { class: "ic-strip", role: "list", "aria-label": "Earlier results" }, past.map((one) => {
    const url = one.output.images?.[0] || (one.output.video ? null : one.source);
    const film = one.output.video || one.source_clip;
    const short = one.prompt || one.does || one.task;
    const name = props.kept && one.prompt ? one.prompt : `${short}, by ${one.model}`;
    const seen = url ? el("img", { src: url, alt: name, loading: "lazy" }) : film ? el("video", { src: `${film}#t=0.1`, muted: true, preload: "metadata", "aria-label": name }) : el("i");
    return el("button", { type: "button", role: "listitem", class: one === showing ? "here" : "", title: name, on: { click: () => show(one) } }, seen, props.kept ? null : el("span", { dir: "auto" }, short));
  }));
}

function percent(score) {
  return score === undefined || score === null ? "" : `${(score * 100).toFixed(score < 0.1 ? 1 : 0)} %`;
}
