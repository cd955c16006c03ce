"""New order: the tool picker, the form, the check page that shows price and terms, and placing the order.

Only the server computes the price, from the fields that `typed_order.py` reads.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from flask import Blueprint, abort, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from panel import app_context
from panel.blueprints.orders import quick_amounts, tool_picker, typed_order
from panel.blueprints.orders.typed_order import TypedOrder
from panel.blueprints.shared import tool_state
from panel.blueprints.shared.htmx import REGION_TAG
from panel.blueprints.shared.own_prices import own_prices
from panel.blueprints.shared.template_globals import my_balance_nanos
from panel.clock import utc_now
from panel.db import transaction
from panel.domain import money, pricing
from panel.domain.errors import (
    ExpiredForm,
    InsufficientBalance,
    OrderingClosed,
    PanelError,
    RequestIdUsed,
    TermsChanged,
)
from panel.domain.forms import drip_feed
from panel.domain.forms import values as form_values
from panel.domain.status import FIRST
from panel.services import delivery_times, maintenance
from panel.services.catalogue import tools as catalogue_tools
from panel.services.catalogue.tools import ToolOffer
from panel.services.money import ledger
from panel.services.orders import detail as order_detail
from panel.services.orders import order_fields, waiting_order
from panel.services.orders import placing as order_placing
from panel.services.orders.new_order import duplicates
from panel.services.orders.placing import Quote

bp = Blueprint("ordering", __name__, url_prefix="/orders")

_ORDER_ID = re.compile(r"[0-9]{1,18}", re.ASCII)
NO_LONGER_KEPT = "This link to your waiting order no longer works. Nothing was charged. Enter the order again."


@bp.get("/new")
@login_required
def new() -> ResponseReturnValue:
    """The order form; without a tool, the tool picker."""
    again = request.args.get("again", "")
    if again:
        return _again(again)
    slug = request.args.get("tool", "")
    offer = _offer(slug)
    if slug and offer is None:
        abort(404)
    link, quantity = request.args.get("link", ""), request.args.get("quantity", "")
    return _form(TypedOrder(tool=slug, link=link, quantity=quantity), offer=offer)


def _again(again: str) -> str:
    """The form filled in from an earlier order of this customer ("order again")."""
    own = None
    if _ORDER_ID.fullmatch(again):
        own = order_detail.find(int(again), customer_id=current_user.id)
    if own is None:
        abort(404)
    typed = TypedOrder(
        link=own.order.link,
        quantity=str(own.again_quantity),
        fields=tuple((field.name, field.value) for field in own.fields),
    )
    offer = _offer(own.tool.slug)
    if offer is None:
        gone = f"The tool of order {own.id}, {own.terms.name}, is no longer offered. Choose another one."
        return _form(replace(typed, errors=(("tool", gone),)), again=own.id)
    return _form(replace(typed, tool=own.tool.slug), again=own.id, offer=offer)


@bp.get("/tools")
@login_required
def find_tools() -> ResponseReturnValue:
    """Results of the tool picker: the fragment while typing, the whole page for a normal request."""
    link, quantity = request.args.get("link", ""), request.args.get("quantity", "")
    found = tool_picker.results(link=link, quantity=quantity)
    response = make_response(render_template("orders/_tool_results.html", **found))
    response.headers[REGION_TAG] = "tool-results"
    return response


@bp.get("/price")
@login_required
def price() -> ResponseReturnValue:
    """Fragment with terms and price for what is typed so far."""
    offer = _offer(request.args.get("tool", ""))
    fields = {name: request.args.get(name, "") for name in drip_feed.NAMES}
    priced = _priced(offer, request.args.get("quantity", ""), fields)
    response = make_response(render_template("orders/_price.html", **priced))
    response.headers[REGION_TAG] = "price"
    return response


def _priced(offer: ToolOffer | None, quantity: str, fields: Mapping[str, str] | None = None) -> dict[str, object]:
    """Template data of `orders/_price.html`."""
    pieces, charge_nanos, problem = None, None, ""
    balance_nanos = my_balance_nanos()
    values = {} if offer is None else form_values.uniform(offer.form, fields or {})
    if offer is not None and _says_how_many(offer, quantity, values):
        try:
            each = order_placing.checked_quantity(offer, pricing.ungrouped(quantity), fields=values)
            if offer.form.has_drip_feed:
                form_values.check(offer.form, values, names=drip_feed.NAMES)
            pieces = order_placing.total(offer, each, fields=values)
            charge_nanos = offer.charge_nanos(pieces)
        except PanelError as error:
            problem = error.message
    after_nanos = balance_nanos - (charge_nanos or 0)
    return {
        "offer": offer,
        "pieces": pieces,
        "charge_nanos": charge_nanos,
        "problem": problem,
        "balance_nanos": balance_nanos,
        "after_nanos": after_nanos,
        "missing_nanos": max(0, -after_nanos),
        **({} if offer is None else _facts(offer)),
    }


def _says_how_many(offer: ToolOffer, quantity: str, values: Mapping[str, str]) -> bool:
    """Whether enough was entered for a price."""
    counted = offer.form.counted
    return offer.is_package or bool(values.get(counted.name) if counted else quantity)


def _facts(offer: ToolOffer) -> dict[str, object]:
    """Template data about the tool for the form and the check page, apart from its terms."""
    now = utc_now()
    return {
        "state": tool_state.of_tool(offer),
        "started": delivery_times.time_to_start(offer.tool_id, now=now),
        "completed": delivery_times.time_to_completion(offer.tool_id, now=now),
        "days": delivery_times.WINDOW.days,
    }


def _offer(slug: str) -> ToolOffer | None:
    found = catalogue_tools.find(slug) if slug else None
    return None if found is None else own_prices().of(found)


@bp.get("/check")
@login_required
def ask_again() -> ResponseReturnValue:
    """Redirect a visit or reload of the check page's address to the form."""
    return redirect(url_for("ordering.new"), code=303)


