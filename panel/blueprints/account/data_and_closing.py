"""Personal data export (one ZIP file) and account closing."""

import io
import json
import zipfile
from collections.abc import Iterator

from flask import Blueprint, Response, current_app, flash, redirect, render_template, request, stream_with_context
from flask.typing import ResponseReturnValue
from flask_login import current_user

from panel.blueprints.shared import auth
from panel.blueprints.shared.auth import login_required
from panel.blueprints.shared.csv_files import csv_pieces
from panel.blueprints.shared.forms import by_field, whole_number
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.errors import BadInput, PanelError, StaleForm, TooManyTries
from panel.services.accounts import throttles, two_factor
from panel.services.privacy import closing
from panel.services.privacy.data_export import Table
from panel.services.privacy.data_export_tables import tables
from panel.services.privacy.ticket_tables import IMAGE_FOLDER
from panel.services.tickets import images
from panel.services.tickets.images import ImageFile

bp = Blueprint("own_data", __name__)

EVERYTHING = "everything.json"


@bp.get("/account/data")
@login_required
def show() -> ResponseReturnValue:
    return render_template(
        "account/data.html",
        tables=tables(current_user.id),
        everything=EVERYTHING,
        is_staff=current_user.is_staff,
    )


@bp.get("/account/data.zip")
@login_required
def download() -> ResponseReturnValue:
    """Stream a ZIP file: all tables as one JSON file, each table as CSV, and the images of tickets."""
    pieces = _archive(tables(current_user.id), images.files_of(current_user.id))
    answer = Response(stream_with_context(pieces), content_type="application/zip")
    answer.headers.set("Content-Disposition", "attachment", filename=f"account-data-{utc_now():%Y-%m-%d}.zip")
    return answer


def _archive(found: list[Table], pictures: Iterator[ImageFile]) -> Iterator[bytes]:
    out = _Outgoing()
    with zipfile.ZipFile(out, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        files = [(EVERYTHING, _json(found))]
        files += [(f"{table.name}.csv", csv_pieces(table.head, table.rows())) for table in found]
        for name, pieces in files:
            with archive.open(name, "w") as file:
                for piece in pieces:
                    file.write(piece.encode())
                    yield out.taken()
            yield out.taken()
        for picture in pictures:
            # Images are compressed already.
            archive.writestr(f"{IMAGE_FOLDER}/{picture.name}", picture.content, compress_type=zipfile.ZIP_STORED)
            yield out.taken()
    yield out.taken()


def _json(found: list[Table]) -> Iterator[str]:
    """All tables as one JSON object: a list of objects under each name."""
    for number, table in enumerate(found):
        yield f"{',' if number else '{'}\n{json.dumps(table.name)}: ["
        for place, row in enumerate(table.rows()):
            line = json.dumps(dict(zip(table.head, row, strict=True)), ensure_ascii=False)
            yield f"{',' if place else ''}\n  {line}"
        yield "]"
    yield "\n}\n"


class _Outgoing(io.RawIOBase):
    """Write-only buffer that the ZIP file is streamed from. It can't seek, so `zipfile` writes without seeking."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: object) -> int:
        data = bytes(piece)  # type: ignore[call-overload]
        self._pieces.append(data)
        return len(data)

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


@bp.get("/account/closing")
@login_required
def show_closing() -> ResponseReturnValue:
    return _closing_page()


@bp.post("/account/closing")
@login_required
def close() -> ResponseReturnValue:
    try:
        _close()
    except PanelError as error:
        page = _closing_page(error)
        if isinstance(error, TooManyTries):
            return page, error.http_status, {"Retry-After": str(error.retry_after_seconds)}
        return page, error.http_status
    auth.clear_session()
    flash("Your account is closed. Its email is free for a new one.")
    return redirect("/", code=303)


def _close() -> None:
    given_up_nanos = _given_up()
    auth.require_password(current_user, request.form.get("current_password", ""))
    asks_for_code = two_factor.is_enabled(current_user.id)
    if asks_for_code:
        _prove_code(request.form.get("code", ""))
    with transaction():
        if two_factor.is_enabled(current_user.id) != asks_for_code:
            raise StaleForm("Your two-factor settings changed after you opened this page. Check them again.")
        closing.close(current_user.id, given_up_nanos=given_up_nanos, now=utc_now())


def _prove_code(code: str) -> None:
    """Check the code in its own transaction: it locks the user's row, which closing must lock last."""
    with transaction():
        tries = throttles.count_own_code(current_user.session_id, now=utc_now())
    with transaction():
        two_factor.verify_code(current_user.id, code=code, settings=current_app.config["PANEL"], now=utc_now())
        throttles.forget(tries)


def _given_up() -> int:
    """The balance in nanos that the customer agreed to forfeit; 0 if the box is not checked."""
    shown = request.form.get("balance", "0")
    if request.form.get("give_up") != "yes":
        return 0
    found = whole_number(shown, digits=19)
    if found is None:
        raise BadInput("This form was damaged. Nothing was changed. Look at it again.")
    return found


def _closing_page(error: PanelError | None = None) -> str:
    return render_template(
        "account/closing.html",
        email=current_user.email,
        standing=closing.standing(current_user.id),
        asks_for_code=two_factor.is_enabled(current_user.id),
        errors=by_field(error),
    )
