"""Announcements in the office: drafts, publishing with a banner and mails, pinning and withdrawing."""

from collections.abc import Callable

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from panel.blueprints.office import layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.shared.forms import by_field, whole_number
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.domain.announcements import Audience
from panel.domain.errors import ExpiredForm, NotFound, PanelError
from panel.services import announcements

bp = office_blueprint("announcements", reads=Action.LOOK, changes=Action.RUN_SITE)


@bp.get("/announcements")
def index() -> ResponseReturnValue:
    return render_template("office/operations/announcements.html", announcements=announcements.listed())


@bp.get("/announcements/new", action=Action.RUN_SITE)
def new() -> ResponseReturnValue:
    return _page(None)


@bp.post("/announcements")
def draft() -> ResponseReturnValue:
    try:
        with transaction():
            made = announcements.draft(**_typed(), actor=layout.actor(), now=utc_now()).id
    except PanelError as error:
        return _page(None, error), error.http_status
    flash("The draft is saved. Nobody sees it until you publish it.")
    return redirect(url_for("office_announcements.show", announcement_id=made), code=303)


@bp.get("/announcements/<int:announcement_id>", action=Action.RUN_SITE)
def show(announcement_id: int) -> ResponseReturnValue:
    return _page(announcement_id)


@bp.post("/announcements/<int:announcement_id>")
def edit(announcement_id: int) -> ResponseReturnValue:
    return _save(
        announcement_id,
        lambda: announcements.edit(announcement_id, **_typed(), seen=_seen(), actor=layout.actor(), now=utc_now()),
        "The changes are saved.",
    )


@bp.post("/announcements/<int:announcement_id>/publication")
def publish(announcement_id: int) -> ResponseReturnValue:
    return _save(
        announcement_id,
        lambda: announcements.publish(
            announcement_id,
            is_pinned="pinned" in request.form,
            with_mail="mail" in request.form,
            seen=_seen(),
            actor=layout.actor(),
            now=utc_now(),
        ),
        "The announcement is published.",
    )


@bp.post("/announcements/<int:announcement_id>/pin")
def pin(announcement_id: int) -> ResponseReturnValue:
    is_pinned = request.form.get("pinned") == "yes"
    return _save(
        announcement_id,
        lambda: announcements.pin(
            announcement_id, is_pinned=is_pinned, seen=_seen(), actor=layout.actor(), now=utc_now()
        ),
        "The banner is shown." if is_pinned else "The banner is no longer shown.",
    )


@bp.post("/announcements/<int:announcement_id>/withdrawal")
def withdraw(announcement_id: int) -> ResponseReturnValue:
    return _save(
        announcement_id,
        lambda: announcements.withdraw(announcement_id, seen=_seen(), actor=layout.actor(), now=utc_now()),
        "The announcement is withdrawn. Mails that were sent stay sent.",
    )


def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The form with what was typed, and the error."""
    return _page((request.view_args or {}).get("announcement_id"), error), error.http_status


def _save(announcement_id: int, save: Callable[[], object], message: str) -> ResponseReturnValue:
    try:
        with transaction():
            save()
    except NotFound:
        raise
    except PanelError as error:
        return _page(announcement_id, error), error.http_status
    flash(message)
    return redirect(url_for("office_announcements.show", announcement_id=announcement_id), code=303)


def _typed() -> dict[str, str]:
    return {name: request.form.get(name, "") for name in ("title", "text", "audience")}


def _seen() -> int:
    return whole_number(request.form.get("seen", "")) or 0


def _page(announcement_id: int | None, error: PanelError | None = None) -> str:
    found = None if announcement_id is None else announcements.find(announcement_id)
    return render_template(
        "office/operations/announcement.html",
        announcement=found,
        title=request.form.get("title", found.title if found else ""),
        text=request.form.get("text", found.text if found else ""),
        audience=request.form.get("audience", found.audience if found else Audience.EVERYONE),
        audiences=[(each.value, each.label) for each in Audience],
        errors=by_field(error),
        max_title_length=announcements.MAX_TITLE_LENGTH,
        max_text_length=announcements.MAX_TEXT_LENGTH,
    )
