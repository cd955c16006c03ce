"""API key scopes: what a program may do with a key."""

from enum import StrEnum


class KeyScope(StrEnum):
    """An API key's scope: read only, or read and act (place, cancel and refill orders)."""

    READ = "read"
    ORDER = "order"

    @property
    def label(self) -> str:
        return {KeyScope.READ: "Read only", KeyScope.ORDER: "Read and order"}[self]

    @property
    def can_order(self) -> bool:
        """Whether the key may place, cancel and refill orders."""
        return self is KeyScope.ORDER
