"""How long something took, in the words of a page: one unit, never finer than can be read."""

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_UNITS = ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"))


def in_words(seconds: int) -> str:
    """`45 seconds`, `6 minutes`, `3 hours`: in the largest unit of which there are at least two, rounded up."""
    if seconds < 0:
        raise ValueError(f"a duration of {seconds} seconds")
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{-(-seconds // size):,} {unit}s"
    return "1 second" if seconds == 1 else f"{seconds:,} seconds"
