"""Incident queries: open, past, one with all updates, and the affected components."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select

from panel.db import db
from panel.domain.errors import NotFound
from panel.domain.platform.component_states import State, worst
from panel.domain.platform.incidents import Phase
from panel.models import Incident, IncidentPart, IncidentUpdate

MAX_SHOWN = 10
MAX_LISTED = 200
MAX_IN_FEED = 50


@dataclass(frozen=True)
class Update:
    """An update, with the affected components and their states."""

    id: int
    phase: Phase
    text: str
    actor: str
    at: datetime
    parts: tuple[tuple[str, State], ...]


@dataclass(frozen=True)
class IncidentWithUpdates:
    """An incident or planned maintenance with its updates, newest first."""

    id: int
    slug: str
    title: str
    impact: str
    cost: str
    phase: Phase
    proposed_for: str | None
    began_at: datetime
    published_at: datetime | None
    dismissed_at: datetime | None
    resolved_at: datetime | None
    planned_from: datetime | None
    planned_until: datetime | None
    updates: tuple[Update, ...]

    @property
    def is_planned(self) -> bool:
        return self.planned_from is not None

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None

    @property
    def parts(self) -> tuple[tuple[str, State], ...]:
        """The affected components in the latest update."""
        return self.updates[0].parts if self.updates else ()

    @property
    def named(self) -> tuple[str, ...]:
        """Every component that any update named: a resolved incident affects none any more."""
        return tuple(dict.fromkeys(key for update in reversed(self.updates) for key, _state in update.parts))

    @property
    def changed_at(self) -> datetime:
        """Time of the latest update."""
        return self.updates[0].at if self.updates else self.began_at

    @property
    def lasted_seconds(self) -> int:
        """Duration; 0 while it is open."""
        return 0 if self.resolved_at is None else (self.resolved_at - self.began_at) // timedelta(seconds=1)

    def is_under_way(self, now: datetime) -> bool:
        """Whether it is current: an open incident, or maintenance within its window."""
        if self.planned_from is None or self.planned_until is None:
            return self.is_open
        return self.is_open and self.planned_from <= now < self.planned_until

    def phase_label(self, now: datetime) -> str:
        """Its phase in one or two words."""
        if self.planned_until is None or not self.is_open:
            return self.phase.label
        if self.is_under_way(now):
            return "Under way"
        return "Planned" if now < self.planned_until else "Window is over"


PUBLISHED = Incident.published_at.is_not(None)
IS_PROPOSAL = (Incident.published_at.is_(None), Incident.dismissed_at.is_(None))


def open_now() -> list[IncidentWithUpdates]:
    """Published open incidents, newest first."""
    return _with_updates(PUBLISHED, Incident.resolved_at.is_(None), Incident.planned_from.is_(None), limit=MAX_LISTED)


def planned(*, now: datetime) -> list[IncidentWithUpdates]:
    """Published maintenance that is planned or in progress, next first."""
    ahead = _with_updates(PUBLISHED, Incident.resolved_at.is_(None), Incident.planned_until > now, limit=MAX_LISTED)
    return sorted(ahead, key=lambda work: (work.planned_from or now, work.id))


def past(*, now: datetime, limit: int = MAX_SHOWN) -> list[IncidentWithUpdates]:
    """Past ones: resolved incidents and completed maintenance, newest first."""
    is_over = Incident.resolved_at.is_not(None) | (Incident.planned_until <= now)
    return _with_updates(PUBLISHED, is_over, limit=limit)


def newest_published(*, limit: int = MAX_IN_FEED) -> list[IncidentWithUpdates]:
    """All published ones, newest first, for the feed."""
    return _with_updates(PUBLISHED, limit=limit)


def proposals() -> list[IncidentWithUpdates]:
    """Proposals from the probes that no operator has decided on."""
    return _with_updates(*IS_PROPOSAL, limit=MAX_LISTED)


def dismissed(*, limit: int = MAX_SHOWN) -> list[IncidentWithUpdates]:
    """Dismissed proposals, newest first."""
    return _with_updates(Incident.dismissed_at.is_not(None), limit=limit)


def published(slug: str) -> IncidentWithUpdates:
    """The published incident with this slug. Raises NotFound."""
    return _only(_with_updates(PUBLISHED, Incident.slug == slug, limit=1))


def any_of(incident_id: int) -> IncidentWithUpdates:
    """The incident with this id, published or not. Raises NotFound."""
    return _only(_with_updates(Incident.id == incident_id, limit=1))


def affected_now(*, now: datetime) -> dict[str, State]:
    """The worst state of each component in open incidents and current maintenance."""
    states: dict[str, State] = {}
    published_open = _with_updates(PUBLISHED, Incident.resolved_at.is_(None), limit=MAX_LISTED)
    for incident in published_open:
        if incident.is_under_way(now):
            for component, state in incident.parts:
                states[component] = worst([state, states.get(component, State.OPERATIONAL)])
    return states


def _only(found: list[IncidentWithUpdates]) -> IncidentWithUpdates:
    if not found:
        raise NotFound("There is no such incident.")
    return found[0]


def _with_updates(*conditions: ColumnElement[bool], limit: int) -> list[IncidentWithUpdates]:
    """Incidents with their updates, in three queries however many there are."""
    statement = select(Incident).where(*conditions).order_by(Incident.began_at.desc(), Incident.id.desc()).limit(limit)
    incidents = db.session.scalars(statement).all()
    updates = _updates([incident.id for incident in incidents])
    return [
        IncidentWithUpdates(
            id=incident.id,
            slug=incident.slug,
            title=incident.title,
            impact=incident.impact,
            cost=incident.cost,
            phase=Phase(incident.phase),
            proposed_for=incident.proposed_for,
            began_at=incident.began_at,
            published_at=incident.published_at,
            dismissed_at=incident.dismissed_at,
            resolved_at=incident.resolved_at,
            planned_from=incident.planned_from,
            planned_until=incident.planned_until,
            updates=tuple(updates.get(incident.id, ())),
        )
        for incident in incidents
    ]


def _updates(incident_ids: Sequence[int]) -> dict[int, list[Update]]:
    if not incident_ids:
        return {}
    rows = db.session.scalars(
        select(IncidentUpdate).where(IncidentUpdate.incident_id.in_(incident_ids)).order_by(IncidentUpdate.id.desc())
    ).all()
    parts: dict[int, list[tuple[str, State]]] = {}
    named = select(IncidentPart).join(IncidentUpdate, IncidentUpdate.id == IncidentPart.update_id)
    for part in db.session.scalars(
        named.where(IncidentUpdate.incident_id.in_(incident_ids)).order_by(IncidentPart.component)
    ):
        parts.setdefault(part.update_id, []).append((part.component, State(part.state)))
    found: dict[int, list[Update]] = {}
    for row in rows:
        update = Update(row.id, Phase(row.phase), row.text, row.actor, row.at, tuple(parts.get(row.id, ())))
        found.setdefault(row.incident_id, []).append(update)
    return found
