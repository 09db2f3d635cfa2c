// One model: its state and figures, its versions, what people set, its card; and its download while one runs.

const PARTS = { figures: "Figures", versions: "Versions", settings: "Settings", card: "Card" };
let part = "figures";
let shown = null; // what the server last told of the model
let following = null;
let editing = false; // what is being written is not drawn over

const rate = (speed) => (speed ? `${bytes(speed)}/s` : "");
const time = (ms) => (ms === null || ms === undefined ? "–" : ms >= 1000 ? `${(ms / 1000).toPrecision(3)} s` : `${ms >= 10 ? Math.round(ms) : +ms.toFixed(1)} ms`);
const day = (text) => new Date(text).toLocaleDateString([], { year: "numeric", month: "short", day: "numeric" });
const remaining = (seconds) => (!seconds ? "" : seconds > 5400 ? `${Math.round(seconds / 3600)} h left` : seconds > 90 ? `${Math.round(seconds / 60)} min left` : `${Math.ceil(seconds)} s left`);
const share = (value) => (value === null ? "–" : `${+(value * 100).toFixed(1)} %`);

const ready = () => document.activeElement?.matches(".ic-editing :is(input, textarea, select)"); // to write

// How far a download is tells itself, without drawing all anew.
const seen = (answer) => JSON.stringify({ ...answer, download: answer?.download?.state });

async function showModel(id, keep = false) {
  try {
    const answer = await ask("model", { id });
    if (id !== chosen || editing || (keep && (ready() || seen(answer) === seen(shown)))) return;
    const was = shown;
    shown = answer;
    tellEnd(was, answer);
    drawModel();
  } catch (error) {
    if (id !== chosen) return;
    shown = null;
    $(".ic-reg-main").replaceChildren(el("p", { class: "ic-none" }, error instanceof Refused ? error.message : "The server cannot be reached."));
  }
}

// Say how a download has ended, whoever noticed it.
function tellEnd(was, { record, download }) {
  if (!download || was?.record.id !== record.id || was.download?.state === download.state) return;
  if (download.state === "done") toast(`${record.id} is here, whole and checked.`);
  else if (download.error) toast(download.error, { kind: "bad" });
}

function refreshModel() {
  if (shown && !editing && !$(".ic-adding")) return showModel(chosen, true);
}

function drawModel() {
  clearTimeout(following);
  const { record, versions, download } = shown;
  const main = $(".ic-reg-main");
  const tabs = el("div", { class: "ic-segments", role: "group", "aria-label": "What is shown" }, ...Object.entries(PARTS).map(([key, name]) =>
    el("button", { type: "button", "aria-pressed": String(key === part), on: { click: () => { part = key; editing = false; drawModel(); } } }, key === "versions" && versions.length > 1 ? `${name} (${versions.length})` : name)));
  const body = { figures: figuresPart, versions: versionsPart, settings: settingsPart, card: cardPart }[part]();
  main.replaceChildren(...[
    el("header", {}, el("h2", {}, record.name, el("em", {}, record.version)), el("p", {}, record.description || record.capabilities.join(", "))),
    el("div", { class: "ic-chipline" }, record.parked ? pill("parked", "", "Gave its memory back; it is there again at once") : pill(record.status, record.status), record.default && versions.length > 1 ? pill("default") : null, record.pinned ? pill("pinned", "loaded", "Stays in memory") : null,
      ...record.tasks.map((task) => pill(task)), ...record.tags.map((tag) => el("button", { type: "button", class: "ic-state tag", title: "Search for models with this tag", on: { click: () => searchFor(tag) } }, `#${tag}`))),
    record.error ? el("div", { class: "ic-line bad", role: "alert" }, el("span", {}, record.error)) : null,
    record.note ? el("blockquote", { class: "ic-note" }, record.note) : null,
    actions(record), download ? downloadPart(record, download) : null, tabs, body,
  ].filter(Boolean));
}

function actions(record) {
  const loaded = record.status === "loaded", elsewhere = record.source === "endpoint";
  const does = (name, data, told) => async () => { const answer = await ask(name, { id: record.id, ...data }); await changed(); toast(told(answer)); };
  return el("div", { class: "ic-acts" },
    elsewhere ? working("Test the connection", "chief", does("load", {}, () => `${record.id} answers.`))
      : loaded ? working("Unload", "", does("unload", {}, () => `${record.id} is out of memory.`))
      : working("Load", "chief", does("load", {}, (now) => `${record.id} is in memory${now.memory_used ? `: ${bytes(now.memory_used)}` : ""}.`)),
    elsewhere ? "" : record.pinned ? working("Unpin", "", does("pin", { pinned: false }, () => `${record.id} may leave memory when it is idle.`))
      : working("Pin in memory", "", does("pin", { pinned: true }, () => `${record.id} stays in memory.`), { title: "Load it and keep it, also after the next start" }),
    working("Remove", "quiet", async () => {
      const { id, undo } = await ask("remove", { id: record.id });
      chosen = null;
      shown = null;
      $(".ic-reg-main").replaceChildren();
      await look(true);
      toast(`${id} is removed; its files are still there.`, { label: "Undo", life: 20000, action: async () => { try { await ask("restore", { undo }); await changed(id); } catch (error) { complain(error); } } });
    }));
}

