// How an answer came about: the steps of its plan, and the sources that it names.

const TASK_WORDS = {
  "automatic-speech-recognition": "Listen", "object-detection": "Find objects", "image-classification": "Classify the picture",
  "image-text-to-text": "Look and answer", "visual-question-answering": "Look and answer", "object-tracking": "Follow what moves",
  "scene-detection": "Find the cuts", "video-classification": "Classify the clip", "video-text-to-text": "Watch and answer",
  "audio-classification": "Classify the sound", "text-generation": "Write the answer", "any-to-any": "Understand everything",
};

function clockOf(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(1).padStart(4, "0")}`;
}

// What a step has brought, in a few words.
function brought({ state: how, output }) {
  if (how === "running") return "";
  if (how === "failed" || typeof output === "string") return String(output || "");
  if (!output) return "";
  if (output.text !== undefined) return output.text.trim() ? `“${output.text.trim()}”` : "no words";
  if (output.tracks) return output.tracks.length ? output.tracks.map((track) => `${track.label} (${track.direction === "none" ? "still" : track.direction})`).join(", ") : "nothing moves";
  if (output.cuts) return output.cuts.length ? `${output.cuts.length} at ${output.cuts.map((cut) => clockOf(cut.start_s)).join(", ")}` : "no cut";
  if (Array.isArray(output)) return output.flat().map((item) => item.label).slice(0, 12).join(", ") || "nothing";
  return "";
}

function stepNode(step) {
  const ms = step.ms === null || step.ms === undefined ? "" : step.ms < 1000 ? `${Math.round(step.ms)} ms` : `${(step.ms / 1000).toFixed(1)} s`;
  return el("li", { class: step.state },
    el("span", { class: "ic-step-mark", "aria-hidden": "true" }, step.state === "done" ? icon("check") : step.state === "failed" ? icon("alert") : el("i", { class: "ic-pulse" })),
    el("div", {}, el("b", {}, TASK_WORDS[step.task] || step.task), " ", el("span", { class: "ic-step-who" }, `${step.input} · ${modelName(step.model)}${ms ? ` · ${ms}` : ""}`),
      el("p", { dir: "auto" }, brought(step))));
}

function stepsNode(steps) {
  return el("ol", { class: "ic-steps", "aria-label": "Steps" }, steps.map(stepNode));
}

function planNode(steps) {
  const spent = steps.reduce((sum, step) => sum + (step.ms || 0), 0);
  const models = new Set(steps.map((step) => step.model)).size;
  const title = `${steps.length} ${steps.length === 1 ? "step" : "steps"}, ${models} ${models === 1 ? "model" : "models"}, ${(spent / 1000).toFixed(1)} s`;
  return el("details", { class: "ic-plan" }, el("summary", {}, title), stepsNode(steps));
}

function sourceLabel(source) {
  const when = source.start_s === null || source.start_s === undefined ? "" : clockOf(source.start_s);
  const text = source.text.length > 36 ? `${source.text.slice(0, 36)}…` : source.text;
  return [when, source.kind === "speech" ? `“${text}”` : text].filter(Boolean).join(" ");
}

function sourcesNode(sources) {
  const chips = sources.map((source) => el("button", { type: "button", class: `ic-source ${source.kind}`, title: source.kind === "region" ? "Show it in the picture" : "Go to this moment",
    on: { click: (event) => point(source, event.currentTarget) } }, el("i", { "aria-hidden": "true" }, String(source.number)), el("span", { dir: "auto" }, sourceLabel(source))));
  return el("div", { class: "ic-sources", role: "group", "aria-label": "Sources" }, chips);
}

// `[1]` in the text becomes a button, where there is such a source.
function cite(body, sources) {
  if (!sources.length) return;
  const walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) if (/\[\d+\]/.test(walker.currentNode.data) && !walker.currentNode.parentElement.closest("code, pre")) texts.push(walker.currentNode);
  for (const text of texts) {
    const pieces = text.data.split(/(\[\d+\])/).map((piece) => {
      const source = /^\[\d+\]$/.test(piece) && sources.find((one) => one.number === Number(piece.slice(1, -1)));
      return source ? el("button", { type: "button", class: "ic-cite", "aria-label": `Source ${source.number}: ${sourceLabel(source)}`, title: sourceLabel(source),
        on: { click: (event) => point(source, event.currentTarget) } }, String(source.number)) : piece;
    });
    text.replaceWith(...pieces);
  }
}
