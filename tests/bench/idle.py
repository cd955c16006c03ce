"""An idle panel: CPU time, writes and memory of all processes that `python app.py` starts, while nobody comes."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from panel.settings import ROOT
from tests.bench import goals
from tests.bench.process_figures import cpu_seconds, family, proportional_kib, write_calls
from tests.support.servers import free_port, wait_for_port

# The first test order and the first audit are over by then.
SETTLE_SECONDS = 45
SECONDS = goals.short(300, 35)
STRACE = shutil.which("strace")
# `write(3</folder/file>, …`: what strace names with -y. Sockets, pipes and event counters have no path.
TO_A_FILE = re.compile(r"write\w*\(\d+</")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        port, hub_port = free_port(), free_port()
        mine = {"PANEL_INSTANCE": folder, "PANEL_PORT": str(port), "PANEL_HUB_PORT": str(hub_port)}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PANEL_")}
        with Path(folder, "log").open("wb") as log:
            command = [sys.executable, "app.py"]
            product = subprocess.Popen(command, cwd=ROOT, env=kept | mine, stdout=log, stderr=log)
        try:
            wait_for_port(port, product)
            time.sleep(SETTLE_SECONDS)
            _measure(product.pid)
        finally:
            product.send_signal(signal.SIGTERM)
            product.wait()


def _measure(product: int) -> None:
    processes = family(product)
    cpu, writes = cpu_seconds(product), write_calls(processes)
    time.sleep(SECONDS)
    assert family(product) == processes, "a process was started again"
    goals.report("CPU of one core", 100 * (cpu_seconds(product) - cpu) / SECONDS, at_most=1, unit=" %")
    goals.report("write calls a minute, to files, sockets and pipes", (write_calls(processes) - writes) * 60 / SECONDS)
    if STRACE:
        goals.report("file writes a minute", _file_writes(processes, STRACE) * 60 / SECONDS, at_most=20)
    goals.report("memory of all processes (PSS)", proportional_kib(product) / 1024, at_most=350, unit=" MiB")


def _file_writes(processes: list[int], strace: str) -> int:
    with tempfile.NamedTemporaryFile("r") as found:
        options = ["-f", "-q", "-y", "-e", "trace=write,writev,pwrite64,pwritev,pwritev2", "-o", found.name]
        attached = subprocess.Popen([strace, *options, *(f"-p{each}" for each in processes)], stderr=subprocess.DEVNULL)
        time.sleep(SECONDS)
        attached.send_signal(signal.SIGINT)
        attached.wait()
        return sum(TO_A_FILE.search(line) is not None for line in found)
