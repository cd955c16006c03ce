"""Progress of a command that reads or writes many rows: a line every few seconds, none for a quick one."""

import time
from collections.abc import Callable

import click

EVERY_SECONDS = 5.0


def progress_lines() -> Callable[[str, int, int], None]:
    """A callback with what is being done, how much of it, and how much there is; it prints to standard error."""
    last = time.monotonic()

    def progress(what: str, done: int, total: int) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= EVERY_SECONDS:
            last = now
            click.echo(f"{what}: {done:,} of {total:,} rows", err=True)

    return progress
