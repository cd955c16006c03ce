"""Turns at SQLite's write lock: a page waits behind a few transactions of the worker, also after one was killed."""

import fcntl
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from panel.application import create_app
from panel.db import db, transaction, write_turns
from panel.models import User
from panel.services import customer_version
from tests.support import databases, warm_python
from tests.support.factories import a_customer
from tests.support.waiting import until

LANES = 14
HELD_SECONDS = 0.01
ROUNDS = 20
# One is open, or one lane has looked at the file. A busy machine may let us wait between our first count and the mark
# that we wait, so that is so on average; without the turns it is two to three, and fifteen at most.
BEHIND_ON_AVERAGE = 1.5
MAX_BEHIND = LANES


def _write_without_end(instance: Path, customer_id: int) -> None:
    """A worker in a process of its own, whose lanes write all the time."""
    app = create_app(databases.settings_for(instance))
    write_turns.of_app(app).gives_way = True
    lanes = [threading.Thread(target=_write_in_lane, args=(app, customer_id)) for _ in range(LANES)]
    for lane in lanes:
        lane.start()


def _write_in_lane(app: Flask, customer_id: int) -> None:
    with app.app_context():
        while True:
            with transaction():
                customer_version.bump([customer_id])
                time.sleep(HELD_SECONDS)


def _wait_inside_a_transaction(instance: Path) -> None:
    app = create_app(databases.settings_for(instance))
    with app.app_context(), transaction():
        (instance / "inside").touch()
        time.sleep(600)


@contextmanager
def process(target: Callable[..., None], *given: Any) -> Iterator[Any]:
    started = warm_python.context().Process(target=target, args=given, daemon=True)
    started.start()
    try:
        yield started
    finally:
        started.kill()
        started.join()


def written(customer_id: int) -> int:
    return db.session.scalars(select(User.state_version).where(User.id == customer_id)).one()


def behind(customer_id: int) -> int:
    """How many transactions of the worker were before ours, of those after we began to wait."""
    db.session.rollback()
    before = written(customer_id)
    with transaction():
        return written(customer_id) - before


def until_it_writes(customer_id: int) -> None:
    db.session.rollback()
    before = written(customer_id)
    db.session.rollback()

    def has_written() -> bool:
        count = written(customer_id)
        db.session.rollback()
        return count > before

    assert until(has_written)


def lock_file(app: Flask) -> Path:
    return Path(app.instance_path, f"panel.db{write_turns.FILE_ENDING}")


def is_marked(app: Flask) -> bool:
    """Whether somebody waits or writes for whom the worker gives way."""
    file = os.open(lock_file(app), os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def test_who_waits_behind_a_busy_worker_comes_after_a_few_of_its_transactions(app: Flask) -> None:
    customer_id = a_customer().id
    with process(_write_without_end, Path(app.instance_path), customer_id):
        until_it_writes(customer_id)

        before_us = [behind(customer_id) for _ in range(ROUNDS)]

        assert statistics.mean(before_us) <= BEHIND_ON_AVERAGE, before_us
        until_it_writes(customer_id)


def test_killed_worker_leaves_the_turn_to_others(app: Flask) -> None:
    customer_id = a_customer().id
    for _ in range(3):
        with process(_write_without_end, Path(app.instance_path), customer_id) as worker:
            until_it_writes(customer_id)
            worker.kill()
            worker.join()

            assert behind(customer_id) <= MAX_BEHIND


def test_worker_gives_way_no_longer_when_the_other_writer_was_killed(app: Flask) -> None:
    a_customer()
    with process(_wait_inside_a_transaction, Path(app.instance_path)) as writer:
        assert until((Path(app.instance_path) / "inside").exists)
        was_marked = is_marked(app)

        writer.kill()
        writer.join()

        assert (was_marked, is_marked(app)) == (True, False)
        with transaction():
            pass


def test_stream_of_other_writers_does_not_stop_the_worker(app: Flask) -> None:
    customer_id = a_customer().id
    with write_turns.WriteTurns(str(lock_file(app)).removesuffix(write_turns.FILE_ENDING)).turn():
        write_turns.of_app(app).gives_way = True

        with transaction():
            customer_version.bump([customer_id])

    assert behind(customer_id) == 0


def test_end_of_one_thread_leaves_the_mark_of_another(app: Flask) -> None:
    turns = write_turns.of_app(app)
    with turns.turn():
        with turns.turn():
            pass

        assert is_marked(app)

    assert not is_marked(app)


@pytest.mark.parametrize("gives_way", [True, False])
def test_without_a_lock_file_transactions_work_as_before(app: Flask, gives_way: bool) -> None:
    customer_id = a_customer().id
    lock_file(app).unlink(missing_ok=True)
    lock_file(app).mkdir()
    write_turns.of_app(app).gives_way = gives_way

    with transaction():
        customer_version.bump([customer_id])

    assert lock_file(app).is_dir()


def test_only_the_worker_gives_way(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.setswitchinterval", lambda _seconds: None)
    as_made = write_turns.of_app(app).gives_way

    done = app.test_cli_runner().invoke(args=["worker", "--once"])

    assert done.exit_code == 0, done.output
    assert (as_made, write_turns.of_app(app).gives_way) == (False, True)
