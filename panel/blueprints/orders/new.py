"""New order: the form, the confirmation page that shows the price and terms, and placing the order.

Nothing typed or hidden in a form is believed: each field comes once or is refused, and what an order costs is
computed by the server alone.
"""

import re
from dataclasses import dataclass, replace

from flask import Blueprint, abort, current_app, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from panel.blueprints.shared.htmx import REGION_TAG
from panel.clock import utc_now
from panel.db import transaction
from panel.domain import money
from panel.domain.errors import ExpiredForm, InsufficientBalance, PanelError, RequestIdUsed, TermsChanged, UnknownTool
from panel.domain.status import FIRST
from panel.services.catalogue import favorites
from panel.services.catalogue import tools as catalogue_tools
from panel.services.catalogue.tools import ToolOffer
from panel.services.money import ledger
from panel.services.orders import detail as order_detail
from panel.services.orders import placing as order_placing
from panel.services.orders import waiting_order
from panel.services.orders.placing import Placing, Quote
from panel.services.orders.waiting_order import WaitingOrder

bp = Blueprint("ordering", __name__, url_prefix="/orders")

_TERMS_ID = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_ORDER_ID = re.compile(r"[0-9]{1,18}", re.ASCII)
CAME_TWICE = "This field came more than once. Send it once."
NO_NUMBER = "The form came without a usable number of its own. It has a new one now: look at it and send it again."
NO_LONGER_KEPT = "This link to your waiting order no longer works. Nothing was charged. Enter the order again."
NO_TERMS = "The form did not say which terms you saw. Check the order again."


@dataclass(frozen=True)
class TypedOrder:
    """What stands in the form's fields, and what is wrong with how they came."""

    tool: str = ""
    link: str = ""
    quantity: str = ""
    request_id: str = ""
    terms: str = ""
    errors: tuple[tuple[str, str], ...] = ()

    @property
    def terms_id(self) -> int | None:
        return int(self.terms) if self.terms else None

    def placing(self) -> Placing:
        return Placing(self.tool, self.link, self.quantity, request_id=self.request_id, terms_id=self.terms_id)


@bp.get("/new")
@login_required
def new() -> ResponseReturnValue:
    again = request.args.get("again", "")
    if again:
        return _again(again)
    slug = request.args.get("tool", "")
    try:
        offer = order_placing.offer_of(slug) if slug else None
    except UnknownTool:
        abort(404)
    link, quantity = request.args.get("link", ""), request.args.get("quantity", "")
    return _form(TypedOrder(tool=offer.slug if offer else "", link=link, quantity=quantity))


def _again(again: str) -> str:
    """The form as an earlier order of this customer would fill it."""
    own = None
    if _ORDER_ID.fullmatch(again):
        own = order_detail.find(int(again), customer_id=current_user.id)
    if own is None:
        abort(404)
    typed = TypedOrder(link=own.order.link, quantity=str(own.again_quantity))
    if catalogue_tools.find(own.tool.slug) is None:
        gone = f"The tool of order {own.id}, {own.terms.name}, is no longer offered. Choose another one."
        return _form(replace(typed, errors=(("tool", gone),)), again=own.id)
    return _form(replace(typed, tool=own.tool.slug), again=own.id)


@bp.get("/price")
@login_required
def price() -> ResponseReturnValue:
    """The part of the form that shows terms and price of what is typed so far."""
    offer = _offer(request.args.get("tool", ""))
    response = make_response(render_template("orders/_price.html", **_priced(offer, request.args.get("quantity", ""))))
    response.headers[REGION_TAG] = "price"
    return response


def _priced(offer: ToolOffer | None, quantity: str) -> dict[str, object]:
    """What `orders/_price.html` needs."""
    charge_nanos, problem = None, ""
    if offer is not None and quantity:
        try:
            charge_nanos = offer.charge_nanos(order_placing.checked_quantity(offer, quantity))
        except PanelError as error:
            problem = error.message
    return {"offer": offer, "quantity": quantity, "charge_nanos": charge_nanos, "problem": problem}


