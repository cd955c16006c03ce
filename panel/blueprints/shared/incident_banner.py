"""Banners: announcements for all, and on customers' pages open incidents, also for what orders say of one.

Cached by the catalogue's version, which every change of these bumps: a page costs no read for it.
"""

from dataclasses import dataclass

from flask import current_app
from flask.sansio.app import App
from sqlalchemy.exc import SQLAlchemyError

from panel.blueprints.shared.template_globals import me
from panel.clock import utc_now
from panel.db import db
from panel.db.lru_cache import LRUCache
from panel.services import announcements, maintenance
from panel.services.catalogue import tools as catalogue_tools
from panel.services.maintenance import ClosedOrdering
from panel.services.orders import history as order_history
from panel.services.platform import incident_notices
from panel.services.platform.incident_notices import OpenIncident

EXTENSION = "panel.incident_banner"
MAX_CATALOGUES = 4
MAX_CUSTOMERS = 10_000


@dataclass(frozen=True, slots=True)
class PinnedAnnouncement:
    """An announcement as the banner shows it."""

    id: int
    title: str


@dataclass(frozen=True, slots=True)
class _BannerCaches:
    incidents: LRUCache[int, tuple[OpenIncident, ...]]
    announcements: LRUCache[tuple[int, bool], tuple[PinnedAnnouncement, ...]]
    closed: LRUCache[int, tuple[ClosedOrdering | None]]
    providers: LRUCache[tuple[int, int, int], frozenset[int]]


def init_app(app: App) -> None:
    app.extensions[EXTENSION] = _BannerCaches(
        LRUCache(MAX_CATALOGUES), LRUCache(MAX_CATALOGUES), LRUCache(MAX_CATALOGUES), LRUCache(MAX_CUSTOMERS)
    )
    app.jinja_env.globals.update(
        my_incidents=my_incidents, closed_ordering=closed_ordering, pinned_announcements=pinned_announcements
    )


def open_incidents(catalogue_version: int) -> tuple[OpenIncident, ...]:
    """The open incidents as of this version of the catalogue."""
    caches: _BannerCaches = current_app.extensions[EXTENSION]
    return caches.incidents.get_or_make(catalogue_version, incident_notices.open_incidents)


def closed_ordering() -> ClosedOrdering | None:
    """Why and until when ordering is closed; None while it is open. Visitors' pages are cached as a whole."""
    user, now = me(), utc_now()
    if user is None:
        return maintenance.current(now=now)
    caches: _BannerCaches = current_app.extensions[EXTENSION]
    (closed,) = caches.closed.get_or_make(user.catalogue_version, lambda: (maintenance.current(now=now),))
    return closed if closed is not None and now < closed.ends_at else None


def pinned_announcements() -> tuple[PinnedAnnouncement, ...]:
    """The pinned announcements for this person: visitors see what is for everyone."""
    user = me()
    if user is not None:
        return _pinned(user.catalogue_version, is_customer=True)
    try:
        return _pinned(catalogue_tools.version(), is_customer=False)
    except SQLAlchemyError:
        # Most of what visitors read needs no database, so it is also there while there is none.
        db.session.rollback()
        return ()


def _pinned(catalogue_version: int, *, is_customer: bool) -> tuple[PinnedAnnouncement, ...]:
    caches: _BannerCaches = current_app.extensions[EXTENSION]
    return caches.announcements.get_or_make(
        (catalogue_version, is_customer),
        lambda: tuple(
            PinnedAnnouncement(each.id, each.title) for each in announcements.pinned(is_customer=is_customer)
        ),
    )


def delaying(provider_id: int, *, catalogue_version: int) -> OpenIncident | None:
    """The newest open incident that can delay this provider's orders."""
    incidents = open_incidents(catalogue_version)
    return next((incident for incident in incidents if incident.delays(provider_id)), None)


def my_incidents() -> list[OpenIncident]:
    """The open incidents that concern the tools of this customer; none for visitors and operators."""
    user = me()
    if user is None or user.is_staff:
        return []
    incidents = open_incidents(user.catalogue_version)
    if not incidents:
        return []
    caches: _BannerCaches = current_app.extensions[EXTENSION]
    providers = caches.providers.get_or_make(
        (user.id, user.state_version, user.catalogue_version),
        lambda: frozenset(order_history.providers_used(user.id)),
    )
    return [each for each in incidents if each.concerns_all or any(map(each.delays, providers))]
