"""htmx requests: full page or fragment, and conditional polling of live regions (304)."""

from collections.abc import Callable
from typing import cast

from flask import Flask, Response, make_response, redirect, render_template, session
from flask import request as plain_request
from htmx_flask import Htmx
from htmx_flask.requests import HtmxAwareRequest
from werkzeug.wrappers import Response as BaseResponse

request = cast(HtmxAwareRequest, plain_request)

# Header with the hash of a live region. `live.js` ignores responses without it, such as a proxy's error page.
REGION_TAG = "HX-PTag"
LOGGED_OUT = "logged-out"

# Session keys: live updates are paused on the customer's pages, or on the lists of the office.
PAUSED = "updates_paused"
OFFICE_PAUSED = "office_updates_paused"

# Paths that always return a fragment end like this.
FRAGMENT_ENDINGS = ("/live",)


def init_app(app: Flask) -> None:
    Htmx(app)


def wants_fragment() -> bool:
    """Whether the response should be a fragment that htmx swaps into the open page."""
    if request.path.endswith(FRAGMENT_ENDINGS):
        return True
    is_whole = request.htmx.boosted or request.htmx.history_restore_request
    return bool(request.htmx) and not is_whole


def page_or_fragment(page: str, fragment: str, **context: object) -> Response:
    """The whole page, or just its fragment when htmx asked for that."""
    template = fragment if wants_fragment() else page
    response = make_response(render_template(template, **context))
    response.vary.add("HX-Request")
    return response


def region_or_304(shown: str, region: Callable[[], str]) -> Response:
    """Response to a poll: 304 while nothing changed, otherwise the region with its new hash."""
    is_same = request.headers.get(REGION_TAG) == shown
    response = Response(status=304) if is_same else make_response(region())
    response.headers[REGION_TAG] = shown
    return response


def is_live(key: str = PAUSED) -> bool:
    """Whether live regions poll for updates in this session."""
    return key not in session


def pause_or_resume(address: str, *, key: str = PAUSED) -> BaseResponse:
    """Pause updates for this session (`?live=off`) or resume them, then redirect to the page's own address."""
    if request.args["live"] == "off":
        session[key] = True
    else:
        session.pop(key, None)
    return redirect(address, code=303)


def logged_out() -> Response:
    """401 for a fragment when logged out: htmx would follow a redirect and swap the login page into the region."""
    return Response(status=401, headers={REGION_TAG: LOGGED_OUT})


def redirect_or_fragment(address: str, fragment: str, **context: object) -> BaseResponse:
    """Response after a successful POST: a 303 redirect, or the changed fragment for htmx."""
    if not wants_fragment():
        return redirect(address, code=303)
    response = make_response(render_template(fragment, **context))
    response.vary.add("HX-Request")
    return response
