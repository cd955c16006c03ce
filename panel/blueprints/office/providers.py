"""Providers in the office. Keys are encrypted on arrival and never shown; no page calls a provider."""

from flask import abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.forms import operator, status_of, typed
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import transaction
from panel.domain import money
from panel.domain.accounts.roles import Action
from panel.domain.errors import PanelError
from panel.domain.provider_kind import ProviderKind
from panel.services.alerts import provider_bounds
from panel.services.office import providers_view
from panel.services.providers import registry as provider_registry

bp = office_blueprint("providers", reads=Action.LOOK, changes=Action.MANAGE_PROVIDERS)


@bp.get("/providers")
def index() -> ResponseReturnValue:
    return render_template("office/providers/index.html", rows=providers_view.listed(now=utc_now()))


@bp.get("/providers/new", action=Action.MANAGE_PROVIDERS)
def new() -> ResponseReturnValue:
    return _new_page()


@bp.post("/providers/new")
def add() -> ResponseReturnValue:
    key = request.form.get("key", "")
    try:
        encrypted_key = provider_registry.encrypt(key, settings=current_app.config["PANEL"]) if key.strip() else ""
        with transaction():
            provider_id = providers_view.add(
                typed("name"),
                kind=typed("kind"),
                url=typed("url"),
                encrypted_key=encrypted_key,
                actor=operator().email,
                now=utc_now(),
            ).id
    except PanelError as error:
        return _new_page(error), status_of(error)
    flash("The provider is added.")
    return redirect(url_for("office_providers.show", provider_id=provider_id), code=303)


@bp.get("/providers/<int:provider_id>")
def show(provider_id: int) -> ResponseReturnValue:
    return _page(provider_id)


@bp.post("/providers/<int:provider_id>/<any(pause, resume):action>")
def pause_or_resume(provider_id: int, action: str) -> ResponseReturnValue:
    do = providers_view.pause if action == "pause" else providers_view.resume
    try:
        with transaction():
            do(provider_id, reason=typed("reason"), actor=operator().email, now=utc_now())
    except PanelError as error:
        return _page(provider_id, error), status_of(error)
    flash("The provider is paused: it gets no new orders." if action == "pause" else "The provider gets orders again.")
    return redirect(url_for("office_providers.show", provider_id=provider_id), code=303)


@bp.post("/providers/<int:provider_id>/public-name")
def set_public_name(provider_id: int) -> ResponseReturnValue:
    try:
        with transaction():
            providers_view.set_public_name(provider_id, typed("public_name"), actor=operator().email, now=utc_now())
    except PanelError as error:
        return _page(provider_id, error), status_of(error)
    flash("The public name is set.")
    return redirect(url_for("office_providers.show", provider_id=provider_id), code=303)


@bp.post("/providers/<int:provider_id>/calls-at-once")
def set_calls_at_once(provider_id: int) -> ResponseReturnValue:
    try:
        with transaction():
            providers_view.set_calls_at_once(provider_id, typed("calls_at_once"), actor=operator().email, now=utc_now())
    except PanelError as error:
        return _page(provider_id, error), status_of(error)
    flash("The number of calls at once is set.")
    return redirect(url_for("office_providers.show", provider_id=provider_id), code=303)


@bp.post("/providers/<int:provider_id>/balance-low")
def set_balance_low(provider_id: int) -> ResponseReturnValue:
    try:
        with transaction():
            provider_bounds.set_bound(provider_id, typed("balance_low"), actor=operator().email, now=utc_now())
    except PanelError as error:
        return _page(provider_id, error), status_of(error)
    flash("The low balance is set.")
    return redirect(url_for("office_providers.show", provider_id=provider_id), code=303)


@bp.post("/providers/<int:provider_id>/key")
def replace_key(provider_id: int) -> ResponseReturnValue:
    try:
        encrypted_key = provider_registry.encrypt(request.form.get("key", ""), settings=current_app.config["PANEL"])
        with transaction():
            providers_view.replace_key(
                provider_id,
                encrypted_key=encrypted_key,
                fingerprint=typed("fingerprint"),
                actor=operator().email,
                now=utc_now(),
            )
    except PanelError as error:
        return _page(provider_id, error), status_of(error)
    flash("The key is replaced. Calls use the new one from now on.")
    return redirect(url_for("office_providers.show", provider_id=provider_id), code=303)


@bp.post("/providers/<int:provider_id>/balance")
def request_balance_check(provider_id: int) -> ResponseReturnValue:
    try:
        with transaction():
            providers_view.request_balance_check(provider_id, actor=operator().email, now=utc_now())
    except PanelError as error:
        return _page(provider_id, error), status_of(error)
    flash("The worker asks for the balance within a few seconds.")
    return redirect(url_for("office_providers.show", provider_id=provider_id), code=303)


def _page(provider_id: int, error: PanelError | None = None) -> str:
    shown = providers_view.find(provider_id, now=utc_now())
    if shown is None:
        abort(404)
    return render_template(
        "office/providers/show.html",
        shown=shown,
        attempts=providers_view.last_attempts(provider_id),
        errors=by_field(error),
        typed={
            "reason": request.form.get("reason", ""),
            "public_name": request.form.get("public_name", shown.row.public_name),
            "balance_low": request.form.get("balance_low", _plain(shown.row.balance_low_nanos)),
            "calls_at_once": request.form.get("calls_at_once", str(shown.row.calls_at_once)),
        },
    )


def _plain(nanos: int | None) -> str:
    return "" if nanos is None else money.plain(nanos)


def _new_page(error: PanelError | None = None) -> str:
    return render_template(
        "office/providers/new.html",
        kinds=[(kind.value, kind.label) for kind in ProviderKind],
        typed={name: request.form.get(name, "") for name in ("name", "kind", "url")},
        errors=by_field(error),
    )
