"""Incidents and planned maintenance: open, update, resolve; or proposed by the probes first.

Updates are append-only. Resolved is final: if the problem returns, that is a new incident.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy import update as update_rows
from sqlalchemy.exc import IntegrityError

from panel.db import db, lock_rows, timed_cache
from panel.domain.errors import ActionRefused, BadInput, NotFound, StaleForm
from panel.domain.platform.component_states import State
from panel.domain.platform.incidents import Phase, slug_of
from panel.models import Catalogue, Incident, IncidentPart, IncidentUpdate
from panel.services import audit_log
from panel.services.platform import components

MAX_TITLE = 120
MAX_TEXT = 2_000
MAX_WINDOW = timedelta(days=14)


@dataclass(frozen=True)
class UpdateText:
    """An update: phase, text, and the affected components with their states."""

    phase: Phase
    text: str
    parts: Mapping[str, State] = field(default_factory=dict)
    # Impact on customers, and its cost and refunds; an empty one leaves the earlier text.
    impact: str = ""
    cost: str = ""


@dataclass(frozen=True)
class Window:
    """Window of planned maintenance."""

    since: datetime
    until: datetime


def open_incident(
    title: str, words: UpdateText, *, request_id: str, window: Window | None = None, actor: str, now: datetime
) -> Incident:
    """Publish an incident, or planned maintenance if there is a `window`. Idempotent by request id."""
    made = _made(request_id)
    if made is not None:
        return made
    words = _checked(words)
    _check_beginning(words, window, now=now)
    try:
        with db.session.begin_nested():
            incident = _new(
                title=_line(title, field="title"),
                request_id=request_id,
                phase=words.phase,
                began_at=window.since if window else now,
                published_at=now,
                planned_from=window.since if window else None,
                planned_until=window.until if window else None,
                mailed_up_to=0,
            )
    except IntegrityError:
        return _made_concurrently(request_id)
    _add_update(incident, words, actor=actor, now=now)
    _log("incidents plan" if window else "incidents open", incident, incident.title, actor=actor, now=now)
    return incident


def _made(request_id: str) -> Incident | None:
    return db.session.scalar(select(Incident).where(Incident.request_id == request_id))


def _made_concurrently(request_id: str) -> Incident:
    """The incident a concurrent request of the same form created. Raises Refused if only the title is the same."""
    made = _made(request_id)
    if made is None:
        raise ActionRefused("Another incident with this title was opened in the same moment. Read it, then decide.")
    return made


def update(
    incident_id: int, words: UpdateText, *, seen_updates: int | None = None, actor: str, now: datetime
) -> Incident:
    """Add an update to a published incident; the phase Resolved ends it.

    `seen_updates`: number of updates when the form was opened, for optimistic locking; raises StaleForm if there are
    more.
    """
    incident = _lock(incident_id)
    if incident.published_at is None:
        raise ActionRefused("This is a proposal. Publish or dismiss it first.")
    if seen_updates is not None and seen_updates != incident.updates:
        raise StaleForm("This incident was updated since you opened the form. Read the update, then decide.")
    _check_step(incident, words)
    words = _checked(words)
    if words.phase is Phase.RESOLVED:
        incident.resolved_at, incident.mailed_up_to = now, 0
    incident.phase = words.phase
    _add_update(incident, words, actor=actor, now=now)
    _log("incidents update", incident, f"{words.phase}: {words.text}", actor=actor, now=now)
    return incident


def propose(component: str, *, title: str, text: str, began_at: datetime, now: datetime) -> Incident | None:
    """Propose an incident seen by the probes, unless one of this component is waiting for a decision."""
    waiting = select(Incident.id).where(
        Incident.proposed_for == component, Incident.published_at.is_(None), Incident.dismissed_at.is_(None)
    )
    if db.session.scalar(waiting) is not None:
        return None
    return _new(
        title=title,
        impact=text,
        request_id=f"probes:{component}:{now.isoformat()}",
        phase=Phase.INVESTIGATING,
        proposed_for=component,
        began_at=began_at,
    )


def publish(incident_id: int, title: str, words: UpdateText, *, actor: str, now: datetime) -> Incident:
    """Publish a proposal in the operator's own words."""
    incident = _proposal(incident_id)
    words = _checked(words)
    _check_beginning(words, None, now=now)
    incident.title, incident.phase, incident.published_at = _line(title, field="title"), words.phase, now
    # The probes' own text was written for operators.
    incident.impact, incident.mailed_up_to = "", 0
    _add_update(incident, words, actor=actor, now=now)
    _log("incidents publish", incident, incident.title, actor=actor, now=now)
    return incident


