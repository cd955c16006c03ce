"""Current state of each component: the last round of probes combined with open incidents.

A round is stale if it is too old or its worker has disappeared. Then components that only the worker keeps going are
down, and the rest is unknown; "operational" always has a current measurement behind it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Text, cast, func, literal_column, select

from panel.assets.build_id import digest
from panel.db import db, table_of, timed_cache
from panel.domain.platform.component_states import (
    PROVIDER_PREFIX,
    Finding,
    State,
    needs_worker,
    overall,
    sentence,
    worst,
)
from panel.domain.platform.uptime_days import late_seconds
from panel.models import Catalogue, Measurement
from panel.services import health
from panel.services.platform import components, incident_reads, measurements

NOT_RUNNING = "Our worker isn’t running. Orders wait; none is lost."
NOT_MEASURED = "Nothing was measured."
CATALOGUE = table_of(Catalogue)
# Changes with each round of probes, and with each incident, tool and paused provider. A reader can't return datetimes.
VERSION = select(CATALOGUE.c.version, select(cast(func.max(table_of(Measurement).c.at), Text)).scalar_subquery()).where(
    CATALOGUE.c.id == literal_column("1")
)


@dataclass(frozen=True)
class ComponentNow:
    """Current state of a component."""

    key: str
    label: str
    state: State
    text: str


@dataclass(frozen=True)
class PlatformNow:
    """Current state of the platform. `measured_at`: the last round of probes; None before the first."""

    at: datetime
    version: str
    measured_at: datetime | None
    is_stale: bool
    state: State
    components: tuple[ComponentNow, ...]
    has_open_incident: bool

    @property
    def sentence(self) -> str:
        if self.measured_at is None:
            return "Nothing has been measured yet."
        if self.is_stale:
            return f"No measurement since {self.measured_at:%H:%M} UTC. {NOT_RUNNING}"
        if self.has_open_incident and self.state is State.OPERATIONAL:
            return "An incident is open. Every part that we measure works."
        return sentence(self.state)


@dataclass(frozen=True)
class PlatformSummary:
    """One-line summary of the platform, for other pages."""

    state: State
    sentence: str
    measured_at: datetime | None


def summary(*, interval_seconds: int = 60, now: datetime) -> PlatformSummary:
    """The one-line summary, cached for ten seconds."""
    present = read(interval_seconds=interval_seconds, now=now)
    return PlatformSummary(present.state, present.sentence, present.measured_at)


def read(*, interval_seconds: int, now: datetime) -> PlatformNow:
    """Current state of all components, cached for ten seconds and while its version is the same."""
    known = version_of(*db.session.execute(VERSION).one())
    return timed_cache.cached(
        "now", lambda: _read(known, interval_seconds=interval_seconds, now=now), version=known, now=now
    )


def version_of(catalogue_version: int, measured_at: str | None) -> str:
    """The version of what is known of the platform, which open pages listen for; from a row of VERSION."""
    return hashlib.blake2b(f"{digest()}|{catalogue_version}|{measured_at}".encode(), digest_size=16).hexdigest()


def is_late(measured_at: datetime | None, *, interval_seconds: int, now: datetime) -> bool:
    """Whether the last round is too old to describe the present."""
    return measured_at is None or now - measured_at > timedelta(seconds=late_seconds(interval_seconds))


def _read(version: str, *, interval_seconds: int, now: datetime) -> PlatformNow:
    measured_at = measurements.newest_at(now=now)
    seen_seconds = health.heartbeat_age_seconds(now=now)
    is_gone = seen_seconds is None or seen_seconds > health.STALE_SECONDS
    stale = is_gone or is_late(measured_at, interval_seconds=interval_seconds, now=now)
    found = _newest_findings(measured_at)
    announced = incident_reads.affected_now(now=now)
    standings = tuple(
        _standing(key, label, found.get(key), is_stale=stale, was_ever=measured_at is not None, announced=announced)
        for key, label in components.labels().items()
    )
    core = [each.state for each in standings if not each.key.startswith(PROVIDER_PREFIX)]
    others = [each.state for each in standings if each.key.startswith(PROVIDER_PREFIX)]
    state, has_open_incident = overall(core, others), bool(incident_reads.open_now())
    return PlatformNow(now, version, measured_at, stale, state, standings, has_open_incident)


def _newest_findings(at: datetime | None) -> dict[str, Finding]:
    rows = db.session.execute(
        select(Measurement.component, Measurement.state, Measurement.value_ms, Measurement.text).where(
            Measurement.at == at
        )
    )
    return {row.component: Finding(row.component, State(row.state), row.value_ms, row.text) for row in rows}


def _standing(
    key: str, label: str, found: Finding | None, *, is_stale: bool, was_ever: bool, announced: Mapping[str, State]
) -> ComponentNow:
    """The worse of the measured state and the one in open incidents."""
    if is_stale:
        measured, text = State.UNKNOWN, NOT_MEASURED
        if was_ever and needs_worker(key):
            measured, text = State.MAJOR, NOT_RUNNING
    else:
        measured, text = (State.UNKNOWN, NOT_MEASURED) if found is None else (found.state, found.text)
    state = worst([measured, announced[key]]) if key in announced else measured
    return ComponentNow(key, label, state, text if state is measured else "See the incident above.")
