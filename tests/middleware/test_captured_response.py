"""Captured responses: which may be cached, and for whom."""

import pytest

from panel.middleware.captured_response import CapturedResponse
from panel.security.request_identity import MADE_FOR, VISITOR


def captured(*, made_for: str | None, status: str = "200 OK", cookie: bool = False) -> CapturedResponse:
    """Capture an app's response, with this mark of the user that it was made for, or without one."""

    def application(environ, start_response):  # type: ignore[no-untyped-def]
        if made_for is not None:
            environ[MADE_FOR] = made_for
        start_response(status, [("Set-Cookie", "a=b")] if cookie else [])
        return [b"<p>A page</p>"]

    return CapturedResponse(application, {})


def test_marked_response_may_be_cached_for_its_user() -> None:
    assert captured(made_for=VISITOR).may_be_cached_for(VISITOR)
    assert captured(made_for="a-token").may_be_cached_for("a-token")


@pytest.mark.parametrize("made_for", [None, "a-token"])
def test_response_without_the_visitors_mark_is_never_cached_for_visitors(made_for: str | None) -> None:
    assert not captured(made_for=made_for).may_be_cached_for(VISITOR)


def test_response_of_one_person_is_never_cached_for_another() -> None:
    assert not captured(made_for="a-token").may_be_cached_for("another-token")
    assert not captured(made_for=VISITOR).may_be_cached_for("a-token")


def test_response_that_sets_a_cookie_or_failed_is_never_cached() -> None:
    assert not captured(made_for=VISITOR, cookie=True).may_be_cached_for(VISITOR)
    assert not captured(made_for=VISITOR, status="503 Service Unavailable").may_be_cached_for(VISITOR)
