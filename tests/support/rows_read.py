"""How much an app's requests read from its database, on either engine: counted, not taken from plans."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from flask import Flask, has_app_context
from sqlalchemy import event, text

from panel.db import db

# SQLite calls back after this many steps of its virtual machine.
STEPS = 100


@contextmanager
def counted(app: Flask) -> Iterator[Callable[[], int]]:
    """How much was read so far: SQLite's steps in hundreds; on PostgreSQL rows of tables and entries of indexes."""
    with app.app_context():
        is_sqlite = db.engine.dialect.name == "sqlite"
    if is_sqlite:
        steps = counting(app)
        yield lambda: steps[0]
        return
    with _context_of(app):
        db.session.remove()
        db.engine.dispose()
        engine = db.engine
    rows = text(
        "SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables)"
        " + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)"
    )

    def report(connection: object, _record: object) -> None:
        connection.execute("SELECT pg_stat_force_next_flush()")  # type: ignore[attr-defined]
        connection.rollback()  # type: ignore[attr-defined]

    def count() -> int:
        with _context_of(app):
            db.session.remove()
        with engine.connect() as connection:
            return int(connection.scalar(rows) or 0)

    event.listen(engine, "checkin", report)
    yield count
    event.remove(engine, "checkin", report)


def _context_of(app: Flask) -> AbstractContextManager[object]:
    """The app's context, or the one that is there: a session belongs to its context."""
    return nullcontext() if has_app_context() else app.app_context()


def counting(app: Flask) -> list[int]:
    """How many hundred steps SQLite has made for this app from now on: one number, which grows."""
    steps = [0]

    def count(connection: object, _record: object) -> None:
        connection.set_progress_handler(lambda: steps.__setitem__(0, steps[0] + 1), STEPS)  # type: ignore[attr-defined]

    with app.app_context():
        event.listen(db.engine, "connect", count)
        db.session.remove()
        db.engine.dispose()
    return steps
