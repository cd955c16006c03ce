"""Simulated tools: they deliver nothing, so production offers them only if a setting allows it."""

from typing import Protocol

from panel import app_context
from panel.domain.provider_kind import ProviderKind
from panel.services import test_orders


class Delivered(Protocol):
    """A tool with the kind of its provider."""

    @property
    def provider_kind(self) -> str: ...

    @property
    def provider_name(self) -> str: ...


def is_sold(tool: Delivered) -> bool:
    """Whether customers may order this tool, given its provider; never one of a provider for test orders."""
    if tool.provider_name in test_orders.OWN_PROVIDERS:
        return False
    settings = app_context.settings()
    return tool.provider_kind != ProviderKind.SIMULATED or settings.env != "production" or settings.simulated_orders