def _offer(slug: str) -> ToolOffer | None:
    try:
        return order_placing.offer_of(slug)
    except UnknownTool:
        return None


@bp.get("/check")
@login_required
def ask_again() -> ResponseReturnValue:
    """Whoever opens or reloads the address of the check page finds the form."""
    return redirect(url_for("ordering.new"), code=303)


@bp.get("/waiting")
@login_required
def waiting() -> ResponseReturnValue:
    """The check page of an order that waited for funds, or the order itself when it has been placed meanwhile."""
    token = request.args.get(waiting_order.PARAMETER, "")
    kept = waiting_order.read(token, customer_id=current_user.id, now=utc_now())
    if kept is None:
        return _form(TypedOrder(errors=(("", NO_LONGER_KEPT),))), 410
    placed = order_placing.find_by_request(current_user.id, request_id=kept.request_id)
    if placed is not None:
        return redirect(url_for("order.show", order_id=placed.id), code=303)
    typed = _with_faults(TypedOrder(kept.tool, kept.link, kept.quantity, kept.request_id))
    if typed.errors:
        return _form(typed), 422
    wanted = order_placing.quote(typed.tool, link=typed.link, quantity=typed.quantity)
    page, _status = _check_page(typed, wanted, status=200)
    return page


@bp.post("/check")
@login_required
def check() -> ResponseReturnValue:
    """Everything about the order before money moves."""
    typed = _typed()
    if not typed.request_id and not _error_of(typed, "request_id"):
        typed = replace(typed, request_id=order_placing.new_request_id())
    typed = _with_faults(typed)
    if typed.errors:
        return _form(typed), 422
    wanted = order_placing.quote(typed.tool, link=typed.link, quantity=typed.quantity)
    return _check_page(typed, wanted, status=200)


@bp.post("")
@login_required
def place() -> ResponseReturnValue:
    """Place the order once, however often the form is sent."""
    typed = _typed()
    if typed.errors:
        return _form(_with_faults(typed)), 422
    try:
        with transaction():
            order = order_placing.place_order(current_user.id, asked=typed.placing(), now=utc_now())
            order_id, charge_nanos, is_waiting = order.id, order.charge_nanos, order.status == FIRST
    except TermsChanged as error:
        return _check_again(typed, error, status=409)
    except InsufficientBalance as error:
        return _check_again(typed, error, status=422)
    except RequestIdUsed as error:
        return _used_page(typed, error), 409
    except PanelError as error:
        return _form(_with_faults(typed, error)), 422
    if is_waiting:
        charge = money.shown(charge_nanos, currency=current_app.config["PANEL"].currency)
        flash(
            f"Order {order_id} is placed, and {charge} is charged. It moves by itself. This page shows how far it is."
        )
    return redirect(url_for("order.show", order_id=order_id), code=303)


@login_required
def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The form as it was typed, with the reason why it was not taken; whoever is signed out logs in first."""
    return _form(replace(_typed(), errors=(("", error.message),))), error.http_status


def _typed() -> TypedOrder:
    """The form's fields, each of which has to come once; further fields are not read."""
    names = ("tool", "link", "quantity", "request_id", "terms")
    errors = [(name, CAME_TWICE) for name in names if len(request.form.getlist(name)) > 1]
    terms = request.form.get("terms")
    if terms is not None and not _TERMS_ID.fullmatch(terms):
        errors.append(("terms", NO_TERMS))
    tool, link, quantity, request_id, _terms = (request.form.get(name, "") for name in names)
    return TypedOrder(tool, link, quantity, request_id, terms=terms or "", errors=tuple(errors))


def _error_of(typed: TypedOrder, field: str) -> str:
    return dict(typed.errors).get(field, "")


