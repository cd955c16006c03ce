"""Figures of a server and its children from `/proc`: CPU time, write calls, memory."""

import os
from collections.abc import Iterable
from pathlib import Path

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def family(process: int) -> list[int]:
    """The process and all below it."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return [process, *(each for child in children for each in family(child))]


def cpu_seconds(process: int) -> float:
    """CPU seconds used by a server and its children so far."""
    fields = (Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in family(process))
    return sum(int(each[11]) + int(each[12]) for each in fields) / TICKS_A_SECOND


def write_calls(processes: Iterable[int]) -> int:
    """Calls of `write` and its kin so far, to files, pipes and sockets."""
    lines = (line for each in processes for line in Path(f"/proc/{each}/io").read_text().splitlines())
    return sum(int(line.split()[1]) for line in lines if line.startswith("syscw:"))


def proportional_kib(process: int) -> int:
    """Proportional memory (PSS) of a server and its children in KiB."""
    rollups = (Path(f"/proc/{each}/smaps_rollup").read_text() for each in family(process))
    return sum(int(line.split()[1]) for rollup in rollups for line in rollup.splitlines() if line.startswith("Pss:"))
