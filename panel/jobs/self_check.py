"""Asks our own site for a page and our own API for a balance, over HTTP, as a stranger would."""

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
MOST_BYTES = 1024 * 1024
# Set by the supervisor for everything it starts: then the site is on this machine.
SUPERVISED = "PANEL_TETHERED"


def address_of(settings: Settings) -> str:
    """Where our site is to be asked: on this machine where one supervisor runs it all, else where the public asks."""
    if settings.base_url and not os.environ.get(SUPERVISED):
        return settings.public_url
    # A server that listens everywhere is asked on this machine.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def page_ms(address: str) -> int | None:
    """How long the site took to answer with a whole page; None when it did not."""
    began = time.monotonic()
    request = urllib.request.Request(f"{address}{PAGE}", headers={"User-Agent": "panel-probe"})  # noqa: S310
    try:
        with _opener.open(request, timeout=DEADLINE_SECONDS) as answer:
            is_whole = answer.status == http.client.OK and b"</html>" in answer.read(MOST_BYTES)
    except (OSError, ValueError, http.client.HTTPException):
        return None
    return _since(began) if is_whole else None


def api_ms(address: str, *, key: str) -> int | None:
    """How long the API took to tell the balance of this key's holder; None when it did not."""
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


# Without proxies: the question is whether the site answers, not what stands between.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())


def _since(began: float) -> int:
    return int((time.monotonic() - began) * 1_000)
