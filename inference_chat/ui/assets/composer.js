// Writing a message, sending and stopping.

const composer = $(".ic-composer textarea");

function grow(area) {
  area.style.height = "auto";
  area.style.height = `${Math.min(area.scrollHeight, window.innerHeight * 0.4)}px`;
}

function drawSend() {
  const send = $(".ic-send");
  const stopping = Boolean(state.writing);
  if (send.dataset.state === String(stopping)) return;
  send.dataset.state = String(stopping);
  send.setAttribute("aria-label", stopping ? "Stop" : "Send");
  send.title = stopping ? "Stop (Esc)" : "Send (Enter)";
  send.replaceChildren(icon(stopping ? "stop" : "send"));
}

function restoreDraft() {
  composer.value = drafts.get();
  grow(composer);
  if (!window.matchMedia("(pointer: coarse)").matches) composer.focus();
}

// Every request that begins a reply: one at a time; false when it was refused.
async function begin(action, data) {
  if (state.busy || state.writing) return false;
  state.busy = true;
  state.stuck = true;
  try {
    await askAndShow(action, { model: state.model, settings: settings(), ...data });
    loadSessions().catch(complain);
    return true;
  } catch (error) {
    complain(error);
    if (state.session && error instanceof Refused) await askAndShow("thread", { session: state.session.id }).catch(complain);
    return false;
  } finally {
    state.busy = false;
    composer.focus();
  }
}

async function submit(text, where = {}) {
  const session = state.session ? state.session.id : null;
  return begin("send", { text, session, system_prompt: session ? "" : prompt(), ...where });
}

async function sendComposed() {
  await ready; // which model answers is known then
  if (recording) return recording.finish(true);
  if ((!composer.value.trim() && !waiting.length) || state.busy || state.writing) return;
  const mine = opened;
  const files = await takeFiles();
  if (files === null || mine !== opened || state.busy || state.writing) return;
  const text = composer.value; // what stands there now: it may have been changed while files were sent
  if (!text.trim() && !files.length) return;
  const [taken, draft] = [waiting, drafts.key()];
  waiting = [];
  drawWaiting();
  drafts.keep("");
  composer.value = "";
  grow(composer);
  if (await submit(text, { files })) return;
  const newest = state.messages.findLast((one) => one.role === "user");
  if (newest && newest.text === text && state.messages.at(-1).status === "failed") return; // it is in the conversation, with a Retry
  waiting = [...taken, ...waiting]; // nothing that was typed or attached is lost
  drawWaiting();
  if (mine !== opened) return drafts.keep(text, draft);
  composer.value = [text, composer.value].filter(Boolean).join("\n");
  drafts.keep(composer.value);
  grow(composer);
}

function again(id) {
  return begin("regenerate", { session: state.session.id, message: id });
}

async function goOn() {
  if (state.busy || state.writing) return;
  state.busy = true;
  try {
    await askAndShow("go_on", { session: state.session.id, settings: settings() });
  } catch (error) {
    complain(error);
  } finally {
    state.busy = false;
    composer.focus();
  }
}

function stop() {
  if (state.writing) ask("stop", { session: state.session.id }).catch(complain);
  composer.focus();
}
