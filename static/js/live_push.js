// Push on pages with section#live: a change that was pushed is fetched as by a poll. With an open stream polls rest for
// thirty seconds; without one (no hub, too many tabs, a proxy in between) they go on.
const REST_SECONDS = 30;
const SILENCE_WITH_STREAM_SECONDS = 45;

let unseen = 0;
let asked = 0;

const pushAddress = () => document.querySelector("[data-live-bar]")?.dataset.push;
const wantsStream = () => isPolling();
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

// The list was right until now; the next poll is due within three seconds.
function lost() {
  silentSeconds = 0;
}
