// The small script beside htmx, for pages with section#live: it skips polls of hidden tabs, swaps nothing but answers of
// this site (a proxy's page has no HX-PTag, whatever its status), stamps when the list was last right by the server's
// clock, says when updates stop, end, or the session ended, announces status changes and answers, marks what changed,
// and shows the balance that came with it.
const OURS = "HX-PTag";
const SILENCE_SECONDS = 20;
const SPEECH_APART_MS = 15000;
const CHANGE_SHOWN_MS = 1500;
const SHOWN_STATUS = ".status:not([data-leaving])";
const isStill = matchMedia("(prefers-reduced-motion: reduce)");

const live = () => document.getElementById("live");
const part = (name) => document.querySelector(`[data-live-bar] [data-${name}]`);
const isAboutLive = (event) => event.detail?.ctx?.sourceElement?.id === "live";
const isPolling = () => Boolean(live()?.dataset.hxGet) && !isLoggedOut;
const show = (name, yes) => part(name)?.toggleAttribute("data-quiet", !yes);

let silentSeconds = 0;
let isLoggedOut = false;
let statuses = new Map();
let figures = new Map();
let answers = new Set();
let ticketState = "";
let toSay = new Map();
let spokenAt = -Infinity;
let waiting = 0;
let tags = new Map();
let checked = [];
const moved = new Set();
const shownRows = new Set([...(live()?.querySelectorAll("tr[id^='order-']") ?? [])].map((row) => row.id));

function answered(response) {
  silentSeconds = 0;
  const at = new Date(response.raw?.headers.get("date") ?? Date.now());
  const time = document.createElement("time");
  time.dateTime = `${at.toISOString().slice(0, 19)}Z`;
  time.textContent = `${at.toISOString().slice(11, 19)} UTC`;
  part("checked")?.replaceChildren(time);
  show("stale", false);
}

function stopped() {
  const asOf = part("as-of");
  const time = part("checked")?.textContent.trim();
  if (asOf && asOf.textContent !== time) asOf.textContent = time;
  show("stale", true);
}

// On the order form: the price shown may belong to values typed earlier.
function hidePrice() {
  const line = document.querySelector("#quote .price-line");
  if (line) line.textContent = "The price can’t be shown right now. You’ll see it before anything is charged.";
}

function readStatuses() {
  const rows = live()?.querySelectorAll("[id^='order-'][data-status]") ?? [];
  return new Map([...rows].map((row) => [row.id, row.dataset.status]));
}

function readFigures() {
  return new Map([...(live()?.querySelectorAll("[id^='count-']") ?? [])].map((figure) => [figure.id, figure.textContent]));
}

// A changed figure is tinted for a moment. Without motion the tint stays until the row was looked at.
function markFigures() {
  const fresh = readFigures();
  for (const [id, text] of fresh) {
    if (!figures.has(id) || figures.get(id) === text) continue;
    const figure = document.getElementById(id);
    figure.setAttribute("data-changed", "");
    if (isStill.matches) seenLater(figure, "data-changed");
    else setTimeout(() => figure.removeAttribute("data-changed"), CHANGE_SHOWN_MS);
  }
  figures = fresh;
}

// A row whose status changed keeps a mark until the pointer or the focus was in it; the old tag fades over the new one.
function markRow(id) {
  const row = document.getElementById(id);
  const cell = row.querySelector(".order-table__status");
  moved.add(id);
  if (!cell || !tags.has(id) || isStill.matches) return;
  const old = tags.get(id);
  old.setAttribute("data-leaving", "");
  old.setAttribute("aria-hidden", "true");
  old.addEventListener("animationend", () => old.remove());
  // Before the new tag and outside the flow, it lies exactly over it.
  cell.prepend(old);
}

function seenLater(element, mark) {
  const row = element.closest("tr, [data-status]") ?? element;
  for (const kind of ["pointerenter", "focusin"]) row.addEventListener(kind, () => element.removeAttribute(mark), { once: true });
}

function readTags() {
  return new Map([...(live()?.querySelectorAll("tr[data-status]") ?? [])].map((row) => [row.id, row.querySelector(SHOWN_STATUS).cloneNode(true)]));
}

// The server knows nothing of marks and checked boxes, so each swap sets them again.
function keepMarks() {
  for (const id of moved) document.getElementById(id)?.setAttribute("data-moved", "");
  for (const id of checked) {
    const box = document.getElementById(id);
    if (box) box.checked = true;
  }
}

function forget(event) {
  const row = event.target.closest?.("[data-moved]");
  if (!row) return;
  moved.delete(row.id);
  row.removeAttribute("data-moved");
}

// Orders placed since the page was opened don't push the rows down: a link says how many there are.
// The office holds its rows in a way of its own (office.js).
function holdNewRows() {
  if (live()?.hasAttribute("data-holds")) return;
  const rows = [...(live()?.querySelectorAll("tr[id^='order-']") ?? [])];
  const known = rows.findIndex((row) => shownRows.has(row.id));
  const fresh = known > 0 ? rows.slice(0, known).filter((row) => !shownRows.has(row.id)) : [];
  for (const row of fresh) row.hidden = true;
  const link = part("newer");
  if (!link) return;
  link.textContent = fresh.length === 1 ? "1 new order" : `${fresh.length} new orders`;
  show("newer", fresh.length > 0);
}

