"""Scripts, template braces and formula prefixes wherever a stranger, a provider or an operator can put text: only text.

Every text column is either filled with hostile text or listed as one that nobody types, so that new columns are
reviewed. Then every role requests every address that answers a GET, and each response is parsed as a browser, a feed
reader and a spreadsheet would do it.
"""

import csv
import email
import email.policy
import io
import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Column, String, Table, cast, delete, literal, select, text, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.refill import RefillState
from panel.models import (
    Attempt,
    AuditLogEntry,
    Cancellation,
    DepositRequest,
    Favorite,
    Mail,
    Maintenance,
    Measurement,
    Order,
    OrderField,
    Provider,
    Refill,
    Review,
    StoredSetting,
    Ticket,
    ToolRoute,
    User,
    Voucher,
)
from panel.providers.mail import OutgoingMail, message
from panel.services.accounts import sessions
from panel.services.mail import notifications, order_notifications
from panel.services.tickets import opening
from tests.browser import every_page
from tests.support.factories import NOON
from tests.support.injection import BRACES, MARK, MARKUP, PRODUCT, InjectionParser, injection_faults, is_page, read_page
from tests.support.route_rules import routes
from tests.support.ticket_factories import answered, asking

FORMULA_SIGNS = "=+-@\t\r"
ENDS_SESSIONS = ("/log-out", "/log-out-elsewhere", "/disable")
NUMBERS = re.compile(r"[0-9]+")
NUMBER = re.compile(r"[+-][0-9]+(\.[0-9]+)?")
CONTROLS = "\x01\x0b\x1b[31m\u202egpj.exe\u2066\ufeff\U000e0041"
TYPED = (f"zq:typed.text {BRACES}{MARKUP}", f"zq:typed.text {CONTROLS}", "9" * 5_000)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Columns with our own words, numbers, hashes and encrypted secrets: nobody types them.
OURS = _words(
    """
    accounts.chain_hash accounts.kind chain_checkpoints.digest chain_checkpoints.kind events.chain_hash
    orders.chain_hash transfers.chain_hash
    alerts.kind announcements.audience api_keys.key_hash api_keys.networks api_keys.scope api_keys.starts_with
    attempts.kind attempts.state
    known_price_lists.prices
    audit_progress.kind audit_progress.owner audit_progress.state ledger_days.kind ledger_days.source
    ledger_days.target
    audit_runs.differences cancellations.state catalogue_imports.chosen catalogue_imports.currency
    catalogue_imports.rows catalogue_imports.skipped catalogue_imports.state imported_tools.was
    component_days.component deliveries.state
    email_changes.new_token_hash email_changes.old_token_hash events.kind events.old_status events.source
    events.status failed_tries.bucket pending_sessions.token_hash heartbeats.worker incident_parts.component
    order_fields.name incident_parts.state incident_updates.phase incidents.phase incidents.proposed_for
    invitations.role invitations.token_hash
    incidents.request_id incidents.slug mailed_links.purpose mailed_links.token_hash mails.key mails.kind
    mails.unsubscribe measurements.component measurements.state order_costs.currency order_counts.status
    run_costs.currency
    order_runs.status orders.request_id orders.status
    payment_events.account payment_events.checkout_id payment_events.currency payment_events.event_id
    payment_events.kind payment_events.method payment_events.outcome payment_events.payment_id
    payment_events.reference payment_events.state payment_events.type payment_terms.method
    proposals.role
    public_links.encrypted_token public_links.token_hash
    proposals.form_key proposals.kind proposals.state provider_calls.kind provider_calls.worker providers.kind
    providers.encrypted_key webhook_endpoints.encrypted_old_secret
    webhook_endpoints.encrypted_secret recovery_codes.code_hash refills.state
    reviews.fingerprint reviews.kind scheduled_terms.changes settings.name sessions.token_hash
    terms.link_pattern terms.order_type
    terms.own_fields terms.quantity_rule ticket_entries.kind time_rules.held_why
    ticket_images.digest ticket_images.media_type ticket_images.thumbnail_type
    ticket_entries.request_id tickets.kind tickets.request_id tickets.state tools.provider_rate
    tools.set_by_hand tools.slug
    deposits.account deposits.checkout_id deposits.checkout_url deposits.method deposits.payment_id
    deposits.reference transfers.kind transfers.reason users.alerts_off users.notices_off users.password_hash
    telegram_bot.token_hash telegram_links.code_hash telegram_messages.key
    users.role users.encrypted_totp users.telegram_off
    vouchers.code_hash vouchers.form_key vouchers.starts_with
    webhooks.body webhooks.kind webhooks.public_id
    """
)
# Typed by somebody, but on none of the pages that are requested here.
NOT_ON_PAGES = _words(
    """
    profit_changes.provider_service profit_days.provider_service
    catalogue_imports.actor catalogue_imports.problem category_places.category
    email_changes.new_email email_changes.old_email listed_tools.entry mails.email mails.error mails.subject mails.text
    measurements.text providers.balance_problem providers.catalogue_currency reset_requests.email reviews.resolution
    order_runs.provider_order_id payment_events.raw
    proposals.decider scheduled_terms.problem terms.category tools.provider_category tools.provider_name
    telegram_messages.chat
    telegram_messages.error telegram_bot.username
    telegram_messages.text users.telegram_chat users.disabled_reason
    """
)


