"""Log filter for the workflow engine (DBOS): one short line when its database is unavailable, none during shutdown.

Its threads log a traceback every second while the database is unavailable, and during shutdown they still use
connections that are being closed. All other records pass unchanged.
"""

import logging
import sys
import threading
import time

LOGGERS = ("dbos", "sqlalchemy.pool")
LOG_AGAIN_SECONDS = 60.0
_OF_THE_DATABASE = ("OperationalError", "InterfaceError", "psycopg", "sqlite3.", "Notification listener error")


class EngineLog(logging.Filter):
    """Shortens and drops lines of the engine's threads."""

    def __init__(self) -> None:
        super().__init__()
        self._logged_at: dict[str, float] = {}
        self._is_stopping = False

    def filter(self, record: logging.LogRecord) -> bool:
        if self._is_stopping:
            return False
        text = record.getMessage()
        raised = record.exc_info[1] if record.exc_info else None
        if not any(word in f"{text} {raised!r}" for word in _OF_THE_DATABASE):
            return True
        what, _colon, _rest = text.partition(":")
        now = time.monotonic()
        if now - self._logged_at.get(what, -LOG_AGAIN_SECONDS) < LOG_AGAIN_SECONDS:
            return False
        self._logged_at[what] = now
        record.msg, record.args, record.exc_info = f"{what}: the database is away.", (), None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True

    def stop(self) -> None:
        """Drop all engine records from now on: an interrupted sweep runs again, since its row is still due."""
        self._is_stopping = True
        threading.excepthook = lambda _raised: None
        sys.unraisablehook = lambda _raised: None


def listen() -> EngineLog:
    """Install the filter on the engine's loggers."""
    # Without any handler the engine adds one that prints. A null handler lets its records propagate to our log.
    logging.getLogger("dbos").addHandler(logging.NullHandler())
    engine_log = EngineLog()
    for name in LOGGERS:
        logging.getLogger(name).addFilter(engine_log)
    return engine_log
