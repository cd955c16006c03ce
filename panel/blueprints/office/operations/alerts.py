"""Alerts in the office: what is true now, and which alerts the operator wants."""

from flask import current_app, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from panel.blueprints.office import layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.domain.alerts import AlertChannel, AlertKind
from panel.domain.errors import PanelError
from panel.services.alerts import recipients, rounds
from panel.services.telegram import links

bp = office_blueprint("alerts", reads=Action.LOOK, changes=Action.CHOOSE_ALERTS)


@bp.get("/alerts")
def show() -> ResponseReturnValue:
    return _page()


@bp.post("/alerts")
def choose() -> ResponseReturnValue:
    channels = _channels()
    wanted = [(kind, each) for kind in AlertKind for each in channels if f"{each}_{kind}" in request.form]
    with transaction():
        recipients.choose(layout.operator_id(), wanted=wanted, channels=channels)
    flash("Your choice of alerts is saved.")
    return redirect("/office/alerts", code=303)


@bp.post("/alerts/telegram")
def choose_chat() -> ResponseReturnValue:
    try:
        with transaction():
            links.choose_chat(layout.operator_id(), request.form.get("telegram_chat", ""))
    except PanelError as error:
        return _page(error), error.http_status
    flash("Your Telegram chat is saved.")
    return redirect("/office/alerts", code=303)


def _channels() -> list[AlertChannel]:
    """The channels that this site has: Telegram needs a bot."""
    has_bot = bool(current_app.config["PANEL"].telegram_token)
    return [channel for channel in AlertChannel if has_bot or channel is not AlertChannel.TELEGRAM]


def _page(error: PanelError | None = None) -> str:
    return render_template(
        "office/operations/alerts.html",
        alerts=rounds.present(now=utc_now()),
        channels=[(channel.value, channel.label) for channel in _channels()],
        rows=[
            (kind.value, kind.label, {channel.value: is_wanted for channel, is_wanted in chosen.items()})
            for kind, chosen in recipients.choices(layout.operator_id()).items()
        ],
        email=layout.actor(),
        has_telegram=AlertChannel.TELEGRAM in _channels(),
        telegram_chat=request.form.get("telegram_chat", links.chat_of(layout.operator_id())),
        chat=links.state_of(layout.operator_id()),
        errors=by_field(error),
    )
