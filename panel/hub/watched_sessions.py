"""Session reads of the hub: the versions that pages depend on, and which sessions are still logged in."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask
from sqlalchemy import BigInteger, Engine, Text, bindparam, literal_column, select

from panel.clock import utc_now
from panel.db import db
from panel.db.read_only import reader
from panel.hub.given_list import as_given, given_pairs, is_given
from panel.models import Catalogue, LoginSession, User
from panel.services.accounts.sessions import PageVersions, is_login_allowed, time_bounds

IS_THE_ROW = Catalogue.id == literal_column("1")


@dataclass(frozen=True, slots=True)
class Owner:
    """Who a session belongs to."""

    user_id: int
    is_staff: bool


class WatchedSessions:
    """Reads for all connected sessions together. Each returns None if the database can't be read."""

    def __init__(self, app: Flask) -> None:
        with app.app_context():
            self._engine = engine = db.engine
            self._read_owners = reader(engine, _owners(engine), has_many_rows=True)
            self._read_versions = reader(engine, _versions(engine), has_many_rows=True)
            self._read_catalogue = reader(engine, select(Catalogue.version).where(IS_THE_ROW))
            self._read_changed = reader(engine, _changed(engine), has_many_rows=True)

    def owners(self, token_hashes: Collection[str]) -> dict[str, Owner] | None:
        """The sessions among these that are logged in now, each with its owner."""
        rows = self._read_owners({"given": as_given(self._engine, token_hashes), **time_bounds(utc_now())})
        return None if rows is None else {row[0]: Owner(row[1], bool(row[2])) for row in rows}

    def versions(self, user_id: int) -> PageVersions | None:
        """The versions that the pages of this user depend on."""
        rows = self._read_versions({"given": as_given(self._engine, [user_id])})
        return PageVersions(*rows[0]) if rows else None

    def catalogue_version(self) -> int | None:
        """The version that everyone's pages depend on."""
        rows = self._read_catalogue({})
        return int(rows[0][0]) if rows else None

    def changed(self, known: str) -> dict[int, int] | None:
        """The state versions that differ from the known ones, which `as_known` has written."""
        rows = self._read_changed({"given": known})
        return None if rows is None else {row[0]: row[1] for row in rows}


def as_known(state_versions: Mapping[int, int]) -> str:
    """State versions by user, as `changed` takes them."""
    return json.dumps(state_versions)


def _owners(engine: Engine) -> Any:
    return (
        select(LoginSession.token_hash, User.id, User.is_staff)
        .join_from(LoginSession, User, User.id == LoginSession.user_id)
        .where(
            is_given(engine, LoginSession.token_hash, Text),
            LoginSession.ended_at.is_(None),
            LoginSession.logged_in_at > bindparam("since", type_=LoginSession.logged_in_at.type),
            is_login_allowed(),
        )
    )


def _versions(engine: Engine) -> Any:
    catalogue = select(Catalogue.version).where(IS_THE_ROW).scalar_subquery()
    return select(User.id, User.state_version, catalogue).where(is_given(engine, User.id, BigInteger))


def _changed(engine: Engine) -> Any:
    user_id, known = given_pairs(engine)
    return select(User.id, User.state_version).where(User.id == user_id, User.state_version != known)
