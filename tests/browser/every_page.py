"""Every page of the site, found through its URL rules, so that new pages are tested without being listed.

Each address that answers a GET is requested as a visitor, then as a customer, then as an operator; the first one who
gets a page is used. URL arguments get their values from `fill`.
"""

import re
from dataclasses import dataclass
from datetime import timedelta

import httpx
from flask import Flask
from sqlalchemy import select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain import money
from panel.domain.notification_kinds import Notice
from panel.domain.payment import PaymentMethod, Via
from panel.domain.platform.component_states import State
from panel.domain.platform.incidents import Phase
from panel.domain.review_kind import ReviewKind
from panel.domain.status import Status
from panel.models import CategoryMargin, Invitation, LinkPurpose, ProposalKind, Provider, TicketImage
from panel.services import announcements, public_links, reviews
from panel.services.accounts import email_links, sessions
from panel.services.catalogue import scheduled_terms, tool_settings
from panel.services.catalogue.imports import lifecycle as catalogue_imports
from panel.services.mail import notifications
from panel.services.money import deposits, ledger
from panel.services.office import price_groups, second_approval
from panel.services.office.balance_changes import BalanceChange
from panel.services.orders import placing
from panel.services.platform import incidents
from panel.services.platform.incidents import UpdateText
from panel.services.stored_settings.registry import SettingGroup
from panel.services.stored_settings.texts import EditableText
from panel.services.tickets import canned_answers, opening, subjects
from panel.services.tickets.opening import Asked
from tests.flows.test_roles import belongings
from tests.support.factories import a_customer, a_tool, an_operator, an_order
from tests.support.images import attachments
from tests.support.servers import Panel
from tests.support.session_cookies import session_cookie

