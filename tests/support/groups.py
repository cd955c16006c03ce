"""Which test files run beside others, which two at a time, and which alone: each with its mark, in order."""

# What allows the product a few seconds only: run with nothing else beside it.
ALONE = (
    "flows/test_races.py",
    "flows/test_placing_races.py",
    "processes/test_platform_status.py",
    "processes/test_slow_clients.py",
    "processes/test_supervisor.py",
    "processes/test_worker.py",
)
# What starts the product or a browser: two files at a time. The first three wait much and compute little, so they
# come first, each beside one that computes.
PROCESSES = (
    "processes/test_scaled.py",
    "processes/test_bad_starts.py",
    "processes/test_two_panels.py",
    "processes",
    "jobs/test_kills.py",
    "browser",
)


def mark_of(path: str) -> str | None:
    """The mark of a file, given its path below `tests`; None for those that run beside all others."""
    if path.startswith(ALONE):
        return "alone"
    return "processes" if path.startswith(PROCESSES) else None


def turn(path: str) -> int:
    """When it is a file's turn: those without processes are first, and browsers last."""
    return next((number for number, start in enumerate(PROCESSES) if path.startswith(start)), -1)
