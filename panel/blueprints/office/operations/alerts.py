"""Alerts in the office: what is true now, and which alerts the operator wants."""

from flask import abort, current_app, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from panel.blueprints.office import layout
from panel.blueprints.office.access import office_blueprint
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.domain.alerts import AlertChannel, AlertKind
from panel.services.alerts import recipients, rounds
from panel.services.telegram import bot, links

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
def link_chat() -> ResponseReturnValue:
    """A page with a one-time code, which links the chat that sends it to the bot."""
    name = _bot_name()
    if not name:
        abort(404)
    with transaction():
        code = links.begin(layout.operator_id(), now=utc_now())
    minutes = links.LASTS.seconds // 60
    return render_template("office/operations/link_telegram.html", bot=name, code=code, minutes=minutes)


@bp.post("/alerts/telegram/end")
def unlink_chat() -> ResponseReturnValue:
    with transaction():
        links.end(layout.operator_id())
    flash("Your Telegram chat is unlinked. Nothing is sent there any more.")
    return redirect("/office/alerts", code=303)


def _bot_name() -> str:
    return bot.name_of(current_app.config["PANEL"].telegram_token)


def _channels() -> list[AlertChannel]:
    """The channels that this site has: Telegram needs a bot."""
    has_bot = bool(current_app.config["PANEL"].telegram_token)
    return [channel for channel in AlertChannel if has_bot or channel is not AlertChannel.TELEGRAM]


def _page() -> str:
    has_telegram = AlertChannel.TELEGRAM in _channels()
    return render_template(
        "office/operations/alerts.html",
        alerts=rounds.present(now=utc_now()),
        channels=[(channel.value, channel.label) for channel in _channels()],
        rows=[
            (kind.value, kind.label, {channel.value: is_wanted for channel, is_wanted in chosen.items()})
            for kind, chosen in recipients.choices(layout.operator_id()).items()
        ],
        email=layout.actor(),
        has_telegram=has_telegram,
        bot=_bot_name(),
        chat=links.state_of(layout.operator_id()) if has_telegram else None,
    )