def _with_faults(typed: TypedOrder, raised: PanelError | None = None) -> TypedOrder:
    """The fields together with everything that is wrong with them, one sentence a field."""
    errors = dict(typed.errors)
    if raised is not None:
        errors.setdefault(raised.field or "", raised.message)
    if not order_placing.is_request_id(typed.request_id):
        errors["request_id"] = NO_NUMBER
    try:
        offer = order_placing.offer_of(typed.tool)
    except UnknownTool as error:
        errors.setdefault("tool", error.message)
    else:
        for fault in order_placing.faults(offer, link=typed.link, quantity=typed.quantity):
            errors.setdefault(fault.field or "", fault.message)
    return replace(typed, errors=tuple(errors.items()))


def _form(typed: TypedOrder, *, again: int | None = None) -> str:
    errors = dict(typed.errors)
    if "request_id" in errors or not typed.request_id:
        typed = replace(typed, request_id=order_placing.new_request_id())
    # A hidden field has nothing to point at: what is wrong with it concerns the whole form.
    whole = [errors.pop(name) for name in ("", "request_id", "terms") if name in errors]
    if whole:
        errors[""] = " ".join(whole)
    offer, tools = _offer(typed.tool), catalogue_tools.listed()
    return render_template(
        "orders/new.html",
        typed=typed,
        errors=errors,
        tools=tools,
        choices=_choices(tools),
        again=again,
        **_priced(offer, typed.quantity),
    )


def _choices(tools: list[ToolOffer]) -> list[tuple[str, str | list[tuple[str, str]]]]:
    """The tools to choose from: this customer's favorites first."""
    first, others = favorites.first(tools, favorites.tool_ids(current_user.id))
    if not first:
        return [("", "Choose a tool"), *_named(others)]
    groups = (("Your favorites", first), ("Other tools", others))
    return [("", "Choose a tool"), *((words, _named(part)) for words, part in groups if part)]


def _named(tools: list[ToolOffer]) -> list[tuple[str, str]]:
    return [(tool.slug, tool.name) for tool in tools]


def _check_again(typed: TypedOrder, error: PanelError, *, status: int) -> ResponseReturnValue:
    """The check page with the reason why nothing was placed, and the sum as it is now."""
    wanted = order_placing.quote(typed.tool, link=typed.link, quantity=typed.quantity)
    return _check_page(typed, wanted, status=status, reason=error.message)


def _check_page(typed: TypedOrder, wanted: Quote, *, status: int, reason: str = "") -> tuple[str, int]:
    balance_nanos = ledger.balance_nanos(current_user.id)
    missing_nanos = max(0, wanted.charge_nanos - balance_nanos)
    page = render_template(
        "orders/check.html",
        typed=typed,
        quote=wanted,
        offer=wanted.offer,
        reason=reason,
        balance_nanos=balance_nanos,
        after_nanos=balance_nanos - wanted.charge_nanos,
        missing_nanos=missing_nanos,
        **_funds_to_add(typed, missing_nanos=missing_nanos),
    )
    return page, 422 if missing_nanos and status == 200 else status


def _funds_to_add(typed: TypedOrder, *, missing_nanos: int) -> dict[str, object]:
    """The amount to add where funds are missing, and the address that adds it; its `next` leads back to this page."""
    if not missing_nanos:
        return {"add_nanos": 0, "add_funds_path": ""}
    kept = WaitingOrder(typed.tool, typed.link, typed.quantity, typed.request_id)
    back = waiting_order.path_of(kept, customer_id=current_user.id, now=utc_now())
    add_nanos = waiting_order.amount_to_add(missing_nanos)
    return {
        "add_nanos": add_nanos,
        "add_funds_path": url_for("balance.show_add", amount=money.plain(add_nanos), next=back),
    }


def _used_page(typed: TypedOrder, error: PanelError) -> str:
    earlier = order_placing.find_by_request(current_user.id, request_id=typed.request_id)
    if earlier is None:
        abort(409)
    own = order_detail.find(earlier.id, customer_id=current_user.id)
    return render_template("orders/used.html", own=own, typed=typed, reason=error.message)
