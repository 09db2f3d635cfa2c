// What the page knows now, and what the browser remembers of it.

const MODE = props.mode || "chat";
const PREFIX = MODE === "chat" ? "ic" : "ic-multimodal"; // of ids: two conversations may be on one page

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
  voice: null, // the server's model that speaks
  ears: null, // and the one that writes down what is said
  record_seconds: 120,
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
  keep(text, key = drafts.key()) {
    if (text) sessionStorage.setItem(key, text);
    else sessionStorage.removeItem(key);
  },
  get: () => sessionStorage.getItem(drafts.key()) || "",
};

// Whether the tab that this conversation is in is the open one.
const shown = () => (new URL(location.href).searchParams.get("tab") || "chat") === MODE;

// The address names the open conversation, so that reloading and bookmarks come back to it.
function address() {
  if (!shown()) return;
  const url = new URL(location.href);
  if (state.session) url.searchParams.set("chat", state.session.id);
  else url.searchParams.delete("chat");
  history.replaceState(null, "", url);
  document.title = state.session ? `${state.session.title} · Inference Chat` : "Inference Chat";
}
