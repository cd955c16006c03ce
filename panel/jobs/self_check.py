"""Self-check over HTTP: requests a page of our site and a balance from our API, like an outside client."""

import http.client
import os
import time
import urllib.error
import urllib.request

from panel.providers import http as providers_http
from panel.providers.http import CallFailed
from panel.settings import Settings

DEADLINE_SECONDS = 8.0
# With a query string, so that the page is rendered: pages without one may be cached.
PAGE = "/tools?sort=price"
MAX_BYTES = 1024 * 1024
# Set by the supervisor for everything it starts: then the site is on this machine.
SUPERVISED = "PANEL_TETHERED"


def address_of(settings: Settings) -> str:
    """Base URL for the self-check: the local port under the supervisor, else the public URL."""
    if settings.base_url and not os.environ.get(SUPERVISED):
        return settings.public_url
    # A server that listens on all interfaces is reached through loopback.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def page_ms(address: str) -> int | None:
    """Response time of a page in milliseconds; None when no complete page came back."""
    began = time.monotonic()
    request = urllib.request.Request(f"{address}{PAGE}", headers={"User-Agent": "panel-probe"})  # noqa: S310
    try:
        with _opener.open(request, timeout=DEADLINE_SECONDS) as answer:
            is_whole = answer.status == http.client.OK and b"</html>" in answer.read(MAX_BYTES)
    except (OSError, ValueError, http.client.HTTPException):
        return None
    return _since(began) if is_whole else None


def api_ms(address: str, *, key: str) -> int | None:
    """Response time of the API's `balance` action in milliseconds; None when it failed."""
    began = time.monotonic()
    try:
        answer = providers_http.post(
            f"{address}/api/v2", {"key": key, "action": "balance"}, timeout_seconds=DEADLINE_SECONDS
        )
    except CallFailed:
        return None
    return _since(began) if isinstance(answer, dict) and "balance" in answer else None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_given: object) -> None:
        return None


# Without proxies: only the site itself is measured.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())


def _since(began: float) -> int:
    return int((time.monotonic() - began) * 1_000)
