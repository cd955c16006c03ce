"""Workflow engine (DBOS) of the worker: configuration, its SQLite file, purge of finished runs, shutdown."""

import contextlib
import os
import sqlite3
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from panel.settings import Settings

if TYPE_CHECKING:
    from dbos import DBOSConfig

# Any worker may recover runs of any version: a sweep has no input except its time.
APPLICATION_VERSION = "1"
APPLICATION_NAME = "panel"
MAX_THREADS = 16
STOP_SECONDS = 3.0
# How soon the engine notices that its schedules were reset.
SCHEDULES_READ_SECONDS = 5.0
RUNS_A_BATCH = 500
LOCK_SECONDS = 5.0


def config(settings: Settings, *, executor: str) -> "DBOSConfig":
    """DBOS configuration. SQLite: a separate file. PostgreSQL: the schema `dbos` of our database. No outside calls."""
    url = settings.database
    if settings.is_sqlite:
        path = _file(settings)
        # The engine does not set a journal mode; a write-ahead log halves the cost of its writes.
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        url = f"sqlite:///{path}"
    return {
        "name": APPLICATION_NAME,
        "system_database_url": url,
        "executor_id": executor,
        "application_version": APPLICATION_VERSION,
        "log_level": "WARNING",
        "enable_otlp": False,
        "max_executor_threads": MAX_THREADS,
        "sys_db_pool_size": 5,
        "scheduler_polling_interval_sec": SCHEDULES_READ_SECONDS,
    }


def why_not_free(settings: Settings) -> str | None:
    """Why the engine's file can't be written (a frozen worker may hold its lock); None when it can."""
    if not settings.is_sqlite:
        return None
    path = _file(settings)
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        return f"{path.name}: {error}"
    return None


def _file(settings: Settings) -> Path:
    return settings.instance / "jobs.db"


def purge_runs(*, before: datetime) -> int:
    """Delete finished runs. Does nothing unless the engine runs in this process."""
    if "dbos" not in sys.modules:
        return 0
    from dbos import DBOS

    purged = 0
    while True:
        runs = DBOS.list_workflows(
            status=["SUCCESS", "ERROR", "CANCELLED"],
            end_time=before.isoformat(),
            limit=RUNS_A_BATCH,
            load_input=False,
            load_output=False,
        )
        if not runs:
            return purged
        DBOS.delete_workflows([run.workflow_id for run in runs])
        purged += len(runs)


def end() -> None:
    """Graceful shutdown: wait briefly for running sweeps, then exit. Interrupted sweeps run again later."""
    from dbos import DBOS

    ending = threading.Thread(target=DBOS.destroy, daemon=True)
    ending.start()
    ending.join(STOP_SECONDS)
    sys.stderr.flush()
    os._exit(0)
