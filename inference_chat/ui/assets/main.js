// What each button does, the keyboard, and the start.

const message = (id) => state.messages.find((one) => one.id === id);

const DO = {
  side: () => toggleSide(),
  new: () => { newChat(); narrowed(); },
  more: () => loadSessions(true),
  open: async (node) => { await openSession(node.closest("[data-session]").dataset.session); narrowed(); },
  rename: (node) => renameSession(node.closest("[data-session]").dataset.session),
  delete: (node) => deleteSession(node.closest("[data-session]").dataset.session),
  import: () => $(".ic-file").click(),
  panel: () => togglePanel(),
  reset: () => { remember("settings", {}); drawPanel(); },
  "export-menu": () => { $(".ic-menu-box").hidden = !$(".ic-menu-box").hidden; },
  export: (node) => exportSession(node.dataset.form),
  down: () => { state.stuck = true; stick(); },
  example: async (node) => {
    const { text, files = [] } = state.examples[Number(node.dataset.example)];
    const sent = await Promise.all(files.map((name) => ask("sample", { name })));
    return submit(text, { files: sent.map(({ id, kind }) => ({ id, kind })) });
  },
  attach: () => $(".ic-pick").click(),
  camera: () => camera(),
  microphone: () => microphone(),
  "cancel-recording": () => recording && recording.finish(false),
  aloud: (node, id) => aloud(node, id),
  copy: async (node, id) => { await copy(message(id).text); done(node); },
  "copy-code": async (node) => { await copy($("code", node.closest(".ic-code")).textContent); done(node); },
  edit: (node, id) => editMessage(id),
  again: (node, id) => again(id),
  "go-on": () => goOn(),
  like: (node, id) => rate(id, "like"),
  dislike: (node, id) => rate(id, "dislike"),
  branch: async (node, id) => {
    state.stuck = false;
    await askAndShow("select", { session: state.session.id, message: node.dataset.to });
  },
};

function done(node) {
  const before = [...node.childNodes];
  node.replaceChildren(icon("check"));
  say("Copied.");
  setTimeout(() => node.replaceChildren(...before), 1500);
}

async function rate(id, value) {
  const rated = message(id);
  const { feedback } = await ask("feedback", { session: state.session.id, message: id, value: rated.feedback === value ? null : value });
  rated.feedback = feedback;
  drawThread();
}

async function exportSession(form) {
  $(".ic-menu-box").hidden = true;
  if (form === "zip") {
    const link = el("a", { href: `chat/${state.session.id}/export?format=zip`, download: "conversation.zip" });
    document.body.append(link);
    link.click();
    return link.remove();
  }
  const exported = await ask("export", { session: state.session.id, form });
  const name = state.session.title.replace(/[^\p{L}\p{N} _-]+/gu, "").trim().slice(0, 60) || "conversation";
  if (form === "json") save(`${name}.json`, JSON.stringify(exported.json, null, 2), "application/json");
  else save(`${name}.md`, exported.text, "text/markdown");
}

async function importArchive(file) {
  const answer = await fetch("chat/import/archive", { method: "POST", body: file });
  const told = await answer.json();
  if (!answer.ok) throw new Refused(told);
  await openSession(told.session_id || told.id);
  await loadSessions();
}

async function importFile(file) {
  if (file.name.endsWith(".zip")) return importArchive(file);
  let conversation;
  try {
    conversation = JSON.parse(await file.text());
  } catch {
    return toast("This file is no JSON: choose a conversation that was exported as JSON.", { kind: "bad" });
  }
  const thread = await ask("load", { conversation });
  state.stuck = true;
  show(thread);
  await loadSessions();
}

// On a narrow screen the list lies over the conversation, and goes when one was chosen.
function narrowed() {
  if (window.matchMedia("(max-width: 760px)").matches) toggleSide(false);
}

function notices(texts) {
  const unseen = texts.filter((text) => !remembered("dismissed", []).includes(text));
  $(".ic-notices").replaceChildren(...unseen.map((text) => {
    const dismiss = () => { remember("dismissed", [...remembered("dismissed", []), text].slice(-50)); line.remove(); };
    const line = el("p", {}, el("span", { dir: "auto" }, text),
      el("button", { type: "button", class: "ic-icon", "aria-label": "Dismiss this notice", on: { click: dismiss } }, icon("close")));
    return line;
  }));
}

