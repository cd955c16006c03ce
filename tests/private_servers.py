"""Private PostgreSQL servers for tests, which can be stopped and started again.

A server lives as long as the pipe to its keeper: when the tests end, however they end, it is stopped and its folder
removed.
"""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.servers import ROOT, START_SECONDS, free_port, postgresql, wait_for_port


@dataclass(frozen=True)
class PostgresqlServer:
    """A private server, and how to take it away for a while."""

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
def private_postgresql() -> Iterator[PostgresqlServer]:
    """A private server, gone afterwards. Raises NotInstalled."""
    postgresql()
    keeper = subprocess.Popen(
        [sys.executable, "-m", "tests.private_servers"],
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
            raise RuntimeError("the throw-away PostgreSQL server did not start")
        try:
            yield PostgresqlServer(url, keeper)
        finally:
            keeper.stdin.close()
            keeper.wait(START_SECONDS)


@contextlib.contextmanager
def postgresql_server() -> Iterator[str]:
    """The address of a private server that is there all the time. Raises NotInstalled."""
    with private_postgresql() as server:
        yield server.url


def keep_postgresql() -> None:
    """Run a server until our standard input ends, which it does when whoever started us is gone."""
    programs, port = postgresql(), free_port()
    folder = Path(tempfile.mkdtemp(prefix=f"panel-postgresql-{port}-"))
    cluster = folder / "cluster"
    user = _ordinary_user(folder)
    make = [programs / "initdb", "--pgdata", cluster, "--username=panel", "--auth=trust", "--encoding=UTF8"]
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": 200,
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
    }
    run = [
        programs / "postgres",
        "-D",
        cluster,
        "-p",
        str(port),
        *(f"--{key}={value}" for key, value in settings.items()),
    ]
    url = f"postgresql+psycopg://panel@127.0.0.1:{port}/postgres"
    server = None
    with (folder / "log").open("wb") as log:
        try:
            subprocess.run(
                [*make, "--locale=C", "--no-sync"], check=True, user=user, stdout=log, stderr=log, cwd=folder
            )
            for word in itertools.chain(["start"], map(str.strip, sys.stdin)):
                if server is not None:
                    _end(server)
                    server = None
                if word == "start":
                    server = subprocess.Popen(run, user=user, stdout=log, stderr=log, cwd=folder)
                    wait_for_port(port, server)
                # The first answer is the address, later ones repeat what was asked.
                print(url or word, flush=True)
                url = ""
        finally:
            if server is not None:
                _end(server)
            shutil.rmtree(folder, ignore_errors=True)


def _end(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGINT)
    server.wait(START_SECONDS)


def _ordinary_user(folder: Path) -> int | None:
    """PostgreSQL refuses to run as root: then another user owns the folder and the server."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    user = known.get("postgres", known.get("nobody", 65534))
    os.chown(folder, user, -1)
    return user


if __name__ == "__main__":
    keep_postgresql()
