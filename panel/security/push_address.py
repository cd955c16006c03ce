"""Addresses of the push hub: its port, its origin for the policy and CORS, and what pages listen to."""

from panel.settings import Settings

PATH = "/push"
LAST_PORT = 65_535
# Parameter with the versions that a page shows. A browser that connects again sends a newer id of its own.
SEEN = "seen"
# Parameter with a public topic (`push_topics`), for pages that listen without a session.
TOPIC = "topic"


def port(settings: Settings) -> int:
    """The port after the site's, or the one before the last port that there is."""
    after = settings.port + 1 if settings.port < LAST_PORT else LAST_PORT - 1
    return settings.hub_port or after


def origin(settings: Settings) -> str:
    """Where browsers find the hub, if not at the site itself, whose proxy then passes `/push` on."""
    return "" if settings.base_url or settings.trusted_proxies else f"http://{settings.host}:{port(settings)}"


def url(settings: Settings, *, seen: str, topic: str = "") -> str:
    """The address that a page with these versions listens to; empty without a push hub."""
    query = f"{TOPIC}={topic}&{SEEN}={seen}" if topic else f"{SEEN}={seen}"
    return f"{origin(settings)}{PATH}?{query}" if settings.hub else ""
