// Making elements, and talking to the server.

const ICONS = {
  send: "M12 19V5M5 12l7-7 7 7", stop: "M7 7h10v10H7z", plus: "M12 5v14M5 12h14", close: "M6 6l12 12M18 6L6 18",
  menu: "M4 5h16v14H4zM10 5v14", down: "M12 5v14M5 12l7 7 7-7", download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  sliders: "M4 8h9M17 8h3M4 16h3M11 16h9M15 6v4M9 14v4", side: "M4 5h16v14H4zM10 5v14",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1", edit: "M4 20h4L19 9l-4-4L4 16z", again: "M20 11a8 8 0 1 0-2 6M20 5v6h-6",
  like: "M7 21V10l4-7c2 0 3 1 2.5 3L13 9h6l-1.5 10a2 2 0 0 1-2 2zM7 10H4v11h3",
  dislike: "M17 3v11l-4 7c-2 0-3-1-2.5-3L11 15H5L6.5 5a2 2 0 0 1 2-2zM17 14h3V3h-3",
  left: "M15 5l-7 7 7 7", right: "M9 5l7 7-7 7", bin: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13",
  play: "M8 5l11 7-11 7z", check: "M5 12l5 5L20 7", clip: "M20 11l-8.500 8.500a5 5 0 0 1-7-7L13 4a3.300 3.300 0 0 1 4.700 4.700L9.300 17a1.600 1.600 0 0 1-2.300-2.300L14.500 7",
  mic: "M12 15a3.500 3.500 0 0 0 3.500-3.500V6.500a3.500 3.500 0 0 0-7 0v5A3.500 3.500 0 0 0 12 15zM5.500 11.500a6.500 6.500 0 0 0 13 0M12 18v3.500", camera: "M3 8h4l2-3h6l2 3h4v11H3zM12 17a3.700 3.700 0 1 0 0-7.400 3.700 3.700 0 0 0 0 7.400z",
  speak: "M4 9.500v5h3.500L13 19V5L7.500 9.500zM16.500 9a4.300 4.300 0 0 1 0 6M19 6.500a8 8 0 0 1 0 11", alert: "M12 8v5M12 16.500v.5M12 3l10 18H2z",
};

const $ = (selector, root = element) => root.querySelector(selector);
const $$ = (selector, root = element) => [...root.querySelectorAll(selector)];

function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else if (name in node && typeof value !== "string") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

function button(name, label, act, props = {}) {
  return el("button", { type: "button", class: "ic-icon", "aria-label": label, title: label, "data-do": act, ...props }, icon(name));
}

function html(markup, props = {}) {
  const node = el("div", props);
  node.innerHTML = markup; // written by the server, which escapes whatever people and models said
  return node;
}

// Put nodes into a box; of those that are there already none is moved without need: a moved one loses clicks and the focus.
function arrange(box, nodes) {
  for (const old of [...box.children]) if (!nodes.includes(old)) old.remove();
  nodes.forEach((node, at) => { if (box.children[at] !== node) box.insertBefore(node, box.children[at] || null); });
}

// Put nodes into a box; what looks the same as before stays the same node.
function renew(box, nodes) {
  const old = new Map([...box.children].map((node) => [node.outerHTML, node]));
  arrange(box, nodes.map((node) => {
    const same = old.get(node.outerHTML) || node;
    old.delete(node.outerHTML);
    return same;
  }));
}

class Refused extends Error {
  constructor(error) {
    super(error.detail);
    this.code = error.code;
  }
}

// Ask the server; throws Refused with its sentence, or another error when it cannot be reached.
async function ask(name, data = {}) {
  const answer = await server[name](data);
  if (answer && answer.error) throw new Refused(answer.error);
  return answer.ok;
}

function toast(text, { action = null, label = "", kind = "", life = 8000 } = {}) {
  const box = el("div", { class: `ic-toast ${kind}` }, el("span", { dir: "auto" }, text));
  const close = () => box.remove();
  if (action) box.append(el("button", { type: "button", on: { click: () => { close(); action(); } } }, label));
  box.append(el("button", { type: "button", class: "ic-icon", "aria-label": "Dismiss", on: { click: close } }, icon("close")));
  $(".ic-toasts").append(box);
  setTimeout(close, life);
}

function complain(error) {
  const text = error instanceof Refused ? error.message : "The server cannot be reached. Is it running?";
  toast(text, { kind: "bad" });
}

// Tell those who listen instead of look.
function say(text) {
  $(".ic-said").textContent = text;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = el("textarea", { style: "position:fixed;opacity:0" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

function save(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
