"""File modification times for the development reloader."""

from collections.abc import Iterable

from panel.settings import ROOT

# Set in the environment of the supervisor's children by `--reload`.
RELOAD = "SUPERVISOR_RELOAD"
READ_AT_START = ("templates", "static", "content")
PYTHON = ("panel",)

Snapshot = dict[str, int]


def snapshot(folders: Iterable[str], *, pattern: str = "*.*") -> Snapshot:
    """Modification time of each file in these folders, in nanoseconds."""
    found = {}
    for folder in folders:
        for path in (ROOT / folder).rglob(pattern):
            try:
                found[str(path)] = path.stat().st_mtime_ns
            except FileNotFoundError:
                continue  # an editor replaces files while we look
    return found
