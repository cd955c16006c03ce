"""Notification settings by email and Telegram, linking a chat, and the unsubscribe link in each email."""

from flask import Blueprint, Response, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from panel.blueprints.shared.auth import login_required
from panel.blueprints.shared.forms import token_page
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.errors import LinkIsSpent
from panel.domain.notification_kinds import Notice, NoticeChannel
from panel.security import csrf
from panel.services.accounts import users
from panel.services.mail import notifications
from panel.services.telegram import bot, links
from panel.services.telegram.links import ChatState

bp = Blueprint("notices", __name__)


@bp.get("/account/notices")
@login_required
def show() -> ResponseReturnValue:
    chosen = {
        NoticeChannel.EMAIL: notifications.preferences(current_user.id),
        NoticeChannel.TELEGRAM: notifications.telegram_preferences(current_user.id),
    }
    chat = links.state_of(current_user.id)
    return render_template(
        "account/notifications/show.html",
        channels=[(channel.value, channel.label) for channel in _channels(chat)],
        rows=[(kind.value, kind.label, {each.value: chosen[each][kind] for each in chosen}) for kind in Notice],
        chat=chat,
        has_bot=bool(_bot_name()),
        user=users.find(current_user.id),
    )


@bp.post("/account/notices")
@login_required
def choose() -> ResponseReturnValue:
    channels = _channels(links.state_of(current_user.id))
    wanted = {channel: [kind for kind in Notice if f"{channel}_{kind}" in request.form] for channel in NoticeChannel}
    with transaction():
        notifications.set_preferences(current_user.id, wanted=wanted[NoticeChannel.EMAIL])
        if NoticeChannel.TELEGRAM in channels:
            notifications.set_telegram_preferences(current_user.id, wanted=wanted[NoticeChannel.TELEGRAM])
    flash("Your notifications are saved.")
    return redirect(url_for("notices.show"), code=303)


@bp.post("/account/notices/telegram")
@login_required
def link_telegram() -> ResponseReturnValue:
    """A page with a one-time code, which links the chat that sends it to the bot."""
    bot_name = _bot_name()
    if not bot_name:
        abort(404)
    with transaction():
        code = links.begin(current_user.id, now=utc_now())
    return render_template(
        "account/notifications/link_telegram.html", bot=bot_name, code=code, minutes=links.LASTS.seconds // 60
    )


@bp.post("/account/notices/telegram/end")
@login_required
def unlink_telegram() -> ResponseReturnValue:
    with transaction():
        links.end(current_user.id)
    flash("Your Telegram chat is unlinked. Nothing is sent there any more.")
    return redirect(url_for("notices.show"), code=303)


def _bot_name() -> str:
    return bot.name_of(current_app.config["PANEL"].telegram_token)


def _channels(chat: ChatState) -> list[NoticeChannel]:
    return [channel for channel in NoticeChannel if chat.is_linked or channel is not NoticeChannel.TELEGRAM]


@bp.get("/unsubscribe/<token>")
def show_unsubscribe(token: str) -> ResponseReturnValue:
    """One button. Opening the page changes nothing: mail scanners open links too."""
    read = notifications.read_unsubscribe(token)
    if read is None:
        return _unknown()
    return token_page("account/notifications/unsubscribe.html", kinds=_labels(read[1]))


@bp.post("/unsubscribe/<token>")
@csrf.exempt
def unsubscribe(token: str) -> ResponseReturnValue:
    """Unsubscribe. Mail programs call this by themselves (RFC 8058), without a cookie: the token is the right."""
    read = notifications.read_unsubscribe(token)
    if read is None:
        return _unknown()
    user_id, kinds = read
    with transaction():
        notifications.switch_off(user_id, kinds)
    return token_page("account/notifications/unsubscribed.html", kinds=_labels(kinds))


def _labels(kinds: frozenset[Notice]) -> list[str]:
    return [kind.label for kind in Notice if kind in kinds]


def _unknown() -> Response:
    return token_page("account/notifications/unknown.html", error=LinkIsSpent("This link no longer works."))
