// What the page knows now, and what the browser remembers of it.

const state = {
  session: null, // the open conversation; null: a new one that nothing was said in
  messages: [], // along the branch that is shown
  writing: null, // id of the reply being written
  models: [],
  model: null,
  controls: [],
  personas: {},
  examples: [],
  sessions: [],
  more: false,
  query: "",
  stuck: true, // whether the newest message is kept in view
  busy: false, // a message is on its way to the server
};

const KEY = "inference-chat.";

function remembered(name, fallback) {
  try {
    return JSON.parse(localStorage.getItem(KEY + name)) ?? fallback;
  } catch {
    return fallback;
  }
}

function remember(name, value) {
  try {
    localStorage.setItem(KEY + name, JSON.stringify(value));
  } catch {
    return; // a browser that stores nothing still chats
  }
}

// The settings a person changed, as far as the present model has them.
function settings() {
  const chosen = remembered("settings", {});
  const known = state.controls.map((control) => control.name);
  return Object.fromEntries(Object.entries(chosen).filter(([name]) => known.includes(name)));
}

const drafts = {
  key: () => `${KEY}draft.${state.session ? state.session.id : "new"}`,
  keep(text) {
    if (text) sessionStorage.setItem(drafts.key(), text);
    else sessionStorage.removeItem(drafts.key());
  },
  get: () => sessionStorage.getItem(drafts.key()) || "",
};

// The address names the open conversation, so that reloading and bookmarks come back to it.
function address() {
  const url = new URL(location.href);
  if (state.session) url.searchParams.set("chat", state.session.id);
  else url.searchParams.delete("chat");
  history.replaceState(null, "", url);
  document.title = state.session ? `${state.session.title} · Inference Chat` : "Inference Chat";
}
