"""The platform status for programs: JSON for other monitoring, Atom for feed readers."""

from collections.abc import Mapping
from datetime import datetime

from flask import Blueprint, Response, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from panel.blueprints.public.platform_status import ALL, board_now
from panel.blueprints.shared import structured_data
from panel.blueprints.shared.feeds import EMPTY_FEED_UPDATED_AT, for_machines
from panel.clock import utc_now
from panel.services import maintenance
from panel.services.platform import components, incident_reads
from panel.services.platform.incident_reads import IncidentWithUpdates
from panel.services.platform.status_page import ComponentDays, Typical

bp = Blueprint("platform_status_for_programs", __name__)


@bp.get("/platform-status.json")
def as_json() -> ResponseReturnValue:
    found, now = board_now(), utc_now()
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
        "label": incident.phase_label(now),
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
