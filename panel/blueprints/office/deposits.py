"""Deposits in the office: confirm the ones that arrived, refuse the rest."""

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from panel.blueprints.office import layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.forms import after, limit_nanos, operator, status_of, typed
from panel.blueprints.office.money_forms import MoneyForm, account_link, amount, submit
from panel.blueprints.shared.csv_files import csv_stream
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain import money
from panel.domain.accounts.roles import Action
from panel.domain.errors import BadInput, ExpiredForm, NotFound, PanelError
from panel.domain.payment import PaymentMethod
from panel.models import DepositRequest, ProposalKind, User
from panel.services import audit_log
from panel.services.money import deposits
from panel.services.office import approval_list, customers, exports, second_approval
from panel.services.office.balance_changes import BalanceChange
from panel.services.payments import events, reversals

bp = office_blueprint("deposits", reads=Action.LOOK, changes=Action.MOVE_MONEY)

PAGE_SIZE = 40
MAX_REFERENCE_LENGTH = 100


@bp.get("/deposits")
def index() -> ResponseReturnValue:
    reference = request.args.get("q", "").strip()
    if reference:
        return _go_to(reference)
    return _index()


@bp.get("/deposits.csv", action=Action.EXPORT)
def csv() -> ResponseReturnValue:
    """Every deposit, whatever became of it."""
    return csv_stream("deposits.csv", head=exports.DEPOSIT_HEAD, rows=exports.deposits())


def _go_to(reference: str) -> ResponseReturnValue:
    try:
        found = deposits.find(reference)
    except NotFound:
        found = None
    if found is None:
        return _index(q=reference, errors={"q": "There is no deposit with this reference."}), 422
    return redirect(url_for("office_deposits.show", reference=found.reference), code=303)


def _index(*, q: str = "", errors: dict[str, str] | None = None) -> str:
    rows = deposits.waiting_deposits(after=after(), most=PAGE_SIZE + 1)
    shown, has_more = rows[:PAGE_SIZE], len(rows) > PAGE_SIZE
    return render_template(
        "office/deposits/index.html",
        rows=shown,
        emails=customers.emails({row.customer_id for row in shown}),
        next_after=shown[-1].id if has_more else None,
        q=q,
        errors=errors or {},
    )


@bp.get("/deposits/<reference>")
def show(reference: str) -> ResponseReturnValue:
    return _page(_found(reference))


@bp.get("/deposits/<reference>/confirmation")
def back(reference: str) -> ResponseReturnValue:
    """Redirect a reload of a form's address to the deposit."""
    return redirect(url_for("office_deposits.show", reference=_found(reference).reference), code=303)


@bp.post("/deposits/<reference>/confirmation")
def confirm(reference: str) -> ResponseReturnValue:
    """Add what arrived to the balance, after its effect was shown."""
    deposit = _found(reference)
    user = db.session.get_one(User, deposit.customer_id)
    form = MoneyForm(
        read=lambda key: _wanted(deposit, key=key),
        title="Check the payment",
        facts=lambda _wanted: [
            ("Deposit", Markup('<span class="id">{}</span>').format(deposit.reference)),
            ("Account", account_link(user)),
            ("Amount requested", amount(deposit.amount_nanos)),
            ("Method", deposit.method_label),
            ("Transaction ID", typed("paid_as")),
        ],
        verb="Add",
        refused=lambda error: _page(_found(reference), error),
        away=url_for("office_deposits.show", reference=reference),
        done_url=url_for("office_deposits.index"),
    )
    return submit(form)


@bp.post("/deposits/<reference>/refusal")
def refuse(reference: str) -> ResponseReturnValue:
    deposit = _found(reference)
    try:
        reason = audit_log.checked_reason(typed("refusal"))
        with transaction():
            second_approval.refuse_deposit(deposit.reference, reason=reason, actor=operator().email, now=utc_now())
    except PanelError as error:
        return _page(_found(reference), error, form="refusal"), status_of(error)
    flash(f"Deposit {deposit.reference} is refused. No money was added.")
    return redirect(url_for("office_deposits.index"), code=303)


@bp.post("/deposits/<reference>/release")
def release(reference: str) -> ResponseReturnValue:
    """Let a customer order again whose payment was taken back."""
    deposit = _found(reference)
    try:
        with transaction():
            reversals.release(deposit, reason=typed("release"), actor=operator().email, now=utc_now())
    except PanelError as error:
        return _page(_found(reference), error, form="release"), status_of(error)
    flash("The customer can order again.")
    return redirect(url_for("office_deposits.show", reference=reference), code=303)


def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The deposit with what was typed and the error."""
    return _page(_found((request.view_args or {})["reference"]), error), error.http_status


def _found(reference: str) -> DepositRequest:
    if not reference.isprintable():
        abort(404)
    return deposits.find(reference)


def _wanted(deposit: DepositRequest, *, key: str) -> BalanceChange:
    """The typed amount and payment reference; the statement shows both to the customer."""
    amount_nanos = deposits.parse_amount(typed("amount"))
    paid_as = typed("paid_as")
    if not paid_as or len(paid_as) > MAX_REFERENCE_LENGTH or not paid_as.isprintable():
        raise BadInput(
            f"Enter the payment reference in 1 to {MAX_REFERENCE_LENGTH} characters on one line.",
            field="paid_as",
        )
    person, note = operator(), f"Payment {paid_as}"
    return BalanceChange(
        ProposalKind.DEPOSIT,
        deposit.customer_id,
        amount_nanos,
        note,
        key,
        person.id,
        person.email,
        deposit_id=deposit.id,
    )


def _page(deposit: DepositRequest, error: PanelError | None = None, *, form: str = "amount") -> str:
    errors = by_field(error)
    if form != "amount" and "reason" in errors:
        errors[form] = errors.pop("reason")
    waiting = approval_list.of_customer(deposit.customer_id, now=utc_now())
    return render_template(
        "office/deposits/show.html",
        deposit=deposit,
        method=PaymentMethod(deposit.method),
        events=events.of_deposit(deposit),
        user=customers.find(deposit.customer_id),
        proposal=next((each for each in waiting if each.row.deposit_id == deposit.id), None),
        typed={
            "amount": request.form.get("amount", money.plain(deposit.asked_nanos)),
            "paid_as": request.form.get("paid_as", ""),
            "refusal": request.form.get("refusal", ""),
            "release": request.form.get("release", ""),
        },
        errors=errors,
        limit_nanos=limit_nanos(),
        away=layout.back(url_for("office_deposits.index")),
    )
