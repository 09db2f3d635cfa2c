// The registry: the list of models, what is in memory, and a frame for one model (model.js) or for new ones (adding.js).

const EVERY = 2500; // ms between two looks; nothing new is answered with nothing
const found = { models: [], total: 0, memory: null, notices: [], stamp: null };
const wanted = { query: "", task: "", status: "", sort: "name", count: props.page };
let chosen = null; // the id of the model that is shown
let visible = false;
let next = null;
let looked = 0; // the newest look; answers to older ones are passed over
let asked = null; // what the list was asked for when it was drawn

const bytes = (size) => (!size ? "" : size >= 2 ** 30 ? `${(size / 2 ** 30).toFixed(1)} GiB` : size >= 2 ** 20 ? `${(size / 2 ** 20).toFixed(1)} MiB` : `${Math.ceil(size / 1024)} KiB`);
const many = (count) => Number(count).toLocaleString("en");
const act = (label, kind, run, props = {}) => el("button", { type: "button", class: `ic-act ${kind}`, on: { click: run }, ...props }, label);
const pill = (text, kind = "", title = "") => el("span", { class: `ic-state ${kind}`, title: title || null }, text);

// A button that works: it says so, and cannot be pressed twice.
function working(label, kind, run, props = {}) {
  const node = act(label, kind, async () => {
    node.disabled = true;
    node.classList.add("busy");
    try { await run(); } catch (error) { complain(error); } finally { node.disabled = false; node.classList.remove("busy"); }
  }, props);
  return node;
}

async function look(force = false) {
  clearTimeout(next);
  if (!force && (!visible || document.hidden)) return;
  const mine = (looked += 1);
  const form = { ...wanted, task: wanted.task || null, status: wanted.status || null };
  const key = JSON.stringify(form);
  try {
    const answer = await ask("look", { ...form, have: key === asked ? found.stamp : null });
    if (mine !== looked) return;
    if (answer) {
      Object.assign(found, answer);
      asked = key;
      drawList();
      drawMemory();
      if (!chosen && found.models.length && !$(".ic-adding")) await open(found.models[0].id);
      else if (chosen) await refreshModel();
    }
    $(".ic-reg-line").textContent = "";
  } catch (error) {
    if (mine !== looked) return;
    $(".ic-reg-line").textContent = error instanceof Refused ? error.message : "The server cannot be reached; this is what it said last.";
  }
  clearTimeout(next);
  next = setTimeout(look, EVERY);
}

function drawMemory() {
  const { limit, places, models } = found.memory;
  const held = Object.entries(models);
  const used = held.reduce((sum, [, size]) => sum + size, 0);
  const words = held.length ? `${bytes(used)} of ${bytes(limit)} in use, ${held.length} of ${places} places` : `Nothing of ${bytes(limit)} in use, ${places} places free`;
  const bar = el("div", { class: "ic-membar", role: "img", "aria-label": words },
    ...held.map(([id, size], at) => el("i", { class: `t${at % 6}`, style: `width:${Math.max(0.5, (100 * size) / limit)}%`, title: `${id}: ${bytes(size)}` })));
  const called = (id) => (held.filter(([other]) => other.split("@")[0] === id.split("@")[0]).length > 1 ? id : id.split("@")[0]);
  const names = held.map(([id, size], at) => el("button", { type: "button", on: { click: () => open(id) } }, el("i", { class: `t${at % 6}` }), called(id), el("small", {}, bytes(size))));
  $(".ic-reg-memory").replaceChildren(el("div", {}, el("b", {}, "Memory"), el("span", {}, words)), bar, held.length ? el("div", { class: "ic-held" }, ...names) : "");
}

