"""Real servers for tests: a temporary PostgreSQL, and the product itself as separate processes.

`python -m tests.support.servers chromium` (`postgresql`, `php`, `redis`, `faketime`) prints the path, or exits with 1.
"""

import contextlib
import functools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest

from panel import assets
from panel import settings as settings_module
from panel.processes.forked import ForkedProcess
from tests.support import warm_python

ROOT = Path(__file__).resolve().parent.parent.parent
# On a busy machine a demo takes long to start.
START_SECONDS = 180
STOP_SECONDS = 10
FIRST_PORT, PORTS_OF_A_WORKER = 16_000, 2_000
LOOK_AGAIN_SECONDS = 0.05
# The program itself: what is on the path is a script that starts it, and would be killed in its place.
HEADLESS_SHELL = Path("/usr/lib/chromium/chromium-headless-shell")


class NotInstalled(Exception):
    """A program that tests need isn't installed."""


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test because a program isn't installed; fail in CI."""
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(f"{reason}, and CI must have it")
    pytest.skip(reason)


def chromium() -> str:
    """Path of the browser: the configured one, Debian's shell, Playwright's own, or the system's. Raises NotInstalled.

    The shell is Chromium without a desktop's windows: a page with a context of its own takes a quarter of the CPU.
    """
    from playwright.sync_api import sync_playwright

    if named := os.environ.get("PANEL_TEST_CHROMIUM"):
        return named
    if HEADLESS_SHELL.exists():
        return str(HEADLESS_SHELL)
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    for path in (
        own,
        shutil.which("chromium"),
        shutil.which("chromium-browser"),
        shutil.which("google-chrome"),
    ):
        if path and Path(path).exists():
            return path
    raise NotInstalled("no Chromium browser on this machine")


def postgresql() -> Path:
    """Folder of PostgreSQL's programs. Raises NotInstalled."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise NotInstalled("no PostgreSQL on this machine")


def redis() -> str:
    """Path of the Redis server. Raises NotInstalled."""
    path = shutil.which("redis-server")
    if path is None:
        raise NotInstalled("no Redis on this machine")
    return path


def faketime() -> Path:
    """Path of libfaketime, which sets the clock of one process. Raises NotInstalled."""
    folders = ("lib/*/faketime", "lib64/faketime", "local/lib/faketime")
    found = [path for folder in folders for path in sorted(Path("/usr").glob(f"{folder}/libfaketimeMT.so.1"))]
    if not found:
        raise NotInstalled("no libfaketime on this machine")
    return found[0]


def php() -> str:
    """Path of PHP with the extensions that the examples need. Raises NotInstalled."""
    path = shutil.which("php")
    if path is None or subprocess.run([path, "-r", "exit(function_exists('curl_init') ? 0 : 1);"]).returncode:
        raise NotInstalled("no PHP with cURL on this machine")
    return path


def free_port() -> int:
    """A port that stays free until its server listens, and while that server is restarting.

    It is below the ports that Linux gives to clients (32768 and above), in a range that only this test process uses.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = FIRST_PORT + worker % 8 * PORTS_OF_A_WORKER
    while True:
        port = first + secrets.randbelow(PORTS_OF_A_WORKER)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_for_port(port: int, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(LOOK_AGAIN_SECONDS)
    raise RuntimeError("the throw-away PostgreSQL server did not start")


@dataclass
class Panel:
    """The product as separate processes, with its own port and instance folder."""

    instance: Path
    port: int
    environment: dict[str, str]
    process: subprocess.Popen[str] | ForkedProcess | None = None
    arguments: tuple[str, ...] = field(default=())
    root: Path = ROOT
    # Whether it starts as `python app.py`, with new interpreters, as users do; it takes three times the CPU.
    is_cold: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def hub_url(self) -> str:
        return f"http://127.0.0.1:{self.environment['PANEL_HUB_PORT']}"

    @property
    def log(self) -> str:
        """Output of the processes since the first start."""
        return (self.instance / "output.log").read_text(errors="replace")

    def start(self) -> None:
        """Start `python app.py` and wait until it responds."""
        if self.is_cold or self.root != ROOT or warm_python.IS_MEASURED:
            self.process = self._start_new_interpreter()
        else:
            words = ("-m", "tests.support.warm_panel", *self.arguments)
            self.process = warm_python.start(*words, environment=self.environment, output=self.instance / "output.log")
        self.wait_until_it_answers()

    def _start_new_interpreter(self) -> subprocess.Popen[str]:
        with (self.instance / "output.log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, "app.py", *self.arguments],
                cwd=self.root,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )

    def wait_until_it_answers(self, *, path: str = "/healthz") -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(OSError, urllib.error.URLError):
                with urllib.request.urlopen(f"{self.url}{path}", timeout=2):
                    return
            if self.process is not None and self.process.poll() is not None:
                break
            time.sleep(LOOK_AGAIN_SECONDS)
        raise RuntimeError(f"The panel does not answer. Its output:\n{self.log}")

    def stop(self) -> int:
        """Stop it with SIGTERM, or SIGKILL if that doesn't help; returns the exit code."""
        assert self.process is not None
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            return self.process.wait()

    def flask(self, *arguments: str, standard_input: str = "") -> subprocess.CompletedProcess[str]:
        """Run `flask …` on the same data, whether or not the site is running."""
        words = ("-m", "flask", *arguments)
        return warm_python.run(
            *words, environment=self.environment, standard_input=standard_input, seconds=START_SECONDS
        )


@functools.cache
def _scripts() -> Path | None:
    """htmx from this checkout's instance folder, so that panels of tests don't download it."""
    settings = settings_module.load(instance=ROOT / "instance", _env_file=None)
    settings.instance.mkdir(exist_ok=True)
    return assets.htmx_path(settings) if assets.fetch_htmx(settings) else None


def a_panel(instance: Path, *arguments: str, is_cold: bool = False, **settings: str) -> Panel:
    """The product with the given settings, not started yet: `a_panel(tmp_path, "--demo", PANEL_SYNC_SECONDS="1")`."""
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PANEL_", "FLASK_"))}
    kept.pop("DATABASE_URL", None)
    instance.mkdir(parents=True, exist_ok=True)
    if (script := _scripts()) is not None:
        shutil.copyfile(script, instance / script.name)
    own = {
        "PANEL_INSTANCE": str(instance),
        "PANEL_PORT": str(port),
        "PANEL_WEB_WORKERS": "1",
        # Only push tests start the hub.
        "PANEL_HUB": "false",
        "PANEL_HUB_PORT": str(free_port()),
    }
    return Panel(instance=instance, port=port, environment=kept | own | settings, arguments=arguments, is_cold=is_cold)


@contextlib.contextmanager
def running_panel(instance: Path, *arguments: str, is_cold: bool = False, **settings: str) -> Iterator[Panel]:
    """The product, running; stopped afterwards."""
    panel = a_panel(instance, *arguments, is_cold=is_cold, **settings)
    try:
        panel.start()
        yield panel
    finally:
        if panel.process is not None:
            panel.stop()


if __name__ == "__main__":
    try:
        match sys.argv[1]:
            case "chromium":
                print(chromium())
            case "postgresql":
                print(postgresql())
            case "php":
                print(php())
            case "redis":
                print(redis())
            case "faketime":
                print(faketime())
    except NotInstalled as error:
        raise SystemExit(str(error)) from error
