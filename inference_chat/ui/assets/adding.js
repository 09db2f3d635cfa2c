// New models: a folder, the Hugging Face hub, an endpoint, or another registry's export; each is looked at before it counts.

const WAYS = { folder: "Folder", hub: "Hugging Face hub", endpoint: "Endpoint", file: "Import and export" };
let way = "folder";

const entry = (label, props = {}, info = "") => {
  const input = el("input", { type: "text", dir: "auto", spellcheck: false, autocomplete: "off", ...props });
  return { input, node: el("label", { class: "ic-edit-field" }, el("span", {}, label), input, info ? el("small", {}, info) : null) };
};

function showAdding(at = way) {
  way = at;
  clearTimeout(following);
  chosen = null;
  for (const one of $$(".ic-reg-row")) one.setAttribute("aria-current", "false");
  const tabs = el("div", { class: "ic-segments", role: "group", "aria-label": "Where the model is" }, ...Object.entries(WAYS).map(([key, name]) =>
    el("button", { type: "button", "aria-pressed": String(key === way), on: { click: () => showAdding(key) } }, name)));
  const form = { folder: folderForm, hub: hubForm, endpoint: endpointForm, file: fileForm }[way]();
  $(".ic-reg-main").replaceChildren(el("div", { class: "ic-adding" }, el("header", {}, el("h2", {}, "Add a model")), tabs, form));
  $("input", form)?.focus();
}

// What a dry run has found, with the button that makes it count.
function verdict(told, register) {
  const { record, memory, download } = told;
  const sentence = (good, text) => el("li", { class: good ? "good" : "bad" }, text);
  const facts = [];
  if (told.problem) facts.push(sentence(false, told.problem.detail));
  if (memory && record.source !== "endpoint" && memory.needed) {
    const about = `It takes about ${bytes(memory.needed)} of memory`;
    facts.push(memory.fits_now ? sentence(true, `Fits here. ${about}; ${bytes(memory.limit - memory.in_use)} are free for models.`)
      : memory.fits ? sentence(true, `Fits here once idle models have left. ${about}.`) : sentence(false, `Does not fit here. ${about}; ${bytes(Math.min(memory.limit, memory.free + memory.in_use))} are there for all models.`));
  }
  if (download) facts.push(sentence(download.fits, download.fits ? `${bytes(download.size - download.have) || "Nothing"} to download; the disk has ${bytes(download.disk_free)} free.` : `${bytes(download.size - download.have)} to download are too much: the disk has ${bytes(download.disk_free)} free.`));
  facts.push(...told.warnings.map((text) => sentence(false, text)));
  const head = record ? el("p", {}, el("b", {}, `${record.name}@${record.version}`), " ", [record.tasks.join(", "), bytes(record.file_size), record.license].filter(Boolean).join(" · ")) : null;
  return el("div", { class: `ic-verdict ${told.ok ? "" : "no"}`, role: "status" }, head, el("ul", {}, ...facts), told.ok ? el("div", { class: "ic-acts" }, ...register(told)) : null);
}

async function register(body, fetch = false) {
  const record = await ask("register", { body, fetch });
  chosen = null;
  part = "figures";
  await changed(record.id);
  toast(`${record.id} is registered: ${record.capabilities.join(", ") || record.model_type || "as described"}.`);
  for (const text of record.warnings || []) toast(text, { kind: "bad" });
}

// A form whose fields make a registration: look first, or register at once.
function checkedForm(fields, body, { buttons = () => [working("Register", "chief", () => register(body()))], choose = null } = {}) {
  const place = el("div", {});
  const offered = (told) => (choose && told.choices?.length ? el("div", { class: "ic-chips", role: "group", "aria-label": "Models there" }, ...told.choices.slice(0, 60).map((name) =>
    el("button", { type: "button", on: { click: () => { choose(name); go.click(); } } }, name))) : null);
  const check = async () => {
    place.replaceChildren();
    const told = await ask("check", { body: body() });
    place.replaceChildren(...[verdict(told, buttons), offered(told)].filter(Boolean));
  };
  const go = working("Check", "chief", check, { title: "Looks only: nothing is kept yet" });
  return el("form", { class: "ic-reg-part ic-editing", on: { submit: (event) => { event.preventDefault(); go.click(); }, input: () => place.replaceChildren() } },
    ...fields, el("div", { class: "ic-acts" }, go, working("Register", "", () => register(body()))), place);
}

function names() {
  const name = entry("Name", { placeholder: "as it is called there" }), version = entry("Version", { placeholder: "1.0.0" });
  return { node: el("div", { class: "ic-pair" }, name.node, version.node), body: () => ({ name: name.input.value.trim(), version: version.input.value.trim() }) };
}

function folderForm() {
  const place = entry("Folder on the server", { placeholder: "/models/my-model" }, "In Hugging Face layout: config.json, the tokenizer, weights as safetensors. Only headers are read to look at it.");
  const called = names();
  return checkedForm([place.node, called.node], () => ({ file_path: place.input.value.trim(), ...called.body() }));
}

