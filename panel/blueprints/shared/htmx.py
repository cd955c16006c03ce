"""The only place that asks whether htmx made a request, and how the polls of live regions are answered."""

from collections.abc import Callable
from typing import cast

from flask import Flask, Response, make_response, redirect, render_template
from flask import request as plain_request
from htmx_flask import Htmx
from htmx_flask.requests import HtmxAwareRequest
from werkzeug.wrappers import Response as BaseResponse

request = cast(HtmxAwareRequest, plain_request)

# The hash of what a live region shows. Every answer to its polls has this header: `live.js` takes one without it for
# a stranger's, such as a proxy's, and swaps nothing.
REGION_TAG = "HX-PTag"
LOGGED_OUT = "logged-out"

# Addresses that only ever answer with a part of a page end so.
FRAGMENT_ENDINGS = ("/live",)


def init_app(app: Flask) -> None:
    Htmx(app)


def wants_fragment() -> bool:
    """Whether the answer will be put into a page that is already open."""
    if request.path.endswith(FRAGMENT_ENDINGS):
        return True
    is_whole = request.htmx.boosted or request.htmx.history_restore_request
    return bool(request.htmx) and not is_whole


def page_or_fragment(page: str, fragment: str, **context: object) -> Response:
    """The whole page, or just its changing part when htmx asked for that part."""
    template = fragment if wants_fragment() else page
    response = make_response(render_template(template, **context))
    response.vary.add("HX-Request")
    return response


def region_or_304(shown: str, region: Callable[[], str]) -> Response:
    """The answer to a poll: 304 while the open page shows the same, else the region with its hash."""
    is_same = request.headers.get(REGION_TAG) == shown
    response = Response(status=304) if is_same else make_response(region())
    response.headers[REGION_TAG] = shown
    return response


def logged_out() -> Response:
    """The answer to a part of a page whose reader is logged out: a redirect would be swapped in as if it were rows."""
    return Response(status=401, headers={REGION_TAG: LOGGED_OUT})


def redirect_or_fragment(address: str, fragment: str, **context: object) -> BaseResponse:
    """The answer to a form that made something: a 303 to its page, or the changed part to htmx."""
    if not wants_fragment():
        return redirect(address, code=303)
    response = make_response(render_template(fragment, **context))
    response.vary.add("HX-Request")
    return response
