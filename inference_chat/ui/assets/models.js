// The list of models: a row is chosen by a click, or by Enter.

function drawModels() {
  const rows = props.value || [];
  const body = rows.map((row) => {
    const choose = () => trigger("select", { id: row.id });
    return el("tr", { tabIndex: 0, "aria-label": row.id, on: { click: choose, keydown: (event) => { if (event.key === "Enter") choose(); } } },
      el("th", { scope: "row" }, row.id, el("small", {}, row.does)), el("td", {}, row.memory), el("td", {}, el("span", { class: `ic-state ${row.state}` }, row.state)), el("td", {}, String(row.requests)));
  });
  const head = el("thead", {}, el("tr", {}, ["Model", "Memory", "State", "Requests"].map((name) => el("th", { scope: "col" }, name))));
  $(".ic-models").replaceChildren(rows.length ? el("table", {}, head, el("tbody", {}, body)) : el("p", { class: "ic-none" }, "No model fits. Register one below, or search for less."));
}

drawModels();
watch("value", drawModels);
