"""Price rules of a provider in the office: a change is confirmed on a page with old and new prices."""

from collections.abc import Mapping

from flask import flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from panel.blueprints.office import layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.confirmation import is_confirmed
from panel.blueprints.office.forms import status_of, typed
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import transaction
from panel.domain import money, resale
from panel.domain.accounts.roles import Action
from panel.domain.errors import NotFound, PanelError, StaleForm
from panel.models import Provider
from panel.services.catalogue.imports import price_rules
from panel.services.catalogue.imports.price_rules import BadRules, RulesChange
from panel.services.catalogue.provider_markup import Markup

bp = office_blueprint("provider_prices", reads=Action.MANAGE_PROVIDERS, changes=Action.MANAGE_PROVIDERS)

GENERAL = ("margin", "fixed", "step", "floor", "rate")
OF_CATEGORY = ("category", "category_margin", "category_fixed")
MAX_SHOWN = 100


@bp.get("/providers/<int:upstream_id>/prices")
def show(upstream_id: int) -> ResponseReturnValue:
    return _page(upstream_id)


@bp.post("/providers/<int:upstream_id>/prices")
def change(upstream_id: int) -> ResponseReturnValue:
    return _do(upstream_id, lambda provider, present: price_rules.read(provider, present, _typed(GENERAL)))


@bp.post("/providers/<int:upstream_id>/prices/category")
def set_category(upstream_id: int) -> ResponseReturnValue:
    return _do(upstream_id, lambda _provider, present: price_rules.with_category(present, _typed(OF_CATEGORY)))


@bp.post("/providers/<int:upstream_id>/prices/category-removal")
def remove_category(upstream_id: int) -> ResponseReturnValue:
    return _do(upstream_id, lambda _provider, present: price_rules.without_category(present, typed("category")))


@bp.get("/providers/<int:upstream_id>/prices/<any(category, 'category-removal'):action>")
def back(upstream_id: int, action: str) -> ResponseReturnValue:
    """Redirect a reload of a check page's address to the form."""
    return redirect(f"/office/providers/{upstream_id}/prices", code=303)


def _typed(names: tuple[str, ...]) -> dict[str, str]:
    return {name: typed(name) for name in names}


def _do(provider_id: int, change: RulesChange) -> ResponseReturnValue:
    """Show old and new prices first; save the rules when that page is confirmed."""
    try:
        if not is_confirmed():
            return _check_page(provider_id, change)
        with transaction():
            did = price_rules.save(provider_id, change, digest=typed("digest"), actor=layout.actor(), now=utc_now())
    except BadRules as error:
        return _page(provider_id, error.errors), 422
    except StaleForm as error:
        return _check_page(provider_id, change, notice=error.message), 409
    except NotFound:
        raise
    except PanelError as error:
        return _page(provider_id, by_field(error)), status_of(error)
    number = len(did.changes)
    flash(f"The price rules are saved. {number:,} {'price' if number == 1 else 'prices'} changed.")
    return redirect(f"/office/providers/{provider_id}/prices", code=303)


def _check_page(provider_id: int, change: RulesChange, *, notice: str = "") -> str:
    provider, present = price_rules.of_provider(provider_id)
    markup = change(provider, present)
    found = price_rules.preview(provider_id, markup)
    names = ("csrf_token", "confirmed", "digest")
    return render_template(
        "office/providers/prices_check.html",
        provider=provider,
        rules=price_rules.words(markup),
        found=found,
        shown=found.largest[:MAX_SHOWN],
        notice=notice,
        action=request.path,
        typed=[(name, value) for name, value in request.form.items() if name not in names],
    )


def _page(provider_id: int, errors: Mapping[str, str] | None = None) -> str:
    provider, present = price_rules.of_provider(provider_id)
    is_general = "margin" in request.form
    return render_template(
        "office/providers/prices.html",
        provider=provider,
        rules=[
            (category, resale.shown_margin(rule.margin_millionths), money.plain_price(rule.fixed_micros))
            for category, rule in present.categories.items()
        ],
        steps=[(str(step), "A millionth" if step == 1 else money.plain_price(step)) for step in price_rules.STEPS],
        known=[name for name in price_rules.categories(provider_id) if name not in present.categories],
        currency_there=price_rules.currency_of(provider),
        needs_exchange=price_rules.needs_exchange(provider),
        typed=(_typed(GENERAL) if is_general else _stored(provider, present)) | _typed(OF_CATEGORY),
        errors=errors or {},
    )


def _stored(provider: Provider, present: Markup) -> dict[str, str]:
    is_set = provider.margin_millionths is not None
    has_rate = provider.exchange_nanos is not None and present.exchange_nanos != resale.NO_EXCHANGE
    return {
        "margin": resale.shown_margin(present.margin_millionths) if is_set else "",
        "fixed": money.plain_price(present.fixed_micros) if present.fixed_micros else "",
        "step": str(present.step_micros),
        "floor": money.plain_price(present.floor_micros) if present.floor_micros else "",
        "rate": resale.shown_exchange(present.exchange_nanos) if has_rate else "",
    }
