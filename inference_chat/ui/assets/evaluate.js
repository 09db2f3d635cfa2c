// What an evaluation has measured: accuracy against latency and memory, every measure, and the mistakes.

function cells(label, head, rows) {
  return el("div", { class: "ic-table ic-wide", tabIndex: 0, role: "region", "aria-label": label }, el("table", {},
    el("thead", {}, el("tr", {}, ...head.map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, ...rows.map(([first, ...others]) => el("tr", {}, el("th", { scope: "row" }, first), ...others.map((cell) => el("td", {}, cell)))))));
}

function choices(found) {
  const points = found.results.filter((one) => one.score !== null && one.latency_ms);
  if (points.length < 2) return null;
  const most = Math.max(...points.map((one) => one.memory || 0), 1);
  const lowest = Math.min(...points.map((one) => one.score));
  const least = Math.max(0, Math.floor((lowest - 0.15 * (1 - lowest)) * 10) / 10);
  const named = (id) => id.split("@")[0];
  const single = (id) => points.filter((one) => named(one.model) === named(id)).length === 1;
  const asIs = points.every((one) => Math.abs(one.score - one.scores[found.measure]) < 1e-6);
  const what = asIs ? props.names[found.measure] : `better by ${props.names[found.measure]}: higher`;
  return pointChart({
    title: "Which to choose", note: [what, "larger dots take more memory", least ? `from ${amount(least, "%")}` : ""].filter(Boolean).join(", "), across: "time of one answer", unitX: "ms", unitY: "%", most: 1, least,
    points: points.map((one) => ({
      name: single(one.model) ? named(one.model) : one.model, x: one.latency_ms, y: one.score, size: 5 + 9 * Math.sqrt((one.memory || 0) / most), best: one.best,
      told: `${amount(one.score, "%")}, ${amount(one.latency_ms, "ms")}, ${amount(one.memory, "B")}`,
    })),
  });
}

function bars(found) {
  const measured = found.results.filter((one) => one.score !== null);
  return el("ul", { class: "ic-bars" }, ...measured.map((one) => el("li", {}, el("span", {}, one.model),
    el("meter", { min: 0, max: 1, value: one.score, "aria-label": one.model }), el("b", {}, amount(one.score, "%")))));
}

function figuresOf(found) {
  const names = [...new Set(found.results.flatMap((one) => Object.keys(one.scores || {})))];
  const order = [found.measure, ...names.filter((name) => name !== found.measure)].filter((name) => names.includes(name));
  return cells("Every measure", ["Model", ...order.map((name) => props.names[name] || name), "One answer", "Rows/s", "Memory"], found.results.filter((one) => one.scores).map((one) => [
    el("span", {}, one.model, one.best && found.results.length > 1 ? el("span", { class: "ic-state loaded", title: "No other is better in everything" }, "best choice") : null),
    ...order.map((name) => amount(one.scores[name], name === "perplexity" ? "" : "%")), amount(one.latency_ms, "ms"), amount(one.rows_per_second), amount(one.memory, "B")]));
}

function mistakes(one) {
  if (!one.mistakes || !one.mistakes.length) return null;
  return el("details", {}, el("summary", {}, el("code", {}, one.model), el("span", {}, `${amount(one.rows - one.right)} of ${amount(one.rows)} not wholly right`)),
    cells(`Mistakes of ${one.model}`, ["Row", "Input", "Right", "Answered"], one.mistakes.map((row) => [String(row.row), row.input, row.truth, row.answer || "nothing"])));
}

function drawEvaluation() {
  const found = props.value || {};
  const view = $(".ic-eval");
  if (!found.results) {
    view.replaceChildren(el("div", { class: "ic-nothing" }, el("p", {}, "What is measured is shown here: how often each model is right, in what time, in how much memory, and what it gets wrong.")));
    return;
  }
  const going = found.results.filter((one) => ["waiting", "running"].includes(one.state) && ["waiting", "running"].includes(found.state));
  const told = [...found.notes, ...found.results.flatMap((one) => (one.notes || []).map((note) => `${one.model}: ${note}`))];
  const wrong = found.results.map(mistakes).filter(Boolean);
  view.replaceChildren(...[
    el("div", { class: "ic-part" }, el("h2", {}, `${found.set_name}, ${amount(found.total)} rows`), el("span", { class: "ic-quietly" }, `${found.task}, by ${props.names[found.measure] || found.measure}`)),
    ...going.map((one) => el("p", { class: "ic-quietly" }, `${one.model}: ${amount(one.done)} of ${amount(found.total)} rows`)),
    ...found.results.filter((one) => one.error).map((one) => el("div", { class: "ic-line bad", role: "alert" }, el("span", {}, `${one.model}: ${one.error}`))),
    choices(found) || bars(found), found.results.some((one) => one.scores) ? figuresOf(found) : null,
    ...told.map((note) => el("p", { class: "ic-quietly" }, note)),
    wrong.length ? el("div", { class: "ic-failures" }, el("h2", {}, "What they get wrong"), ...wrong) : null,
  ].filter(Boolean));
}

drawEvaluation();
watch("value", drawEvaluation);
