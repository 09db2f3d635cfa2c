// The open conversation, and a reply while it is written.

let phase = { label: "", detail: "", since: 0 };
let opened = 0; // counts what is opened; answers to what was asked before the newest opening are not shown

function show(thread) {
  state.session = thread.session;
  state.messages = thread.messages;
  state.writing = thread.writing;
  address();
  drawThread();
  drawHead();
  drawSend();
  if (state.writing) follow(thread.session.id, state.writing);
  else unfollow();
}

// Ask for what changes the open conversation, and show it unless another one has been opened meanwhile.
async function askAndShow(name, data) {
  const mine = opened;
  const thread = await ask(name, data);
  if (mine === opened) show(thread);
}

function drawThread() {
  const box = $(".ic-thread");
  const old = new Map([...box.children].map((node) => [node.dataset.message, node]));
  const nodes = state.messages.map((message) => {
    const drawn = JSON.stringify([message, message.id === state.writing]);
    const before = old.get(message.id);
    const written = before && message.id !== state.writing && $(".ic-edit", before); // not drawn over
    if (before && (before.drawn === drawn || written)) return before;
    const node = messageNode(message);
    node.drawn = drawn;
    const had = before && $(".ic-body", before);
    if (had && message.role === "assistant") { // keep what is on the screen already
      setBlocks(had, message.blocks);
      if (message.id !== state.writing) cite(had, message.sources);
      $(".ic-body", node).replaceWith(had);
    }
    return node;
  });
  arrange(box, nodes);
  drawEmpty();
  stick();
}

const TITLES = {
  chat: ["What shall we talk about?", "It runs on this computer; nothing you write leaves it."],
  multimodal: ["Show it, say it, ask about it", "Drop pictures, sounds and clips here, or use the microphone and the camera. Several models answer together, and show how."],
};

// The files that an example brings along.
function sampleNode(example) {
  const icons = { png: "Picture", ogg: "Sound", mp4: "Clip" };
  return example.files ? el("small", {}, example.files.map((name) => icons[name.split(".").pop()]).join(" + ")) : null;
}

function drawEmpty() {
  const empty = $(".ic-empty");
  empty.hidden = state.messages.length > 0;
  if (empty.hidden) return;
  const choices = state.examples.map((example, at) => el("button", { type: "button", "data-do": "example", "data-example": String(at), dir: "auto" }, example.label || example.text, sampleNode(example)));
  const none = !state.models.length && el("p", {}, "No chat model is registered yet: put one into model_cards/, or register one through the API.");
  empty.replaceChildren(el("span", { class: "ic-logo", "aria-hidden": "true" }), el("h1", {}, TITLES[MODE][0]),
    none || el("p", {}, TITLES[MODE][1]), el("div", { class: "ic-examples" }, none ? [] : choices));
}

function drawHead() {
  $(".ic-title").textContent = state.session ? state.session.title : "";
  $("[data-do=export-menu]").disabled = !state.messages.length;
  const select = $(".ic-model");
  select.replaceChildren(...state.models.map((model) => el("option", { value: model.id, title: model.description }, modelName(model.id) + (model.status === "failed" ? " (failed)" : ""))));
  select.value = state.model;
  drawBadges();
}

const BADGES = { text: ["T", "text"], image: ["camera", "pictures"], audio: ["mic", "sounds"], video: ["play", "clips"] };

// What the chosen model takes.
function drawBadges() {
  const model = present();
  const kinds = model ? ["text", ...model.takes] : [];
  const box = $(".ic-badges");
  box.setAttribute("aria-label", `Takes ${kinds.map((kind) => BADGES[kind][1]).join(", ")}`);
  box.title = box.getAttribute("aria-label");
  box.replaceChildren(...kinds.map((kind) => el("span", { class: kind }, kind === "text" ? "T" : icon(BADGES[kind][0]))));
}

function progress(reply, news) {
  const node = $(`[data-message="${reply}"]`);
  if (!node) return;
  phase = { label: LABELS[news.phase], detail: news.detail, since: performance.now() - news.elapsed * 1000 };
  if (news.fraction !== null) phase.detail = `${Math.round(news.fraction * 100)} % ${phase.detail}`;
  if (news.steps && news.steps.length) $(".ic-steps", node).replaceWith(stepsNode(news.steps));
  setBlocks($(".ic-body", node), news.blocks, news.from);
  drawPhase();
  stick();
  document.dispatchEvent(new Event("drawn"));
}

function drawPhase() {
  const place = $(".writing .ic-status span");
  if (!place) return;
  const clock = Math.max(0, Math.round((performance.now() - phase.since) / 1000));
  const text = `${phase.label}${phase.detail ? ` (${phase.detail})` : ""} · ${clock} s`;
  if (place.textContent !== text) place.textContent = text;
}

function finished(thread) {
  if (!state.session || thread.session.id !== state.session.id) return;
  show(thread);
  say("The answer is complete.");
  loadSessions().catch(complain);
  loadModels().catch(complain);
}

function stick() {
  const scroll = $(".ic-scroll");
  if (state.stuck) scroll.scrollTop = scroll.scrollHeight;
  $(".ic-down").hidden = state.stuck || !state.messages.length;
}

async function openSession(id) {
  drafts.keep($(".ic-composer textarea").value);
  const mine = (opened += 1);
  const thread = await ask("thread", { session: id });
  if (mine !== opened) return;
  state.stuck = true;
  if (thread.session.model && state.models.some((model) => model.id === thread.session.model)) await useModel(thread.session.model, false);
  if (mine !== opened) return;
  show(thread);
  restoreDraft();
  drawSessions();
  drawPanel();
}

function newChat() {
  opened += 1;
  unfollow();
  Object.assign(state, { session: null, messages: [], writing: null, stuck: true });
  address();
  drawThread();
  drawHead();
  drawSend();
  drawSessions();
  drawPanel();
  restoreDraft();
}
