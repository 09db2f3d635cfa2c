// The settings panel: how the model is to speak, and one control for each of its options.

function drawPanel() {
  const fields = $(".ic-fields");
  if ($(".ic-panel").hidden) return;
  const reset = el("button", { type: "button", class: "ic-more", "data-do": "reset" }, "Back to the model's own settings");
  fields.replaceChildren(...personaFields(), el("h3", {}, `Options of ${modelName(state.model)}`), ...state.controls.map(controlNode),
    reset, el("p", { class: "ic-none" }, "This browser remembers them, for every model that has them."));
}

function prompt() {
  return state.session ? state.session.system_prompt : remembered("prompt", "");
}

function personaFields() {
  const select = el("select", { id: "ic-persona" }, el("option", { value: "" }, "The model's own"),
    ...Object.keys(state.personas).map((name) => el("option", { value: name }, name)), el("option", { value: "custom" }, "Custom"));
  const area = el("textarea", { id: "ic-prompt", rows: 3, dir: "auto" });
  const known = () => Object.keys(state.personas).find((name) => state.personas[name] === area.value) || (area.value ? "custom" : "");
  area.value = prompt();
  select.value = known();
  const keep = async () => {
    remember("prompt", area.value);
    if (!state.session) return;
    const changed = await ask("change", { session: state.session.id, system_prompt: area.value });
    state.session = changed.session;
  };
  select.addEventListener("change", () => {
    if (select.value === "custom") return area.focus();
    area.value = state.personas[select.value] || "";
    keep().catch(complain);
  });
  area.addEventListener("change", () => { select.value = known(); keep().catch(complain); });
  return [field("ic-persona", "Persona", "How the assistant speaks.", select),
    field("ic-prompt", "System prompt", "Instructions that stand before the conversation.", area)];
}

function field(id, label, info, ...inputs) {
  return el("div", { class: "ic-field" }, el("label", { for: id }, label), ...inputs, el("small", { id: `${id}-info` }, info));
}

function controlNode(control) {
  const id = `ic-option-${control.name}`;
  const chosen = remembered("settings", {});
  const value = control.name in chosen ? chosen[control.name] : control.default;
  const props = { id, "data-option": control.name, "aria-describedby": `${id}-info` };
  const keep = (to) => keepSetting(control, to);
  if (control.kind === "slider") return sliderNode(control, props, value, keep);
  if (control.kind === "checkbox") {
    const box = el("input", { ...props, type: "checkbox", checked: Boolean(value), on: { change: () => keep(box.checked) } });
    return field(id, control.label, control.info, box);
  }
  if (control.kind === "choice") {
    const select = el("select", { ...props, on: { change: () => keep(select.value || null) } }, control.optional ? el("option", { value: "" }, "Unset") : null,
      ...control.choices.map((choice) => el("option", { value: choice }, choice)));
    select.value = value ?? "";
    return field(id, control.label, control.info, select);
  }
  if (control.kind === "list") {
    const area = el("textarea", { ...props, rows: 2, dir: "auto", on: { change: () => keep(area.value.split("\n").filter(Boolean)) } });
    area.value = (value || []).join("\n");
    return field(id, control.label, `${control.info} One a line.`, area);
  }
  const number = control.kind === "number";
  const input = el("input", { ...props, type: number ? "number" : "text", min: number ? String(control.min ?? "") : null, placeholder: control.optional ? "unset" : "",
    on: { change: () => keep(input.value === "" ? null : number ? Number(input.value) : input.value) } });
  input.value = value ?? "";
  return field(id, control.label, control.info, input);
}

function sliderNode(control, props, value, keep) {
  const bounds = { min: String(control.min), max: String(control.max), step: String(control.step) };
  const range = el("input", { ...bounds, type: "range", "aria-label": control.label });
  const number = el("input", { ...props, ...bounds, step: "any", type: "number", placeholder: control.optional ? "unset" : "" });
  range.value = value ?? control.min;
  number.value = value ?? "";
  range.addEventListener("input", () => { number.value = range.value; });
  range.addEventListener("change", () => keep(Number(range.value)));
  number.addEventListener("change", () => {
    if (number.value === "" || !number.checkValidity()) number.value = control.optional && number.value === "" ? "" : range.value;
    else range.value = number.value;
    keep(number.value === "" ? null : Number(number.value));
  });
  return field(props.id, control.label, control.info, el("div", { class: "ic-slider" }, range, number));
}

function keepSetting(control, value) {
  const chosen = remembered("settings", {});
  if (value === null || JSON.stringify(value) === JSON.stringify(control.default)) delete chosen[control.name];
  else chosen[control.name] = value;
  remember("settings", chosen);
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
  if (!byHand) return;
  remember("model", id);
  if (state.session) state.session = (await ask("change", { session: state.session.id, model: id })).session;
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
  else $("#ic-persona").focus();
}