STORED = ("company_name", "payment-instructions", "terms-of-service")


@pytest.fixture
def filled(app: Flask) -> every_page.FilledPanel:
    """A panel with content on every page, and hostile text in every column that somebody can type."""
    filled = every_page.fill(app)
    with transaction():
        _add_what_is_rare(filled)
        # Append-only rows are changed here, so that each of them has hostile text.
        for trigger in db.session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
            db.session.execute(text(f'DROP TRIGGER "{trigger}"'))
        for number, (table, column) in enumerate(typed_columns()):
            harm = harm_of(f"{table.name}.{column.name}", sign=FORMULA_SIGNS[number % len(FORMULA_SIGNS)])
            own = cast(table.c.id, String) if "id" in table.c else ""
            db.session.execute(update(table).values({column: literal(harm) + own}))
    return filled


def harm_of(name: str, *, sign: str = "=") -> str:
    return f"{sign}zq:{name} {BRACES}{MARKUP}"


def typed_columns() -> list[tuple[Table, Column[Any]]]:
    return [
        (table, column)
        for table in db.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, String) and f"{table.name}.{column.name}" not in OURS
    ]


def _add_what_is_rare(filled: every_page.FilledPanel) -> None:
    """Add what the other factories don't: provider calls that were refused, failed, or are waiting."""
    order = db.session.get_one(Order, int(filled.values["order_id"]))
    provider = db.session.get_one(Provider, order.provider_id)
    other = db.session.scalars(select(Provider).where(Provider.id != provider.id)).first() or Provider(
        name="other", kind="panel_api", created_at=NOON
    )
    db.session.add(other)
    db.session.flush()
    provider.paused_at = provider.failed_at = provider.balance_at = NOON
    made = {"order_id": order.id, "provider_id": provider.id, "at": NOON, "lease_until": NOON, "answered_at": NOON}
    db.session.add_all(
        [
            Attempt(kind="add", state="refused", **made),
            Refill(order_id=order.id, state="refused", asked_at=NOON, ended_at=NOON),
            Cancellation(order_id=order.id, state="refused", asked_at=NOON, answered_at=NOON),
            Review(kind="price_moved", provider_id=provider.id, text="x", fingerprint="x", opened_at=NOON),
            DepositRequest(
                customer_id=order.customer_id,
                reference="X",
                amount_nanos=10**9,
                requested_at=NOON,
                refused_at=utc_now(),
            ),
            Measurement(component="ordering", state="degraded", at=utc_now(), text="x"),
            Voucher(code_hash="x", starts_with="X", note="x", amount_nanos=10**9, uses=1, made_at=NOON, form_key="x"),
            AuditLogEntry(actor="x", action="x", subject="x", at=NOON),
            Maintenance(id=1, reason="x", began_at=NOON, ends_at=utc_now() + timedelta(days=1)),
            Favorite(user_id=order.customer_id, tool_id=order.tool_id, chosen_at=NOON),
            OrderField(order_id=order.id, name="comments", value="x"),
            *(StoredSetting(name=name, value="x", changed_by="x", changed_at=NOON) for name in STORED),
            ToolRoute(tool_id=order.tool_id, provider_id=other.id, service="x", position=1),
        ]
    )
    db.session.flush()


def browsers(app: Flask, filled: every_page.FilledPanel) -> Iterator[tuple[str, FlaskClient]]:
    for role in reversed(every_page.ROLES):
        client = app.test_client()
        if role in filled.cookies:
            client.set_cookie("session", filled.cookies[role])
        yield role, client


def addresses(app: Flask, filled: every_page.FilledPanel) -> list[str]:
    rules = [route.rule for route, method in routes(app) if method == "GET"]
    return [every_page.address_of(rule, filled.values) for rule in rules]


def test_every_text_column_is_listed_as_user_input_or_ours(app: Flask) -> None:
    columns = {
        f"{table.name}.{column.name}"
        for table in db.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, String)
    }

    assert sorted(OURS - columns) == []


def test_every_address_shows_what_others_typed_as_text(app: Flask, filled: every_page.FilledPanel) -> None:
    wrong, shown = [], set()
    for role, client in browsers(app, filled):
        for path in addresses(app, filled):
            answer = client.get(path)
            if answer.status_code >= 500 and path != "/readyz":
                wrong.append((role, path, [answer.status]))
            if is_page(answer):
                reader = read_page(answer.text)
                shown |= reader.shown
                wrong += [(role, path, reader.wrong)] if reader.wrong else []
            if PRODUCT.encode() in answer.data:
                wrong.append((role, path, ["braces were run"]))

    assert wrong == []
    typed = {f"{table.name}.{column.name}" for table, column in typed_columns()}
    assert sorted(typed - shown - NOT_ON_PAGES) == []


