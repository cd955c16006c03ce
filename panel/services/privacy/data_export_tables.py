"""All data we store about one customer, table by table, without secrets, hashes and operators' internal notes."""

from typing import Any

from sqlalchemy import ColumnElement, Select, case, or_, select

from panel.models import (
    Account,
    ApiKey,
    Cancellation,
    DepositRequest,
    Favorite,
    GroupMember,
    LoginSession,
    Mail,
    Order,
    OrderEvent,
    OrderField,
    OrderRun,
    PriceGroup,
    PublicLink,
    Refill,
    TelegramMessage,
    Terms,
    Ticket,
    TicketEntry,
    TicketImage,
    Tool,
    Transfer,
    User,
    Webhook,
    WebhookDelivery,
    WebhookEndpoint,
)
from panel.services import test_orders
from panel.services.privacy import ticket_tables
from panel.services.privacy.data_export import Table, table


def tables(user_id: int) -> list[Table]:
    """All tables of this customer. They are lazy: only reading rows queries the database."""
    of_orders = select(Order.id).where(Order.customer_id.in_(test_orders.with_test_customer(user_id)))
    of_tickets = select(Ticket.id).where(Ticket.customer_id == user_id)
    mine = select(Account.id).where(Account.user_id == user_id).scalar_subquery()
    return [
        table("account", "Your email, when you opened the account, your choices and your balance", _account(user_id)),
        table("log_ins", "The devices and networks that you logged in from", _log_ins(user_id), key=LoginSession.id),
        table("orders", "Your orders and test orders, with links, counts and money", _orders(user_id), key=Order.id),
        table("order_fields", "What you entered besides, such as comments", _fields(of_orders), key=OrderField.id),
        table("drip_feed_runs", "The runs of your drip-feed orders", _runs(of_orders), key=OrderRun.id),
        table("order_events", "The timeline of each order", _events(of_orders), key=OrderEvent.id),
        table("public_links", "Which orders you share by a public link", _public_links(user_id), key=PublicLink.id),
        table("refills", "The refills you asked for", _refills(of_orders), key=Refill.id),
        table("cancellations", "The cancellations you asked for", _cancellations(of_orders), key=Cancellation.id),
        table("statement", "Every line of your balance", _statement(mine), key=Transfer.id),
        table("deposits", "Your deposits", _deposits(user_id), key=DepositRequest.id),
        table("tickets", "Your tickets", ticket_tables.tickets(user_id), key=Ticket.id),
        table(
            "ticket_messages", "What you and we wrote in them", ticket_tables.messages(of_tickets), key=TicketEntry.id
        ),
        table(
            "ticket_images",
            "The images in them, which are in this file too",
            ticket_tables.images(user_id),
            key=TicketImage.id,
        ),
        table("api_keys", "Your API keys by name; never a key itself", _keys(user_id), key=ApiKey.id),
        table("webhook_endpoints", "Where your webhooks go", _endpoints(user_id), key=WebhookEndpoint.id),
        table("webhooks", "Webhooks sent to your endpoints", _webhooks(user_id), key=Webhook.id),
        table("webhook_deliveries", "How each of these was delivered", _deliveries(user_id), key=WebhookDelivery.id),
        table("mails", "The mails we sent you in the last 30 days", _mails(user_id), key=Mail.id),
        table(
            "telegram_messages", "The messages we sent to your chat", _messages_to_chat(user_id), key=TelegramMessage.id
        ),
        table("favorites", "Your favorite tools", _favorites(user_id), key=Tool.id),
    ]


def _account(user_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(
            User.id.label("number"),
            User.email,
            User.created_at.label("opened_at"),
            User.email_confirmed_at,
            User.notices_off,
            User.telegram_chat,
            User.telegram_off,
            User.telegram_blocked_at,
            _yes_or_no(User.encrypted_totp != "").label("second_factor"),
            Account.balance_nanos.label("balance"),
            PriceGroup.name.label("price_group"),
        )
        .join(Account, Account.user_id == User.id)
        .outerjoin(GroupMember, GroupMember.user_id == User.id)
        .outerjoin(PriceGroup, PriceGroup.id == GroupMember.group_id)
        .where(User.id == user_id)
    )


def _log_ins(user_id: int) -> Select[*tuple[Any, ...]]:
    return select(
        LoginSession.id.label("number"),
        LoginSession.device,
        LoginSession.network,
        LoginSession.logged_in_at,
        LoginSession.second_factor_at,
        LoginSession.ended_at.label("logged_out_at"),
    ).where(LoginSession.user_id == user_id)


def _orders(user_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Order.id.label("number"),
            Tool.slug.label("tool"),
            Terms.name.label("tool_name"),
            Order.link,
            Order.quantity,
            Order.status,
            Order.remains,
            Order.start_count,
            Order.price_micros_per_thousand.label("price_per_thousand"),
            Order.charge_nanos.label("charge"),
            Order.kept_nanos.label("kept"),
            Order.returned_nanos.label("returned"),
            Order.reason,
            Order.request_id,
            case((Order.customer_id != user_id, "test order"), else_="order").label("kind"),
            *(Order.placed_at, Order.started_at, Order.ended_at),
        )
        .join(Tool, Tool.id == Order.tool_id)
        .join(Terms, Terms.id == Order.terms_id)
        .where(Order.customer_id.in_(test_orders.with_test_customer(user_id)))
    )


