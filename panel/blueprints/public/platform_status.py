"""Platform status page: current state, last 90 days and incidents, also as JSON and Atom."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from flask import Blueprint, Response, abort, current_app, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue

from panel.blueprints.shared import structured_data
from panel.blueprints.shared.feeds import EMPTY_FEED_UPDATED_AT, for_machines
from panel.clock import utc_now
from panel.domain import charts
from panel.domain.formatting import count, duration
from panel.domain.platform.component_states import (
    COMPONENTS,
    CORE,
    PROVIDER_DEGRADED_AFTER,
    PROVIDER_MAJOR_AFTER,
    PROVIDER_PROBE,
    Component,
    State,
)
from panel.domain.platform.uptime_days import SHOWN_DAYS, day_runs, late_seconds
from panel.services import maintenance
from panel.services.platform import components, incident_reads, status_page
from panel.services.platform.incident_reads import IncidentWithUpdates
from panel.services.platform.status_page import Board, ComponentDays, Typical
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
    found = _board()
    answer = current_app.make_response(
        render_template(
            "platform_status/show.html",
            board=found,
            lines=[_line(row) for row in found.rows],
            months=_months(found),
            core=[COMPONENTS[key] for key in CORE],
            data=structured_data.graph(
                structured_data.web_page(ALL[1], name=TITLE, changed=None), structured_data.breadcrumbs(HOME, ALL)
            ),
            **_rules(),
        )
    )
    answer.add_etag()
    return answer.make_conditional(request)


@bp.get("/platform-status/components/<key>")
def show_component(key: str) -> ResponseReturnValue:
    """Page of one component: its days, newest first, each with trouble on a row of its own."""
    row = next((row for row in _board().rows if row.now.key == key), None)
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


@bp.get("/platform-status.json")
def as_json() -> ResponseReturnValue:
    found, now = _board(), utc_now()
    answer = jsonify(
        {
            "page": structured_data.absolute(ALL[1]),
            "state": found.present.state,
            "label": found.present.state.label,
            "sentence": found.present.sentence,
            "measured_at": _moment(found.present.measured_at),
            "ordering": _ordering_as_json(now=now),
            "components": [_component_as_json(row) for row in found.rows],
            "incidents": [_incident_as_json(each, now=now) for each in found.open_incidents],
            "planned_work": [_incident_as_json(each, now=now) for each in found.planned],
            "past_incidents": [_incident_as_json(each, now=now) for each in found.past],
        }
    )
    return for_machines(answer, request)


def _ordering_as_json(*, now: datetime) -> dict[str, object]:
    closed = maintenance.current(now=now)
    if closed is None:
        return {"is_open": True}
    return {"is_open": False, "reason": closed.reason, "until": _moment(closed.ends_at)}


@bp.get("/platform-status.atom")
def as_atom() -> ResponseReturnValue:
    incidents = incident_reads.newest_published()
    entries = sorted(
        ((incident, update) for incident in incidents for update in incident.updates),
        key=lambda entry: entry[1].id,
        reverse=True,
    )[: incident_reads.MAX_IN_FEED]
    body = render_template(
        "platform_status/feed.xml",
        entries=entries,
        updated=entries[0][1].at if entries else EMPTY_FEED_UPDATED_AT,
        page=structured_data.absolute(ALL[1]),
        names=components.labels(),
    )
    return for_machines(Response(body, mimetype="application/atom+xml"), request)


@bp.get("/platform-status/")
def without_final_slash() -> ResponseReturnValue:
    return redirect(ALL[1], code=301)


def _settings() -> Settings:
    return current_app.config["PANEL"]  # type: ignore[no-any-return]


def _board() -> Board:
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
        "provider_probe": PROVIDER_PROBE.format(few=PROVIDER_DEGRADED_AFTER, many=PROVIDER_MAJOR_AFTER),
    }


def _probe(key: str) -> str:
    return Component(key).facts.probe if key in set(Component) else str(_rules()["provider_probe"])


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


def _component_as_json(row: ComponentDays) -> Mapping[str, object]:
    known = row.uptime
    return {
        "key": row.now.key,
        "name": row.now.label,
        "state": row.now.state,
        "label": row.now.state.label,
        "text": row.now.text,
        "uptime_percent": known.percent if known else None,
        "measured_seconds": known.known_seconds if known else 0,
        "timed": _typical_as_json(row.timed, row.typical),
        "days": [
            {"day": day.day.isoformat(), "state": day.worst, "seconds": dict(day.parts)}
            for day in row.days
            if day.parts
        ],
    }


def _typical_as_json(timed: str, typical: Typical | None) -> Mapping[str, object] | None:
    if typical is None or not timed:
        return None
    return {"what": timed, "median_ms": typical.median_ms, "p90_ms": typical.p90_ms, "count": typical.count}


def _incident_as_json(incident: IncidentWithUpdates, *, now: datetime) -> Mapping[str, object]:
    return {
        "title": incident.title,
        "page": structured_data.absolute(f"/platform-status/incidents/{incident.slug}"),
        "phase": incident.phase,
        "label": incident.said(now),
        "began_at": _moment(incident.began_at),
        "resolved_at": _moment(incident.resolved_at),
        "planned_from": _moment(incident.planned_from),
        "planned_until": _moment(incident.planned_until),
        "impact": incident.impact,
        "cost": incident.cost,
        "components": dict(incident.parts),
        "updates": [
            {"at": _moment(update.at), "phase": update.phase, "text": update.text} for update in incident.updates
        ],
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else f"{at:%Y-%m-%dT%H:%M:%SZ}"
