// The dashboard: asks for the figures of a window of time every few seconds, while somebody can see it.

const EVERY = 5000; // ms between two looks; nothing new is answered with nothing
const WINDOWS = { hour: "Last hour", day: "Last day", week: "Last week" };
const STEPS = { 300: "5 minutes", 1800: "half hour", 7200: "2 hours" };
let figures = null;
let chosen = "hour";
let by = "models";
let visible = false;
let undrawn = false;
let next = null;
let asked = 0; // the newest question; answers to older ones are passed over

async function look() {
  clearTimeout(next);
  if (!visible || document.hidden) return;
  const mine = (asked += 1);
  try {
    const found = await ask("figures", { window: chosen, have: figures && figures.window === chosen ? figures.stamp : null });
    if (mine !== asked) return;
    if (found) { figures = found; undrawn = true; }
    if (undrawn && !$(".ic-tip:not([hidden])")) drawDashboard(); // what is being read stays
    $(".ic-dash-line").textContent = "";
  } catch (error) {
    if (mine !== asked) return;
    $(".ic-dash-line").textContent = error instanceof Refused ? error.message : "The server cannot be reached; these are its last figures.";
  }
  next = setTimeout(look, EVERY);
}

function switcher(label, options, value, act) {
  return el("div", { class: "ic-segments", role: "group", "aria-label": label }, ...Object.entries(options).map(([key, name]) =>
    el("button", { type: "button", "aria-pressed": String(key === value), on: { click: () => act(key) } }, name)));
}

const tile = (name, value, more = "", kind = "") => el("div", { class: `ic-tile ${kind}` }, el("dt", {}, name), el("dd", {}, value), el("small", {}, more));

function tiles() {
  const { totals, queue, cache, series, tasks, failures } = figures;
  const speeds = series.filter((one) => one.tokens_per_second);
  const newest = speeds.at(-1);
  const slow = Object.entries(tasks).filter(([, one]) => one.latency_ms_p95 !== null).sort(([, one], [, other]) => other.latency_ms_p95 - one.latency_ms_p95)[0];
  const asked = cache.hits + cache.misses;
  return el("dl", { class: "ic-tiles" },
    tile("At this moment", `${queue.running} running`, queue.waiting ? `${queue.waiting} waiting` : "nobody waits"),
    tile("Requests", amount(totals.requests), `${WINDOWS[chosen].toLowerCase()}, ${amount(totals.cached)} from the cache`),
    tile("Speed", newest ? amount(newest.tokens_per_second) : "–", "tokens a second, lately"),
    tile("Slowest task", slow ? amount(slow[1].latency_ms_p95, "ms") : "–", slow ? `p95 of ${slow[0]}` : "p95"),
    tile("Cache", asked ? amount(cache.hit_rate, "%") : "–", asked ? `${amount(cache.hits)} of ${amount(asked)} since the start` : "nothing was asked of it yet"),
    tile("Errors", amount(totals.errors), totals.requests ? `${amount(totals.errors / totals.requests, "%")} of requests` : "", failures.kinds.length ? "bad" : ""));
}

function charts() {
  const { series, step_seconds: step } = figures;
  const each = `in each ${STEPS[step] || `${step} s`}`;
  const common = { at: series.map((one) => new Date(one.at)), step };
  const of = (name) => series.map((one) => one[name]);
  return el("div", { class: "ic-charts" },
    timeChart({ ...common, title: "Requests", note: each, lines: [
      { name: "requests", values: of("requests"), tone: "var(--ic-accent)", bar: true }, { name: "errors", values: of("errors"), tone: "var(--ic-bad)", bar: true }] }),
    timeChart({ ...common, title: "Latency", note: "mean of good runs", unit: "ms", lines: [{ name: "mean", values: of("latency_ms"), tone: "var(--ic-accent)" }] }),
    timeChart({ ...common, title: "Speed", note: "tokens a second", lines: [{ name: "tokens/s", values: of("tokens_per_second"), tone: "var(--ic-accent)" }] }),
    timeChart({ ...common, title: "From the cache", note: "share of requests", unit: "%", lines: [
      { name: "kept answers", values: series.map((one) => (one.requests ? one.cached / one.requests : null)), tone: "var(--ic-accent)" }] }));
}

