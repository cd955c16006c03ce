"""Supervisor (`python app.py`): runs the whole product on one machine.

Prepares the instance folder, then keeps a web server and a worker running until SIGTERM. Its children never outlive
it.
"""

import argparse
import errno
import http.client
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Sequence

from panel import settings as settings_module
from panel.processes import child as child_process
from panel.processes import forked
from panel.processes.child import Child
from panel.processes.file_changes import PYTHON, RELOAD, snapshot
from panel.processes.signals import Signals
from panel.security import instance_folder, push_address
from panel.settings import ROOT, Settings

STOP_SECONDS = 4.0
LOOK_SECONDS = 0.1
ANSWER_SECONDS = 60.0
BACKLOG = 1024
DEMO_SYNC_SECONDS = "2"
# Threads per web process: twelve may wait for slow clients (`web.py`), four never do.
BLOCKING_THREADS = 16
WEB_TARGET = "panel.processes.web:application"
# Granian's own process makes the application, and the web processes that it forks share that memory until they write.
APPLICATION = "app"
HUB_TARGET = "panel.hub.process:application"
# Open connections of the hub (`panel/hub/streams.py`), with some left for those that are refused.
MAX_STREAMS = 21_000
# Open connections per web process; more wait in the backlog.
MAX_CONNECTIONS = 4096
# Granian's shutdown timeout for its workers: shorter than ours for Granian.
WEB_STOP_SECONDS = 3


