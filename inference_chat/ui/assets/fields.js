// The options of a task, as a form; the component's value holds what was changed from the default.

function drawFields() {
  const controls = props.controls || [];
  const chosen = {};
  props.value = chosen;
  const keep = (control) => (value) => {
    if (value === null || JSON.stringify(value) === JSON.stringify(control.default)) delete chosen[control.name];
    else chosen[control.name] = value;
    props.value = { ...chosen };
  };
  $(".ic-form").replaceChildren(...controls.map((control) => controlNode(control, control.default, keep(control), props.prefix)));
}

drawFields();
watch("controls", drawFields);
