"""Customers in the office: list, detail page, balance adjustments, and enabling or disabling accounts."""

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from panel.blueprints.office import confirmation
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.confirmation import Confirmation
from panel.blueprints.office.forms import after, limit_nanos, operator, status_of, typed
from panel.blueprints.office.money_forms import MoneyForm, account_link, submit
from panel.blueprints.shared.csv_files import csv_stream
from panel.blueprints.shared.forms import by_field, whole_number
from panel.clock import utc_now
from panel.db import begin_snapshot, transaction
from panel.domain.accounts.roles import APPROVERS, Action, Role
from panel.domain.errors import BadInput, ExpiredForm, PanelError
from panel.models import ProposalKind, User
from panel.services import audit_log
from panel.services.accounts import email_confirmation, people_search
from panel.services.money import deposits
from panel.services.office import (
    account_access,
    approval_list,
    customers,
    exports,
    price_groups,
    second_approval,
)
from panel.services.office.account_access import AccessChange
from panel.services.office.balance_changes import BalanceChange

bp = office_blueprint("customers", reads=Action.LOOK, changes=Action.MANAGE_CUSTOMERS)

KINDS = ((ProposalKind.CREDIT, "Credit: add to the balance"), (ProposalKind.DEBIT, "Debit: take from the balance"))


@bp.get("/customers")
def index() -> ResponseReturnValue:
    try:
        search = customers.checked_search(request.args.get("q", ""))
    except BadInput as error:
        return render_template("office/customers/index.html", q="", page=None, errors=by_field(error)), 422
    page = customers.search(search, after=after())
    return render_template(
        "office/customers/index.html",
        q=search,
        page=page,
        errors={},
        searched=people_search.SEARCHED_ACCOUNTS,
        most_beginning=people_search.MOST_BEGINNING,
    )


@bp.get("/customers.csv", action=Action.EXPORT)
def csv() -> ResponseReturnValue:
    """The accounts that the search finds, on all pages."""
    try:
        search = customers.checked_search(request.args.get("q", ""))
    except BadInput as error:
        return render_template("office/customers/index.html", q="", page=None, errors=by_field(error)), 422
    return csv_stream("customers.csv", head=exports.CUSTOMER_HEAD, rows=exports.people(search))


@bp.get("/customers/<int:customer_id>")
def show(customer_id: int) -> ResponseReturnValue:
    return _page(_found(customer_id))


@bp.get("/customers/<int:customer_id>/money")
def back(customer_id: int) -> ResponseReturnValue:
    """Redirect a reload of a form's address to the customer."""
    return redirect(url_for("office_customers.show", customer_id=_found(customer_id).id), code=303)


@bp.post("/customers/<int:customer_id>/money", action=Action.MOVE_MONEY)
def move_money(customer_id: int) -> ResponseReturnValue:
    """Credit or debit, after its effect was shown."""
    user = _found(customer_id)
    kind = typed("kind")
    address = url_for("office_customers.show", customer_id=customer_id)
    form = MoneyForm(
        read=lambda key: _wanted(user, kind, key=key),
        title=f"Check the {kind}",
        facts=lambda wanted: [("Account", account_link(user)), ("Reason", wanted.reason)],
        verb=kind.capitalize(),
        refused=lambda error: _page(_found(customer_id), error),
        away=f"{address}#money",
        done_url=address,
    )
    return submit(form)


def money_again(error: ExpiredForm) -> ResponseReturnValue:
    """The customer with the typed credit or debit and the error."""
    return _page(_found((request.view_args or {})["customer_id"]), error), error.http_status


def _wanted(user: User, kind: str, *, key: str) -> BalanceChange:
    if kind not in (ProposalKind.CREDIT, ProposalKind.DEBIT):
        raise BadInput("Choose credit or debit.", field="kind")
    amount_nanos = deposits.parse_amount(typed("amount"))
    person = operator()
    return BalanceChange(ProposalKind(kind), user.id, amount_nanos, typed("reason"), key, person.id, person.email)


@bp.post("/customers/<int:customer_id>/disable")
def disable(customer_id: int) -> ResponseReturnValue:
    done = "The account is disabled. Every device is logged out, and its API keys no longer work."
    return _change_access(customer_id, ProposalKind.DISABLE, done, form="access")


@bp.post("/customers/<int:customer_id>/enable")
def enable(customer_id: int) -> ResponseReturnValue:
    done = "The account is enabled. Its API keys work again; devices have to log in again."
    return _change_access(customer_id, ProposalKind.ENABLE, done, form="access")


