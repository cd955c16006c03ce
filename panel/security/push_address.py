"""Addresses of the push hub: its port, its origin for the policy and CORS, and what pages listen to."""

from panel.settings import Settings

PATH = "/push"
# Parameter with the versions that a page shows. A browser that connects again sends a newer id of its own.
SEEN = "seen"


def port(settings: Settings) -> int:
    return settings.hub_port or settings.port + 1


def origin(settings: Settings) -> str:
    """Where browsers find the hub, if not at the site itself, whose proxy then passes `/push` on."""
    return "" if settings.base_url or settings.trusted_proxies else f"http://{settings.host}:{port(settings)}"


def url(settings: Settings, *, seen: str) -> str:
    """The address that a page with these versions listens to; empty without a push hub."""
    return f"{origin(settings)}{PATH}?{SEEN}={seen}" if settings.hub else ""
