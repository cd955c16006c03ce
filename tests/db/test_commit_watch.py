"""Commit watch: every commit is seen once, on both engines."""

import pytest
from flask import Flask

from panel.db import commit_watch, db, transaction
from panel.services import customer_version
from tests.support.factories import a_customer

pytestmark = pytest.mark.both_engines


def test_commit_is_seen_once_and_a_read_is_none(app: Flask) -> None:
    customer_id = a_customer().id
    watch = commit_watch.commit_watch(db.engine)
    watch.has_changed()

    with transaction():
        customer_version.bump([customer_id])
    after_commit = watch.has_changed()
    db.session.rollback()

    assert after_commit
    if db.engine.dialect.name == "sqlite":
        # PostgreSQL counts the commits of other databases of its server, so there it may be seen again.
        assert not watch.has_changed()
    watch.close()