function listen() {
  element.addEventListener("click", (event) => {
    const node = event.target.closest("[data-do]");
    if (!event.target.closest(".ic-menu-box, [data-do=export-menu]")) $(".ic-menu-box").hidden = true;
    if (!node || (node.tagName === "A" && (event.ctrlKey || event.metaKey))) return;
    if (node.tagName === "A") event.preventDefault();
    const holder = node.closest("[data-message]");
    Promise.resolve(DO[node.dataset.do](node, holder && holder.dataset.message)).catch(complain);
  });
  $(".ic-composer").addEventListener("submit", (event) => {
    event.preventDefault();
    if (state.writing) stop();
    else sendComposed();
  });
  composer.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    sendComposed();
  });
  composer.addEventListener("input", () => { grow(composer); drafts.keep(composer.value); });
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    if (!$(".ic-menu-box").hidden) $(".ic-menu-box").hidden = true;
    else if (recording) recording.finish(false);
    else if (state.writing) stop();
    else if (!$(".ic-panel").hidden) togglePanel(false);
    else if ($(".ic").classList.contains("side-open")) toggleSide(false);
  });
  let typing;
  $(".ic-search").addEventListener("input", (event) => {
    clearTimeout(typing);
    typing = setTimeout(() => { state.query = event.target.value; loadSessions().catch(complain); }, 150);
  });
  $(".ic-file").addEventListener("change", (event) => {
    const file = event.target.files[0];
    event.target.value = "";
    if (file) importFile(file).catch(complain);
  });
  $(".ic-model").addEventListener("change", (event) => useModel(event.target.value).catch(complain));
  const scroll = $(".ic-scroll");
  scroll.addEventListener("scroll", () => {
    state.stuck = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60;
    $(".ic-down").hidden = state.stuck || !state.messages.length;
  });
  listenForFiles();
  new ResizeObserver(() => { stick(); grow(composer); if (scroll.clientWidth) address(); }).observe(scroll); // nothing has a size while another tab is open
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh().catch(complain); });
}

// Another tab or program may have gone on with this conversation.
async function refresh() {
  await Promise.all([loadSessions(), loadModels()]);
  if (!state.session || state.writing || state.busy) return;
  if ($(".ic-edit")) return;
  const thread = await ask("thread", { session: state.session.id });
  if (!state.writing && !state.busy && state.session && thread.session.id === state.session.id) show(thread);
}

async function start() {
  $$("[data-icon]").forEach((node) => node.prepend(icon(node.dataset.icon)));
  if (!remembered("side", true)) toggleSide(false);
  listen();
  const wanted = shown() ? new URL(location.href).searchParams.get("chat") : null;
  const first = await ask("boot", { session: wanted, mode: MODE });
  Object.assign(state, { models: first.models, personas: first.personas, examples: first.examples, sessions: first.sessions });
  Object.assign(state, { voice: first.voice, ears: first.ears, record_seconds: first.record_seconds });
  state.more = first.more;
  notices(first.notices);
  const usual = remembered(MODE === "chat" ? "model" : `model.${MODE}`, null);
  const thread = first.thread && !first.thread.error ? first.thread : null;
  const known = (id) => state.models.some((model) => model.id === id);
  const named = new URL(location.href).searchParams.get("model");
  const tried = state.models.find((model) => named && (model.id === named || model.id.startsWith(`${named}@`)))?.id;
  const model = [thread && thread.session.model, tried, usual, first.model].find((id) => id && known(id));
  if (first.thread && first.thread.error) toast(first.thread.error, { kind: "bad" });
  if (thread) show(thread);
  else newChat();
  drawSessions();
  if (model) await useModel(model, false);
  if (composer.value) drafts.keep(composer.value); // typed before it was known which conversation this is
  restoreDraft();
  setInterval(drawPhase, 500);
  $(".ic").dataset.ready = "true";
}

const ready = start().catch(complain);
