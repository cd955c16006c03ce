"""Order form: its fields as typed, and their validation errors.

No field is trusted, hidden ones included: each must occur exactly once.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime

from flask import request
from flask_login import current_user

from panel.domain import pricing
from panel.domain.errors import PanelError, UnknownTool
from panel.services.catalogue import read_tools
from panel.services.orders import placing as order_placing
from panel.services.orders import waiting_order
from panel.services.orders.placing import Placing, Quote
from panel.services.orders.waiting_order import WaitingOrder

_WHOLE = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
CAME_TWICE = "This field came more than once. Send it once."
NO_NUMBER = "The form was incomplete. Check it and send it again."
NO_TERMS = "The form did not say which terms you saw. Check the order again."


@dataclass(frozen=True)
class TypedOrder:
    """Fields of the order form as typed, with the errors found while reading them."""

    tool: str = ""
    link: str = ""
    quantity: str = ""
    request_id: str = ""
    terms: str = ""
    # The price shown with the terms, in micro-dollars per thousand.
    price: str = ""
    errors: tuple[tuple[str, str], ...] = ()
    # Name and text of each field of the tool's own form.
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def plain_quantity(self) -> str:
        """The quantity without thousands separators: services take plain digits only."""
        return pricing.ungrouped(self.quantity)

    def placing(self) -> Placing:
        terms_id = int(self.terms) if self.terms else None
        price = int(self.price) if self.price else None
        fields = dict(self.fields)
        return Placing(self.tool, self.link, self.plain_quantity, self.request_id, terms_id, fields, shown_price=price)

    def quote(self, customer_id: int) -> Quote:
        """Price the order as this customer would place it now. Raises what `placing.quote` raises."""
        fields = dict(self.fields)
        return order_placing.quote(
            self.tool, customer_id=customer_id, link=self.link, quantity=self.plain_quantity, fields=fields
        )

    def kept_path(self, customer_id: int, *, now: datetime) -> str:
        """URL of this order's check page, with the order in a signed parameter; empty if it is too long for one."""
        kept = WaitingOrder(self.tool, self.link, self.plain_quantity, self.request_id, dict(self.fields))
        return waiting_order.path_of(kept, customer_id=customer_id, now=now)


def from_form() -> TypedOrder:
    """Read the form's fields, each of which must occur exactly once; other fields are ignored."""
    names = ("tool", "link", "quantity", "request_id", "terms", "terms_price")
    version = current_user.page_versions.catalogue_version
    offer = read_tools.by_slug(request.form.get("tool", ""), catalogue_version=version)
    own = () if offer is None else offer.form.names
    errors = [(name, CAME_TWICE) for name in (*names, *own) if len(request.form.getlist(name)) > 1]
    for name in ("terms", "terms_price"):
        value = request.form.get(name)
        if value is not None and not _WHOLE.fullmatch(value):
            errors.append((name, NO_TERMS))
    tool, link, quantity, request_id, terms, price = (request.form.get(name, "") for name in names)
    if offer is not None and not offer.form.takes_quantity:
        quantity = ""
    fields = tuple((name, request.form.get(name, "")) for name in own)
    return TypedOrder(tool, link, quantity, request_id, terms, price, tuple(errors), fields)


def with_request_id(typed: TypedOrder) -> TypedOrder:
    """The same with an idempotency key, if it came without one."""
    if typed.request_id or "request_id" in dict(typed.errors):
        return typed
    return replace(typed, request_id=order_placing.new_request_id())


def with_faults(typed: TypedOrder, raised: PanelError | None = None) -> TypedOrder:
    """Validate all fields: the same with one error message per invalid field."""
    errors = dict(typed.errors)
    if raised is not None:
        errors.setdefault(raised.field or "", raised.message)
    if not order_placing.is_request_id(typed.request_id):
        errors["request_id"] = NO_NUMBER
    try:
        offer = order_placing.offer_of(typed.tool)
    except UnknownTool as error:
        errors.setdefault("tool", error.message if typed.tool else "Choose a tool.")
    else:
        for fault in order_placing.faults(
            offer, link=typed.link, quantity=typed.plain_quantity, fields=dict(typed.fields)
        ):
            errors.setdefault(fault.field or "", fault.message)
    return replace(typed, errors=tuple(errors.items()))
