"""The only place that asks whether htmx made a request."""

from typing import cast

from flask import Flask, Response, make_response, redirect, render_template
from flask import request as plain_request
from htmx_flask import Htmx
from htmx_flask.requests import HtmxAwareRequest
from werkzeug.wrappers import Response as BaseResponse

request = cast(HtmxAwareRequest, plain_request)

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


def made(address: str, fragment: str, **context: object) -> BaseResponse:
    """The answer to a form that made something: a 303 to its page, or the changed part to htmx."""
    if not wants_fragment():
        return redirect(address, code=303)
    response = make_response(render_template(fragment, **context))
    response.vary.add("HX-Request")
    return response
