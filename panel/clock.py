"""The only place that reads the clock. Edges call it and pass the moment down."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    return datetime.now(UTC)
