// For the office: keys that move through a table, and lists that keep still while one of their rows is in use.
// j, k: next and previous row; Enter: the focused link's own; x: the row's box; /: the search; u: back; Esc: lets go.
const KEYS_OFF = "office-keys-off";

const region = () => document.getElementById("live");
const links = () => [...document.querySelectorAll("[data-keys] tbody tr a[id^='open-']")];
const keysAreOff = () => localStorage.getItem(KEYS_OFF) !== null;

function move(by) {
  const all = links();
  const row = document.activeElement?.closest("[data-keys] tbody tr");
  const here = all.findIndex((link) => link.closest("tr") === row);
  const next = here < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(here + by, 0), all.length - 1);
  all[next]?.focus();
  all[next]?.closest("tr").scrollIntoView({ block: "nearest" });
}

// u goes to the page that one came from by a link of its main part, and gives the focus to that link: the tab remembers
// for each page where it was entered. Without that it follows the page's own way back.
const CAME_FROM = "office-came-from", LEFT_BY = "office-left-by";
const cameFrom = () => JSON.parse(sessionStorage.getItem(CAME_FROM) ?? "{}");
const keep = (all) => sessionStorage.setItem(CAME_FROM, JSON.stringify(all));
const pathOf = (address) => address.split(/[?#]/)[0];

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='/office']");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const all = cameFrom(), to = pathOf(link.getAttribute("href")), here = all[location.pathname];
  const isBack = link.hasAttribute("data-back") || (here && pathOf(here.url) === to);
  if (isBack || to === location.pathname) return;
  delete all[to];
  if (link.closest("main")) {
    const url = location.pathname + location.search;
    all[to] = { url, row: link.closest("tr[id]")?.id ?? "", link: link.getAttribute("href") };
  }
  keep(all);
});

function goBack() {
  const { [location.pathname]: from, ...others } = cameFrom();
  const back = document.querySelector("[data-back]") ?? document.querySelector(".office-bar a[href='/office']");
  if (!from) return back?.click();
  keep(others);
  sessionStorage.setItem(LEFT_BY, from.link);
  location.assign(from.row ? `${from.url}#${from.row}` : from.url);
}

const actions = {
  j: () => move(1),
  k: () => move(-1),
  x: () => document.activeElement?.closest("[data-keys] tbody tr")?.querySelector("input[type=checkbox]")?.click(),
  u: goBack,
  "/": () => {
    const search = document.querySelector("input[type=search]");
    const box = search?.closest("details");
    if (box) box.open = true;
    search?.focus();
    search?.select();
  },
};

document.addEventListener("keydown", (event) => {
  // site.js has closed a menu with this key.
  if (event.defaultPrevented) return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const isTyping = event.target.closest("input:not([type=checkbox], [type=radio]), select, textarea");
  if (event.key === "Escape" && document.activeElement !== document.body) return document.activeElement.blur();
  if (isTyping || keysAreOff() || !(event.key in actions)) return;
  event.preventDefault();
  actions[event.key]();
});

const keysSwitch = document.querySelector("[data-keys-switch]");

function showSwitch() {
  if (!keysSwitch) return;
  keysSwitch.textContent = keysAreOff() ? "Turn keys on" : "Turn keys off";
  document.querySelector("[data-keys-words]").hidden = keysAreOff();
}

keysSwitch?.addEventListener("click", () => {
  if (keysAreOff()) localStorage.removeItem(KEYS_OFF);
  else localStorage.setItem(KEYS_OFF, "");
  showSwitch();
});

// A row is in use while it has focus, its box is checked, or something in it is open.
const isInUse = () => Boolean(region()?.querySelector(":focus, input:checked, details[open]"));
const isOurs = (event) => event.detail?.ctx?.sourceElement === region() && region()?.hasAttribute("data-holds");
const rowIds = (root) => [...root.querySelectorAll("tbody tr[id]")].map((row) => row.id);

function showHeld(words) {
  const held = document.querySelector("[data-held]");
  if (!held) return;
  held.toggleAttribute("data-quiet", !words);
  held.querySelector("[data-held-words]").textContent = words;
}

// Polls always send the hash of the rows that are shown, also after a response was held back.
document.addEventListener("htmx:config:request", (event) => {
  if (isOurs(event)) event.detail.ctx.request.headers["HX-PTag"] = region().dataset.hxPtag;
});

document.addEventListener("htmx:before:swap", (event) => {
  if (!isOurs(event)) return;
  if (!isInUse()) return showHeld("");
  event.preventDefault();
  const fresh = new DOMParser().parseFromString(event.detail.ctx.text, "text/html");
  const known = new Set(rowIds(region()));
  const newer = rowIds(fresh).filter((id) => !known.has(id)).length;
  showHeld(newer ? `${newer} newer.` : "Some rows have changed.");
});

// Back where one came from: the link has the focus, so that j and k go on from its row.
function focusRow() {
  const left = sessionStorage.getItem(LEFT_BY);
  sessionStorage.removeItem(LEFT_BY);
  const link = left && [...document.querySelectorAll("main a")].find((each) => each.getAttribute("href") === left);
  if (link) return link.focus();
  const row = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  row?.closest("[data-keys] tbody tr")?.querySelector("a[id^='open-']")?.focus({ preventScroll: true });
}

document.documentElement.dataset.scripts = "on";
showSwitch();
// After the browser has scrolled to the row, which takes the focus away.
addEventListener("load", () => setTimeout(focusRow));
