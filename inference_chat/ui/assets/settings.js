// The settings panel: how the model is to speak, and one control for each of its options.

function drawPanel() {
  const fields = $(".ic-fields");
  if ($(".ic-panel").hidden) return;
  const reset = el("button", { type: "button", class: "ic-more", "data-do": "reset" }, "Back to the model's own settings");
  fields.replaceChildren(...personaFields(), el("h3", {}, `Options of ${modelName(state.model)}`), ...state.controls.map(optionNode),
    reset, el("p", { class: "ic-none" }, "This browser remembers them, for every model that has them."));
}

function prompt() {
  return state.session ? state.session.system_prompt : remembered("prompt", "");
}

function personaFields() {
  const select = el("select", { id: `${PREFIX}-persona` }, el("option", { value: "" }, "The model's own"),
    ...Object.keys(state.personas).map((name) => el("option", { value: name }, name)), el("option", { value: "custom" }, "Custom"));
  const area = el("textarea", { id: `${PREFIX}-prompt`, rows: 3, dir: "auto" });
  const known = () => Object.keys(state.personas).find((name) => state.personas[name] === area.value) || (area.value ? "custom" : "");
  area.value = prompt();
  select.value = known();
  const keep = async () => {
    remember("prompt", area.value);
    if (state.session) await change(state.session.id, { system_prompt: area.value });
  };
  select.addEventListener("change", () => {
    if (select.value === "custom") return area.focus();
    area.value = state.personas[select.value] || "";
    keep().catch(complain);
  });
  area.addEventListener("change", () => { select.value = known(); keep().catch(complain); });
  return [field(`${PREFIX}-persona`, "Persona", "How the assistant speaks.", select),
    field(`${PREFIX}-prompt`, "System prompt", "Instructions that stand before the conversation.", area)];
}

function optionNode(control) {
  const chosen = remembered("settings", {});
  const value = control.name in chosen ? chosen[control.name] : control.default;
  return controlNode(control, value, (to) => keepSetting(control, to), `${PREFIX}-option`);
}

function keepSetting(control, value) {
  const chosen = remembered("settings", {});
  if (value === null || JSON.stringify(value) === JSON.stringify(control.default)) delete chosen[control.name];
  else chosen[control.name] = value;
  remember("settings", chosen);
}

// Change a conversation, which may have been left by the time of the answer.
async function change(id, changes) {
  const { session } = await ask("change", { session: id, ...changes });
  if (state.session?.id === id) state.session = session;
  return session;
}

async function useModel(id, byHand = true) {
  if (id !== state.model || !state.controls.length) {
    state.model = id;
    const { controls } = await ask("options", { model: id });
    if (state.model !== id) return;
    state.controls = controls;
  }
  drawHead();
  drawPanel();
  drawTaken();
  if (!byHand) return;
  remember(MODE === "chat" ? "model" : `model.${MODE}`, id);
  if (state.session) await change(state.session.id, { model: id });
  say(`${modelName(id)} answers from now on.`);
}

async function loadModels() {
  state.models = (await ask("models")).models;
  drawHead();
}

function togglePanel(open) {
  const panel = $(".ic-panel");
  panel.hidden = open === undefined ? !panel.hidden : !open;
  $(".ic-head [data-do=panel]").setAttribute("aria-expanded", String(!panel.hidden));
  drawPanel();
  if (panel.hidden) $(".ic-composer textarea").focus();
  else $(`#${PREFIX}-persona`).focus();
}