ROLES = ("visitor", "customer", "operator")
ARGUMENT = re.compile(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>")
# For programs, whatever a browser sends.
NOT_FOR_PEOPLE = ("/api/v2", "/logo/<name>", "/healthz", "/readyz", "/metrics", "/.well-known/security.txt")


@dataclass(frozen=True)
class FilledPanel:
    """A panel with content on every page: its users, and the values of URL arguments."""

    cookies: dict[str, str]
    values: dict[str, str]


def fill(app: Flask) -> FilledPanel:
    """Add a customer with an order in each status and one of everything else, and an operator."""
    customer, operator, tool = a_customer("1000"), an_operator(), a_tool()
    values = belongings(customer)
    orders = {status: an_order(customer=customer, tool=tool, status=status) for status in Status}
    with transaction():
        now = utc_now()
        reviews.open_review(ReviewKind.REPORT, order_id=orders[Status.PARTIAL].id, text="Look at this.", now=utc_now())
        reference = deposits.request_deposit(customer.id, amount_nanos=money.parse_nanos("25"), now=now).reference
        by_card = deposits.request_deposit(
            customer.id, amount_nanos=money.parse_nanos("30"), via=Via(PaymentMethod.PRETEND_CARD), now=now
        ).reference
        update = UpdateText(
            Phase.INVESTIGATING, "Orders start late.", {"ordering": State.DEGRADED}, impact="Late starts."
        )
        incident = incidents.open_incident("Late starts", update, request_id="every-page", actor="operator", now=now)
        asked = Asked(
            "order",
            "Where is it?",
            "It stands still.",
            request_id=placing.new_request_id(),
            wanted=subjects.SubjectNumbers(order_id=orders[Status.PENDING].id),
        )
        ticket = opening.open_ticket(customer.id, asked=asked, attachments=attachments(), now=now)
        image_id = db.session.scalars(select(TicketImage.id).where(TicketImage.ticket_id == ticket.id)).one()
        answer = canned_answers.add(name="Every page", text="We look at it.", actor="operator", now=now)
        credit = BalanceChange(
            ProposalKind.CREDIT, customer.id, 10**9, "A present.", "every-page", operator.id, "operator"
        )
        proposed = second_approval.move_or_propose(
            credit, balance_nanos=ledger.balance_nanos(customer.id), limit_nanos=0, now=now
        )
        draft = announcements.draft(
            title="We have news", text="Read it.", audience="everyone", actor="operator", now=now
        )
        announcement = announcements.publish(
            draft.id, is_pinned=True, with_mail=False, seen=1, actor="operator", now=now
        )
        group_id = price_groups.add("Resellers", "10", actor="operator", now=now)
        price_groups.set_price(group_id, tool.slug, "0.80", actor="operator", now=now)
        then = now + timedelta(days=7)
        locked, by = tool_settings.lock_tool(tool.slug), {"reason": "Costs rose.", "actor": "operator"}
        scheduled_terms.schedule(locked, {"minimum": "20"}, effective_at=then, **by, now=now)
        upstream = Provider(name="upstream", kind="panel_api", url="https://upstream.example/api/v2", created_at=now)
        upstream.margin_millionths = 200_000
        db.session.add(upstream)
        db.session.flush()
        wanted = catalogue_imports.request_import(upstream.id, actor="operator", now=now)
        row = {"service": 1, "name": "Views", "category": "Videos", "rate": "0.90", "min": 10, "max": 100}
        catalogue_imports.keep(wanted.id, [row], balance_currency="USD", now=now)
        db.session.add(CategoryMargin(provider_id=upstream.id, category="Videos", margin_millionths=1, fixed_micros=1))
        settings = app.config["PANEL"]
        public_links.share(
            orders[Status.PARTIAL].id, customer_id=customer.id, shows_money=True, settings=settings, now=now
        )
        public_link = public_links.own(orders[Status.PARTIAL].id, settings=settings)
        assert public_link is not None
        token = email_links.new_token()
        db.session.add(
            Invitation(
                email="invited@example.com",
                role="support",
                token_hash=sessions.token_hash(token),
                made_by=operator.id,
                made_at=now,
                expires_at=now + timedelta(days=7),
            )
        )
        reset, confirm = (
            email_links.make(customer.id, purpose, email=customer.email, lasts=timedelta(hours=1), now=now)
            for purpose in LinkPurpose
        )
    values |= {
        "order_id": str(orders[Status.PARTIAL].id),
        "customer_id": str(customer.id),
        "provider_id": str(tool.provider_id),
        "upstream_id": str(upstream.id),
        "review_id": "1",
        "reference": reference,
        # Former addresses, which redirect.
        "rest": "1",
        "answer_id": str(answer.id),
        "proposal_id": str(proposed.proposal_id),
        "ticket_id": str(ticket.id),
        "image_id": str(image_id),
        "key": "ordering",
        "incident_id": str(incident.id),
        "announcement_id": str(announcement.id),
        "/public-orders/<token>": public_link.token,
        "/invitations/<token>": token,
        "/reset-password/<token>": reset,
        "/confirm-email/<token>": confirm,
        "/unsubscribe/<token>": notifications.unsubscribe_path(customer.id, list(Notice)).rpartition("/")[2],
        # Only a mail holds this token, so the page for a link that no longer works is checked.
        "/change-email/<token>": "spent",
        "/balance/deposits/<reference>/pretend-card": by_card,
        "/office/payment-methods/<method>": "manual",
        "/pictures/<name>.png": f"{Status.PARTIAL.slug}-0",
        "/order-statuses/<slug>": Status.PARTIAL.slug,
        "/tools/<slug>": tool.slug,
        "/office/tools/<slug>": tool.slug,
        "/office/tools/<slug>/providers": tool.slug,
        "group_id": str(group_id),
        "action": "category",
        # Leads back to the customer until the view was begun.
        "page": "orders",
        "/office/settings/<group>": SettingGroup.EMAIL.value,
        "/office/settings/texts/<name>": EditableText.TERMS_OF_SERVICE.value,
        "/platform-status/incidents/<slug>": incident.slug,
    }
    cookies = {"customer": session_cookie(app, customer), "operator": session_cookie(app, operator)}
    return FilledPanel(cookies, values)


def pages(app: Flask, panel: Panel, filled: FilledPanel) -> dict[str, list[str]]:
    """Addresses of all pages by role; under the empty name those where no role got a page."""
    found: dict[str, list[str]] = {role: [] for role in (*ROLES, "")}
    rules = [each.rule for each in app.url_map.iter_rules() if "GET" in (each.methods or ())]
    with httpx.Client(base_url=panel.url, verify=False) as client:
        _sort(rules, found, client, filled)
    return found


def _sort(rules: list[str], found: dict[str, list[str]], client: httpx.Client, filled: FilledPanel) -> None:
    for rule in rules:
        if rule not in NOT_FOR_PEOPLE:
            path = address_of(rule, filled.values)
            shown, statuses = "", []
            while path and not shown and len(statuses) < len(ROLES):
                role = ROLES[len(statuses)]
                client.cookies.clear()
                cookie = filled.cookies.get(role)
                answer = client.get(path, headers={"Cookie": f"session={cookie}"} if cookie else {})
                statuses.append(answer.status_code)
                shown = role if _is_page(answer, or_spent="<token>" in rule) else ""
            if shown or all(status >= 400 for status in statuses):
                found[shown].append(path or rule)


def address_of(rule: str, values: dict[str, str]) -> str:
    """The address with its arguments filled in; empty if one has no value."""
    names = ARGUMENT.findall(rule)
    of_rule = next((value for known, value in values.items() if "<" in known and rule.startswith(known)), "")
    given = {name: values.get(name) or of_rule for name in names}
    return ARGUMENT.sub(lambda match: given[match[1]], rule) if all(given.values()) else ""


def _is_page(answer: httpx.Response, *, or_spent: bool) -> bool:
    return (answer.status_code == 200 or or_spent) and answer.text.lstrip().startswith("<!DOCTYPE html>")