function figuresPart() {
  const { record } = shown;
  const { metrics } = record;
  const measured = Boolean(record.memory_used);
  const tile = (name, value, more, kind = "") => el("div", { class: `ic-tile ${kind}` }, el("dt", {}, name), el("dd", {}, value), el("small", {}, more));
  const needed = record.memory_used || record.memory_estimate;
  const facts = {
    "From": record.source === "hub" ? `the hub: ${record.hub_id || record.name}` : record.source === "endpoint" && record.endpoint ? `${record.endpoint.url}, ${record.endpoint.model}` : record.file_path || "described only",
    "Revision": record.revision || "", "Key": record.endpoint?.key_env ? `in ${record.endpoint.key_env}` : "",
    "Licence": record.license || "not said", "Weights": record.source === "endpoint" ? "" : record.file_size ? `${bytes(record.file_size)}, ${record.framework}` : record.framework, "Digest": record.sha256 || "",
    "Defaults": Object.entries(record.parameters).map(([name, value]) => `${name} ${JSON.stringify(value)}`).join(", "),
    "Set here": record.edited.join(", "), "Registered": day(record.created_at), "Last used": metrics.last_used_at ? new Date(metrics.last_used_at).toLocaleString() : "",
  };
  return el("div", { class: "ic-reg-part" },
    el("dl", { class: "ic-tiles" },
      record.source === "endpoint" ? tile("Memory", "none", "another server runs it") : tile("Memory", bytes(needed) || "–", !needed ? "not known" : measured ? "measured here" : record.fits ? "estimated; fits here" : "estimated; does not fit here", record.fits ? "" : "bad"),
      tile("Median time", time(metrics.latency_ms_p50), metrics.latency_ms_p95 ? `95 % within ${time(metrics.latency_ms_p95)}` : "not used yet"),
      tile("Speed", metrics.tokens_per_second ? many(Math.round(metrics.tokens_per_second)) : "–", "tokens a second"),
      tile("Requests", many(metrics.requests), metrics.errors ? `${many(metrics.errors)} errors` : "no errors", metrics.errors ? "bad" : ""),
      tile("Accuracy", share(metrics.accuracy), metrics.accuracy === null ? "not evaluated yet" : metrics.accuracy_of ? `${metrics.accuracy_of.set}, ${many(metrics.accuracy_of.rows)} rows` : "in its last evaluation")),
    el("table", { class: "ic-facts" }, el("tbody", {}, ...Object.entries(facts).filter(([, value]) => value).map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", { class: name === "Digest" || name === "Revision" ? "code" : null }, value))))));
}

// What is told comes last: until then the page is drawn anew, and a click would be lost.
async function redrawn(text) {
  await showModel(chosen);
  await look(true);
  toast(text);
}

const makeDefault = (one) => working("Make default", "small", async () => { const now = await ask("promote", { id: one.id }); await redrawn(`${now.name} means ${now.version} from now on.`); });

function versionsPart() {
  const { versions } = shown;
  const rows = versions.map((one) => el("tr", { class: one.id === chosen ? "here" : null },
    el("th", { scope: "row" }, el("button", { type: "button", class: "ic-link", on: { click: () => open(one.id) } }, one.version), one.default ? pill("default", "loaded") : makeDefault(one), one.note ? el("small", {}, one.note) : null),
    el("td", { class: "code", title: one.sha256 || null }, (one.sha256 || "–").slice(0, 8)), el("td", {}, bytes(one.memory_used || one.memory_estimate) || "–"), el("td", {}, time(one.metrics.latency_ms_p50)),
    el("td", {}, share(one.metrics.accuracy)), el("td", {}, day(one.created_at))));
  return el("div", { class: "ic-reg-part" },
    el("div", { class: "ic-table ic-versions" }, el("table", {}, el("thead", {}, el("tr", {}, ...["Version", "Digest", "Memory", "Median time", "Accuracy", "Registered"].map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, ...rows))),
    versions.length < 2 ? null : el("div", { class: "ic-acts" },
      working("Roll back", "", async () => { const now = await ask("roll_back", { name: shown.record.name }); await redrawn(`${now.name} means ${now.version} again.`); }, { title: "Let the bare name mean what it did before" }),
      working("Follow the newest", "quiet", async () => { const now = await ask("promote", { id: shown.record.name }); await redrawn(`${now.name} means its newest version, now ${now.version}.`); })),
    el("p", { class: "ic-quietly" }, `Whoever asks for "${shown.record.name}" gets the default; "${shown.record.name}@${shown.record.version}" is always this version. Figures belong to a version, and no other changes them.`));
}

function settingsPart() {
  const { record, controls } = shown;
  const parameters = { ...record.parameters };
  const touch = () => { editing = true; };
  const line = (label, node, info = "") => el("label", { class: "ic-edit-field" }, el("span", {}, label), node, info ? el("small", {}, info) : null);
  const text = (value, rows = 0) => { const node = el(rows ? "textarea" : "input", rows ? { rows, dir: "auto" } : { type: "text", dir: "auto" }); node.value = value || ""; node.addEventListener("input", touch); return node; };
  const description = text(record.description, 3), note = text(record.note, 2), tags = text(record.tags.join(", ")), license = text(record.license);
  const fields = controls.map((control) => controlNode(control, parameters[control.name] ?? control.default, (value) => { touch(); if (value === null) delete parameters[control.name]; else parameters[control.name] = value; }, "ic-reg-option"));
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
  const save = working("Save", "chief", async () => {
    const now = { description: description.value.trim(), note: note.value.trim(), tags: tags.value.split(",").map((tag) => tag.trim()).filter(Boolean), parameters };
    if (license.value.trim()) now.license = license.value.trim();
    const before = { description: record.description, note: record.note, tags: record.tags, license: record.license, parameters: record.parameters };
    const changes = Object.fromEntries(Object.entries(now).filter(([name, value]) => !same(value, before[name])));
    if (!Object.keys(changes).length) { toast("Nothing was changed."); return; }
    await ask("edit", { id: record.id, changes });
    editing = false;
    await redrawn(`${record.id} is changed.`);
  });
  return el("div", { class: "ic-reg-part ic-editing" },
    line("Description", description), line("Note", note, "What people should know of this version."),
    el("div", { class: "ic-pair" }, line("Tags", tags, "With commas between them."), line("Licence", license)),
    controls.length ? el("h3", {}, "Defaults of a run") : null, controls.length ? el("div", { class: "ic-option-grid" }, ...fields) : null,
    el("div", { class: "ic-acts" }, save, act("Discard", "quiet", () => { editing = false; drawModel(); })),
    el("p", { class: "ic-quietly" }, "What is set here lasts, whatever the model's card says at the next start."));
}

function cardPart() {
  const place = el("div", { class: "ic-words ic-model-card" }, el("p", { class: "ic-none" }, "Reading the card …"));
  ask("card", { id: chosen }).then(({ html: markup, wrong }) => { place.replaceChildren(markup ? html(markup) : el("p", { class: "ic-none" }, wrong || "This model has no card.")); }).catch(complain);
  return place;
}

function downloadPart(record, download) {
  if (download.state === "done") return null;
  const going = download.state === "running";
  const words = el("p", { class: download.state === "failed" ? "ic-bad" : null, role: "status" });
  const bar = el("progress", { "aria-label": "Downloaded" });
  const does = (name, more) => async () => { await ask(name, { id: record.id, ...more }); await showModel(record.id); };
  const box = el("div", { class: "ic-download" }, words, bar, el("div", { class: "ic-acts" },
    going ? working("Stop", "", does("stop")) : working(download.done ? "Resume" : "Download", "chief", does("fetch")),
    !going && download.done ? working("Discard what arrived", "quiet", does("stop", { discard: true })) : null));
  const tell = (now) => {
    const state = { none: "Its files are not on this machine yet.", running: "Downloading", stopped: "Stopped; it goes on where it was.", failed: now.error || "It failed." }[now.state] || "It is here.";
    words.textContent = [state, now.total ? `${bytes(now.done) || "0"} of ${bytes(now.total)}` : "", rate(now.bytes_per_second), remaining(now.seconds_left), now.file].filter(Boolean).join(" · ");
    bar.hidden = !now.total;
    if (now.total) Object.assign(bar, { max: now.total, value: now.done });
  };
  const follow = async () => {
    if (chosen !== record.id || !box.isConnected) return;
    try {
      const now = await ask("download", { id: record.id });
      if (now.state !== "running") { await showModel(record.id); await look(true); return; }
      tell(now);
    } catch (error) { complain(error); return; }
    following = setTimeout(follow, 600);
  };
  tell(download);
  if (going) following = setTimeout(follow, 600);
  return box;
}