function table(label, head, rows) {
  return el("div", { class: "ic-table ic-wide", tabIndex: 0, role: "region", "aria-label": label }, el("table", {},
    el("thead", {}, el("tr", {}, ...head.map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, ...rows.map(([first, ...cells]) => el("tr", {}, el("th", { scope: "row" }, first), ...cells.map((cell) => el("td", {}, cell)))))));
}

function measured() {
  const rows = Object.entries(figures[by]).slice(0, 50).map(([name, one]) => [
    name, amount(one.requests), one.errors ? el("b", { class: "ic-bad" }, amount(one.errors)) : "0", amount(one.tokens_per_second),
    amount(one.latency_ms_p50, "ms"), amount(one.latency_ms_p95, "ms"), amount(one.latency_ms_p99, "ms"),
    ...(by === "models" ? [amount(figures.memory.models[name] ?? null, "B"), amount(figures.accuracy.find((one) => one.model === name)?.score ?? null, "%")] : [])]);
  const head = [by === "models" ? "Model" : "Task", "Requests", "Errors", "Tokens/s", "p50", "p95", "p99", ...(by === "models" ? ["Memory", "Accuracy"] : [])];
  return [part("Latency and speed", switcher("Latency and speed by", { models: "By model", tasks: "By task" }, by, (key) => { by = key; drawDashboard(); })),
    table("Latency and speed", head, rows)];
}

const part = (title, ...more) => el("div", { class: "ic-part" }, el("h2", {}, title), ...more);

function memory() {
  const held = Object.entries(figures.memory.models);
  const most = Math.max(...held.map(([, size]) => size), 1);
  const used = held.reduce((sum, [, size]) => sum + size, 0);
  return [part("Memory"), el("p", { class: "ic-quietly" }, `${amount(used, "B")} of ${amount(figures.memory.limit, "B")} in use.`),
    el("ul", { class: "ic-bars" }, ...held.map(([name, size]) => el("li", {}, el("span", {}, name), el("meter", { min: 0, max: most, value: size, "aria-label": name }), el("b", {}, amount(size, "B")))))];
}

function failures() {
  const { kinds, newest } = figures.failures;
  if (!kinds.length) return [part("Errors"), el("p", { class: "ic-quietly" }, "None in this time.")];
  const when = (text) => new Date(text).toLocaleString([], { weekday: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const often = (code) => kinds.reduce((sum, kind) => sum + (kind.error === code ? kind.count : 0), 0);
  const codes = [...new Set(kinds.map((kind) => kind.error))].sort((one, other) => often(other) - often(one));
  const open = new Set($$(".ic-failures details[open]").map((node) => node.dataset.code));
  return [part("Errors"), el("div", { class: "ic-failures" }, ...codes.map((code) => {
    const own = kinds.filter((kind) => kind.error === code);
    const single = newest.filter((one) => one.error === code);
    return el("details", { "data-code": code, open: open.has(code) },
      el("summary", {}, el("code", {}, code), el("b", {}, amount(often(code))), el("span", {}, `last ${when(own.map((kind) => kind.last_at).sort().at(-1))}`)),
      table(`${code} by model`, ["Model", "Task", "How often", "Last"], own.map((kind) => [kind.model, kind.task, amount(kind.count), when(kind.last_at)])),
      single.length ? el("p", { class: "ic-quietly" }, `The newest: ${single.slice(0, 5).map((one) => `${when(one.started_at)} after ${amount(one.total_ms, "ms")}`).join(" · ")}`) : null);
  }))];
}

// Every version that was measured, beside the version before it on the same set.
function versions() {
  const found = figures.accuracy;
  if (!found.length) return [part("Accuracy over versions"), el("p", { class: "ic-quietly" }, "Nothing has been evaluated yet: the tab Evaluate measures models on a labelled set.")];
  const rows = [...found].sort((one, other) => one.model.localeCompare(other.model, undefined, { numeric: true }));
  const before = (at) => (at && rows[at - 1].model.split("@")[0] === rows[at].model.split("@")[0] && rows[at - 1].set === rows[at].set ? rows[at].score - rows[at - 1].score : null);
  const change = (by) => (by === null ? "–" : el("b", { class: by < 0 ? "ic-bad" : "" }, `${by > 0 ? "+" : ""}${(by * 100).toFixed(1)}`));
  return [part("Accuracy over versions"), table("Accuracy over versions", ["Model", "Result", "Measured by", "Against the version before", "Set", "Rows", "When"], rows.map((one, at) => [
    one.model, amount(one.score, "%"), one.measure, change(before(at)), one.set, amount(one.rows), new Date(one.measured_at).toLocaleDateString([], { month: "short", day: "numeric" })]))];
}

function drawDashboard() {
  undrawn = false;
  const empty = !figures.totals.requests;
  const nothing = el("div", { class: "ic-nothing" }, el("div", {}, el("p", {}, el("b", {}, `Nothing has run in the ${WINDOWS[chosen].toLowerCase()}.`)),
    el("p", {}, "Ask something in Chat or try a picture in Image, and what it costs is shown here. A longer time may have more.")));
  $(".ic-dash").replaceChildren(
    switcher("Time", WINDOWS, chosen, (key) => { chosen = key; $$(".ic-tip").forEach((tip) => { tip.hidden = true; }); drawSwitch(); look(); }),
    tiles(), ...(empty ? [nothing] : [charts(), ...measured()]), ...memory(), ...(empty ? [] : failures()), ...versions());
}

function drawSwitch() {
  $$(".ic-dash > .ic-segments button").forEach((node, at) => node.setAttribute("aria-pressed", String(Object.keys(WINDOWS)[at] === chosen)));
}

new IntersectionObserver((entries) => {
  visible = entries.at(-1).isIntersecting; // shown and hidden at once, both are told: the last one holds
  look();
}).observe(element);
document.addEventListener("visibilitychange", look);
