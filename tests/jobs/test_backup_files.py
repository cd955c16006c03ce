"""Backup files: readable by the owner only, never overwritten, and refused when damaged."""

import errno
import gzip
import os
import re
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from panel.cli import progress
from panel.db import db
from panel.domain.errors import ActionRefused
from panel.models import Review, User
from panel.services.backups import dump
from panel.services.money import audit
from tests.support.factories import NOON, an_order
from tests.support.hostile_provider import HostileProvider
from tests.support.other_instance import run

pytestmark = pytest.mark.both_engines


def test_a_database_with_rows_is_left_alone(app: Flask, server: HostileProvider, tmp_path: Path) -> None:
    an_order()
    run(app, "backup", tmp_path / "panel.backup")

    done = run(app, "restore", tmp_path / "panel.backup")

    assert done.exit_code == 1
    assert "has rows already" in done.output
    assert audit.audit().orders == 1


def test_a_file_that_is_there_is_not_written_over(app: Flask, server: HostileProvider, tmp_path: Path) -> None:
    path = tmp_path / "panel.backup"
    path.write_text("kept")

    done = run(app, "backup", path)

    assert (done.exit_code, path.read_text()) == (1, "kept")
    assert list(tmp_path.glob(".panel.backup.*")) == []


def test_the_file_is_its_owners_alone(app: Flask, server: HostileProvider, tmp_path: Path) -> None:
    run(app, "backup", tmp_path / "panel.backup")

    assert (tmp_path / "panel.backup").stat().st_mode & 0o777 == 0o600


def test_a_backup_has_no_name_until_it_is_complete(app: Flask, server: HostileProvider, tmp_path: Path) -> None:
    """Whatever ends the process before leaves no file, not even a kill."""
    folder, seen = tmp_path / "backups", []
    folder.mkdir()
    an_order()

    dump.write(folder / "panel.backup", now=NOON, progress=lambda *_rows: seen.extend(folder.iterdir()))

    assert seen == []
    assert [file.name for file in folder.iterdir()] == ["panel.backup"]


@pytest.mark.parametrize("unnamed", [True, False])
def test_a_backup_that_fails_leaves_no_file(
    app: Flask, server: HostileProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unnamed: bool
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    an_order()
    if not unnamed:
        _refuse_unnamed_files(monkeypatch)

    def fail(*_rows: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dump.write(folder / "panel.backup", now=NOON, progress=fail)

    assert list(folder.iterdir()) == []
    dump.write(folder / "panel.backup", now=NOON)
    assert [file.name for file in folder.iterdir()] == ["panel.backup"]
    with pytest.raises(ActionRefused, match="is there already"):
        dump.write(folder / "panel.backup", now=NOON)


def _refuse_unnamed_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """As filesystems such as NFS do."""
    open_file = os.open

    def refuse(path: str, flags: int, *mode: int, **more: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return open_file(path, flags, *mode, **more)

    monkeypatch.setattr(os, "open", refuse)


def test_backup_and_restore_say_how_far_they_are(
    app: Flask, server: HostileProvider, elsewhere: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0)
    an_order()

    written = run(app, "backup", tmp_path / "panel.backup")
    with elsewhere.app_context():
        restored = run(elsewhere, "restore", tmp_path / "panel.backup")

    assert "orders: 1 of 1 rows" in written.output
    assert re.search(r"orders: \d+ of \d+ rows", restored.output)
    assert restored.exit_code == 0


DAMAGE = {
    "cut off": lambda packed: packed[: len(packed) // 2],
    "a row is missing": lambda packed: gzip.compress(b"\n".join(gzip.decompress(packed).splitlines()[:-2])),
    "not a backup": lambda _packed: gzip.compress(b'{"kind": "something else"}\n'),
    "not packed": lambda _packed: b"text",
    "empty": lambda _packed: b"",
    "of another form": lambda packed: gzip.compress(gzip.decompress(packed).replace(b'"format":1', b'"format":2', 1)),
    "of an unknown revision": lambda packed: gzip.compress(
        gzip.decompress(packed).replace(b'"revision":"', b'"revision":"9', 1)
    ),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_file_restores_nothing(
    app: Flask, server: HostileProvider, elsewhere: Flask, tmp_path: Path, how: str
) -> None:
    an_order()
    path = tmp_path / "panel.backup"
    run(app, "backup", path)
    path.write_bytes(DAMAGE[how](path.read_bytes()))

    with elsewhere.app_context():
        done = run(elsewhere, "restore", path)
        users = db.session.scalars(select(User)).all()
        reviews = db.session.scalars(select(Review)).all()

    assert done.exit_code == 1
    assert "Error: " in done.output
    assert (users, reviews) == ([], [])
