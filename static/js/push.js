// Listens to the push hub, which says that something on the page changed; the region is then fetched as by a poll. With
// an open stream polls rest for thirty seconds; without one (no hub, too many tabs, a proxy in between) they go on.
const REST_SECONDS = 30;
const SILENCE_WITH_STREAM_SECONDS = 45;
const TRY_AGAIN_MS = 60000;

let stream = null;
let tryAgain = 0;
let unseen = 0;
let asked = 0;

const address = () => document.querySelector("[data-live-bar]")?.dataset.push;
const isPushed = () => stream?.readyState === EventSource.OPEN;
const mayRest = () => isPushed() && unseen === 0 && silentSeconds < REST_SECONDS;
const fetchRegion = () => live().dispatchEvent(new CustomEvent("every"));

function changed() {
  unseen += 1;
  if (isPolling()) fetchRegion();
}

// A change that was pushed while a request was on its way may not be in its answer.
function answeredPush() {
  if (unseen > asked) return fetchRegion();
  unseen = asked = 0;
}

function closeStream() {
  clearTimeout(tryAgain);
  stream?.close();
  stream = null;
}

function openStream() {
  clearTimeout(tryAgain);
  stream = new EventSource(address(), { withCredentials: true });
  stream.addEventListener("changed", changed);
  stream.addEventListener("ended", () => {
    closeStream();
    changed();
  });
  stream.addEventListener("error", () => {
    // The list was right until now; the next poll is due within three seconds.
    silentSeconds = 0;
    if (stream?.readyState !== EventSource.CLOSED) return;
    closeStream();
    tryAgain = setTimeout(followPage, TRY_AGAIN_MS);
  });
}

// A stream is open exactly while the page is looked at and something on it can change.
function followPage() {
  const wants = !document.hidden && isPolling() && address();
  if (!wants) closeStream();
  else if (!stream && new URL(address(), location.href).hostname === location.hostname) openStream();
}

document.addEventListener("visibilitychange", followPage);
addEventListener("pagehide", closeStream);
addEventListener("pageshow", followPage);
