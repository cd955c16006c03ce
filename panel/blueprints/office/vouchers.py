"""Vouchers in the office: list, make, and withdraw."""

from datetime import UTC, date, datetime, time, timedelta

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.forms import after, form_key, limit_nanos, operator, status_of, typed
from panel.blueprints.shared.forms import by_field, whole_number
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.domain.errors import BadInput, ExpiredForm, NotFound, PanelError
from panel.services.money import deposits
from panel.services.office import second_approval
from panel.services.payments import vouchers
from panel.services.payments.vouchers import NewVouchers

bp = office_blueprint("vouchers", reads=Action.SEE_FIGURES, changes=Action.MOVE_MONEY)

PAGE_SIZE = 40


@bp.get("/vouchers")
def index() -> ResponseReturnValue:
    return _page()


@bp.post("/vouchers")
def make() -> ResponseReturnValue:
    """Make vouchers. Their codes are in this answer alone."""
    try:
        wanted = _wanted()
        with transaction():
            codes = vouchers.make(wanted, limit_nanos=limit_nanos(), now=utc_now())
    except PanelError as error:
        return _page(error), status_of(error)
    return render_template("office/vouchers/made.html", codes=codes, wanted=wanted)


@bp.post("/vouchers/<int:voucher_id>/revocation")
def revoke(voucher_id: int) -> ResponseReturnValue:
    try:
        with transaction():
            vouchers.revoke(voucher_id, actor=operator().email, now=utc_now())
    except NotFound:
        raise
    except PanelError as error:
        return _page(error), status_of(error)
    flash("The voucher is withdrawn. What was redeemed stays on the balances.")
    return redirect(url_for("office_vouchers.index"), code=303)


def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The form with what was typed and the error."""
    return _page(error), error.http_status


def _wanted() -> NewVouchers:
    person = operator()
    return NewVouchers(
        amount_nanos=deposits.parse_amount(typed("amount")),
        uses=whole_number(typed("uses"), digits=6) or 0,
        codes=whole_number(typed("codes"), digits=3) or 0,
        expires_at=_end_of(typed("expires")),
        note=typed("note"),
        form_key=form_key() or second_approval.new_form_key(),
        made_by=person.id,
        actor=person.email,
    )


def _end_of(text: str) -> datetime | None:
    """The end of the last day (UTC); None without one. Raises BadInput."""
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), time.min, UTC) + timedelta(days=1)
    except (ValueError, OverflowError):
        raise BadInput("Enter the last day as year, month and day, such as 2027-01-31.", field="expires") from None


def _page(error: PanelError | None = None) -> str:
    now = utc_now()
    rows = vouchers.listed(after=after(), most=PAGE_SIZE + 1)
    shown, has_more = rows[:PAGE_SIZE], len(rows) > PAGE_SIZE
    defaults = {"amount": "", "uses": "1", "codes": "1", "expires": "", "note": ""}
    return render_template(
        "office/vouchers/index.html",
        rows=shown,
        now=now,
        next_after=shown[-1].id if has_more else None,
        typed={name: request.form.get(name, default) for name, default in defaults.items()},
        form_key=form_key() or second_approval.new_form_key(),
        errors=by_field(error),
        limit_nanos=limit_nanos(),
        max_codes=vouchers.MAX_CODES,
    )