def test_tables_for_spreadsheets_run_no_formula(app: Flask, filled: every_page.FilledPanel) -> None:
    cells: dict[str, list[str]] = {}
    for _role, client in browsers(app, filled):
        for path in [path for path in addresses(app, filled) if path.endswith((".csv", ".zip"))]:
            answer = client.get(path)
            if answer.mimetype == "text/csv":
                cells[path] = _cells(answer.data)
            if answer.mimetype == "application/zip":
                with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
                    tables = [name for name in archive.namelist() if name.endswith(".csv")]
                    cells |= {f"{path}/{name}": _cells(archive.read(name)) for name in tables}

    run = {cell for found in cells.values() for cell in found if cell.startswith(tuple(FORMULA_SIGNS))}
    assert {cell for cell in run if not NUMBER.fullmatch(cell)} == set()
    assert len([cell for found in cells.values() for cell in found if MARK.search(cell)]) > 20


def _cells(data: bytes) -> list[str]:
    return [cell for row in csv.reader(io.StringIO(data.decode())) for cell in row]


def test_feed_and_json_of_the_platform_status_carry_the_words_as_they_are(
    client: FlaskClient, filled: every_page.FilledPanel
) -> None:
    feed = ET.fromstring(client.get("/platform-status.atom").text)
    published = client.get("/platform-status.json").get_json()

    assert any(harm_of("incidents.title")[1:] in words for words in feed.itertext())
    assert any(harm_of("incident_updates.text")[1:] in words for words in feed.itertext())
    assert "zqtag" not in {element.tag for element in feed.iter()}
    assert harm_of("incidents.title")[1:] in published["incidents"][0]["title"]
    assert harm_of("incident_updates.text")[1:] in published["incidents"][0]["updates"][0]["text"]


def test_hostile_text_in_addresses_and_forms_stays_text(app: Flask, filled: every_page.FilledPanel) -> None:
    wrong, sent = [], set()
    for role, client in browsers(app, filled):
        pages = [
            client.get(path) for path in addresses(app, filled) if path.startswith("/office") == (role == "operator")
        ]
        readers = {answer.request.path: read_page(answer.text) for answer in pages if is_page(answer)}
        fields = sorted({name for reader in readers.values() for name in reader.fields})
        asked = [
            (path, harm, client.get(path, query_string=dict.fromkeys(fields, harm)))
            for path in readers
            for harm in TYPED[:2]
        ]
        for path, names in posts(readers):
            shape = (NUMBERS.sub("#", path), *names)
            if shape not in sent:
                sent.add(shape)
                asked += [(path, harm, client.post(path, data=dict.fromkeys(names, harm))) for harm in TYPED]
        wrong += [
            (role, path, harm[:20], injection_faults(answer))
            for path, harm, answer in asked
            if injection_faults(answer)
        ]

    assert wrong == []
    assert len(sent) > 40


def posts(readers: dict[str, InjectionParser]) -> list[tuple[str, dict[str, str]]]:
    """The POST forms of these pages, except those that change the session."""
    forms = [
        (action or path, names)
        for path, reader in readers.items()
        for method, action, names in reader.forms
        if method.lower() == "post"
    ]
    return [form for form in forms if not form[0].endswith(ENDS_SESSIONS) and "/reset-password/" not in form[0]]


def test_mails_are_plain_text_under_headers_of_one_line(app: Flask, filled: every_page.FilledPanel) -> None:
    settings, harm = app.config["PANEL"], harm_of("typed.text")
    with transaction():
        db.session.execute(delete(Mail))
        db.session.execute(update(User).values(email=literal("user") + cast(User.id, String) + "@example.com"))
    customer = db.session.get_one(User, int(filled.values["customer_id"]))
    operator = db.session.scalars(select(User).where(User.is_staff)).first()
    ticket = db.session.get_one(Ticket, int(filled.values["ticket_id"]))
    assert operator is not None

    answered(ticket, operator=operator, text=f"{harm}\r\nBcc: victim@example.com\n\u202egpj.exe")
    with transaction():
        order_notifications.notify_customer(customer.id, now=utc_now())
        notifications.notify_refill_ended(1, RefillState.REFUSED, order_id=1, reason=harm, now=utc_now())
        sessions.log_in(customer, device=f"{harm}\r\nBcc: victim@example.com", network=harm, now=utc_now())
        opening.open_ticket(customer.id, asked=asking(subject=harm[:120]), now=utc_now())
    mails_queued = db.session.scalars(select(Mail)).all()

    assert {mail.kind for mail in mails_queued} >= {"new_device", "orders", "refill", "ticket"}
    for mail in mails_queued:
        made = message(
            OutgoingMail(mail.key, mail.email, mail.subject, mail.text, "", mail.queued_at), settings=settings
        )
        read = email.message_from_bytes(made.as_bytes(), policy=email.policy.default)
        assert read.get_content_type() == "text/plain"
        assert "\n" not in mail.subject
        assert read["Bcc"] is None
        assert PRODUCT not in mail.subject + mail.text
        assert "\u202e" not in mail.subject + mail.text
    assert any("<script>" in mail.text for mail in mails_queued)
