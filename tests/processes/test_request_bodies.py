"""Slots for slow requests: a quick one waits a moment for its slot, and one that finds none is refused."""

import threading

import pytest

from panel.processes import request_bodies
from panel.processes.request_bodies import Slots


@pytest.mark.parametrize("slots", [Slots(1, None), Slots(4, 1)], ids=["in all", "of a network"])
def test_a_request_waits_until_the_one_before_it_is_received(slots: Slots, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_bodies, "WAIT_SECONDS", 30)
    assert slots.take("192.0.2.1")
    threading.Timer(0.05, slots.give_back, ["192.0.2.1"]).start()

    assert slots.take("192.0.2.1")


def test_a_request_is_refused_when_no_slot_comes_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_bodies, "WAIT_SECONDS", 0.01)
    slots = Slots(2, 1)
    assert slots.take("192.0.2.1")

    assert not slots.take("192.0.2.1")
    assert slots.take("192.0.2.2")
    assert not slots.take("192.0.2.3")


def test_beyond_those_that_wait_a_request_is_refused_immediately(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_bodies, "WAIT_SECONDS", 30)
    monkeypatch.setattr(request_bodies, "MAX_WAITING", 0)
    slots = Slots(1, None)
    assert slots.take("192.0.2.1")

    assert not slots.take("192.0.2.1")
