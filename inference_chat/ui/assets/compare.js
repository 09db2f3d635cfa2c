// The same input to several models: a column for each, a vote on the best, what differs, a report to take away.

const LETTERS = "ABCDEF";
const FIGURES = [["latency_ms", "Latency", duration, -1], ["first_token_ms", "First token", duration, -1], ["tokens_per_second", "Tokens/s", (n) => n.toFixed(0), 1],
  ["compute_ms", "Own work", duration, -1], ["load_ms", "Loading", duration, 0], ["energy_j", "Energy", joules, -1], ["each_1000", "1,000 answers", thousand, 0], ["memory", "Memory", mebibytes, -1], ["size", "Weights", mebibytes, -1], ["license", "Licence", String, 0]];
let marking = true;
let base = 0;
let voted = {}; // what the vote on the shown comparison brought; Gradio may hand its value over once more, without it

function drawCompare() {
  if (!props.value?.columns) return empty();
  const value = { ...props.value, ...(voted.id === props.value.id ? voted : null) };
  const root = $(".ic-compare");
  root.setAttribute("aria-busy", String(Boolean(value.live)));
  if (value.live) {
    [marking, base] = [true, 0];
    return root.replaceChildren(sides(value.columns.map((column) => side(column, running(column)))));
  }
  if (value.revealed) value.columns = value.columns.map((column, at) => ({ ...column, name: value.revealed[at].name, error: column.error && (value.revealed[at].error || column.error) }));
  if (!value.columns[base].output) base = Math.max(0, value.columns.findIndex((column) => column.output)); // others are compared with one that answered
  const hasWords = value.pairs.some((pair) => pair.pieces);
  root.replaceChildren(...[
    hasWords ? switches(value) : null,
    sides(value.columns.map((column, at) => side(column, ended(value, at), value.revealed?.[at].figures))),
    value.columns.filter((column) => column.output).length > 1 ? ballot(value) : null,
    pictureSlider(value), overlay(value), agreements(value),
    value.revealed ? table(value.revealed.map(({ row }) => row)) : null,
    takeAway(value),
  ].filter(Boolean));
}

function sides(columns) {
  return el("div", { class: "ic-columns", "data-count": String(columns.length) }, columns);
}

function side(column, body, figures) {
  return el("section", { class: "ic-column", "aria-label": `Answer of ${column.name}` }, el("h3", {}, column.name), figures?.length ? el("p", { class: "ic-none" }, figures.join(" · ")) : null, body);
}

function running({ phase, text, preview, over }) {
  return [el("p", { class: "ic-none" }, over ? null : el("span", { class: "ic-dots" }, el("i"), el("i"), el("i")), ` ${phase}`),
    preview ? picture(preview, "What it looks like so far") : null, text ? el("p", { class: "ic-said-text", dir: "auto" }, text) : null];
}

function ended(value, at) {
  const column = value.columns[at];
  if (column.error) return el("p", { class: "ic-line bad", role: "alert" }, column.error);
  const text = column.output && !Array.isArray(column.output) && "text" in column.output;
  const plain = Array.isArray(column.output) && !column.output.some((item) => item.box || item.mask || item.start_s !== undefined);
  if (plain && column.output.length) return bars(column.output); // the input stands above already
  if (!text) return drawn({ output: column.output, source: value.source, source_clip: value.source_clip });
  const able = value.columns.map((one, number) => (one.output ? number : -1)).filter((number) => number >= 0);
  const other = at === base ? (able.length === 2 ? able.find((number) => number !== base) : -1) : base;
  const pair = marking && other >= 0 ? pairOf(value, at, other) : null;
  if (pair?.pieces) return el("p", { class: "ic-said-text", dir: "auto" }, marked(pair, pair.mine));
  return html(column.html, { class: "ic-said-text ic-words-of", dir: "auto" });
}

// Whether differences are marked, and from which answer.
function switches(value) {
  const box = el("input", { type: "checkbox", checked: marking, on: { change: () => { marking = box.checked; drawCompare(); } } });
  const list = el("select", { "aria-label": "Compared with", on: { change: () => { base = Number(list.value); drawCompare(); } } }, value.columns.map((column, at) => (column.output ? el("option", { value: String(at), selected: at === base }, column.name) : null)).filter(Boolean));
  return el("div", { class: "ic-switches" }, el("label", {}, box, " Mark words that differ"), list.options.length > 2 ? el("label", {}, "from ", list) : null);
}

