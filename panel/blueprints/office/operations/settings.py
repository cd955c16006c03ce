"""Settings in the office: an overview with where each value comes from, and one form per group."""

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from panel import app_context
from panel.blueprints.office import confirmation, layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.confirmation import Confirmation
from panel.blueprints.office.forms import operator, status_of, typed
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.domain.errors import ExpiredForm, PanelError
from panel.domain.network.mail_server import MailServer, parse_mail_server
from panel.services import audit_log
from panel.services.mail import outbox, server_test
from panel.services.office import second_approval
from panel.services.orders import timeouts
from panel.services.stored_settings import approval_amount, changes, mail_server_form, texts
from panel.services.stored_settings.mail_server_form import Encryption, MailServerForm
from panel.services.stored_settings.registry import SETTINGS, SettingGroup, as_text

bp = office_blueprint("settings", reads=Action.MANAGE_SETTINGS, changes=Action.MANAGE_SETTINGS)


@bp.get("/settings")
def index() -> ResponseReturnValue:
    groups, own = changes.rows_of_all(), texts.find_all()
    return render_template("office/settings/index.html", groups=list(groups.items()), texts=list(own.items()))


@bp.get("/settings/<group>")
def show(group: str) -> ResponseReturnValue:
    return _page(_known_or_404(group))


@bp.post("/settings/<group>")
def change(group: str) -> ResponseReturnValue:
    known = _known_or_404(group)
    try:
        given = _given(known)
        if known is SettingGroup.APPROVALS and (limit := approval_amount.higher_limit(given)) is not None:
            return _proposed(limit)
        if (asked := _confirmation(known)) is not None:
            return asked
        with transaction():
            changed = changes.change(known, given, seen=typed("seen"), actor=layout.actor(), now=utc_now())
            if changed and known is SettingGroup.EMAIL:
                outbox.retry_now(now=utc_now())
    except PanelError as error:
        return _page(known, error), status_of(error)
    flash(f"Saved: {', '.join(changed)}." if changed else "Nothing was changed.")
    return redirect(f"/office/settings/{known}" if known is SettingGroup.EMAIL else "/office/settings", code=303)


def _proposed(limit_nanos: int) -> ResponseReturnValue:
    """Propose a higher approval limit. Raises what `propose_limit` raises."""
    person = operator()
    with transaction():
        number = second_approval.propose_limit(
            limit_nanos, reason=typed("reason"), operator_id=person.id, actor=person.email, now=utc_now()
        )
    flash("A second person must approve the higher limit. Until then, the present one holds.")
    return redirect(url_for("office_approvals.show", proposal_id=number), code=303)


@bp.post("/settings/email/test")
def send_test() -> ResponseReturnValue:
    person = operator()
    with transaction():
        server_test.queue(person.id, email=person.email, now=utc_now())
    return redirect("/office/settings/email#test", code=303)


def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The form with what was typed, and the error."""
    return _page(_known_or_404((request.view_args or {})["group"]), error), error.http_status


def _given(group: SettingGroup) -> dict[str, str]:
    """The typed values by setting. The mail server has several fields. Raises BadInput."""
    if group is not SettingGroup.EMAIL:
        return dict(request.form)
    return dict(request.form) | {"smtp_url": mail_server_form.url(_typed_server(), server=_mail_server())}


def _typed_server() -> MailServerForm:
    password = request.form.get("password", "")
    return MailServerForm(typed("host"), typed("encryption"), typed("port"), typed("user"), password)


def _mail_server() -> MailServer | None:
    """The present mail server, as the database has it."""
    row = next(row for row in changes.rows(SettingGroup.EMAIL) if row.setting.name == "smtp_url")
    return parse_mail_server(row.value) if row.value else None


def _confirmation(group: SettingGroup) -> str | None:
    """The page that asks first, when a shorter time would cancel orders that wait now."""
    if group is not SettingGroup.TIMES or "unconfirmed_hours" not in request.form or confirmation.is_confirmed():
        return None
    setting, text, settings = SETTINGS["unconfirmed_hours"], typed("unconfirmed_hours"), app_context.settings()
    hours = setting.parse(text) if text else setting.default
    due = timeouts.due(unconfirmed_hours=hours, dispatch_hours=settings.dispatch_hours, now=utc_now())
    if hours >= settings.unconfirmed_hours or not due.count:
        return None
    facts = [
        ("Orders canceled", due.orders),
        ("Returned to customers", app_context.money_text(due.returned_nanos)),
        ("Refills ended", due.refills),
    ]
    return confirmation.page(
        Confirmation(
            "Cancel unconfirmed orders sooner",
            facts,
            "Save changes",
            f"/office/settings/{group.value}",
            lead=f"Orders that have been unconfirmed for more than {as_text(hours)} hours are canceled and refunded.",
            is_danger=True,
        )
    )


def _known_or_404(word: str) -> SettingGroup:
    return SettingGroup(word) if word in list(SettingGroup) else abort(404)


def _page(group: SettingGroup, error: PanelError | None = None) -> str:
    rows = changes.rows(group)
    values = {row.setting.name: row.text for row in rows}
    if error is not None:
        values |= {row.setting.name: request.form.get(row.setting.name, "") for row in rows if not row.is_fixed}
    return render_template(
        "office/settings/show.html",
        group=group,
        rows=rows,
        values=values,
        seen=changes.form_version(group),
        reason=typed("reason"),
        max_reason_length=audit_log.MAX_REASON_LENGTH,
        errors=by_field(error),
        **_email_context(is_typed=error is not None) if group is SettingGroup.EMAIL else {},
    )


def _email_context(*, is_typed: bool) -> dict[str, object]:
    """The fields of the mail server, and the last test email."""
    server, test = _mail_server(), server_test.newest(operator().id)
    changed = [row.changed_at for row in changes.rows(SettingGroup.EMAIL) if row.changed_at is not None]
    if test is not None and changed and test.asked_at < max(changed):
        # It says nothing about the present server.
        test = None
    return {
        "server": _typed_server() if is_typed else mail_server_form.present(server),
        "has_password": bool(server and server.password),
        "encryptions": [(each.value, each.label) for each in Encryption],
        "test": test,
        "test_to": operator().email,
        "sends_mail": server is not None,
    }
