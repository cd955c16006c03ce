"""Shared parts of the office's pages: the operator, lateness limits, live regions and back links."""

import hashlib
import os
from datetime import timedelta
from urllib.parse import urlencode

from flask import Response, current_app, g, get_template_attribute, render_template, request
from flask.sansio.app import App
from flask.typing import ResponseReturnValue
from flask_login import current_user
from markupsafe import Markup

from panel import app_context
from panel.blueprints.shared import htmx
from panel.blueprints.shared.auth import is_local_page
from panel.blueprints.shared.htmx import OFFICE_PAUSED, region_or_304
from panel.blueprints.shared.navigation import OFFICE
from panel.blueprints.shared.page_frame import framed
from panel.clock import utc_now
from panel.db import db, timed_cache
from panel.db.commit_watch import CommitNumber, commit_watch
from panel.services.office import queues
from panel.services.office.queue_counts import LatenessLimits
from panel.services.office.queues import Queue
from panel.settings import Settings

COMMITS = "panel.office_commits"
QUEUES_AGE = timedelta(seconds=1)
_PATHS = tuple(link.path for link in OFFICE)


def init_app(app: App) -> None:
    """Register the template globals of the office layout; queues are read at most once per request."""
    app.jinja_env.globals.update(office_queues=waiting, office_nav=navigation, office_here=here, office_back=back)


def waiting() -> list[Queue]:
    """Every queue with its count, as of this request."""
    if "office_queues" not in g:
        g.office_queues = _waiting()
    found: list[Queue] = g.office_queues
    return found


def _waiting() -> list[Queue]:
    """The queues, read again after each commit and, since some orders become late by time alone, after a second.

    On PostgreSQL asking for commits takes as long as the read, so it is read for each page.
    """
    now, lateness = utc_now(), limits()
    if db.engine.dialect.name != "sqlite":
        return queues.all_queues(lateness, now=now)
    # By process, since a connection to SQLite must not pass a fork.
    commits = app_context.once_per_app(f"{COMMITS}.{os.getpid()}", lambda: CommitNumber(commit_watch(db.engine)))
    version = f"{commits.current()} {lateness}"
    return timed_cache.cached(
        "office queues", lambda: queues.all_queues(lateness, now=now), max_age=QUEUES_AGE, version=version, now=now
    )


def waiting_by_page() -> dict[str, int]:
    """Queue counts by office page, for the navigation. Unconfirmed orders are reviews too, and count once."""
    counts: dict[str, int] = {}
    for queue in waiting():
        if queue.name != "unconfirmed":
            counts[queue.page] = counts.get(queue.page, 0) + queue.count
    return counts


def navigation() -> Markup:
    """The office's navigation, with how much waits on each page."""
    counts = waiting_by_page()
    shown = get_template_attribute("office/components.html", "waiting_count")
    parts = {path: shown(count) if (count := counts.get(path)) else "" for path in _PATHS}
    return framed("office/_nav.html", parts | {"total": shown(sum(counts.values()), "office-total")})


def limits() -> LatenessLimits:
    settings = app_context.settings()
    return LatenessLimits(settings.dispatch_hours, settings.stuck_hours, settings.unconfirmed_hours)


def actor() -> str:
    """The operator, as the audit log names them."""
    return str(current_user.email)


def operator_id() -> int:
    return int(current_user.id)


def back(default: str) -> str:
    """Back link: the office page in the `back` parameter of the URL or form, otherwise the default."""
    wanted = request.values.get("back", "")
    path = wanted.partition("#")[0].partition("?")[0]
    is_ours = is_local_page(wanted) and (path == "/office" or path.startswith("/office/"))
    return wanted if is_ours else default


def row_in_list(page: str, row: str) -> str:
    """Back link to a row of a list. The `list` parameter has the list's filters: short, as each row's link has it."""
    filters = request.args.get("list", "")
    return back(f"{page}?{filters}#{row}" if filters else f"{page}#{row}")


def here() -> str:
    """The current page's URL, as the `back` parameter of its links."""
    return request.full_path.removesuffix("?")


def with_back(address: str) -> str:
    """The URL with the current `back` parameter."""
    wanted = back("")
    return f"{address}?{urlencode({'back': wanted})}" if wanted else address


def is_live() -> bool:
    return htmx.is_live(OFFICE_PAUSED)


def choose_updates(address: str) -> ResponseReturnValue:
    """Pause or resume updates for this session, then show the same page under its own address."""
    return htmx.pause_or_resume(address, key=OFFICE_PAUSED)


def region(
    template: str, *, live_url: str, label: str, is_polled: bool = True, **context: object
) -> tuple[Markup, str]:
    """Render the template as a live region, with its hash; without polling while updates are paused."""
    inner = render_template(template, **context)
    shown = hashlib.blake2b(inner.encode(), digest_size=16).hexdigest()
    html = render_template(
        "office/_live.html",
        inner=Markup(inner),  # noqa: S704  (rendered, and escaped, by its template)
        live_url=live_url,
        label=label,
        shown=shown if is_polled and is_live() else None,
    )
    return Markup(html), shown  # noqa: S704


def region_alone(found: tuple[Markup, str]) -> Response:
    """The live region alone, or 304 if it hasn't changed."""
    html, shown = found
    return region_or_304(shown, lambda: html)


def currency() -> str:
    settings: Settings = current_app.config["PANEL"]
    return settings.currency
