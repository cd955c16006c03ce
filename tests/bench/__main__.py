"""`python -m tests.bench history` and the like: see the modules of this folder. `all` runs each one in short rounds."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from panel.settings import ROOT
from tests.bench import (
    api,
    backfill,
    flat,
    floor,
    goals,
    history,
    idle,
    memory,
    mixed,
    money,
    pages,
    placing,
    providers,
    push,
    push_browser,
    push_many,
    request_cpu,
    slow_clients,
    sync,
    tools,
)

BENCHES = {
    "api": api.main,
    "backfill": backfill.main,
    "flat": flat.main,
    "floor": floor.main,
    "history": history.main,
    "idle": idle.main,
    "memory": memory.main,
    "mixed": mixed.main,
    "money": money.main,
    "pages": pages.main,
    "placing": placing.main,
    "providers": providers.main,
    "push": push.main,
    "push-browser": push_browser.main,
    "push-many": push_many.main,
    "request-cpu": request_cpu.main,
    "slow-clients": slow_clients.main,
    "sync": sync.main,
    "tools": tools.main,
}
ALL = "all"
# Together some twelve minutes on two quiet cores. One that takes longer than this counts as failed.
MAX_SECONDS = 150.0


def run_all() -> int:
    """Run every bench in a process of its own, then print each figure with its goal. Returns how many failed."""
    failed = []
    with tempfile.TemporaryDirectory(prefix="panel-bench-") as folder:
        files = {name: Path(folder, name) for name in BENCHES}
        for name, path in files.items():
            print(f"── {name}", flush=True)
            began = time.monotonic()
            if not _succeeds(name, os.environ | {"BENCH_SHORT": "1", goals.FILE: str(path)}):
                failed.append(name)
            print(f"{name} took {time.monotonic() - began:.0f} s", flush=True)
        found = {name: goals.reported(path) for name, path in files.items()}
    print("\nFigure, goal and verdict, in short rounds:")
    for name, figures in found.items():
        for figure in figures:
            print(f"{name:<13} {figure.line}")
    missed = sum(figure.verdict == "missed" for figures in found.values() for figure in figures)
    print(f"\n{missed} goals missed.")
    if failed:
        print(f"Failed: {', '.join(failed)}.")
    return len(failed)


def _succeeds(name: str, environment: Mapping[str, str]) -> bool:
    command = [sys.executable, "-m", "tests.bench", name]
    bench = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
    try:
        return bench.wait(MAX_SECONDS) == 0
    except subprocess.TimeoutExpired:
        print(f"{name} is ended after {MAX_SECONDS:g} s")
        return False
    finally:
        # Its servers too, if it was ended or failed.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(bench.pid, signal.SIGKILL)
        bench.wait()


if __name__ == "__main__":
    wanted = sys.argv[1] if len(sys.argv) == 2 else ""
    if wanted == ALL:
        sys.exit(run_all())
    if wanted not in BENCHES:
        raise SystemExit(f"Usage: python -m tests.bench {' | '.join((ALL, *BENCHES))}")
    BENCHES[wanted]()
