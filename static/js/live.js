// The small script beside htmx, for pages with section#live: it skips polls of hidden tabs, swaps nothing but answers of
// this site (a proxy's page has no HX-PTag, whatever its status), stamps when the list was last right, says when updates
// stop or the session ended, speaks of status changes and answers, and shows the balance that came with them.
const OURS = "HX-PTag";
const SILENCE_SECONDS = 20;
const SPEECH_APART_MS = 15000;
const CHANGE_SHOWN_MS = 600;

const live = () => document.getElementById("live");
const part = (name) => document.querySelector(`[data-live-bar] [data-${name}]`);
const isAboutLive = (event) => event.detail?.ctx?.sourceElement?.id === "live";
const isPolling = () => Boolean(live()?.dataset.hxGet) && !isSignedOut;
const show = (name, yes) => part(name)?.toggleAttribute("data-quiet", !yes);

let silentSeconds = 0;
let isSignedOut = false;
let statuses = new Map();
let figures = new Map();
let answers = new Set();
let ticketState = "";
let toSay = new Map();
let saidAt = -Infinity;
let waiting = 0;

function answered() {
  silentSeconds = 0;
  const now = new Date();
  const time = document.createElement("time");
  time.dateTime = `${now.toISOString().slice(0, 19)}Z`;
  time.textContent = `${now.toISOString().slice(11, 19)} UTC`;
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

function markFigures() {
  const fresh = readFigures();
  for (const [id, text] of fresh) {
    if (!figures.has(id) || figures.get(id) === text) continue;
    const figure = document.getElementById(id);
    figure.setAttribute("data-changed", "");
    setTimeout(() => figure.removeAttribute("data-changed"), CHANGE_SHOWN_MS);
  }
  figures = fresh;
}

function noticeChanges() {
  const fresh = readStatuses();
  for (const [id, status] of fresh) {
    if (!statuses.has(id) || statuses.get(id) === status) continue;
    const words = document.querySelector(`#${id} .status`)?.textContent.trim() ?? status;
    toSay.set(id, `Order ${id.slice("order-".length)} is now ${words}.`);
  }
  statuses = fresh;
  noticeAnswers();
  if (toSay.size && !waiting) waiting = setTimeout(say, Math.max(0, saidAt + SPEECH_APART_MS - performance.now()));
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
  saidAt = performance.now();
  const line = part("said");
  if (line) line.textContent = toSay.size === 1 ? [...toSay.values()][0] : `${toSay.size} orders changed status.`;
  toSay = new Map();
}

document.addEventListener("htmx:before:request", (event) => {
  if (isAboutLive(event) && (document.hidden || isSignedOut)) event.preventDefault();
});

// Runs before htmx reads the body or applies response headers.
document.addEventListener("htmx:before:response", (event) => {
  const { raw } = event.detail.ctx.response;
  if (raw.headers.has(OURS)) return;
  event.preventDefault();
  raw.body?.cancel();
  if (!isAboutLive(event)) return hidePrice();
  stopped();
  part("said")?.replaceChildren();
});

// Only responses of this site get here: the region, 304, or "logged out".
document.addEventListener("htmx:after:request", (event) => {
  const { status } = event.detail.ctx.response;
  if (!isAboutLive(event)) return status < 400 ? undefined : hidePrice();
  if (status < 400) return answered();
  isSignedOut = status === 401;
  show("logged-out", isSignedOut);
  if (isSignedOut) show("stale", false);
  else stopped();
  part("said")?.replaceChildren();
});

document.addEventListener("htmx:error", (event) => {
  if (isAboutLive(event)) stopped();
  else hidePrice();
});

document.addEventListener("htmx:after:swap", (event) => {
  if (!isAboutLive(event)) return;
  takeBalance();
  markFigures();
  noticeChanges();
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && isPolling()) live().dispatchEvent(new CustomEvent("every"));
});

setInterval(() => {
  if (document.hidden || !isPolling()) return;
  silentSeconds += 1;
  if (silentSeconds >= SILENCE_SECONDS) stopped();
}, 1000);

document.documentElement.dataset.scripts = "on";
statuses = readStatuses();
figures = readFigures();
answers = readAnswers();
ticketState = document.getElementById("ticket-state")?.dataset.state ?? "";