def dismiss(incident_id: int, *, reason: str, actor: str, now: datetime) -> None:
    """Dismiss a proposal; the measurements stay in the uptime bars."""
    reason = audit_log.checked_reason(reason)
    incident = _proposal(incident_id)
    incident.dismissed_at = now
    db.session.flush()
    _log("incidents dismiss", incident, reason, actor=actor, now=now)


def _lock(incident_id: int) -> Incident:
    incident: Incident | None = db.session.scalar(lock_rows(select(Incident).where(Incident.id == incident_id)))
    if incident is None:
        raise NotFound("There is no such incident.")
    return incident


def _proposal(incident_id: int) -> Incident:
    incident = _lock(incident_id)
    if incident.published_at is not None or incident.dismissed_at is not None:
        raise ActionRefused("This proposal has been decided on already.")
    return incident


def _check_beginning(words: UpdateText, window: Window | None, *, now: datetime) -> None:
    if words.phase is Phase.RESOLVED:
        raise BadInput("What begins cannot be resolved yet.", field="phase")
    if (words.phase is Phase.PLANNED) != (window is not None):
        raise BadInput("Planned work has a window; an incident has none.", field="phase")
    if window is not None:
        if not window.since < window.until:
            raise BadInput("The work must end after it begins.", field="until")
        if window.until <= now:
            raise BadInput("This window is over. Planned work lies ahead.", field="until")
        if window.until - window.since > MAX_WINDOW:
            raise BadInput(f"A window has at most {MAX_WINDOW.days} days.", field="until")


def _check_step(incident: Incident, words: UpdateText) -> None:
    phase = Phase(incident.phase)
    if phase is Phase.RESOLVED:
        raise ActionRefused("This incident is resolved. If the problem is back, open a new incident.")
    if not phase.may_become(words.phase):
        raise BadInput(f"From {phase.label} it cannot become {words.phase.label}.", field="phase")


def _checked(words: UpdateText) -> UpdateText:
    known = components.labels()
    unknown = [component for component in words.parts if component not in known]
    if unknown:
        raise BadInput(f"There is no component {unknown[0][:40]}. There are: {', '.join(known)}.", field="components")
    # A resolved incident affects nothing any more.
    parts = {} if words.phase is Phase.RESOLVED else dict(words.parts)
    return UpdateText(
        words.phase,
        _text(words.text, field="text", least=1),
        parts,
        impact=_text(words.impact, field="impact"),
        cost=_text(words.cost, field="cost"),
    )


def _line(text: str, *, field: str) -> str:
    line = text.strip()
    if not line or len(line) > MAX_TITLE or not line.isprintable():
        raise BadInput(f"Write a title of 1 to {MAX_TITLE} characters on one line.", field=field)
    return line


def _text(text: str, *, field: str, least: int = 0) -> str:
    """Validate a multi-line text. Control characters are rejected, since they would break the feed's XML."""
    cleaned = "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").strip().split("\n"))
    if len(cleaned) < least or len(cleaned) > MAX_TEXT or not cleaned.replace("\n", "").isprintable():
        raise BadInput(f"Write {least or 'up'} to {MAX_TEXT} characters that can be shown.", field=field)
    return cleaned


def _new(**values: object) -> Incident:
    began_at = values["began_at"]
    assert isinstance(began_at, datetime)
    wanted = slug = slug_of(str(values["title"]), day=began_at.date())
    taken = set(db.session.scalars(select(Incident.slug).where(Incident.slug.startswith(wanted, autoescape=True))))
    number = 1
    while slug in taken:
        number += 1
        slug = f"{wanted}-{number}"
    incident = Incident(slug=slug, updates=0, **values)
    db.session.add(incident)
    db.session.flush()
    return incident


def _add_update(incident: Incident, words: UpdateText, *, actor: str, now: datetime) -> None:
    added = IncidentUpdate(incident_id=incident.id, phase=words.phase, text=words.text, actor=actor, at=now)
    db.session.add(added)
    db.session.flush()
    db.session.add_all(
        IncidentPart(update_id=added.id, component=component, state=state) for component, state in words.parts.items()
    )
    incident.updates += 1
    incident.impact = words.impact or incident.impact
    incident.cost = words.cost or incident.cost
    db.session.flush()
    # Customers' pages are cached under this version: the banner and the orders' next steps must follow.
    db.session.execute(update_rows(Catalogue).values(version=Catalogue.version + 1))
    timed_cache.clear("board", "now", "figures", "times")


def _log(action: str, incident: Incident, detail: str, *, actor: str, now: datetime) -> None:
    audit_log.write(action, actor=actor, subject=f"incident {incident.id}", detail=detail[:200], now=now)
