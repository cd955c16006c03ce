"""Commit watch: every commit is seen once, on both engines."""

from concurrent.futures import ThreadPoolExecutor

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


def test_number_of_commits_is_the_same_until_the_next_commit_for_all_threads(app: Flask) -> None:
    customer_id = a_customer().id
    number = commit_watch.CommitNumber(commit_watch.commit_watch(db.engine))
    before = number.current()

    with transaction():
        customer_version.bump([customer_id])
    with ThreadPoolExecutor(1) as other_thread:
        after_commit = other_thread.submit(number.current).result()

    assert after_commit > before
    if db.engine.dialect.name == "sqlite":
        assert number.current() == after_commit
