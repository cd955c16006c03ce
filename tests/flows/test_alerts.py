"""Alerts of operators: each begins by its real cause, is sent once, and its end is sent too."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.alerts import AlertChannel, AlertKind
from panel.domain.payment import PaymentMethod, PaymentReport, PaymentReportKind
from panel.domain.platform.component_states import Component
from panel.domain.review_kind import ReviewKind
from panel.domain.status import Status
from panel.jobs import alerts as alert_sweep
from panel.jobs import probes
from panel.models import Attempt, AuditRun, Mail, Order, ProposalKind, Provider, User, Webhook
from panel.providers.base import Accepted, NotSent, Refused, Unclear
from panel.services import reviews
from panel.services.alerts import provider_bounds, recipients, rounds
from panel.services.api import webhook_endpoints
from panel.services.catalogue import link_rules
from panel.services.money import deposits
from panel.services.office import providers_view, second_approval
from panel.services.office.balance_changes import BalanceChange
from panel.services.orders import dispatch
from panel.services.payments import settlement
from panel.services.platform import incidents
from panel.services.providers import health as provider_health
from tests.support.factories import NOON, a_customer, a_provider, a_tool, an_operator, an_order, logged_in
from tests.support.ticket_factories import a_ticket, answered

HOUR = timedelta(hours=1)
Change = Callable[[], object]


def a_notified_operator() -> User:
    operator = an_operator()
    with transaction():
        db.session.execute(update(User).where(User.id == operator.id).values(email_confirmed_at=NOON))
    return operator


def mails() -> list[Mail]:
    return list(db.session.scalars(select(Mail).where(Mail.kind == "alerts").order_by(Mail.id)))


def notify(*, now: datetime) -> list[tuple[str, str]]:
    """Look once; what the mails of this look say, each once: (step, kind's label)."""
    before = len(mails())
    with transaction():
        rounds.notify(now=now)
    sent = []
    for mail in mails()[before:]:
        section = ""
        for line in mail.text.split("\n"):
            section = line if line in ("New:", "Still true:", "Over:") else section
            if line.startswith("- "):
                sent.append((section, re.split(r"[:(]", line[2:])[0].strip()))
    return list(dict.fromkeys(sent))


def _deposit() -> tuple[Change, Change]:
    customer = a_customer()
    made: list[str] = []

    def request() -> None:
        made.append(deposits.request_deposit(customer.id, amount_nanos=25 * 10**9, now=NOON).reference)

    return request, lambda: deposits.confirm(made[0], amount_nanos=25 * 10**9, note="Paid.", now=NOON)


def _provider_stopped() -> tuple[Change, Change]:
    provider = a_provider("panel_api").id
    refusal = Refused("Not enough funds on balance", is_final=False, stops_provider=True)
    return (
        lambda: provider_health.heard_of_order(provider, refusal, now=NOON),
        lambda: provider_health.resume(provider, now=NOON),
    )


def _provider_unclear() -> tuple[Change, Change]:
    provider = a_provider("panel_api").id

    def three_unclear_answers() -> None:
        for seconds in range(provider_health.UNCLEAR_AFTER):
            at = NOON + timedelta(seconds=seconds)
            provider_health.heard_of_order(provider, Unclear("?"), began=at, now=at)

    return three_unclear_answers, lambda: provider_health.heard_of_order(provider, Accepted("7"), now=NOON + HOUR)


def _provider_silent() -> tuple[Change, Change]:
    provider = a_provider("panel_api").id

    def five_failures() -> None:
        for seconds in range(provider_health.SILENT_AFTER):
            provider_health.heard(provider, NotSent("no route"), now=NOON + timedelta(seconds=seconds))

    return five_failures, lambda: provider_health.answered(provider, now=NOON + HOUR)


def _provider_balance() -> tuple[Change, Change]:
    provider = a_provider("panel_api").id
    with transaction():
        provider_bounds.set_bound(provider, "5", actor="operator", now=NOON)
        providers_view.note_balance(provider, "5.00 USD", now=NOON)
    return (
        lambda: providers_view.note_balance(provider, "4.99 USD", now=NOON),
        lambda: providers_view.note_balance(provider, "100 USD", now=NOON),
    )


def _unconfirmed() -> tuple[Change, Change]:
    order = an_order(tool=a_tool(provider="panel_api"))
    with transaction():
        db.session.execute(update(Order).values(dispatch_at=NOON))
        (sent,) = dispatch.open_attempts(order.provider_id, most=1, lease_seconds=60, now=NOON)
    answer = Accepted("1234")
    return (
        lambda: dispatch.record_outcome(sent.attempt_id, Unclear("<html>"), now=NOON),
        lambda: dispatch.record_outcome(sent.attempt_id, answer, now=NOON),
    )


def _review() -> tuple[Change, Change]:
    order = an_order(status=Status.IN_PROGRESS)
    return (
        lambda: reviews.open_report(ReviewKind.REPORT, order_id=order.id, text="Odd.", raw="?", now=NOON),
        lambda: reviews.close(ReviewKind.REPORT, order_id=order.id, resolution="Looked at.", now=NOON),
    )


def _approval() -> tuple[Change, Change]:
    customer, operator = a_customer(), an_operator()
    credit = BalanceChange(ProposalKind.CREDIT, customer.id, 10**9, "Sorry.", "alerts", operator.id, "operator")
    made: list[int | None] = []

    def propose() -> None:
        made.append(second_approval.move_or_propose(credit, balance_nanos=10**10, limit_nanos=0, now=NOON).proposal_id)

    def take_back() -> None:
        assert made[0] is not None
        second_approval.refuse(made[0], reason="Not now.", operator_id=operator.id, actor="operator", now=NOON)

    return propose, take_back


def _incident() -> tuple[Change, Change]:
    made: list[int] = []

    def propose() -> None:
        found = incidents.propose(Component.API, title="API: down", text="Down.", began_at=NOON, now=NOON)
        assert found is not None
        made.append(found.id)

    return propose, lambda: incidents.dismiss(made[0], reason="A false alarm.", actor="operator", now=NOON)


def _payment() -> tuple[Change, Change]:
    unknown = PaymentReport(PaymentReportKind.PAID, 10**9, "USD", is_live=True, payment_id="pi_unknown")
    return (
        lambda: settlement.apply(PaymentMethod.STRIPE, unknown, None, now=NOON),
        lambda: reviews.close(ReviewKind.PAYMENT, resolution="Returned at the gateway.", now=NOON),
    )


def _catalogue() -> tuple[Change, Change]:
    a_tool("old-pattern", link_pattern="(")
    return (
        lambda: link_rules.review_unusable(link_rules.unusable(), now=NOON),
        lambda: reviews.close(ReviewKind.LINK_PATTERN, resolution="Another pattern.", now=NOON),
    )


CAUSES = {
    "payment": (AlertKind.PAYMENT, _payment),
    "deposit": (AlertKind.DEPOSIT, _deposit),
    "stopped": (AlertKind.PROVIDER_STOPPED, _provider_stopped),
    "unclear": (AlertKind.PROVIDER_STOPPED, _provider_unclear),
    "silent": (AlertKind.PROVIDER_SILENT, _provider_silent),
    "balance": (AlertKind.PROVIDER_BALANCE, _provider_balance),
    "unconfirmed": (AlertKind.UNCONFIRMED, _unconfirmed),
    "review": (AlertKind.REVIEW, _review),
    "catalogue": (AlertKind.CATALOGUE, _catalogue),
    "approval": (AlertKind.APPROVAL, _approval),
    "incident": (AlertKind.INCIDENT, _incident),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_alert_begins_by_its_cause_is_sent_once_and_ends(cause: str) -> None:
    kind, make = CAUSES[cause]
    begin, end = make()
    a_notified_operator()
    assert notify(now=NOON) == []

    with transaction():
        begin()
    began, again = notify(now=NOON + timedelta(minutes=10)), notify(now=NOON + timedelta(minutes=69))
    with transaction():
        end()
    ended, after = notify(now=NOON + 2 * HOUR), notify(now=NOON + 30 * HOUR)

    assert (began, again, ended, after) == ([("New:", kind.label)], [], [("Over:", kind.label)], [])


def test_ticket_that_waits_for_us_is_sent_until_it_is_answered() -> None:
    operator = a_notified_operator()
    ticket = a_ticket()

    began = notify(now=NOON)
    answered(ticket, operator=operator)

    assert began == [("New:", AlertKind.TICKET.label)]
    assert notify(now=NOON + HOUR) == [("Over:", AlertKind.TICKET.label)]


def test_difference_that_the_audit_finds_is_sent_until_the_next_sound_audit() -> None:
    order = an_order(status=Status.COMPLETED)
    a_notified_operator()
    probes.audit(worker="test")
    assert notify(now=utc_now()) == []

    with _spoiled(order.id):
        probes.audit(worker="test")
        began = notify(now=utc_now())
    with transaction():
        db.session.execute(delete(AuditRun))
    probes.audit(worker="test")

    assert began == [("New:", "The ledger audit found differences")]
    assert notify(now=utc_now()) == [("Over:", "The ledger audit found differences")]


@contextmanager
def _spoiled(order_id: int) -> Iterator[None]:
    """An order that is said to have kept less than its transfers say; the next audit is due."""
    with transaction():
        db.session.execute(delete(AuditRun))
        db.session.execute(update(Order).where(Order.id == order_id).values(kept_nanos=Order.kept_nanos - 1))
    yield
    with transaction():
        db.session.execute(update(Order).where(Order.id == order_id).values(kept_nanos=Order.kept_nanos + 1))


def test_each_operator_gets_one_mail_about_the_kinds_of_their_choice() -> None:
    every, some, none = a_notified_operator(), a_notified_operator(), a_notified_operator()
    customer = a_customer()
    with transaction():
        recipients.choose(some.id, wanted=[(AlertKind.TICKET, AlertChannel.EMAIL)])
        recipients.choose(none.id, wanted=[])
        deposits.request_deposit(customer.id, amount_nanos=25 * 10**9, now=NOON)
    a_ticket()

    sent = notify(now=NOON)

    assert sent == [
        ("New:", AlertKind.DEPOSIT.label),
        ("New:", AlertKind.TICKET.label),
    ]
    assert [mail.user_id for mail in mails()] == [every.id, some.id]
    assert mails()[0].subject == "SmmPanelUS alert: Deposits to confirm: 1, and 1 more"
    assert "/office/deposits\n" in mails()[0].text and "/office/alerts" in mails()[0].text


@pytest.mark.both_engines
def test_sweep_notifies_once_and_writes_nothing_while_nothing_changes() -> None:
    a_notified_operator()
    assert alert_sweep.sweep(worker="test") == 0
    a_ticket(now=utc_now())

    assert [alert_sweep.sweep(worker="test") for _ in range(3)] == [1, 0, 0]

    assert len(mails()) == 1


def test_operators_webhook_endpoint_gets_a_signed_event(client: FlaskClient) -> None:
    operator = a_notified_operator()
    with transaction():
        webhook_endpoints.add(
            operator.id,
            url="https://example.com/alerts",
            balance_low_nanos=None,
            settings=client.application.config["PANEL"],
            now=NOON,
        )
    a_ticket()

    notify(now=NOON)

    kinds = db.session.scalars(select(Webhook.kind).order_by(Webhook.id)).all()
    body = db.session.scalars(select(Webhook.body).order_by(Webhook.id.desc())).first()
    assert kinds[-1] == "operator.alerts"
    assert body is not None and '"alerts":[{"count":1,"detail":"","kind":"ticket","state":"began"}]' in body


def test_operators_choose_on_their_page_and_see_what_is_true(client: FlaskClient) -> None:
    operator = an_operator()
    logged_in(client, operator)
    a_ticket()

    page = client.get("/office/alerts").text
    data = {"email_ticket": "yes", "webhook_ticket": "yes", "email_audit": "yes", "telegram_audit": "yes"}
    assert client.post("/office/alerts", data=data).status_code == 303

    row = page[page.index('id="alert-ticket"') :].partition("</tr>")[0]
    assert 'data-label="Count">1<' in row
    assert 'id="alert-audit"' not in page
    chosen = recipients.choices(operator.id)
    # Without a bot the page has no column for Telegram, and that choice stays.
    assert "Telegram" not in page and all(chosen[kind][AlertChannel.TELEGRAM] for kind in chosen)
    assert [kind for kind in chosen if chosen[kind][AlertChannel.EMAIL]] == [AlertKind.AUDIT, AlertKind.TICKET]
    assert [kind for kind in chosen if chosen[kind][AlertChannel.WEBHOOK]] == [AlertKind.TICKET]
    row = re.search(r"<tr>\s*<th scope=\"row\">Tickets waiting.*?</tr>", client.get("/office/alerts").text, re.DOTALL)
    assert row is not None and row[0].count(" checked") == 2 and "Email: Tickets waiting for a reply" in row[0]


def test_bound_of_a_provider_is_set_on_its_page_and_wrong_ones_change_nothing(client: FlaskClient) -> None:
    provider = a_provider("panel_api")
    logged_in(client, an_operator())
    path = f"/office/providers/{provider.id}/balance-low"

    assert client.post(path, data={"balance_low": "12.50"}).status_code == 303
    assert client.post(path, data={"balance_low": "much"}).status_code == 422
    assert 'value="12.50"' in client.get(f"/office/providers/{provider.id}").text

    assert client.post(path, data={"balance_low": ""}).status_code == 303
    assert db.session.scalar(select(Provider.balance_low_nanos)) is None
    assert db.session.scalar(select(Attempt.id)) is None
