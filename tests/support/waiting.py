"""Wait for a condition."""

import time
from collections.abc import Callable

LOOK_AGAIN_SECONDS = 0.05


def until(holds: Callable[[], bool], *, seconds: float = 60.0) -> bool:
    """Poll until the condition holds; False at the timeout."""
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at:
        if holds():
            return True
        time.sleep(LOOK_AGAIN_SECONDS)
    return False
