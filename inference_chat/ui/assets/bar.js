// Light and dark, and the open tab in the address, so that reloading and bookmarks come back to it.

const KEY = "inference-chat.dark";

function dark(wanted) {
  for (const node of [document.documentElement, document.body]) node.classList.toggle("dark", wanted);
}

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(KEY));
  } catch {
    return null; // a browser that stores nothing follows the system
  }
}

element.querySelector(".ic-switch").addEventListener("click", () => {
  const wanted = !document.body.classList.contains("dark");
  dark(wanted);
  try {
    localStorage.setItem(KEY, JSON.stringify(wanted));
  } catch {
    return;
  }
});
dark(remembered() ?? document.body.classList.contains("dark"));

const tabs = () => [...document.querySelectorAll("#ic-tabs > .tab-wrapper [role=tab]")];

function named() {
  const url = new URL(location.href);
  const at = tabs().findIndex((tab) => tab.ariaSelected === "true");
  if (at > 0) url.searchParams.set("tab", tabs()[at].dataset.tabId);
  else url.searchParams.delete("tab");
  if (url.href !== location.href) history.replaceState(history.state, "", url);
}

function begin(patience) {
  if (!tabs().length) return patience && setTimeout(begin, 20, patience - 1);
  const wanted = new URL(location.href).searchParams.get("tab");
  const kept = [...document.querySelectorAll("#ic-tabs > .tab-wrapper .overflow-dropdown button")]; // on a narrow page, in a menu
  const tab = tabs().find((one) => one.dataset.tabId === wanted) || kept.find((one) => one.textContent.trim().toLowerCase().replaceAll(" ", "-") === wanted);
  if (tab) tab.click();
  const bar = document.querySelector("#ic-tabs > .tab-wrapper");
  new MutationObserver(named).observe(bar, { subtree: true, attributeFilter: ["aria-selected"] });
}

begin(500);
