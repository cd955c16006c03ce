// Keeps one part of a visitor's page (data-polls) current, without htmx: asked for when the push hub says that it has
// changed, every thirty seconds with a stream, and more often without one. An answer without our hash (HX-PTag), such as a
// proxy's error page, changes nothing; hidden tabs don't ask; visitors can pause. A part without an address to ask is the
// last one: the order has ended, or the link to it was revoked.
const OURS = "HX-PTag";
const RUNNING_MS = 2000;
const ENDED_MS = 15000;
const REST_MS = 30000;

const foot = document.querySelector("[data-live-foot]");
const button = foot?.querySelector("[data-pause]");
const id = document.querySelector("[data-polls]")?.id;
let shown = "";
let timer = 0;
let isPaused = false;
let isAsking = false;
let unseen = 0;
let askedAt = 0;

const card = () => document.getElementById(id);
const pushAddress = () => foot?.dataset.push;
const wantsStream = () => Boolean(foot && card()?.dataset.polls) && !isPaused;
const mayRest = () => isPushed() && !unseen && Date.now() - askedAt < REST_MS;

function stamp() {
  const now = new Date().toISOString();
  const time = foot.querySelector("[data-checked] time");
  time.dateTime = `${now.slice(0, 19)}Z`;
  time.textContent = `${now.slice(11, 19)} UTC`;
}

function replace(region) {
  const line = document.querySelector("[data-speech]");
  const has = card().dataset.status;
  const folds = [...card().querySelectorAll("details")];
  region.querySelectorAll("details").forEach((fold, place) => (fold.open = Boolean(folds[place]?.open)));
  card().replaceWith(region);
  if (line && region.dataset.status !== has) line.textContent = region.querySelector(".status, h1").textContent.trim();
}

async function ask() {
  const answer = await fetch(card().dataset.polls, { headers: shown ? { [OURS]: shown } : {}, cache: "no-store" });
  const hash = answer.headers.get(OURS);
  if (!hash) throw new Error("not our answer");
  askedAt = Date.now();
  if (answer.status !== 304 && !isPaused) {
    const region = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
    if (region && !(region.dataset.polls && card().contains(document.activeElement))) {
      replace(region);
      shown = hash;
    }
  }
  stamp();
}

// A change that is pushed while a request is on its way may not be in its answer.
async function askUntilSeen() {
  let heard = -1;
  isAsking = true;
  try {
    while (heard !== unseen) {
      heard = unseen;
      await ask();
    }
    unseen = 0;
  } catch {
    // Asked again when the timer is due.
  }
  isAsking = false;
}

async function poll() {
  if (!document.hidden && !isPaused && !isAsking && !mayRest()) await askUntilSeen();
  schedule();
}

function schedule() {
  clearTimeout(timer);
  foot.hidden = !card().dataset.polls;
  followPage();
  if (wantsStream()) timer = setTimeout(poll, card().dataset.open === "yes" ? RUNNING_MS : ENDED_MS);
}

function changed() {
  unseen += 1;
  poll();
}

function lost() {
  askedAt = 0;
}

if (foot && id) {
  button.addEventListener("click", () => {
    isPaused = !isPaused;
    button.textContent = isPaused ? "Resume updates" : "Pause updates";
    poll();
  });
  schedule();
}
