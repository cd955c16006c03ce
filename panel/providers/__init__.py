"""Provider adapters (upstream panels, simulator, manual), outgoing HTTP and SMTP.

May import `db` and below, never `models` or services.
"""

from panel.domain.provider_kind import ProviderKind
from panel.providers.base import ProviderClient
from panel.providers.panel_api import PanelApi
from panel.providers.simulated import Simulated


def connect(kind: str, *, name: str, url: str, key: str, timeout_seconds: float) -> ProviderClient | None:
    """Adapter for a provider; None for manual orders."""
    match kind:
        case ProviderKind.SIMULATED:
            return Simulated(seed=name)
        case ProviderKind.PANEL_API:
            return PanelApi(url=url, key=key, timeout_seconds=timeout_seconds)
        case ProviderKind.MANUAL:
            return None
        case _:
            raise ValueError(f"unknown provider kind {kind!r}")
