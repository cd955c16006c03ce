"""Incident queries: open, past, one with all updates, and the affected components."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, Text, literal, select, union_all

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


@dataclass(frozen=True)
class IncidentOverview:
    """All lists of the office's page."""

    proposals: list[IncidentWithUpdates]
    open_now: list[IncidentWithUpdates]
    planned: list[IncidentWithUpdates]
    past: list[IncidentWithUpdates]
    dismissed: list[IncidentWithUpdates]


PUBLISHED = Incident.published_at.is_not(None)
IS_PROPOSAL = (Incident.published_at.is_(None), Incident.dismissed_at.is_(None))


IS_OPEN = (PUBLISHED, Incident.resolved_at.is_(None), Incident.planned_from.is_(None))
IS_DISMISSED = Incident.dismissed_at.is_not(None)
_NEWEST_FIRST = (Incident.began_at.desc(), Incident.id.desc())


def _is_ahead(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return PUBLISHED, Incident.resolved_at.is_(None), Incident.planned_until > now


def _is_over(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return PUBLISHED, Incident.resolved_at.is_not(None) | (Incident.planned_until <= now)


def overview(*, now: datetime) -> IncidentOverview:
    """Proposals, open ones, planned, past and dismissed, in three statements together."""
    lists = union_all(
        _newest("proposals", *IS_PROPOSAL, limit=MAX_LISTED),
        _newest("open", *IS_OPEN, limit=MAX_LISTED),
        _newest("planned", *_is_ahead(now), limit=MAX_LISTED),
        _newest("past", *_is_over(now), limit=MAX_SHOWN),
        _newest("dismissed", IS_DISMISSED, limit=MAX_SHOWN),
    ).subquery()
    statement = select(lists.c.list, Incident).join(lists, lists.c.id == Incident.id).order_by(*_NEWEST_FIRST)
    rows = db.session.execute(statement).all()
    whole = {each.id: each for each in _whole(list(dict.fromkeys(incident for _list, incident in rows)))}

    def of(name: str) -> list[IncidentWithUpdates]:
        return [whole[incident.id] for in_list, incident in rows if in_list == name]

    return IncidentOverview(of("proposals"), of("open"), _next_first(of("planned"), now), of("past"), of("dismissed"))


def _newest(name: str, *conditions: ColumnElement[bool], limit: int) -> Select[str, int]:
    """The list's name and the ids of the newest incidents in it."""
    newest = select(Incident.id).where(*conditions).order_by(*_NEWEST_FIRST).limit(limit).subquery()
    return select(literal(name, Text).label("list"), newest.c.id)


def open_now() -> list[IncidentWithUpdates]:
    """Published open incidents, newest first."""
    return _with_updates(*IS_OPEN, limit=MAX_LISTED)


def planned(*, now: datetime) -> list[IncidentWithUpdates]:
    """Published maintenance that is planned or in progress, next first."""
    return _next_first(_with_updates(*_is_ahead(now), limit=MAX_LISTED), now)


def _next_first(works: list[IncidentWithUpdates], now: datetime) -> list[IncidentWithUpdates]:
    return sorted(works, key=lambda work: (work.planned_from or now, work.id))


def past(*, now: datetime, limit: int = MAX_SHOWN) -> list[IncidentWithUpdates]:
    """Past ones: resolved incidents and completed maintenance, newest first."""
    return _with_updates(*_is_over(now), limit=limit)


def newest_published(*, limit: int = MAX_IN_FEED) -> list[IncidentWithUpdates]:
    """All published ones, newest first, for the feed."""
    return _with_updates(PUBLISHED, limit=limit)


def proposals() -> list[IncidentWithUpdates]:
    """Proposals from the probes that no operator has decided on."""
    return _with_updates(*IS_PROPOSAL, limit=MAX_LISTED)


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
    statement = select(Incident).where(*conditions).order_by(*_NEWEST_FIRST).limit(limit)
    return _whole(db.session.scalars(statement).all())


def _whole(incidents: Sequence[Incident]) -> list[IncidentWithUpdates]:
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
