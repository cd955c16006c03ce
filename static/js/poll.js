// Polls for one card of a visitor's page (data-polls) and replaces it, without htmx. An answer without our hash (HX-PTag),
// such as a proxy's error page, changes nothing; hidden tabs don't poll; visitors can pause. A card without an address to
// poll is the last one: the order has ended, or the link to it was revoked.
const OURS = "HX-PTag";
const RUNNING_MS = 2000;
const ENDED_MS = 15000;

const foot = document.querySelector("[data-live-foot]");
const button = foot?.querySelector("[data-pause]");
const id = document.querySelector("[data-polls]")?.id;
let shown = "";
let timer = 0;
let isPaused = false;

const card = () => document.getElementById(id);

function stamp() {
  const time = document.createElement("time");
  const now = new Date().toISOString();
  time.dateTime = `${now.slice(0, 19)}Z`;
  time.textContent = `${now.slice(11, 19)} UTC`;
  foot.querySelector("[data-checked]").replaceChildren(time);
}

function replace(region) {
  const line = document.querySelector("[data-said]");
  const has = card().dataset.status;
  card().replaceWith(region);
  if (line && region.dataset.status !== has) line.textContent = region.querySelector(".status, h1").textContent.trim();
}

async function ask() {
  const answer = await fetch(card().dataset.polls, { headers: shown ? { [OURS]: shown } : {}, cache: "no-store" });
  const hash = answer.headers.get(OURS);
  if (!hash) return;
  if (answer.status !== 304 && !isPaused) {
    const region = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
    if (region && !(region.dataset.polls && card().contains(document.activeElement))) {
      replace(region);
      shown = hash;
    }
  }
  stamp();
}

async function poll() {
  if (!document.hidden) await ask().catch(() => {});
  schedule();
}

function schedule() {
  clearTimeout(timer);
  if (!card().dataset.polls) foot.hidden = true;
  else if (!isPaused) timer = setTimeout(poll, card().dataset.open === "yes" ? RUNNING_MS : ENDED_MS);
}

if (foot && id) {
  button.addEventListener("click", () => {
    isPaused = !isPaused;
    button.textContent = isPaused ? "Resume updates" : "Pause updates";
    if (isPaused) clearTimeout(timer);
    else poll();
  });
  poll();
}
