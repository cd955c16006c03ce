"""Session states: one query for the versions that the pages of all connected sessions depend on."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from flask import Flask
from sqlalchemy import ARRAY, ColumnElement, Engine, Text, any_, bindparam, func, literal_column, select

from panel.clock import utc_now
from panel.db import db
from panel.db.read_only import reader
from panel.models import Catalogue, LoginSession, User
from panel.services.accounts.sessions import is_login_allowed, time_bounds


@dataclass(frozen=True, slots=True)
class SessionState:
    """What the pages of a session depend on. `versions` is the id of a stream's events."""

    versions: str
    is_operator: bool


class WatchedSessions:
    """Reads the states of sessions, in one query for all of them."""

    def __init__(self, app: Flask) -> None:
        with app.app_context():
            self._is_sqlite = db.engine.dialect.name == "sqlite"
            self._read = reader(db.engine, _states_of_sessions(db.engine), has_many_rows=True)

    def states(self, token_hashes: Collection[str]) -> dict[str, SessionState] | None:
        """The states of these sessions; those that have ended are missing. None if the database can't be read."""
        given: Any = json.dumps(list(token_hashes)) if self._is_sqlite else list(token_hashes)
        rows = self._read({"token_hashes": given, **time_bounds(utc_now())})
        if rows is None:
            return None
        return {
            token_hash: SessionState(f"{state_version}.{catalogue_version}", bool(is_operator))
            for token_hash, state_version, catalogue_version, is_operator in rows
        }


def _states_of_sessions(engine: Engine) -> Any:
    return (
        select(LoginSession.token_hash, User.state_version, Catalogue.version, User.is_operator)
        .join_from(LoginSession, User, User.id == LoginSession.user_id)
        .join(Catalogue, Catalogue.id == literal_column("1"))
        .where(
            _is_one_of(engine),
            LoginSession.ended_at.is_(None),
            LoginSession.signed_in_at > bindparam("since", type_=LoginSession.signed_in_at.type),
            is_login_allowed(),
        )
    )


def _is_one_of(engine: Engine) -> ColumnElement[bool]:
    """The session's hash is one of a list of any length: JSON on SQLite, which has no arrays."""
    if engine.dialect.name == "sqlite":
        values = func.json_each(bindparam("token_hashes", type_=Text())).table_valued("value")
        return LoginSession.token_hash.in_(select(values.c.value))
    return LoginSession.token_hash == any_(bindparam("token_hashes", type_=ARRAY(Text)))