// A, B, tie or all bad; names and figures of a blind comparison appear afterwards.
function ballot(value) {
  if (value.chosen) return el("p", { class: "ic-ballot", role: "status" }, value.chosen);
  const two = value.columns.filter((column) => column.output).length === 2;
  const choices = [...value.columns.map((column, at) => [String(at + 1), value.hidden ? `${LETTERS[at]} is ${two ? "better" : "best"}` : `${column.name} is ${two ? "better" : "best"}`, { verdict: "best", best: at }]).filter((_, at) => value.columns[at].output),
    ["0", "Tie", { verdict: "tie" }], ["x", two ? "Both bad" : "All bad", { verdict: "bad" }]];
  return el("div", { class: "ic-ballot", role: "group", "aria-label": "Your vote" }, el("span", {}, value.hidden ? "Vote to see which is which:" : "Your vote:"),
    choices.map(([key, label, vote]) => el("button", { type: "button", class: "ic-small", "data-key": key, title: `Key ${key}`, on: { click: () => cast(value, vote, label) } }, label)));
}

async function cast(value, vote, label) {
  if (voted.id === value.id) return; // it is on its way
  const mine = (voted = { id: value.id });
  try {
    const { columns } = await ask("vote", { id: value.id, ...vote });
    const chosen = vote.verdict === "best" ? `Kept: ${columns[vote.best].name} is ${columns.length === 2 ? "better" : "best"}.` : `Kept: ${label.toLowerCase()}.`;
    Object.assign(mine, { revealed: columns, hidden: false, chosen });
  } catch (error) {
    mine.chosen = error instanceof Refused ? error.message : "The server cannot be reached. Is it running?";
  }
  drawCompare();
  $(".ic-ballot")?.scrollIntoView({ block: "nearest" });
}

// One row for each model; of each figure the best is bold, of those that answered.
function table(found) {
  const writes = found.some((row) => row.tokens);
  const rows = found.map((row) => ({ ...row, load_ms: row.load_ms || null, first_token_ms: writes ? row.first_token_ms : null, each_1000: row.energy_j === null ? null : row }));
  const assumed = rows.some((row) => row.energy === "assumed");
  const used = FIGURES.filter(([name]) => rows.some((row) => row[name] !== null && row[name] !== undefined));
  const answered = rows.filter((row) => !row.error);
  const best = Object.fromEntries(used.map(([name, , , sign]) => [name, sign ? Math.max(...answered.map((row) => (row[name] === null ? -Infinity : sign * row[name]))) : null]));
  const cell = (row, [name, , shown, sign]) => {
    if (row[name] === null || row[name] === undefined) return el("td", {}, "–");
    return el("td", {}, sign && answered.length > 1 && !row.error && sign * row[name] === best[name] ? el("b", {}, shown(row[name])) : shown(row[name]));
  };
  return el("section", { class: "ic-together" }, el("h3", {}, "Figures"), el("div", { class: "ic-table", tabIndex: 0, role: "region", "aria-label": "Figures of each model" }, el("table", {},
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Model"), used.map(([, title]) => el("th", { scope: "col" }, title)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, el("th", { scope: "row" }, row.model, row.error ? el("small", {}, ` ${row.error}`) : null), used.map((figure) => cell(row, figure))))))),
    assumed ? el("p", { class: "ic-none" }, "Energy is own work times the power that is assumed (POWER_WATTS): the processor's counter cannot be read here.") : null);
}

function takeAway(value) {
  const take = (form) => async () => {
    try {
      const { name, text, type } = await ask("report", { id: value.id, form });
      save(name, text, type);
    } catch (error) {
      const said = error instanceof Refused ? error.message : "The server cannot be reached. Is it running?";
      $(".ic-take output").textContent = said;
    }
  };
  return el("div", { class: "ic-downloads ic-take" }, value.hidden ? null : ["html", "csv", "json"].map((form) =>
    el("button", { type: "button", class: "ic-small", on: { click: take(form) } }, form === "html" ? "Report (HTML)" : form.toUpperCase())), el("output", { class: "ic-none" }));
}

function duration(ms) {
  return ms < 1000 ? `${ms.toFixed(ms < 10 ? 1 : 0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function joules(value) {
  return value >= 3600 ? `${(value / 3600).toFixed(1)} Wh` : `${value.toFixed(value < 1 ? 2 : value < 100 ? 1 : 0)} J`;
}

// What a thousand such answers take.
function thousand({ compute_ms, energy_j }) {
  const minutes = compute_ms / 60; // a thousand times so many milliseconds are so many seconds
  return `${minutes < 2 ? `${compute_ms.toFixed(0)} s` : minutes < 90 ? `${minutes.toFixed(0)} min` : `${(minutes / 60).toFixed(1)} h`}, ${joules(energy_j * 1000)}`;
}

function mebibytes(bytes) {
  return `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 20 * 10 ? 1 : 0)} MiB`;
}

// A vote by its key, wherever the focus is within the answers.
element.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, video, audio")) return;
  const button = $(`.ic-ballot [data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (button) button.click();
});

drawCompare();
watch("value", drawCompare);