@bp.get("/waiting")
@login_required
def waiting() -> ResponseReturnValue:
    """The check page of an order that waited for funds, or the order itself if it has been placed since."""
    token = request.args.get(waiting_order.PARAMETER, "")
    kept = waiting_order.read(token, customer_id=current_user.id, now=utc_now())
    if kept is None:
        return _form(TypedOrder(errors=(("", NO_LONGER_KEPT),))), 410
    placed = order_placing.find_by_request(current_user.id, request_id=kept.request_id)
    if placed is not None:
        return redirect(url_for("order.show", order_id=placed.id), code=303)
    fields = tuple(kept.fields.items())
    typed = typed_order.with_faults(TypedOrder(kept.tool, kept.link, kept.quantity, kept.request_id, fields=fields))
    if typed.errors:
        return _form(typed), 422
    page, _status = _check_page(typed, typed.quote(current_user.id), status=200)
    return page


@bp.post("/check")
@login_required
def check() -> ResponseReturnValue:
    """Check page with everything about the order before it is charged; or the form again, to change something."""
    typed = typed_order.with_request_id(typed_order.from_form())
    if request.form.get("change") == "tool":
        return redirect(
            url_for("ordering.new", link=typed.link or None, quantity=typed.quantity or None, _anchor="tool"), code=303
        )
    if request.form.get("change") == "order":
        return _form(replace(typed, errors=()))
    if "fill" in request.form:
        return _form(replace(typed, quantity=request.form["fill"], errors=()))
    typed = typed_order.with_faults(typed)
    if typed.errors:
        return _form(typed), 422
    try:
        maintenance.check_open(now=utc_now())
    except OrderingClosed as error:
        return _form(replace(typed, errors=(("", error.message),))), error.http_status
    return _check_page(typed, typed.quote(current_user.id), status=200)