def _fields(of_orders: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    entered = select(OrderField.order_id.label("order"), OrderField.name, OrderField.value)
    return entered.where(OrderField.order_id.in_(of_orders))


def _runs(of_orders: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    planned = select(OrderRun.order_id.label("order"), OrderRun.number, OrderRun.quantity, OrderRun.due_at)
    ended = planned.add_columns(OrderRun.status, OrderRun.remains, OrderRun.sent_at, OrderRun.ended_at)
    return ended.where(OrderRun.order_id.in_(of_orders))


def _events(of_orders: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return select(
        OrderEvent.id.label("number"),
        OrderEvent.order_id.label("order"),
        OrderEvent.at,
        OrderEvent.kind,
        OrderEvent.source,
        OrderEvent.old_status,
        OrderEvent.status,
        OrderEvent.remains,
        OrderEvent.text,
    ).where(OrderEvent.order_id.in_(of_orders))


def _public_links(user_id: int) -> Select[*tuple[Any, ...]]:
    """Public links without their addresses, which show the order to anyone."""
    return (
        select(
            PublicLink.order_id.label("order"),
            _yes_or_no(PublicLink.shows_money.is_(True)).label("shows_money"),
            PublicLink.made_at,
        )
        .join(Order, Order.id == PublicLink.order_id)
        .where(Order.customer_id == user_id)
    )


def _refills(of_orders: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return select(
        Refill.id.label("number"),
        Refill.order_id.label("order"),
        Refill.state,
        Refill.reason,
        Refill.asked_at,
        Refill.ended_at,
    ).where(Refill.order_id.in_(of_orders))


def _cancellations(of_orders: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return select(
        Cancellation.id.label("number"),
        Cancellation.order_id.label("order"),
        Cancellation.state,
        Cancellation.reason,
        Cancellation.asked_at,
        Cancellation.answered_at,
    ).where(Cancellation.order_id.in_(of_orders))


def _statement(mine: Any) -> Select[*tuple[Any, ...]]:
    return select(
        Transfer.id.label("line"),
        Transfer.at,
        Transfer.kind,
        Transfer.order_id.label("order"),
        Transfer.note,
        case((Transfer.from_account_id == mine, Transfer.amount_nanos)).label("out"),
        case((Transfer.to_account_id == mine, Transfer.amount_nanos)).label("in"),
    ).where(or_(Transfer.from_account_id == mine, Transfer.to_account_id == mine))


def _deposits(user_id: int) -> Select[*tuple[Any, ...]]:
    return select(
        DepositRequest.reference,
        DepositRequest.amount_nanos.label("amount"),
        DepositRequest.requested_at,
        DepositRequest.transfer_id.label("statement_line"),
        DepositRequest.refused_at,
        DepositRequest.refused_reason,
        DepositRequest.method,
        DepositRequest.method_name,
        DepositRequest.payment_id,
        DepositRequest.fee_nanos.label("fee"),
        DepositRequest.bonus_nanos.label("bonus"),
        DepositRequest.reversed_nanos.label("taken_back"),
    ).where(DepositRequest.customer_id == user_id)


def _keys(user_id: int) -> Select[*tuple[Any, ...]]:
    return select(
        ApiKey.id.label("number"),
        ApiKey.name,
        ApiKey.starts_with,
        ApiKey.networks,
        ApiKey.scope,
        ApiKey.daily_cap_nanos.label("daily_cap"),
        *(ApiKey.made_at, ApiKey.used_at, ApiKey.revoked_at),
    ).where(ApiKey.user_id == user_id)


def _endpoints(user_id: int) -> Select[*tuple[Any, ...]]:
    return select(
        WebhookEndpoint.id.label("number"),
        WebhookEndpoint.url,
        WebhookEndpoint.balance_low_nanos.label("balance_low"),
        WebhookEndpoint.made_at,
        WebhookEndpoint.removed_at,
    ).where(WebhookEndpoint.user_id == user_id)


def _webhooks(user_id: int) -> Select[*tuple[Any, ...]]:
    sent = select(Webhook.public_id, Webhook.kind, Webhook.order_id.label("order"), Webhook.body, Webhook.at)
    return sent.where(Webhook.user_id == user_id)


def _deliveries(user_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Webhook.public_id.label("webhook"),
            WebhookDelivery.endpoint_id.label("endpoint"),
            WebhookDelivery.state,
            WebhookDelivery.tries,
            WebhookDelivery.answer,
            WebhookDelivery.tried_at,
            WebhookDelivery.delivered_at,
        )
        .join(Webhook, Webhook.id == WebhookDelivery.webhook_id)
        .where(Webhook.user_id == user_id)
    )


def _mails(user_id: int) -> Select[*tuple[Any, ...]]:
    """Emails. The text is left out if it contained a secret link that acts for anyone who opens it."""
    text = case((Mail.is_encrypted, ""), else_=Mail.text)
    return select(Mail.kind, Mail.email, Mail.subject, text.label("text"), Mail.queued_at, Mail.sent_at).where(
        Mail.user_id == user_id
    )


def _messages_to_chat(user_id: int) -> Select[*tuple[Any, ...]]:
    sent = select(TelegramMessage.chat, TelegramMessage.text, TelegramMessage.queued_at, TelegramMessage.sent_at)
    return sent.where(TelegramMessage.user_id == user_id)


def _favorites(user_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(Tool.slug.label("tool"), Favorite.chosen_at)
        .join(Tool, Tool.id == Favorite.tool_id)
        .where(Favorite.user_id == user_id)
    )


def _yes_or_no(condition: ColumnElement[bool]) -> ColumnElement[str]:
    return case((condition, "on"), else_="off")
