"""One of everything that the actions of the office need, for `office_actions`."""

from datetime import timedelta
from types import SimpleNamespace

from sqlalchemy import select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain import money
from panel.domain.accounts.roles import Role
from panel.domain.platform.incidents import Phase
from panel.domain.review_kind import ReviewKind
from panel.domain.status import Status
from panel.models import ProposalKind, Provider, Review, Tool
from panel.models.catalogue_import import ImportedTool, ImportState
from panel.services import announcements, maintenance, reviews
from panel.services.accounts import invitations
from panel.services.catalogue import routes, tools
from panel.services.catalogue.imports import lifecycle
from panel.services.money import deposits, ledger
from panel.services.office import (
    assignments,
    price_groups,
    second_approval,
    tool_editor,
)
from panel.services.office.balance_changes import BalanceChange
from panel.services.orders import cancellations, refills
from panel.services.payments import vouchers
from panel.services.payments.vouchers import NewVouchers
from panel.services.platform import incidents
from panel.services.platform.incidents import UpdateText
from panel.services.tickets import canned_answers, operator_actions
from panel.services.tickets.operator_actions import Operator
from tests.support.factories import a_customer, a_provider, a_tool, an_operator, an_order
from tests.support.ticket_factories import a_ticket

LIMIT = 100 * money.NANOS_PER_UNIT
WORDS = UpdateText(Phase.INVESTIGATING, "Orders start late.", impact="Late starts.")
World = SimpleNamespace
IMPORTS = (None, ImportState.READY, ImportState.APPLIED)


def a_world() -> World:
    """One of everything that the actions need, by its id."""
    now, owner, customer, tool = utc_now(), an_operator(), a_customer("1000"), a_tool()
    unconfirmed, third = a_customer(), a_customer()
    by_hand = an_order(provider="manual", status=Status.IN_PROGRESS, customer=customer, now=now)
    ended = an_order(status=Status.COMPLETED, customer=customer, now=now)
    refilled = an_order(provider="manual", status=Status.COMPLETED, customer=customer, now=now)
    unsent = an_order(provider="manual", customer=customer, now=now)
    upstream = [a_provider("panel_api", name=f"Upstream {n}", url=f"https://{n}.example/api/v2") for n in (1, 2, 3, 4)]
    sold = a_tool(provider=upstream[0])
    ticket, closed = a_ticket(customer=customer).id, a_ticket(customer=customer).id
    with transaction():
        root = {"actor": "root", "now": now}
        unconfirmed.email_confirmed_at = None
        operator_actions.close(closed, operator=Operator(owner.id, owner.email), seen=1, now=now)
        refill = refills.request_refill(refilled.id, customer_id=customer.id, now=now)
        cancellation = cancellations.request_cancellation(by_hand.id, customer_id=customer.id, now=now)
        reviews.open_review(ReviewKind.REPORT, order_id=ended.id, text="Look.", now=now)
        review_id = db.session.scalars(select(Review.id).where(Review.kind == ReviewKind.REPORT)).one()
        deposit = deposits.request_deposit(customer.id, amount_nanos=LIMIT, now=now)
        held = deposits.request_deposit(customer.id, amount_nanos=LIMIT, now=now)
        held.holds_orders = True
        asked = BalanceChange(ProposalKind.CREDIT, customer.id, 10**9, "A gift.", "world", owner.id, owner.email)
        seen = ledger.balance_nanos(customer.id)
        proposal_id = second_approval.move_or_propose(asked, balance_nanos=seen, limit_nanos=0, now=now).proposal_id
        vouchers.make(NewVouchers(10**9, 1, 1, None, "A gift", "0" * 24, None, "root"), limit_nanos=LIMIT, now=now)
        answer = canned_answers.add(name="Hello", text="We look at it.", **root)
        news = {"title": "News", "text": "Read it.", "audience": "everyone"}
        draft, other = announcements.draft(**news, **root), announcements.draft(**news, **root)
        announcements.publish(other.id, is_pinned=False, with_mail=False, seen=1, **root)
        incident = incidents.open_incident("Late", WORDS, request_id="world", **root)
        proposed = incidents.propose("ordering", title="Slow", text="Measured.", began_at=now, now=now)
        group_id = price_groups.add("Resellers", "10", **root)
        price_groups.set_price(group_id, tool.slug, "0.80", **root)
        for each in upstream[1:3]:
            routes.add(sold.slug, provider=each.name, service="1", rate="", **root)
        maintenance.close(reason="We work on it.", ends_at=now + timedelta(hours=1), **root)
        assignments.assign(by_hand.id, operator_id=owner.id, **root)
        invitation = invitations.make("x@example.com", Role.SUPPORT, made_by=owner.id, inviter=owner.email, now=now)
        priced, fetched, applied = (an_import(each.id, kind) for each, kind in zip(upstream[1:], IMPORTS, strict=True))
        offer = tools.find_any(tool.slug)
    assert offer is not None and proposed is not None
    typed = tool_editor.typed_of(offer)
    return World(
        owner=owner.id,
        customer=customer.id,
        unconfirmed=(unconfirmed.id, unconfirmed.email),
        third=third.id,
        tool=tool.slug,
        typed=typed,
        terms=tool_editor.version_of(offer),
        sold=sold.slug,
        by_hand=by_hand.id,
        unsent=unsent.id,
        ended=ended.id,
        refill=refill.id,
        cancellation=cancellation.id,
        review=review_id,
        ticket=ticket,
        closed=closed,
        deposit=deposit.reference,
        held=held.id,
        proposal=proposal_id,
        answer=answer.id,
        draft=draft.id,
        published=other.id,
        incident=incident.id,
        proposed=proposed.id,
        group=group_id,
        routes=[route.id for route in routes.of_tool(sold.id)],
        provider=upstream[0].id,
        invitation=invitation.id,
        priced=priced,
        fetched=fetched,
        applied=applied,
        free_provider=upstream[3].name,
    )


def an_import(provider_id: int, state: ImportState | None) -> int:
    """An import of the catalogue in this state; without one, a provider that can have one: its id."""
    now = utc_now()
    db.session.get_one(Provider, provider_id).margin_millionths = 200_000
    db.session.flush()
    if state is None:
        return provider_id
    found = lifecycle.request_import(provider_id, actor="root", now=now)
    row = {"service": 1, "name": "Views", "category": "Videos", "rate": "0.90", "min": 10, "max": 100}
    lifecycle.keep(found.id, [row], balance_currency="USD", now=now)
    if state is ImportState.APPLIED:
        lifecycle.finish(found, state, now=now)
        changed = db.session.scalars(select(Tool).limit(1)).one()
        db.session.add(ImportedTool(import_id=found.id, tool_id=changed.id, was="", terms_id=None, at=now))
        db.session.flush()
    return found.id
