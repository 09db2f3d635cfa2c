// One message: what was said, how it went, and what can be done with it.

const LABELS = { queued: "Waiting", loading: "Loading the model", reading: "Reading", working: "Working", answering: "Answering" };

function messageNode(message) {
  const mine = message.role === "user";
  const writing = message.id === state.writing;
  const name = mine ? "You" : modelName(message.model);
  const node = el("article", { class: `ic-msg ${message.role}${writing ? " writing" : ""}`, "data-message": message.id, "aria-label": `${name} said` });
  if (!mine) node.append(el("div", { class: "ic-who" }, el("span", { class: "ic-dot", "aria-hidden": "true" }), name));
  const body = el("div", { class: "ic-body", dir: "auto" });
  if (mine) body.textContent = message.text;
  else setBlocks(body, message.blocks);
  if (!writing) cite(body, message.sources);
  if (mine && message.files.length) node.append(el("div", { class: "ic-sent" }, filesNode(message.files), message.text ? body : null));
  else node.append(body);
  if (!mine && message.files.length) node.append(filesNode(message.files));
  if (writing) node.append(stepsNode([]), el("div", { class: "ic-status", role: "status" }, el("i"), el("i"), el("i"), el("span")));
  else node.append(...evidence(message), ...outcome(message), footer(message, mine));
  return node;
}

function modelName(id) {
  if (!id) return "Assistant";
  const name = id.split("@")[0];
  return state.models.filter((model) => model.name === name).length > 1 ? id : name;
}

// Replace only the blocks that changed, so that a selection and unfolded parts stay as they are.
function setBlocks(body, blocks, from = 0) {
  blocks.forEach((markup, i) => {
    const old = body.children[from + i];
    if (old && old.markup === markup) return;
    const fresh = html(markup, { class: "ic-block", dir: "auto" });
    fresh.markup = markup;
    if (!old) return body.append(fresh);
    const folded = $("details", old);
    if (folded && folded.open && $("details", fresh)) $("details", fresh).open = true;
    old.replaceWith(fresh);
  });
  while (body.children.length > from + blocks.length) body.lastChild.remove();
}

function evidence(message) {
  return [message.sources.length ? sourcesNode(message.sources) : null, message.plan.length ? planNode(message.plan) : null].filter(Boolean);
}

function outcome(message) {
  const parts = message.notes.map((note) => el("p", { class: "ic-note", dir: "auto" }, note));
  if (message.status === "failed" || message.error) {
    const detail = (message.error && message.error.detail) || "The answer failed.";
    parts.push(el("div", { class: "ic-error", role: "alert" }, icon("alert"), el("span", { dir: "auto" }, detail),
      el("button", { type: "button", "data-do": "again" }, "Retry")));
  } else if (message.status === "interrupted") parts.push(cut("Interrupted: the server stopped while this was written.", message));
  else if (message.status === "cancelled" || message.finish_reason === "cancelled") parts.push(cut("Stopped.", message));
  else if (message.finish_reason === "length") parts.push(cut("Cut at the longest answer that is set.", message));
  return parts;
}

// A plan is not continued in the middle: it is made again.
function cut(why, { plan }) {
  const [act, label] = plan.length ? ["again", "Again"] : ["go-on", "Continue"];
  return el("div", { class: "ic-cut" }, el("span", {}, why), el("button", { type: "button", "data-do": act }, label));
}

function footer(message, mine) {
  const foot = el("div", { class: "ic-foot" });
  if (message.siblings.length > 1) foot.append(branches(message));
  foot.append(button("copy", "Copy this message", "copy"));
  foot.append(button("edit", mine ? "Edit this message" : "Edit this answer", "edit"));
  if (!mine) {
    if (canSpeak() && message.text) foot.append(button("speak", speakLabel(), "aloud", { "aria-pressed": "false" }));
    foot.append(button("again", "Answer again", "again"),
      button("like", "Good answer", "like", { "aria-pressed": String(message.feedback === "like") }),
      button("dislike", "Bad answer", "dislike", { "aria-pressed": String(message.feedback === "dislike") }),
      el("span", { class: "ic-figures" }, message.figures));
  }
  return foot;
}

function branches(message) {
  const at = message.siblings.indexOf(message.id);
  const step = (name, label, to) => button(name, label, "branch", { "data-to": message.siblings[to], disabled: !message.siblings[to] });
  return el("span", { class: "ic-branches" },
    step("left", "Earlier version", at - 1), el("span", {}, `${at + 1}/${message.siblings.length}`), step("right", "Later version", at + 1));
}

function editMessage(id) {
  const message = state.messages.find((one) => one.id === id);
  const node = $(`[data-message="${id}"]`);
  const mine = message.role === "user";
  const area = el("textarea", { dir: "auto", "aria-label": mine ? "Edit this message" : "Edit this answer" });
  area.value = message.text;
  const cancel = () => { form.remove(); drawThread(); composer.focus(); };
  const files = message.files.filter((file) => file.id).map(({ id, kind }) => ({ id, kind }));
  const say = () => submit(area.value, { parent: message.parent, edit: true, files }).then((sent) => sent || area.focus());
  const rewrite = () => askAndShow("rewrite", { session: state.session.id, message: id, text: area.value }).catch(complain);
  const send = () => { if (area.value.trim() || (mine && files.length)) (mine ? say : rewrite)(); };
  const form = el("form", { class: "ic-edit", on: { submit: (event) => { event.preventDefault(); send(); } } }, area,
    el("div", {}, el("button", { type: "button", on: { click: cancel } }, "Cancel"), el("button", { type: "submit", class: "ic-primary" }, mine ? "Send" : "Save")));
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); }
    if (event.key === "Escape") { event.stopPropagation(); cancel(); }
  });
  area.addEventListener("input", () => grow(area));
  node.replaceChildren(form);
  node.drawn = null;
  grow(area);
  area.focus();
}
