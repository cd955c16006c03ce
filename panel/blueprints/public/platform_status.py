"""Platform status page: current state, last 90 days and incidents."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

from flask import Blueprint, abort, current_app, redirect, render_template, request
from flask.typing import ResponseReturnValue

from panel.blueprints.shared import htmx, structured_data
from panel.clock import utc_now
from panel.db import timed_cache
from panel.domain import charts
from panel.domain.formatting import count, duration
from panel.domain.platform.component_states import (
    PROVIDER_DEGRADED_AFTER,
    PROVIDER_MAJOR_AFTER,
    PROVIDER_PROBE,
    Component,
    State,
)
from panel.domain.platform.uptime_days import SHOWN_DAYS, day_runs, late_seconds
from panel.security.push_topics import Topic
from panel.services.platform import components, incident_reads, status_page
from panel.services.platform.incident_reads import IncidentWithUpdates
from panel.services.platform.status_page import Board, ComponentDays
from panel.settings import Settings

bp = Blueprint("platform_status", __name__)

MAX_IN_ARCHIVE = 200
TITLE = "Platform status"
HOME = ("Home", "/")
ALL = (TITLE, "/platform-status")


@dataclass(frozen=True)
class ComponentRow:
    """Template data of a component."""

    row: ComponentDays
    bars: charts.DayBars
    days_in_words: str
    time_in_words: str
    probe: str


@dataclass(frozen=True)
class IncidentMonth:
    """Incidents that began in one month, newest first."""

    label: str
    incidents: tuple[IncidentWithUpdates, ...]


@bp.app_template_global()
def component_names() -> dict[str, str]:
    """Display names of the components."""
    return components.labels()


@bp.get("/platform-status")
def show() -> ResponseReturnValue:
    found = board_now()
    answer = current_app.make_response(
        render_template(
            "platform_status/show.html",
            board=found,
            lines=[_line(row) for row in found.rows],
            months=_months(found),
            topic=Topic.PLATFORM_STATUS,
            data=structured_data.graph(
                structured_data.web_page(ALL[1], name=TITLE, changed=None), structured_data.breadcrumbs(HOME, ALL)
            ),
            **_rules(),
        )
    )
    answer.add_etag()
    return answer.make_conditional(request)


@bp.get("/platform-status/live")
def show_now() -> ResponseReturnValue:
    """Fragment with the present state, asked for by open pages: 304 if it hasn't changed."""
    board = board_now()
    # Rendered once for all who hear of the same change.
    region = timed_cache.cached(
        "platform status region", lambda: _region(board), version=board.present.version, now=utc_now()
    )
    return htmx.region_or_304(hashlib.blake2b(region.encode(), digest_size=16).hexdigest(), lambda: region)


def _region(board: Board) -> str:
    return render_template(
        "platform_status/_now.html", board=board, lines=[_line(row) for row in board.rows], days=SHOWN_DAYS
    )


@bp.get("/platform-status/components/<key>")
def show_component(key: str) -> ResponseReturnValue:
    """Page of one component: its days, newest first, each with trouble on a row of its own."""
    row = next((row for row in board_now().rows if row.now.key == key), None)
    if row is None:
        abort(404)
    return render_template(
        "platform_status/component.html", line=_line(row), probe=_probe(key), runs=day_runs(row.days), **_rules()
    )


@bp.get("/platform-status/incidents")
def list_incidents() -> ResponseReturnValue:
    now = utc_now()
    return render_template(
        "platform_status/incidents.html",
        open_incidents=[*incident_reads.open_now(), *incident_reads.planned(now=now)],
        past=incident_reads.past(limit=MAX_IN_ARCHIVE, now=now),
        most=MAX_IN_ARCHIVE,
        now=now,
        names=components.labels(),
    )


@bp.get("/platform-status/incidents/<slug>")
def show_incident(slug: str) -> ResponseReturnValue:
    incident, path = incident_reads.published(slug), f"/platform-status/incidents/{slug}"
    return render_template(
        "platform_status/incident.html",
        incident=incident,
        now=utc_now(),
        names=components.labels(),
        data=structured_data.graph(
            structured_data.web_page(path, name=incident.title, changed=incident.changed_at.date()),
            structured_data.breadcrumbs(HOME, ALL, (incident.title, path)),
        ),
    )


@bp.get("/platform-status/")
def without_final_slash() -> ResponseReturnValue:
    return redirect(ALL[1], code=301)


def _settings() -> Settings:
    return current_app.config["PANEL"]  # type: ignore[no-any-return]


def board_now() -> Board:
    """The data of the page."""
    return status_page.read(interval_seconds=_settings().probe_seconds, now=utc_now())


def _rules() -> dict[str, object]:
    """Template data on how uptime is measured, from the limits of the probes."""
    interval = _settings().probe_seconds
    return {
        "interval_seconds": interval,
        "late_seconds": late_seconds(interval),
        "canary_seconds": _settings().canary_seconds,
        "days": SHOWN_DAYS,
        "states": list(State),
    }


def _probe(key: str) -> str:
    """How a component is measured, and from which time on it counts as slow or failed."""
    if key not in set(Component):
        return PROVIDER_PROBE.format(few=PROVIDER_DEGRADED_AFTER, many=PROVIDER_MAJOR_AFTER)
    facts = Component(key).facts
    if facts.limits is None:
        return facts.probe
    slow, fails = _length(facts.limits.slow_ms), _length(facts.limits.fails_ms)
    return f"{facts.probe} Over {slow}: degraded. Over {fails}: major outage."


def _months(board: Board) -> list[IncidentMonth]:
    """Incidents of the days in the uptime bars, by month, newest first."""
    first = board.present.at - timedelta(days=SHOWN_DAYS)
    shown = [incident for incident in board.past if incident.began_at >= first]
    by_month = groupby(shown, key=lambda incident: f"{incident.began_at:%B %Y}")
    return [IncidentMonth(label, tuple(incidents)) for label, incidents in by_month]


def _line(row: ComponentDays) -> ComponentRow:
    probe = _probe(row.now.key)
    return ComponentRow(row, charts.day_bars(row.days), _in_words(row), _time_in_words(row), probe)


def _in_words(row: ComponentDays) -> str:
    """Text alternative of the uptime bars, in one or two sentences."""
    if row.uptime is None:
        return f"{row.now.label}, last {SHOWN_DAYS} days: no data."
    troubled = [
        (state, sum(day.worst is state for day in row.days)) for state in (State.MAJOR, State.PARTIAL, State.DEGRADED)
    ]
    parts = [f"{days} with a {state.label.lower()}" for state, days in troubled if days and state.is_outage]
    parts += [f"{days} degraded" for state, days in troubled if days and not state.is_outage]
    unknown = len(row.days) - row.measured_days
    parts += [f"{unknown} without data"] if unknown else []
    trouble = f" Days with trouble: {', '.join(parts)}." if parts else " No day had trouble."
    return f"{row.now.label}, last {SHOWN_DAYS} days: {row.uptime.percent}% up.{trouble}"


def _time_in_words(row: ComponentDays) -> str:
    if row.typical is None or not row.timed:
        return ""
    median, p90 = _length(row.typical.median_ms), _length(row.typical.p90_ms)
    times = f"{p90} in" if median == p90 else f"{median} in the median, at most {p90} in"
    of = f"{count(row.typical.count)} measurements, last 24 hours"
    return f"{row.timed.capitalize()}: {times} 9 out of 10 cases ({of})"


def _length(milliseconds: int) -> str:
    """Format a duration in whole seconds."""
    return duration(milliseconds // 1_000)
