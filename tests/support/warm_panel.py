"""`python app.py` in a process of `warm_python`, where also its commands are forks of it instead of new interpreters.

The supervisor, its children and signals are the product's. An instance without a database gets a migrated one, so
`flask init` finds nothing to migrate.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from panel.processes import child, forked, supervisor
from panel.processes.forked import ForkedProcess
from tests.support.warm_start import MIGRATED


def spawn(command: Sequence[str]) -> ForkedProcess:
    """Fork a command that the supervisor runs to its end, such as `flask init`."""
    return forked.fork(command, name="command")


def give_database(instance: Path) -> None:
    """Put a migrated database where there is none."""
    path = instance / "panel.db"
    if not os.environ.get("DATABASE_URL") and not path.exists():
        path.write_bytes(MIGRATED)


if __name__ == "__main__":
    os.setsid()
    give_database(Path(os.environ["PANEL_INSTANCE"]))
    setattr(child, "spawn", spawn)  # noqa: B010
    sys.exit(supervisor.main(sys.argv[1:]))
