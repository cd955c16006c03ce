"""The site's logo, at an address that changes with its content."""

from flask import Blueprint, Response, abort
from flask.typing import ResponseReturnValue

from panel.assets import IMMUTABLE
from panel.services.stored_settings import logo

bp = Blueprint("logo", __name__)


@bp.get("/logo/<name>")
def show(name: str) -> ResponseReturnValue:
    found = logo.by_path(f"/logo/{name}")
    if found is None:
        abort(404)
    headers = {"Cache-Control": IMMUTABLE, "Content-Security-Policy": "default-src 'none'; sandbox"}
    return Response(found.content, mimetype=found.media_type, headers=headers)
