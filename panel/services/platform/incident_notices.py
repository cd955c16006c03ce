"""Open incidents as orders and pages of customers speak of them: which providers' orders each can delay.

Opening, updating and resolving an incident bumps the catalogue's version (`incidents.py`), so what is read here may be
cached under that version.
"""

from dataclasses import dataclass
from datetime import datetime

from panel.domain.component_states import PROVIDER_PREFIX, Component, provider_key
from panel.domain.incidents import Phase
from panel.services.platform import incident_reads

# An incident of one of these can delay an order of any provider.
_DELAYS_ALL = frozenset({Component.PLATFORM, Component.DISPATCH, Component.UPDATES})


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """A published incident that is not over. Without components it concerns everything."""

    slug: str
    title: str
    phase: Phase
    changed_at: datetime
    components: frozenset[str]

    def delays(self, provider_id: int) -> bool:
        """Whether it can delay the orders of this provider."""
        if not self.components or self.components & _DELAYS_ALL:
            return True
        return provider_key(provider_id) in self.components

    @property
    def concerns_all(self) -> bool:
        """Whether it concerns every customer, whatever tools he or she uses."""
        return not self.components or any(not key.startswith(PROVIDER_PREFIX) for key in self.components)


def open_incidents() -> tuple[OpenIncident, ...]:
    """The open incidents, newest first. Planned work is not among them."""
    return tuple(
        OpenIncident(
            slug=told.slug,
            title=told.title,
            phase=told.phase,
            changed_at=told.changed_at,
            components=frozenset(key for key, _state in told.parts),
        )
        for told in incident_reads.open_now()
    )
