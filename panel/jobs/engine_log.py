"""Log filter for the worker's engine (DBOS): one short line when its database is away, and none while it stops.

Its threads say each second, with a traceback in the text, that the database is away; and when it is told to stop they
still ask the connections that are being closed. Neither is news. Anything else goes through as it is.
"""

import logging
import sys
import threading
import time

LOGGERS = ("dbos", "sqlalchemy.pool")
SAID_AGAIN_SECONDS = 60.0
_OF_THE_DATABASE = ("OperationalError", "InterfaceError", "psycopg", "sqlite3.", "Notification listener error")


class EngineLog(logging.Filter):
    """Shortens and drops lines of the engine's threads."""

    def __init__(self) -> None:
        super().__init__()
        self._said_at: dict[str, float] = {}
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
        if now - self._said_at.get(what, -SAID_AGAIN_SECONDS) < SAID_AGAIN_SECONDS:
            return False
        self._said_at[what] = now
        record.msg, record.args, record.exc_info = f"{what}: the database is away.", (), None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True

    def stop(self) -> None:
        """From here on nothing of the engine's is said: what is cut off is taken up again, since its row is due."""
        self._is_stopping = True
        threading.excepthook = lambda _raised: None
        sys.unraisablehook = lambda _raised: None


def listen() -> EngineLog:
    """Put the filter before the engine's loggers."""
    # With a handler of its own the engine would print; with one that does nothing, its lines come to our log.
    logging.getLogger("dbos").addHandler(logging.NullHandler())
    engine_log = EngineLog()
    for name in LOGGERS:
        logging.getLogger(name).addFilter(engine_log)
    return engine_log
