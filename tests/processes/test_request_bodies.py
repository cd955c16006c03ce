"""Slots for slow requests: a quick one waits a moment for its slot, and one that finds none is refused."""

import io
import threading
from typing import Any

import pytest

from panel.processes import request_bodies
from panel.processes.request_bodies import Slots
from panel.security.body_limits import MAX_BODY_BYTES


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


def test_a_large_form_with_files_takes_a_turn_of_its_own_until_it_is_answered() -> None:
    body = b"x" * (MAX_BODY_BYTES + 1)
    uploads, statuses, seen = Slots(1, None), [], []

    def site(environ: dict[str, Any], start: object) -> list[bytes]:
        seen.append(len(environ["wsgi.input"].read()))
        # Another one is refused until then, small ones are not.
        if len(seen) == 1:
            ask("/tickets", body)
            ask("/tickets", b"small")
        return [b""]

    def ask(path: str, content: bytes) -> None:
        environ = {
            "PATH_INFO": path,
            "CONTENT_TYPE": "multipart/form-data; boundary=x",
            "CONTENT_LENGTH": str(len(content)),
            "wsgi.input": io.BytesIO(content),
            "REMOTE_ADDR": "192.0.2.1",
        }
        list(application(environ, lambda status, _headers: statuses.append(status[:3])))

    application = request_bodies.with_bulkhead(site, Slots(4, None), uploads)
    ask("/tickets", body)
    ask("/tickets", body)
    ask("/orders", body)

    # Elsewhere such a body is not read at all; Flask refuses it by its length.
    assert (seen, statuses) == ([len(body), 5, len(body), 0], ["503"])