function showEnd() {
  const bar = document.querySelector("[data-live-bar]");
  if (bar?.dataset.state === "live" && live() && !live().dataset.hxGet) bar.dataset.state = "ended";
}

function noticeChanges() {
  const fresh = readStatuses();
  for (const [id, status] of fresh) {
    if (!statuses.has(id) || statuses.get(id) === status) continue;
    const words = document.querySelector(`#${id} ${SHOWN_STATUS}`)?.textContent.trim() ?? status;
    toSay.set(id, `Order ${id.slice("order-".length)} is now ${words}.`);
    markRow(id);
  }
  statuses = fresh;
  noticeAnswers();
  if (toSay.size && !waiting) waiting = setTimeout(say, Math.max(0, spokenAt + SPEECH_APART_MS - performance.now()));
}

// On a ticket page: announce new replies, and that the ticket was closed.
function readAnswers() {
  return new Set([...(live()?.querySelectorAll("[id^='message-'][data-by='us'][data-kind='message']") ?? [])].map((line) => line.id));
}

function noticeAnswers() {
  const fresh = readAnswers();
  const state = document.getElementById("ticket-state")?.dataset.state ?? "";
  const isNew = [...fresh].some((id) => !answers.has(id));
  const isClosed = state === "closed" && ticketState !== "closed";
  const words = [isNew && "There is a new answer.", isClosed && "The ticket is closed."].filter(Boolean);
  if (words.length) toSay.set("ticket", words.join(" "));
  [answers, ticketState] = [fresh, state];
}

// The balance in the header is outside the region, so a refund must be copied there.
function takeBalance() {
  const shown = document.getElementById("balance");
  const { balance, balancePlain, balanceNanos } = live()?.dataset ?? {};
  if (!shown || !balance || shown.dataset.nanos === balanceNanos) return;
  shown.dataset.nanos = balanceNanos;
  shown.value = balancePlain;
  shown.textContent = balance;
}

function say() {
  waiting = 0;
  spokenAt = performance.now();
  const line = part("speech");
  if (line) line.textContent = toSay.size === 1 ? [...toSay.values()][0] : `${toSay.size} orders changed status.`;
  toSay = new Map();
}

document.addEventListener("htmx:before:request", (event) => {
  if (!isAboutLive(event)) return;
  if (document.hidden || isLoggedOut || mayRest()) event.preventDefault();
  else asked = unseen;
});

// Runs before htmx reads the body or applies response headers.
document.addEventListener("htmx:before:response", (event) => {
  const { raw } = event.detail.ctx.response;
  if (raw.headers.has(OURS)) return;
  event.preventDefault();
  raw.body?.cancel();
  if (!isAboutLive(event)) return hidePrice();
  stopped();
  part("speech")?.replaceChildren();
});

// Only responses of this site get here: the region, 304, or "logged out".
document.addEventListener("htmx:after:request", (event) => {
  const { status } = event.detail.ctx.response;
  if (!isAboutLive(event)) return status < 400 ? undefined : hidePrice();
  if (status < 400) {
    answered(event.detail.ctx.response);
    return answeredPush();
  }
  isLoggedOut = status === 401;
  if (isLoggedOut) closeStream();
  show("logged-out", isLoggedOut);
  if (isLoggedOut) show("stale", false);
  else stopped();
  part("speech")?.replaceChildren();
});

document.addEventListener("htmx:error", (event) => {
  if (isAboutLive(event)) stopped();
  else hidePrice();
});

document.addEventListener("htmx:before:swap", (event) => {
  if (!isAboutLive(event)) return;
  checked = [...live().querySelectorAll("input:checked")].map((box) => box.id);
  tags = readTags();
});

document.addEventListener("htmx:after:swap", (event) => {
  if (!isAboutLive(event)) return;
  takeBalance();
  markFigures();
  noticeChanges();
  keepMarks();
  holdNewRows();
  showEnd();
  followPage();
});

document.addEventListener("pointerover", forget);
document.addEventListener("focusin", forget);

// Where there is a dialog that asks first, it opens in place of the page that asks.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-opens], dialog a[data-closes]");
  if (link?.hasAttribute("data-closes")) {
    event.preventDefault();
    return link.closest("dialog").close();
  }
  const dialog = link && document.getElementById(link.dataset.opens);
  if (!dialog?.showModal || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  dialog.showModal();
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && isPolling()) live().dispatchEvent(new CustomEvent("every"));
});

setInterval(() => {
  if (document.hidden || !isPolling()) return;
  silentSeconds += 1;
  if (silentSeconds >= (isPushed() ? SILENCE_WITH_STREAM_SECONDS : SILENCE_SECONDS)) stopped();
}, 1000);

document.documentElement.dataset.scripts = "on";
statuses = readStatuses();
figures = readFigures();
answers = readAnswers();
ticketState = document.getElementById("ticket-state")?.dataset.state ?? "";
