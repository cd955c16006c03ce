"""Canned answers: list, add, edit and remove."""

from flask import abort, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from panel.blueprints.office import layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.shared.forms import by_field, whole_number
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.domain.errors import ExpiredForm, NotFound, PanelError
from panel.domain.ticket import MAX_TEXT_LENGTH
from panel.services.tickets import canned_answers

bp = office_blueprint("canned_answers", reads=Action.LOOK, changes=Action.ANSWER_TICKETS)


@bp.get("/canned-answers")
def index() -> ResponseReturnValue:
    return _index_page()


@bp.post("/canned-answers")
def add() -> ResponseReturnValue:
    name, text = _typed()
    try:
        with transaction():
            canned_answers.add(name=name, text=text, actor=layout.actor(), now=utc_now())
    except PanelError as error:
        return make_response(_index_page(error), error.http_status)
    flash(f"“{name.strip()}” is kept.")
    return redirect(url_for("office_canned_answers.index"), code=303)


@bp.get("/canned-answers/<int:answer_id>", action=Action.ANSWER_TICKETS)
def show(answer_id: int) -> ResponseReturnValue:
    return _answer_page(answer_id)


@bp.post("/canned-answers/<int:answer_id>")
def edit(answer_id: int) -> ResponseReturnValue:
    name, text = _typed()
    try:
        with transaction():
            canned_answers.edit(answer_id, name=name, text=text, seen=_seen(), actor=layout.actor(), now=utc_now())
    except NotFound:
        raise
    except PanelError as error:
        return make_response(_answer_page(answer_id, error), error.http_status)
    flash(f"“{name.strip()}” is changed.")
    return redirect(url_for("office_canned_answers.index"), code=303)


@bp.post("/canned-answers/<int:answer_id>/removal")
def remove(answer_id: int) -> ResponseReturnValue:
    try:
        with transaction():
            canned_answers.remove(answer_id, seen=_seen(), actor=layout.actor(), now=utc_now())
    except NotFound:
        raise
    except PanelError as error:
        return make_response(_answer_page(answer_id, error), error.http_status)
    flash("The canned answer is removed. Answers that were sent keep their words.")
    return redirect(url_for("office_canned_answers.index"), code=303)


def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The form with the typed words and the error."""
    answer_id: int | None = (request.view_args or {}).get("answer_id")
    page = _index_page(error) if answer_id is None else _answer_page(answer_id, error)
    return page, error.http_status


def _typed() -> tuple[str, str]:
    return request.form.get("name", ""), request.form.get("text", "")


def _seen() -> int:
    text = request.form.get("seen", "")
    return whole_number(text) or 0


def _index_page(error: PanelError | None = None) -> str:
    name, text = _typed()
    return render_template(
        "office/canned_answers/index.html",
        answers=canned_answers.listed(),
        placeholders=canned_answers.PLACEHOLDERS,
        name=name,
        text=text,
        errors=by_field(error),
        max_name_length=canned_answers.MAX_NAME_LENGTH,
        max_text_length=MAX_TEXT_LENGTH,
    )


def _answer_page(answer_id: int, error: PanelError | None = None) -> str:
    answer = canned_answers.find(answer_id)
    if answer is None:
        abort(404)
    return render_template(
        "office/canned_answers/show.html",
        answer=answer,
        placeholders=canned_answers.PLACEHOLDERS,
        name=request.form.get("name", answer.name),
        text=request.form.get("text", answer.text),
        errors=by_field(error),
        max_name_length=canned_answers.MAX_NAME_LENGTH,
        max_text_length=MAX_TEXT_LENGTH,
    )
