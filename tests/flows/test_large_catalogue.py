"""Large catalogues: with 5,000 tools a page needs as many statements and bytes as with 20, and little more time."""

import statistics
import time

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from panel.db import db
from tests.support.factories import a_customer, logged_in
from tests.support.large_catalogue import fill_catalogue

PATHS = ("/tools", "/tools?q=00019", "/orders/new", "/orders/tools?q=tool", "/orders/mass")
# The goal is 2; a shared machine gets some room. `python -m tests.bench.tools` measures it exactly.
LENIENT_RATIO = 3


@pytest.mark.parametrize("path", PATHS)
def test_page_with_5000_tools_costs_what_20_cost(app: Flask, client: FlaskClient, path: str) -> None:
    logged_in(client, a_customer())
    fill_catalogue(20)
    few = _cost(client, path)
    fill_catalogue(5_000, after=20)

    many = _cost(client, path)

    assert many.statements <= few.statements
    assert many.size <= few.size + 1_000
    assert many.seconds <= few.seconds * LENIENT_RATIO


class _Cost:
    def __init__(self, statements: int, size: int, seconds: float) -> None:
        self.statements, self.size, self.seconds = statements, size, seconds


def _cost(client: FlaskClient, path: str) -> _Cost:
    client.get(path)
    seen: list[str] = []

    def note(*args: object) -> None:
        seen.append(str(args[2]))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        answer = client.get(path)
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert answer.status_code == 200
    return _Cost(len(seen), len(answer.data), statistics.median(_seconds(client, path) for _ in range(9)))


def _seconds(client: FlaskClient, path: str) -> float:
    # CPU time of this thread only, because other processes share the machine.
    began = time.thread_time()
    client.get(path)
    return time.thread_time() - began
