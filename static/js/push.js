// Server-sent events of the push hub: something on the page has changed. The script that this one is joined to says where
// to listen (pushAddress), when (wantsStream), what a change means (changed), and what to do when a stream breaks (lost).
const TRY_AGAIN_MS = 60000;

let stream = null;
let tryAgain = 0;

const isPushed = () => stream?.readyState === EventSource.OPEN;

function closeStream() {
  clearTimeout(tryAgain);
  stream?.close();
  stream = null;
}

function openStream() {
  clearTimeout(tryAgain);
  stream = new EventSource(pushAddress(), { withCredentials: true });
  stream.addEventListener("changed", changed);
  stream.addEventListener("ended", () => {
    closeStream();
    changed();
  });
  stream.addEventListener("error", () => {
    lost();
    if (stream?.readyState !== EventSource.CLOSED) return;
    closeStream();
    tryAgain = setTimeout(followPage, TRY_AGAIN_MS);
  });
}

// A stream is open exactly while the page is looked at and something on it can change.
function followPage() {
  const address = !document.hidden && wantsStream() && pushAddress();
  if (!address) closeStream();
  else if (!stream && new URL(address, location.href).hostname === location.hostname) openStream();
}

document.addEventListener("visibilitychange", followPage);
addEventListener("pagehide", closeStream);
addEventListener("pageshow", followPage);
