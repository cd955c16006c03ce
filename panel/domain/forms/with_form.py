"""Mixin for what has terms: the order form and the price in words, from the columns that keep them."""

from typing import Protocol

from panel.domain import pricing
from panel.domain.forms.order_form import OrderForm
from panel.domain.forms.own_fields import form_of


class FormColumns(Protocol):
    """The columns of a form and the price."""

    @property
    def order_type(self) -> str: ...

    @property
    def quantity_rule(self) -> str: ...

    @property
    def own_fields(self) -> str: ...

    @property
    def price_micros_per_thousand(self) -> int: ...


class WithForm:
    """Terms with an order form."""

    __slots__ = ()

    @property
    def form(self: FormColumns) -> OrderForm:
        return form_of(self.order_type, self.quantity_rule, self.own_fields)

    @property
    def is_package(self: FormColumns) -> bool:
        return form_of(self.order_type, self.quantity_rule, self.own_fields).is_package

    @property
    def rate(self: FormColumns) -> str:
        """The price in digits, as the API's `rate`: of a thousand, or of one package."""
        is_package = form_of(self.order_type, self.quantity_rule, self.own_fields).is_package
        return pricing.plain_rate(self.price_micros_per_thousand, is_package=is_package)