@bp.post("/customers/<int:customer_id>/role", action=Action.MANAGE_STAFF)
def change_role(customer_id: int) -> ResponseReturnValue:
    """Give the account another role, or propose it: a role that moves money needs a second operator."""
    role = next((role for role in Role if role.value == request.form.get("role")), None)
    if role is None:
        error = BadInput("Choose a role.", field="role")
        return _page(_found(customer_id), error, form="role"), status_of(error)
    kind = ProposalKind.GIVE_ROLE if role.is_staff else ProposalKind.MAKE_CUSTOMER
    return _change_access(customer_id, kind, "The role is changed.", form="role", role=role)


def _change_access(
    customer_id: int, kind: ProposalKind, done: str, *, form: str, role: Role = Role.CUSTOMER
) -> ResponseReturnValue:
    user, person = _found(customer_id), operator()
    change = AccessChange(kind, customer_id, typed("reason"), person.id, person.email, role)
    try:
        with transaction():
            proposal_id = second_approval.change_access(change, now=utc_now()).proposal_id
    except PanelError as error:
        return _page(user, error, form=form), status_of(error)
    asked = f"Proposal {proposal_id} is waiting for a second operator. Nothing has changed yet."
    flash(done if proposal_id is None else asked)
    return redirect(url_for("office_customers.show", customer_id=customer_id), code=303)


@bp.post("/customers/<int:customer_id>/email-confirmation")
def confirm_email(customer_id: int) -> ResponseReturnValue:
    """Confirm the customer's email by hand, as if its link had been opened."""
    user = _found(customer_id)
    try:
        reason = audit_log.checked_reason(typed("reason"))
        with transaction():
            email_confirmation.confirm_account(customer_id, detail=reason, actor=operator().email, now=utc_now())
    except PanelError as error:
        return _page(user, error, form="email"), status_of(error)
    flash("The email is confirmed. This customer can now use API keys, webhooks and two-factor authentication.")
    return redirect(url_for("office_customers.show", customer_id=customer_id), code=303)


@bp.post("/customers/<int:customer_id>/log-out")
def log_out(customer_id: int) -> ResponseReturnValue:
    user = _found(customer_id)
    try:
        with transaction():
            count = account_access.log_out_everywhere(
                customer_id, reason=typed("reason"), actor=operator().email, now=utc_now()
            )
    except PanelError as error:
        return _page(user, error, form="devices"), status_of(error)
    flash(f"Logged out everywhere: {count} {'device' if count == 1 else 'devices'}.")
    return redirect(url_for("office_customers.show", customer_id=customer_id), code=303)


@bp.post("/customers/<int:customer_id>/price-group")
def give_group(customer_id: int) -> ResponseReturnValue:
    """Put the customer into a price group, after a page that shows what that means."""
    user, address = _found(customer_id), url_for("office_customers.show", customer_id=customer_id)
    group_id = whole_number(typed("group"), digits=9)
    try:
        name = price_groups.find(group_id).name if group_id else "List prices"
        if not confirmation.is_confirmed():
            lead = "This applies to the customer’s new orders from now on. Orders keep the price they were placed at."
            facts = [("Customer", account_link(user)), ("Prices", name)]
            return confirmation.page(Confirmation("Check the price group", facts, "Save price group", address, lead))
        with transaction():
            price_groups.give(customer_id, group_id or None, actor=operator().email, now=utc_now())
    except PanelError as error:
        return _page(user, error, form="group"), status_of(error)
    flash("The price group is saved.")
    return redirect(address, code=303)


def _found(customer_id: int) -> User:
    user = customers.find(customer_id)
    if user is None:
        abort(404)
    return user


def _page(user: User, error: PanelError | None = None, *, form: str = "money") -> str:
    begin_snapshot()
    now = utc_now()
    user, errors = _found(user.id), by_field(error)
    if form != "money" and "reason" in errors:
        # Each form on the page has its own reason field.
        errors = {f"{form}-reason": errors["reason"]}
    return render_template(
        "office/customers/show.html",
        whole=customers.whole(user, now=now),
        user=user,
        waiting=approval_list.of_customer(user.id, now=now),
        kinds=KINDS,
        typed={name: request.form.get(name, "") for name in ("kind", "amount", "reason", "role")},
        errors=errors,
        form=form,
        limit_nanos=limit_nanos(),
        group=price_groups.of_customer(user.id),
        groups=[("", "List prices"), *((str(row.id), row.name) for row in price_groups.listed())],
        role=Role(user.role),
        roles=[(role.value, role.label) for role in Role],
        needs_approval=user.role in APPROVERS,
        is_self=user.id == operator().id,
        approvers=account_access.active_operators(without=(user.id, operator().id)),
    )