def main(arguments: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit code; a failed start logs one line."""
    parser = argparse.ArgumentParser(prog="python app.py", description="The whole product on one machine.")
    parser.add_argument("--demo", action="store_true", help="fill an empty database with an example")
    parser.add_argument("--reload", action="store_true", help="show edits of files on the next request")
    given = parser.parse_args(arguments)
    wants_demo = given.demo

    os.chdir(ROOT)
    allow_many_connections()
    settings = settings_module.load()
    instance_folder.prepare(settings)
    for option in ("demo", "reload"):
        if getattr(given, option) and settings.env == "production":
            _say(f"--{option} is refused with PANEL_ENV=production.")
            return 1
    if (problem := _why_port_is_not_free(settings.host, settings.port, name="PANEL_PORT")) is not None:
        _say(problem)
        return 1
    if settings.hub:
        _require_port_of_hub(settings)

    if wants_demo and "sync_seconds" not in settings.model_fields_set:
        # Calls to the simulator are free, and frequent changes make the demo lively.
        os.environ["PANEL_SYNC_SECONDS"] = DEMO_SYNC_SECONDS

    if wants_demo:
        os.environ["PANEL_PRETEND_CARD"] = "true"

    if given.reload:
        os.environ[RELOAD] = "true"
        settings.web_workers = 1

    signals = Signals()
    for command in ("init", "demo") if wants_demo else ("init",):
        code = _run_to_the_end(command, signals)
        if code != 0 or signals.is_stopping:
            return 0 if signals.is_stopping else 1
    return _keep_running(settings, signals)


def allow_many_connections() -> None:
    """Raise the soft limit of open files to the hard limit."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _keep_running(settings: Settings, signals: Signals) -> int:
    wanted = [_child("web server", "panel-web", web_command(settings), preloads=APPLICATION)]
    if settings.worker:
        wanted.append(_child("worker", "panel-worker", flask_command("worker")))
    if settings.hub:
        wanted.append(_child("push hub", "panel-hub", hub_command(settings)))
    for child in wanted:
        child_process.start(child)
    python_files = snapshot(PYTHON, pattern="*.py")
    try:
        give_up_at = time.monotonic() + ANSWER_SECONDS
        is_announced = False
        while not signals.is_stopping:
            pauses = [child_process.keep_alive(child, say=_say) for child in wanted]
            if RELOAD in os.environ:
                if (found := snapshot(PYTHON, pattern="*.py")) != python_files:
                    python_files = found
                    _restart(wanted)
                pauses.append(LOOK_SECONDS)
            if not is_announced:
                if _answers(settings) or time.monotonic() > give_up_at:
                    is_announced = True
                    print(f"{settings.site_name} is running at {settings.public_url}. Ctrl+C stops it.", flush=True)
                else:
                    pauses.append(LOOK_SECONDS)
            signals.wait(min((pause for pause in pauses if pause is not None), default=None))
    finally:
        child_process.stop(wanted, within_seconds=STOP_SECONDS)
    return 0


def _child(name: str, process_name: str, command: Sequence[str], *, preloads: str | None = None) -> Child:
    """A child that shares what this process imported; with the reloader a new interpreter, which reads edited files."""
    if is_forking():
        return Child(name, lambda: forked.fork(command, name=process_name, preloads=preloads))
    return Child(name, lambda: child_process.spawn(command))


def is_forking() -> bool:
    """Whether children are forks. Elsewhere than on Linux a system library may not survive that."""
    return sys.platform == "linux" and RELOAD not in os.environ


def _restart(children: Sequence[Child]) -> None:
    """Restart with the edited code. Granian keeps the port and replaces its worker, so no connection is refused."""
    web, *others = children
    if web.process is not None:
        web.process.send_signal(signal.SIGHUP)
    child_process.stop(others, within_seconds=STOP_SECONDS)
    for child in others:
        child_process.start(child)


def _run_to_the_end(command: str, signals: Signals) -> int:
    process = child_process.spawn(flask_command(command))
    if is_forking():
        # While the command runs on another core.
        forked.preload()
    while (code := process.poll()) is None:
        if signals.is_stopping:
            process.terminate()
        signals.wait(LOOK_SECONDS)
    return code


def flask_command(*words: str) -> list[str]:
    return [sys.executable, "-m", "flask", "--app", "app", *words]


def web_command(settings: Settings) -> list[str]:
    """Granian command line: WSGI, one process per core, each with a few threads."""
    options = {
        "--interface": "wsgi",
        "--http": "1",
        "--host": settings.host,
        "--port": str(settings.port),
        "--workers": str(settings.web_workers),
        "--blocking-threads": str(BLOCKING_THREADS),
        "--backlog": str(BACKLOG),
        "--backpressure": str(MAX_CONNECTIONS),
        "--workers-kill-timeout": str(WEB_STOP_SECONDS),
        "--log-level": "error",
    }
    flat = [word for pair in options.items() for word in pair]
    return [sys.executable, "-m", "granian", *flat, "--no-ws", "--respawn-failed-workers", WEB_TARGET]


def hub_command(settings: Settings) -> list[str]:
    """Granian command line of the push hub: ASGI, one process."""
    options = {
        "--interface": "asgi",
        "--http": "1",
        "--host": settings.host,
        "--port": str(push_address.port(settings)),
        "--workers": "1",
        "--backlog": str(BACKLOG),
        "--backpressure": str(MAX_STREAMS),
        "--workers-kill-timeout": str(WEB_STOP_SECONDS),
        "--log-level": "error",
    }
    flat = [word for pair in options.items() for word in pair]
    return [sys.executable, "-m", "granian", *flat, "--no-ws", "--respawn-failed-workers", HUB_TARGET]


def _require_port_of_hub(settings: Settings) -> None:
    """Go on without the hub when its port is not free: pages poll then."""
    problem = _why_port_is_not_free(settings.host, push_address.port(settings), name="PANEL_HUB_PORT")
    if problem is not None:
        _say(f"{problem} Until then pages poll every 3 seconds.")
        settings.hub = False
        os.environ["PANEL_HUB"] = "false"


def _why_port_is_not_free(host: str, port: int, *, name: str) -> str | None:
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"Port {port} is already in use on {host}. Set {name} to a free one."
        return f"Cannot listen on {host}:{port}: {error.strerror}."
    return None


def _answers(settings: Settings) -> bool:
    # A server that listens on all interfaces is reached through loopback.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    connection = http.client.HTTPConnection(host, settings.port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
