// Files for the next message: chosen, dropped, pasted or recorded. They are sent while the person still writes.

const MOST = 16;
const KINDS = { image: "pictures", audio: "sounds", video: "clips" };
let waiting = []; // {key, name, kind, url, id, part, error, request}
let keys = 0;

const kindOf = (file) => (["image", "audio", "video"].includes(file.type.split("/")[0]) ? file.type.split("/")[0] : "image");

function attachFiles(files) {
  const room = MOST - waiting.length;
  if (files.length > room) toast(`A message takes at most ${MOST} files.`, { kind: "bad" });
  for (const file of [...files].slice(0, room)) {
    const entry = { key: ++keys, name: file.name || `${kindOf(file)}`, kind: kindOf(file), url: URL.createObjectURL(file), id: null, part: 0, said: file.said || "" };
    waiting.push(entry);
    entry.sent = send(entry, file).catch((error) => { entry.error = error.message; }).finally(drawWaiting);
  }
  drawWaiting();
}

function send(entry, file) {
  return new Promise((resolve, reject) => {
    const request = (entry.request = new XMLHttpRequest());
    const form = new FormData();
    form.append("file", file, entry.name);
    request.open("POST", new URL("media", location.href));
    request.upload.onprogress = ({ loaded, total }) => { entry.part = loaded / total; drawWaiting(); };
    request.onabort = resolve; // a message that waits for it goes without it
    request.onerror = () => reject(new Error("It could not be sent: the server cannot be reached."));
    request.onload = () => {
      let told = {};
      try { told = JSON.parse(request.responseText); } catch { return reject(new Error("It could not be sent.")); }
      if (request.status >= 300) return reject(new Error(told.detail || "It could not be sent."));
      // What it is says its content, not its name; a sound may come in a clip's container.
      const kind = entry.kind === "audio" && told.kind === "video" ? "audio" : told.kind;
      if (kind !== entry.kind) $(`.ic-attached [data-key="${entry.key}"]`)?.remove();
      Object.assign(entry, { id: told.id, kind });
      resolve();
    };
    request.send(form);
  });
}

function detach(key) {
  const entry = waiting.find((one) => one.key === key);
  if (!entry) return;
  waiting = waiting.filter((one) => one !== entry);
  if (entry.request && !entry.id) entry.request.abort();
  if (entry.url.startsWith("blob:")) URL.revokeObjectURL(entry.url);
  drawWaiting();
  say(`${entry.name} is removed.`);
  composer.focus();
}

function drawWaiting() {
  const box = $(".ic-attached");
  const nodes = waiting.map((entry) => {
    const old = box.querySelector(`[data-key="${entry.key}"]`) || waitingNode(entry);
    const bar = $("progress", old);
    bar.value = entry.part;
    bar.hidden = Boolean(entry.id || entry.error);
    old.classList.toggle("bad", Boolean(entry.error));
    $(".ic-why", old).textContent = entry.error || entry.said;
    return old;
  });
  arrange(box, nodes);
  box.hidden = !waiting.length;
  drawTaken();
}

function waitingNode(entry) {
  const preview = { image: () => el("img", { src: entry.url, alt: "" }), video: () => el("video", { src: entry.url, muted: true, controls: true, preload: "metadata" }),
    audio: () => el("audio", { src: entry.url, controls: true, preload: "metadata" }) }[entry.kind]();
  return el("div", { class: `ic-waiting ${entry.kind}`, "data-key": String(entry.key), role: "listitem", "aria-label": entry.name }, preview, el("progress", { max: 1, value: 0, "aria-label": `Sending ${entry.name}` }),
    el("span", { class: "ic-why", dir: "auto", role: "status" }),
    el("button", { type: "button", class: "ic-icon", "aria-label": `Remove ${entry.name}`, title: `Remove ${entry.name}`, on: { click: () => detach(entry.key) } }, icon("close")));
}

const present = () => state.models.find((model) => model.id === state.model);

// What the chosen model cannot take is said before anything is sent.
function drawTaken() {
  const line = $(".ic-taken");
  const takes = (present() || { takes: [] }).takes;
  const not = [...new Set(waiting.filter((entry) => !takes.includes(entry.kind)).map((entry) => KINDS[entry.kind]))];
  line.hidden = !not.length || !present();
  if (line.hidden) return;
  const auto = state.models.find((model) => model.name === "auto");
  renew(line, [el("span", {}, `${modelName(state.model)} takes ${takes.length ? `no ${not.join(" and no ")}` : "text only"}.`),
    el("button", { type: "button", class: "ic-small", on: { click: () => useModel(auto.id).then(drawTaken).catch(complain) } }, "Answer with auto")]);
}

// The files of the message that is sent now; null where one is not there yet, and says why.
async function takeFiles() {
  while (waiting.some(({ id, error }) => !id && !error)) await Promise.all(waiting.map((entry) => entry.sent));
  const bad = waiting.find((entry) => entry.error);
  if (bad) {
    toast(`${bad.name}: ${bad.error}`, { kind: "bad" });
    return null;
  }
  return waiting.map(({ id, kind }) => ({ id, kind }));
}

function listenForFiles() {
  const main = $(".ic-main");
  const picker = $(".ic-pick");
  picker.addEventListener("change", () => { attachFiles(picker.files); picker.value = ""; composer.focus(); });
  composer.addEventListener("paste", (event) => {
    if (!event.clipboardData.files.length) return;
    event.preventDefault();
    attachFiles(event.clipboardData.files);
  });
  let depth = 0;
  const hasFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  const over = (by) => { depth = Math.max(0, depth + by); main.classList.toggle("dropping", depth > 0); };
  main.addEventListener("dragenter", (event) => { if (hasFiles(event)) { event.preventDefault(); over(1); } });
  main.addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
  main.addEventListener("dragleave", (event) => { if (hasFiles(event)) over(-1); });
  main.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    over(-depth);
    attachFiles(event.dataTransfer.files);
  });
}
