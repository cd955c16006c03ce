"""Private PostgreSQL and Redis servers for tests, which can be stopped and started again.

A server lives as long as the pipe to its keeper process: when the tests end in any way, it is stopped and its folder
removed.
"""

import contextlib
import functools
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.support.servers import (
    LOOK_AGAIN_SECONDS,
    ROOT,
    START_SECONDS,
    NotInstalled,
    free_port,
    postgresql,
    redis,
    skip_or_fail,
    wait_for_port,
)

# A file system in memory: creating a database for each test takes half the time there.
IN_MEMORY = Path("/dev/shm")
# What a server may need there. Docker gives 64 MB, which is too little.
ROOM_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class PrivateServer:
    """A private server that can be stopped and started again."""

    url: str
    keeper: subprocess.Popen[str]

    def stop(self) -> None:
        self._say("stop")

    def start(self) -> None:
        self._say("start")

    def _say(self, what: str) -> None:
        assert self.keeper.stdin is not None and self.keeper.stdout is not None
        self.keeper.stdin.write(f"{what}\n")
        self.keeper.stdin.flush()
        assert self.keeper.stdout.readline() == f"{what}\n"


@contextlib.contextmanager
def private_postgresql() -> Iterator[PrivateServer]:
    """A private PostgreSQL, removed afterwards. Raises NotInstalled."""
    postgresql()
    with _kept("postgresql") as server:
        yield server


@contextlib.contextmanager
def private_redis() -> Iterator[PrivateServer]:
    """A private Redis, removed afterwards. Skips the test if Redis isn't installed."""
    try:
        redis()
    except NotInstalled as error:
        skip_or_fail(str(error))
    with _kept("redis") as server:
        yield server


@contextlib.contextmanager
def postgresql_server() -> Iterator[str]:
    """URL of a private PostgreSQL that runs all the time. Raises NotInstalled."""
    with private_postgresql() as server:
        yield server.url


@contextlib.contextmanager
def _kept(kind: str) -> Iterator[PrivateServer]:
    keeper = subprocess.Popen(
        [sys.executable, "-m", "tests.support.private_servers", kind],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with keeper:
        assert keeper.stdout is not None and keeper.stdin is not None
        url = keeper.stdout.readline().strip()
        if not url:
            raise RuntimeError(f"the private {kind} server did not start")
        try:
            yield PrivateServer(url, keeper)
        finally:
            keeper.stdin.close()
            keeper.wait(START_SECONDS)


def keep_redis() -> None:
    """Run Redis until standard input is closed."""
    port = free_port()
    with _folder(f"panel-redis-{port}-") as folder:
        settings = {
            "--port": str(port),
            "--bind": "127.0.0.1",
            "--dir": str(folder),
            "--save": "",
            "--appendonly": "no",
        }
        _keep([redis(), *itertools.chain(*settings.items())], port, f"redis://127.0.0.1:{port}/0", folder=folder)


def keep_postgresql() -> None:
    """Run PostgreSQL until standard input is closed."""
    programs, port = postgresql(), free_port()
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": 200,
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "autovacuum": "off",
    }
    with _folder(f"panel-postgresql-{port}-") as folder:
        cluster, user = folder / "cluster", _ordinary_user(folder)
        make = [programs / "initdb", "--pgdata", cluster, "--username=panel", "--auth=trust", "--encoding=UTF8"]
        with (folder / "log").open("wb") as log:
            subprocess.run(
                [*make, "--locale=C", "--no-sync"], check=True, user=user, stdout=log, stderr=log, cwd=folder
            )
        run = [
            programs / "postgres",
            "-D",
            cluster,
            "-p",
            port,
            *(f"--{key}={value}" for key, value in settings.items()),
        ]
        url = f"postgresql+psycopg://panel@127.0.0.1:{port}/postgres"
        answers = functools.partial(_wait_until_postgresql_answers, url)
        _keep(list(map(str, run)), port, url, folder=folder, user=user, answers=answers)


@contextlib.contextmanager
def _folder(prefix: str) -> Iterator[Path]:
    has_room = IN_MEMORY.is_dir() and os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free > ROOM_BYTES
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=IN_MEMORY if has_room else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_postgresql_answers(url: str) -> None:
    """Wait for the databases: PostgreSQL opens its port a moment before and reports that it is starting up."""
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(url.replace("+psycopg", ""), connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(LOOK_AGAIN_SECONDS)


def _keep(
    command: list[str],
    port: int,
    url: str,
    *,
    folder: Path,
    user: int | None = None,
    answers: Callable[[], None] = lambda: None,
) -> None:
    """Run commands from standard input, which is closed when the parent process ends."""
    server: subprocess.Popen[bytes] | None = None
    with (folder / "server.log").open("wb") as log:
        try:
            for word in itertools.chain(["start"], map(str.strip, sys.stdin)):
                if server is not None:
                    _end(server)
                    server = None
                if word == "start":
                    server = subprocess.Popen(command, user=user, stdout=log, stderr=log, cwd=folder)
                    wait_for_port(port, server)
                    answers()
                # The first answer is the URL, later ones repeat the command.
                print(url or word, flush=True)
                url = ""
        finally:
            if server is not None:
                _end(server)


def _end(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGINT)
    server.wait(START_SECONDS)


def _ordinary_user(folder: Path) -> int | None:
    """The user that owns the folder and the server, since PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    user = known.get("postgres", known.get("nobody", 65534))
    os.chown(folder, user, -1)
    return user


if __name__ == "__main__":
    {"postgresql": keep_postgresql, "redis": keep_redis}[sys.argv[1]]()
