"""How far an audit has come: stored now and then, so that one that was stopped goes on where it was.

A run belongs to one process. Another one takes it over when that process is gone: on the same machine when its number
is free, elsewhere when it hasn't reported for some minutes. A stopped run is a day old at most, for what it found is.
"""

import json
import os
import secrets
import socket
import time
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update

from panel.db import db, execute_write, table_of, write_if_unlocked
from panel.models import AuditProgress

STOPPED = table_of(AuditProgress)
# A quick audit stores nothing.
EVERY_SECONDS = 5.0
KEPT_FOR = timedelta(days=1)
SILENT_AFTER = timedelta(minutes=5)


@dataclass
class AuditState:
    """The step that is read, up to which row, and what was found and summed before it.

    `chain`: the state of the walk along a hash chain, and the results of the walks that have ended.
    """

    step: int = 0
    after: int = 0
    differences: list[str] = field(default_factory=list)
    sums: dict[str, list[int]] = field(default_factory=dict)
    chain: dict[str, Any] = field(default_factory=dict)


class ResumableRun:
    """One audit that can go on after it was stopped. Without `now` it stores nothing."""

    def __init__(self, kind: str, *, now: datetime | None) -> None:
        self._kind, self._now, self._began = kind, now, time.monotonic()
        self._id: int | None = None
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._saved = time.monotonic()
        self.state = AuditState()
        if now is not None:
            self._take_over()

    @property
    def is_due(self) -> bool:
        """Whether the state should be stored: the last time was a while ago."""
        return self._now is not None and time.monotonic() - self._saved >= EVERY_SECONDS

    def save(self) -> None:
        """Store the state if that is due. Ends the current read."""
        if self.is_due:
            write_if_unlocked(self._store)
            self._saved = time.monotonic()

    def end(self) -> None:
        """Forget the stored state: the audit is done."""
        if self._id is not None:
            write_if_unlocked(lambda: db.session.execute(delete(STOPPED).where(*self._own())))

    def _own(self) -> tuple[Any, Any]:
        return STOPPED.c.id == self._id, STOPPED.c.owner == self._owner

    def _store(self) -> None:
        values = {"state": json.dumps(asdict(self.state)), "seen_at": self._moment()}
        if self._id is None:
            row = {"kind": self._kind, "owner": self._owner, "began_at": self._now, **values}
            self._id = db.session.scalar(insert(STOPPED).values(**row).returning(STOPPED.c.id))
        elif not execute_write(update(STOPPED).where(*self._own()).values(**values)):
            # Somebody took this run over.
            self._now = None

    def _moment(self) -> datetime:
        assert self._now is not None
        return self._now + timedelta(seconds=time.monotonic() - self._began)

    def _take_over(self) -> None:
        found = select(STOPPED).where(STOPPED.c.kind == self._kind).order_by(STOPPED.c.id.desc())
        rows = [row for row in db.session.execute(found) if self._is_free(row)]
        db.session.rollback()
        if rows:
            write_if_unlocked(lambda: self._take(rows[0]))

    def _is_free(self, row: Any) -> bool:
        assert self._now is not None
        host, number, _ = row.owner.split(":")
        is_alive = self._now - row.seen_at < SILENT_AFTER
        if host == socket.gethostname():
            is_alive = is_alive and is_running(int(number))
        return not is_alive and self._now - KEPT_FOR < row.began_at <= self._now

    def _take(self, row: Any) -> None:
        is_ours = (STOPPED.c.id == row.id, STOPPED.c.owner == row.owner)
        if execute_write(update(STOPPED).where(*is_ours).values(owner=self._owner, seen_at=self._moment())):
            self._id, self.state = row.id, AuditState(**json.loads(row.state))
        assert self._now is not None
        db.session.execute(delete(STOPPED).where(STOPPED.c.began_at < self._now - KEPT_FOR))


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
