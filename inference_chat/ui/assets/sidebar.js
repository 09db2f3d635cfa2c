// The list of conversations: search, rename, delete with undo.

const DAY = 86400000;

function age(session) {
  const midnight = new Date().setHours(0, 0, 0, 0);
  const then = new Date(session.updated_at).getTime();
  if (then >= midnight) return "Today";
  if (then >= midnight - DAY) return "Yesterday";
  return then >= midnight - 7 * DAY ? "This week" : "Earlier";
}

let renaming = null; // the field in which a title is written: it is not drawn over, its end draws

function drawSessions() {
  if (renaming) return;
  const nodes = [];
  let group = "";
  for (const session of state.sessions) {
    if (age(session) !== group) nodes.push(el("h3", {}, (group = age(session))));
    nodes.push(sessionNode(session));
  }
  if (!nodes.length) nodes.push(el("p", { class: "ic-none" }, state.query ? "Nothing found." : "No conversations yet."));
  if (state.more) nodes.push(el("button", { type: "button", class: "ic-more", "data-do": "more" }, "Show more"));
  renew($(".ic-list"), nodes);
}

function sessionNode(session) {
  const open = state.session && state.session.id === session.id;
  return el("div", { class: `ic-item${open ? " open" : ""}`, "data-session": session.id },
    el("a", { href: `?chat=${session.id}`, "data-do": "open", dir: "auto", title: session.title, "aria-current": open ? "true" : null }, session.title),
    button("edit", `Rename ${session.title}`, "rename"),
    button("bin", `Delete ${session.title}`, "delete"));
}

const gone = new Set(); // deleted here: an answer that was on its way would bring them back

async function loadSessions(more = false) {
  const before = more && state.sessions.length ? state.sessions.at(-1).updated_at : null;
  const query = state.query;
  const found = await ask("sessions", { query, before });
  if (query !== state.query) return; // the person has typed on
  const present = found.sessions.filter((one) => !gone.has(one.id));
  state.sessions = more ? [...state.sessions, ...present] : present;
  state.more = found.more;
  drawSessions();
}

function renameSession(id) {
  const item = $(`.ic-item[data-session="${id}"]`);
  const { title } = state.sessions.find((one) => one.id === id);
  const field = (renaming = el("input", { type: "text", "aria-label": "Title", dir: "auto", maxLength: 200 }));
  field.value = title;
  let over = false;
  const finish = async (keep) => {
    if (over) return;
    over = true;
    if (keep && field.value.trim() && field.value !== title) {
      const changed = await change(id, { title: field.value.trim() }).catch(complain);
      if (changed) state.sessions = state.sessions.map((one) => (one.id === id ? changed : one));
    }
    if (renaming === field) renaming = null;
    drawSessions();
    drawHead();
  };
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") finish(true);
    if (event.key === "Escape") finish(false);
    event.stopPropagation();
  });
  field.addEventListener("blur", () => finish(true));
  item.replaceChildren(field);
  field.select();
}

async function deleteSession(id) {
  await ask("delete", { session: id });
  gone.add(id);
  const session = state.sessions.find((one) => one.id === id);
  state.sessions = state.sessions.filter((one) => one.id !== id);
  if (state.session && state.session.id === id) newChat();
  drawSessions();
  const undo = () => ask("restore", { session: id }).then(() => { gone.delete(id); return loadSessions(); }).catch(complain);
  toast(`Deleted “${session ? session.title : "conversation"}”`, { action: undo, label: "Undo", life: 10000 });
}

function toggleSide(open) {
  const root = $(".ic");
  const narrow = window.matchMedia("(max-width: 760px)").matches;
  const name = narrow ? "side-open" : "side-shut";
  const now = narrow ? root.classList.contains(name) : !root.classList.contains(name);
  const wanted = open === undefined ? !now : open;
  root.classList.toggle(name, narrow ? wanted : !wanted);
  if (!narrow) remember("side", wanted);
}
