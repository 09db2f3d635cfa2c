// Controls drawn from the description of a runner's options.

function field(id, label, info, ...inputs) {
  return el("div", { class: "ic-field" }, el("label", { for: id }, label), ...inputs, el("small", { id: `${id}-info` }, info));
}

// The control of one option; `keep` is told each new value, null for unset.
function controlNode(control, value, keep, prefix = "ic-option") {
  const id = `${prefix}-${control.name}`;
  const props = { id, "data-option": control.name, "aria-describedby": `${id}-info` };
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
