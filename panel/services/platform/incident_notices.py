"""Open incidents for customers' pages and orders: which providers' orders each one can delay.

Opening, updating and resolving an incident bumps the catalogue's version (`incidents.py`), so what is read here may be
cached under that version.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from panel.domain.platform.component_states import PROVIDER_PREFIX, Component, provider_key
from panel.domain.platform.incidents import Phase
from panel.services.platform import incident_reads
from panel.services.platform.incident_reads import IncidentWithUpdates

# An incident of one of these can delay orders of any provider.
_DELAYS_ALL = frozenset({Component.PLATFORM, Component.DISPATCH, Component.UPDATES})


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """A published, open incident. Without components it affects everything."""

    slug: str
    title: str
    phase: Phase
    changed_at: datetime
    components: frozenset[str]

    def delays(self, provider_id: int) -> bool:
        """Whether it can delay this provider's orders."""
        if not self.components or self.components & _DELAYS_ALL:
            return True
        return provider_key(provider_id) in self.components

    @property
    def concerns_all(self) -> bool:
        """Whether it affects every customer, whatever tools they use."""
        return not self.components or any(not key.startswith(PROVIDER_PREFIX) for key in self.components)


def open_incidents() -> tuple[OpenIncident, ...]:
    """Open incidents, newest first, without planned maintenance."""
    return tuple(_notice(each, [key for key, _state in each.parts]) for each in incident_reads.open_now())


def with_all_parts(incident: IncidentWithUpdates) -> OpenIncident:
    """Whom an incident concerned at any time of it, also after it was resolved."""
    return _notice(incident, incident.named)


def _notice(incident: IncidentWithUpdates, parts: Iterable[str]) -> OpenIncident:
    return OpenIncident(
        slug=incident.slug,
        title=incident.title,
        phase=incident.phase,
        changed_at=incident.changed_at,
        components=frozenset(parts),
    )
