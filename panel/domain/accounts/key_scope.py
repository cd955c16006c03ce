"""API key scopes: what a program may do with a key."""

from enum import StrEnum


class KeyScope(StrEnum):
    """An API key's scope: read only, read and act (place, cancel and refill orders), or act with test orders only."""

    READ = "read"
    ORDER = "order"
    TEST = "test"

    @property
    def label(self) -> str:
        return {KeyScope.READ: "Read only", KeyScope.ORDER: "Read and order", KeyScope.TEST: "Test orders only"}[self]

    @property
    def can_order(self) -> bool:
        """Whether the key may place, cancel and refill orders."""
        return self is not KeyScope.READ

    @property
    def is_test(self) -> bool:
        """Whether its orders are test orders: on the simulator, for test money."""
        return self is KeyScope.TEST
