"""Incident proposals from the probes: a component is down for minutes and no incident names it yet."""

from datetime import datetime, timedelta

from sqlalchemy import func, select

from panel.db import db
from panel.domain.platform.component_states import Component, Finding, State
from panel.models import Incident, Measurement
from panel.services.platform import components, incident_reads, incidents
from panel.services.platform.measurements import Gap

PROPOSE_AFTER = timedelta(minutes=5)
OUT = (State.PARTIAL, State.MAJOR)


def propose(findings: list[Finding], *, gap: Gap | None, now: datetime) -> list[Incident]:
    """Propose incidents for lasting outages, and for a long gap without a worker; returns the new ones."""
    known, announced = components.labels(), incident_reads.affected_now(now=now)
    made = []
    for finding in findings:
        if finding.component in known and finding.component not in announced and finding.state.is_outage:
            made.append(_propose_lasting(finding, label=known[finding.component], now=now))
    if gap is not None and gap.until - gap.since >= PROPOSE_AFTER:
        made.append(_propose_gap(gap, now=now))
    return [incident for incident in made if incident is not None]


def _propose_lasting(finding: Finding, *, label: str, now: datetime) -> Incident | None:
    since = _out_since(finding.component)
    if since is None or now - since < PROPOSE_AFTER or _was_dismissed(finding.component, since=since):
        return None
    return incidents.propose(
        finding.component,
        title=f"{label}: {finding.state.label.lower()}",
        text=f"Measured since {since:%H:%M} UTC. {finding.text}",
        began_at=since,
        now=now,
    )


def _out_since(component: str) -> datetime | None:
    """The first measurement of the component's current outage."""
    mine = Measurement.component == component
    well = select(func.max(Measurement.at)).where(mine, Measurement.state.not_in(OUT)).scalar_subquery()
    first: datetime | None = db.session.scalar(
        select(func.min(Measurement.at)).where(mine, (Measurement.at > well) | well.is_(None))
    )
    return first


def _was_dismissed(component: str, *, since: datetime) -> bool:
    """Whether an operator has already dismissed or resolved an incident for this outage."""
    decided = select(Incident.id).where(
        Incident.proposed_for == component, (Incident.dismissed_at >= since) | (Incident.resolved_at >= since)
    )
    return db.session.scalar(decided.limit(1)) is not None


def _propose_gap(gap: Gap, *, now: datetime) -> Incident | None:
    return incidents.propose(
        Component.DISPATCH,
        title="Orders were not sent",
        text=f"No worker ran from {gap.since:%d %B, %H:%M} to {gap.until:%d %B, %H:%M} UTC. It runs again.",
        began_at=gap.since,
        now=now,
    )
