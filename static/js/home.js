// Polls for the newest test order and replaces its card, without htmx. An answer without our hash (HX-PTag), such as a
// proxy's error page, changes nothing; hidden tabs don't poll; visitors can pause.
const ADDRESS = "/test-order/live";
const OURS = "HX-PTag";
const RUNNING_MS = 2000;
const ENDED_MS = 15000;

const foot = document.querySelector("[data-live-foot]");
const button = foot?.querySelector("[data-pause]");
let shown = "";
let timer = 0;
let isPaused = false;

const card = () => document.getElementById("test-order");

function stamp() {
  const time = document.createElement("time");
  const now = new Date().toISOString();
  time.dateTime = `${now.slice(0, 19)}Z`;
  time.textContent = `${now.slice(11, 19)} UTC`;
  foot.querySelector("[data-checked]").replaceChildren(time);
}

async function ask() {
  const answer = await fetch(ADDRESS, { headers: shown ? { [OURS]: shown } : {}, cache: "no-store" });
  const hash = answer.headers.get(OURS);
  if (!hash) return;
  if (answer.status === 200 && !isPaused) {
    const region = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("test-order");
    if (region && !card().contains(document.activeElement)) {
      card().replaceWith(region);
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
  if (!isPaused) timer = setTimeout(poll, card().dataset.open === "yes" ? RUNNING_MS : ENDED_MS);
}

if (foot && card()) {
  button.addEventListener("click", () => {
    isPaused = !isPaused;
    button.textContent = isPaused ? "Resume updates" : "Pause updates";
    if (isPaused) clearTimeout(timer);
    else poll();
  });
  poll();
}