function endpointForm() {
  const url = entry("URL", { placeholder: "http://10.0.0.5:8000/v1" }, "Of an OpenAI-compatible or Hugging Face endpoint: vLLM, TGI, SGLang, Ollama, a provider, another Inference Chat.");
  const model = entry("Model there", { placeholder: "Check lists those that there are" });
  const key = entry("Variable of the key", { placeholder: "MY_PROVIDER_KEY" }, "The key itself is never kept; the operator names its variable and host in ENDPOINT_KEYS.");
  const task = el("select", {}, el("option", { value: "" }, "as the endpoint says"), ...props.tasks.map((name) => el("option", { value: name }, name)));
  const called = names();
  return checkedForm([url.node, el("div", { class: "ic-pair" }, model.node, key.node), el("label", { class: "ic-edit-field" }, el("span", {}, "Task"), task), called.node], () => {
    const endpoint = { url: url.input.value.trim() };
    if (model.input.value.trim()) endpoint.model = model.input.value.trim();
    if (key.input.value.trim()) endpoint.key_env = key.input.value.trim();
    const given = called.body();
    return { ...given, name: given.name || endpoint.model?.replace(/@.*$/, "").replace(/[^A-Za-z0-9._-]+/g, "-") || "", endpoint, ...(task.value ? { tasks: [task.value] } : {}) };
  }, { choose: (name) => { model.input.value = name; } });
}

function hubForm() {
  const query = entry("Search the hub, or give an id", { type: "search", placeholder: "SmolLM2 instruct" });
  const task = el("select", { "aria-label": "Task on the hub" }, el("option", { value: "" }, "Every task"), ...props.tasks.map((name) => el("option", { value: name }, name)));
  const list = el("div", { class: "ic-hub-list" }), place = el("div", {});
  const pick = (id) => async () => {
    place.replaceChildren(el("p", { class: "ic-quietly" }, `Looking at ${id} …`));
    const body = { hub_id: id };
    try {
      place.replaceChildren(verdict(await ask("check", { body }), () => [working("Register and download", "chief", () => register(body, true)), working("Register only", "", () => register(body))]));
    } catch (error) { place.replaceChildren(); complain(error); }
    place.scrollIntoView({ block: "nearest" });
  };
  const search = async () => {
    place.replaceChildren();
    const { models, limit } = await ask("hub", { query: query.input.value.trim(), task: task.value || null });
    const row = (one) => el("button", { type: "button", class: "ic-hub-row", on: { click: pick(one.hub_id) } },
      el("b", {}, one.hub_id, one.gated ? pill("gated", "", "Its terms have to be accepted first") : null), el("span", {}, [one.task, one.license || "licence not said", `${many(one.downloads)} downloads`].filter(Boolean).join(" · ")),
      el("em", { class: one.size && one.size * 1.1 > limit ? "ic-bad" : null }, one.size ? `${bytes(one.size)}${one.size * 1.1 > limit ? ", too large here" : ""}` : ""));
    list.replaceChildren(...(models.length ? models.map(row) : [el("p", { class: "ic-none" }, "The hub has no such model with safetensors weights.")]));
  };
  const go = working("Search", "chief", async () => {
    try { await search(); } catch (error) {
      if (!(error instanceof Refused)) throw error;
      list.replaceChildren(el("p", { class: "ic-none", role: "alert" }, error.message));
    }
  });
  const look = act("Look at this id", "", () => { const id = query.input.value.trim(); if (id) pick(id)(); });
  return el("form", { class: "ic-reg-part ic-editing", on: { submit: (event) => { event.preventDefault(); go.click(); } } },
    el("div", { class: "ic-pair wide" }, query.node, el("label", { class: "ic-edit-field" }, el("span", {}, "Task"), task)), el("div", { class: "ic-acts" }, go, look), list, place);
}

function fileForm() {
  const place = el("div", {});
  const file = el("input", { type: "file", accept: ".json,application/json", "aria-label": "Export of a registry" });
  const told = (taken) => el("ul", {}, el("li", { class: "good" }, `${many(taken.added.length)} new, ${many(taken.kept.length)} are here already and stay.`),
    ...taken.refused.slice(0, 20).map((one) => el("li", { class: "bad" }, `${one.name || `Number ${one.number + 1}`}: ${one.detail}`)));
  file.addEventListener("change", async () => {
    place.replaceChildren();
    if (!file.files.length) return;
    try {
      const document = JSON.parse(await file.files[0].text());
      const taken = await ask("take", { document, dry_run: true });
      place.replaceChildren(el("div", { class: "ic-verdict", role: "status" }, told(taken), taken.added.length ? el("div", { class: "ic-acts" }, working(`Import ${many(taken.added.length)}`, "chief", async () => {
        const done = await ask("take", { document, dry_run: false });
        await changed(done.added[0]);
        toast(`${many(done.added.length)} versions are registered.`);
      })) : null));
    } catch (error) {
      if (error instanceof SyntaxError) toast("The file is no JSON; choose an export of a registry.", { kind: "bad" });
      else complain(error);
    }
  });
  return el("div", { class: "ic-reg-part ic-editing" },
    el("h3", {}, "Export"), el("p", { class: "ic-quietly" }, "All that is registered as one JSON file: words, defaults, versions, endpoints. No weights, no keys, no figures."),
    el("div", { class: "ic-acts" }, working("Export the registry", "", async () => { save("registry.json", JSON.stringify(await ask("export"), null, 2), "application/json"); })),
    el("h3", {}, "Import"), el("p", { class: "ic-quietly" }, "An export of another registry. It is looked at first; versions that are here stay as they are."), file, place);
}