@bp.post("")
@login_required
def place() -> ResponseReturnValue:
    """Place the order once, however often the form is sent."""
    typed = typed_order.from_form()
    if typed.errors:
        return _form(typed_order.with_faults(typed)), 422
    try:
        with transaction():
            order = order_placing.place(current_user.id, asked=typed.placing(), now=utc_now())
            order_id, charge_nanos, is_waiting = order.id, order.charge_nanos, order.status == FIRST
    except (TermsChanged, OrderingClosed) as error:
        return _check_page(typed, typed.quote(current_user.id), status=409, reason=error.message)
    except InsufficientBalance as error:
        return _check_page(typed, typed.quote(current_user.id), status=422, reason=error.message)
    except RequestIdUsed as error:
        return _used_page(typed, error), 409
    except PanelError as error:
        return _form(typed_order.with_faults(typed, error)), 422
    if is_waiting:
        charge = app_context.money_text(charge_nanos)
        flash(f"Order {order_id} is placed, and {charge} is charged.")
    return redirect(url_for("order.show", order_id=order_id), code=303)


@login_required
def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The form with the typed values and the error."""
    return _form(replace(typed_order.from_form(), errors=(("", error.message),))), error.http_status


def _form(typed: TypedOrder, *, again: int | None = None, offer: ToolOffer | None = None) -> str:
    """The form; `offer` is that of its tool, if it has been read already."""
    errors = dict(typed.errors)
    if "request_id" in errors or not typed.request_id:
        typed = replace(typed, request_id=order_placing.new_request_id())
    # The error of a hidden field is shown for the whole form: there is no visible field to show it at.
    whole = [errors.pop(name) for name in ("", "request_id", "terms", "terms_price") if name in errors]
    if whole:
        errors[""] = " ".join(whole)
    offer = offer or _offer(typed.tool)
    shown = {"typed": typed, "errors": errors, "again": again, "values": dict(typed.fields)}
    if offer is None:
        picker = tool_picker.page(link=typed.link, quantity=typed.quantity)
        return render_template("orders/choose_tool.html", **shown, **picker)
    priced = _priced(offer, typed.quantity if offer.form.takes_quantity else "", dict(typed.fields))
    amounts = quick_amounts.of(offer, balance_nanos=my_balance_nanos())
    return render_template("orders/new.html", **shown, amounts=amounts, **priced)


def _check_page(typed: TypedOrder, wanted: Quote, *, status: int, reason: str = "") -> tuple[str, int]:
    """The check page with the current price, and the error if the order wasn't placed."""
    balance_nanos = ledger.balance_nanos(current_user.id)
    missing_nanos = max(0, wanted.charge_nanos - balance_nanos)
    running = duplicates.running_duplicates(current_user.id, [wanted])
    page = render_template(
        "orders/check.html",
        typed=typed,
        quote=wanted,
        offer=wanted.offer,
        fields=order_fields.without_plan(order_fields.shown(wanted.offer.form, wanted.fields)),
        reason=reason,
        balance_nanos=balance_nanos,
        after_nanos=balance_nanos - wanted.charge_nanos,
        missing_nanos=missing_nanos,
        duplicate_id=running.get((wanted.offer.tool_id, wanted.link)),
        **_facts(wanted.offer),
        **_funds_to_add(typed, missing_nanos=missing_nanos),
    )
    return page, 422 if missing_nanos and status == 200 else status


def _funds_to_add(typed: TypedOrder, *, missing_nanos: int) -> dict[str, object]:
    """Amount to add in nanos if funds are missing, and the Add funds URL for it; its `next` leads back to this page."""
    if not missing_nanos:
        return {"add_nanos": 0, "add_funds_path": "", "is_kept": False}
    add_nanos = waiting_order.amount_to_add(missing_nanos)
    back = typed.kept_path(current_user.id, now=utc_now())
    add_funds_path = url_for("deposit.show_add", amount=money.plain(add_nanos), next=back or None)
    return {"add_nanos": add_nanos, "add_funds_path": add_funds_path, "is_kept": bool(back)}


def _used_page(typed: TypedOrder, error: PanelError) -> str:
    earlier = order_placing.find_by_request(current_user.id, request_id=typed.request_id)
    if earlier is None:
        abort(409)
    own = order_detail.find(earlier.id, customer_id=current_user.id)
    return render_template("orders/used.html", own=own, typed=typed, reason=error.message)