function drawList() {
  const list = $(".ic-reg-list");
  const top = list.scrollTop;
  const focused = document.activeElement && list.contains(document.activeElement) ? document.activeElement.dataset.id : null;
  const several = new Map();
  for (const one of found.models) several.set(one.name, (several.get(one.name) || 0) + 1);
  const rows = found.models.map((one) => {
    const state = one.parked ? pill("parked", "", "Gave its memory back; it is there again at once") : one.status === "available" ? null : pill(one.status, one.status);
    return el("button", { type: "button", class: "ic-reg-row", "data-id": one.id, "aria-current": String(one.id === chosen), on: { click: () => { open(one.id); if (innerWidth <= 860) $(".ic-reg-main").scrollIntoView({ behavior: "smooth" }); } } },
      el("span", { class: "name" }, el("b", {}, one.name), several.get(one.name) > 1 || one.version !== "1.0.0" ? el("em", {}, one.version) : null,
        several.get(one.name) > 1 && one.default ? pill("default") : null, one.pinned ? pill("pinned", "loaded") : null),
      el("span", { class: "does" }, one.does), el("span", { class: "state" }, state, el("small", {}, one.source === "endpoint" ? "elsewhere" : bytes(one.memory))));
  });
  if (!found.models.length) rows.push(el("p", { class: "ic-none" }, wanted.query || wanted.task || wanted.status ? "No model fits. Search for less, or add one." : "No model yet. Add one."));
  const more = found.models.length < found.total && wanted.count < 10 * props.page;
  if (more) rows.push(working("Show more", "quiet", async () => { wanted.count += props.page; await look(true); }));
  renew(list, rows);
  list.scrollTop = top;
  if (focused) $(`[data-id="${CSS.escape(focused)}"]`, list)?.focus();
  $(".ic-reg-count").textContent = found.models.length < found.total ? `${many(found.models.length)} of ${many(found.total)}${more ? "" : "; search for the others"}` : `${many(found.total)} ${found.total === 1 ? "version" : "versions"}`;
  $(".ic-reg-notices").replaceChildren(...found.notices.map((text) => el("p", {}, text)));
}

function open(id) {
  if (id !== chosen) editing = false;
  chosen = id;
  for (const one of $$(".ic-reg-row")) one.setAttribute("aria-current", String(one.dataset.id === id));
  return showModel(id);
}

async function changed(id = chosen) {
  if (id && id !== chosen) await open(id);
  await look(true);
}

function searchForm() {
  let late = null;
  const want = (name, value) => { wanted[name] = value; wanted.count = props.page; };
  const soon = () => { clearTimeout(late); late = setTimeout(() => look(true), 200); };
  const query = el("input", { type: "search", placeholder: "Search name, tag, what it does", "aria-label": "Search", on: { input: () => { want("query", query.value); soon(); } } });
  const list = (label, name, options) => {
    const node = el("select", { "aria-label": label, on: { change: () => { want(name, node.value); look(true); } } }, ...Object.entries(options).map(([value, title]) => el("option", { value }, title)));
    return node;
  };
  const tasks = { "": "Any task", ...Object.fromEntries(props.tasks.map((name) => [name, name])) };
  return el("div", { class: "ic-reg-find" }, query, el("div", {}, list("Task", "task", tasks), list("State", "status", props.states), list("Order", "sort", props.sorts)));
}

// What has this word, as a click on a tag asks for.
function searchFor(word) {
  const query = $(".ic-reg-find input");
  query.value = word;
  query.dispatchEvent(new Event("input"));
  $(".ic-reg-side").scrollIntoView({ block: "nearest", behavior: "smooth" });
}

function drawRegistry() {
  $(".ic-reg").replaceChildren(
    el("p", { class: "ic-reg-line", role: "status" }), el("div", { class: "ic-reg-notices" }), el("div", { class: "ic-reg-memory" }),
    el("div", { class: "ic-reg-two" },
      el("section", { class: "ic-reg-side", "aria-label": "Models" },
        el("div", { class: "ic-reg-top" }, el("span", { class: "ic-reg-count" }), act("Add a model", "chief", () => showAdding())),
        searchForm(), el("div", { class: "ic-reg-list" })),
      el("section", { class: "ic-reg-main", "aria-label": "Model" })));
}

drawRegistry();
new IntersectionObserver((entries) => {
  visible = entries.at(-1).isIntersecting;
  if (visible) look(); else clearTimeout(next);
}).observe($(".ic-reg"));
document.addEventListener("visibilitychange", () => look());
