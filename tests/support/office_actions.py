"""Every service action of the office: the action that its role needs, and the call."""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db
from panel.domain.accounts.roles import Action, Role
from panel.domain.payment import MethodTerms, PaymentMethod
from panel.domain.refill import RefillState
from panel.domain.status import Status
from panel.models import CancellationState, DepositRequest, Order, ProposalKind, Tool, User
from panel.services import announcements, maintenance
from panel.services.accounts import email_confirmation
from panel.services.alerts import provider_bounds
from panel.services.catalogue import bulk_edit, category_order, routes, scheduled_terms, tool_settings
from panel.services.catalogue.bulk_edit import BulkToolAction
from panel.services.catalogue.category_order import CategoryMove
from panel.services.catalogue.imports import lifecycle, price_rules, schedule
from panel.services.catalogue.provider_markup import Markup
from panel.services.money import ledger
from panel.services.office import (
    account_access,
    assignments,
    customers,
    manual_orders,
    order_actions,
    price_groups,
    providers_view,
    review_resolution,
    second_approval,
    staff,
    tool_editor,
)
from panel.services.office.account_access import AccessChange
from panel.services.office.balance_changes import BalanceChange
from panel.services.office.manual_orders import HandWork
from panel.services.office.order_actions import OrderAction, RequestedAction
from panel.services.office.review_resolution import Decision, Resolution
from panel.services.office.tool_editing import tool_schedule
from panel.services.orders import cancellations, goodwill, refill_endings, time_rules
from panel.services.orders.goodwill import Gift
from panel.services.payments import methods, reversals, vouchers
from panel.services.payments.vouchers import NewVouchers
from panel.services.platform import incidents
from panel.services.stored_settings import accent, changes, logo, texts
from panel.services.stored_settings.accent import AccentColors
from panel.services.stored_settings.registry import SettingGroup
from panel.services.stored_settings.texts import EditableText
from panel.services.tickets import canned_answers, operator_actions
from panel.services.tickets.operator_actions import Operator
from panel.services.uploaded_images import Upload
from tests.support.images import a_picture
from tests.support.office_world import LIMIT, WORDS, World


def version(order_id: int) -> int:
    return db.session.scalars(select(Order.version).where(Order.id == order_id)).one()


def credit(world: World, who: User) -> BalanceChange:
    return BalanceChange(ProposalKind.CREDIT, world.customer, 10**9, "A gift.", "sweep", who.id, who.email)


def access(world: World, who: User, kind: ProposalKind, role: Role = Role.CUSTOMER) -> AccessChange:
    return AccessChange(kind, world.third, "A test.", who.id, who.email, role)


def resume(world: World, who: User) -> None:
    providers_view.pause(world.provider, reason="A test.", actor="root", now=utc_now())
    providers_view.resume(world.provider, reason="A test.", actor=who.email, now=utc_now())


def cancel_scheduled(world: World, who: User) -> None:
    made = scheduled_terms.schedule_retirement(
        world.tool, effective_at=NEXT_WEEK, reason="A test.", actor="root", now=(now := utc_now())
    )
    scheduled_terms.cancel(world.tool, made.id, reason="A test.", actor=who.email, now=now)


def leave_to_import(world: World, who: User) -> None:
    tool_settings.set_field(world.tool, "name", "Another name", actor="root", now=utc_now())
    tool_settings.leave_to_import(world.tool, "name", actor=who.email, now=utc_now())


def restore_default(_world: World, who: User) -> None:
    texts.save(TEXT, "# A text", seen=texts.form_version(TEXT), actor="root", now=utc_now())
    texts.restore_default(TEXT, actor=who.email, now=utc_now())


def remove_logo(_world: World, who: User) -> None:
    logo.save(logo.prepare(Upload("logo.png", a_picture())), seen="", actor="root", now=utc_now())
    logo.remove(seen=logo.form_version(logo.find()), actor=who.email, now=utc_now())


def hide_in_bulk(world: World, who: User) -> None:
    ids = [db.session.scalars(select(Tool.id).where(Tool.slug == world.tool)).one()]
    digest = bulk_edit.preview(ids, BulkToolAction.HIDE, "").digest
    bulk_edit.apply(ids, BulkToolAction.HIDE, "", digest=digest, reason="A test.", actor=who.email, now=utc_now())


def move_category(world: World, who: User) -> None:
    db.session.execute(update(Tool).where(Tool.slug == world.tool).values(category="Videos"))
    category_order.move("Videos", CategoryMove.UP, actor=who.email, now=utc_now())


def sort_by_name(world: World, who: User) -> None:
    move_category(world, User(email="root"))
    category_order.sort_by_name(actor=who.email, now=utc_now())


def key_of(world: World) -> dict[str, str]:
    shown = providers_view.find(world.provider, now=utc_now())
    assert shown is not None
    return {"fingerprint": shown.key_fingerprint}


def by(who: User) -> dict[str, object]:
    return {"actor": who.email, "now": utc_now()}


def operator(who: User) -> dict[str, object]:
    return {"operator": Operator(who.id, who.email), "now": utc_now()}


WHY = {"reason": "A test."}
NEXT_WEEK = utc_now() + timedelta(days=7)
TEXT = next(iter(EditableText))
Call = Callable[[World, User], object]
# The name of each action, or several for one function; the action that its role needs; and the call.
ACTIONS: dict[str, tuple[Action, Call]] = {
    "accounts.email_confirmation.confirm_by_hand": (
        Action.MANAGE_CUSTOMERS,
        lambda w, who: email_confirmation.confirm_by_hand(w.unconfirmed[1], **by(who)),
    ),
    "accounts.email_confirmation.confirm_account": (
        Action.MANAGE_CUSTOMERS,
        lambda w, who: email_confirmation.confirm_account(w.unconfirmed[0], detail="A test.", **by(who)),
    ),
    "alerts.provider_bounds.set_bound": (
        Action.MANAGE_PROVIDERS,
        lambda w, who: provider_bounds.set_bound(w.provider, "5", **by(who)),
    ),
    "announcements.draft": (
        Action.RUN_SITE,
        lambda w, who: announcements.draft(title="A", text="B", audience="everyone", **by(who)),
    ),
    "announcements.edit": (
        Action.RUN_SITE,
        lambda w, who: announcements.edit(w.draft, title="A", text="B", audience="everyone", seen=1, **by(who)),
    ),
    "announcements.publish": (
        Action.RUN_SITE,
        lambda w, who: announcements.publish(w.draft, is_pinned=True, with_mail=False, seen=1, **by(who)),
    ),
    "announcements.pin": (
        Action.RUN_SITE,
        lambda w, who: announcements.pin(w.published, is_pinned=True, seen=2, **by(who)),
    ),
    "announcements.withdraw": (
        Action.RUN_SITE,
        lambda w, who: announcements.withdraw(w.published, seen=2, **by(who)),
    ),
    "catalogue.bulk_edit.apply": (Action.MANAGE_CATALOGUE, hide_in_bulk),
    "catalogue.category_order.move": (Action.MANAGE_CATALOGUE, move_category),
    "catalogue.category_order.sort_by_name": (Action.MANAGE_CATALOGUE, sort_by_name),
    "catalogue.imports.lifecycle.request_import": (
        Action.MANAGE_PROVIDERS,
        lambda w, who: lifecycle.request_import(w.priced, **by(who)),
    ),
    "catalogue.imports.lifecycle.apply": (
        Action.MANAGE_PROVIDERS,
        lambda w, who: lifecycle.apply(w.fetched, ["1"], **by(who)),
    ),
    "catalogue.imports.lifecycle.undo": (
        Action.MANAGE_PROVIDERS,
        lambda w, who: lifecycle.undo(w.applied, **by(who)),
    ),
    "catalogue.imports.price_rules.save": (
        Action.MANAGE_PROVIDERS,
        lambda w, who: price_rules.save(
            w.provider,
            lambda *_: Markup(250_000),
            digest=price_rules.preview(w.provider, Markup(250_000)).digest,
            **by(who),
        ),
    ),
    "catalogue.imports.schedule.set_hours": (
        Action.MANAGE_PROVIDERS,
        lambda w, who: schedule.set_hours(w.priced, "24", **by(who)),
    ),
    "catalogue.routes.add": (
        Action.MANAGE_CATALOGUE,
        lambda w, who: routes.add(w.sold, provider=w.free_provider, service="1", rate="", **by(who)),
    ),
    "catalogue.routes.remove": (
        Action.MANAGE_CATALOGUE,
        lambda w, who: routes.remove(w.sold, w.routes[1], **by(who)),
    ),
    "catalogue.routes.move_up": (
        Action.MANAGE_CATALOGUE,
        lambda w, who: routes.move_up(w.sold, w.routes[2], **by(who)),
    ),
    "catalogue.routes.set_cheapest_first": (
        Action.MANAGE_CATALOGUE,
        lambda w, who: routes.set_cheapest_first(w.sold, True, **by(who)),
    ),
    "catalogue.tool_settings.set_field": (
        Action.MANAGE_CATALOGUE,
        lambda w, who: tool_settings.set_field(w.tool, "name", "Another name", **by(who)),
    ),
    "catalogue.tool_settings.leave_to_import": (
        Action.MANAGE_CATALOGUE,
        leave_to_import,
    ),
    "maintenance.close": (
        Action.RUN_SITE,
        lambda w, who: maintenance.close(ends_at=utc_now() + timedelta(hours=2), **WHY, **by(who)),
    ),
    "maintenance.reopen": (Action.RUN_SITE, lambda w, who: maintenance.reopen(**by(who))),
    "office.account_access.log_out_everywhere": (
        Action.MANAGE_CUSTOMERS,
        lambda w, who: account_access.log_out_everywhere(w.customer, **WHY, **by(who)),
    ),
    "office.assignments.assign": (
        Action.SET_ORDERS,
        lambda w, who: assignments.assign(w.by_hand, operator_id=w.owner, **by(who)),
    ),
    "office.assignments.release": (
        Action.SET_ORDERS,
        lambda w, who: assignments.release(w.by_hand, operator_id=w.owner, **by(who)),
    ),
    "office.customers.see_as": (Action.SEE_AS_CUSTOMER, lambda w, who: customers.see_as(w.customer, **by(who))),
    "office.manual_orders.set_order": (
        Action.SET_ORDERS,
        lambda w, who: manual_orders.set_order(
            w.by_hand,
            HandWork(Status.COMPLETED, None, None, "Done.", version(w.by_hand), w.owner, who.email),
            now=utc_now(),
        ),
    ),
    "office.order_actions.do": (
        Action.HANDLE_ORDERS,
        lambda w, who: order_actions.do(
            w.unsent,
            RequestedAction(OrderAction.CANCEL, "A test.", who.email, who.id),
            version=version(w.unsent),
            now=utc_now(),
        ),
    ),
    "office.order_actions.do, review": (
        Action.HANDLE_ORDERS,
        lambda w, who: order_actions.do(
            w.ended,
            RequestedAction(OrderAction.REVIEW, "A test.", who.email, who.id),
            version=version(w.ended),
            now=utc_now(),
        ),
    ),
    "office.order_actions.do, move": (
        Action.SET_ORDERS,
        lambda w, who: order_actions.do(
            w.by_hand,
            RequestedAction(OrderAction.MOVE, "A test.", who.email, w.owner, Status.COMPLETED),
            version=version(w.by_hand),
            now=utc_now(),
        ),
    ),
    "office.price_groups.add": (Action.MANAGE_CATALOGUE, lambda w, who: price_groups.add("Others", "5", **by(who))),
    "office.price_groups.change": (
        Action.MANAGE_CATALOGUE,
        lambda w, who: price_groups.change(w.group, "Others", "5", **by(who)),
    ),
    "office.price_groups.set_price": (
        Action.MANAGE_CATALOGUE,
        lambda w, who: price_groups.set_price(w.group, w.tool, "0.70", **by(who)),
    ),
    "office.price_groups.remove_price": (
        Action.MANAGE_CATALOGUE,
        lambda w, who: price_groups.remove_price(w.group, 1, **by(who)),
    ),
    "office.price_groups.remove": (Action.MANAGE_CATALOGUE, lambda w, who: price_groups.remove(w.group, **by(who))),
    "office.price_groups.give": (
        Action.MANAGE_CUSTOMERS,
        lambda w, who: price_groups.give(w.customer, w.group, **by(who)),
    ),
    "office.providers_view.pause": (
        Action.MANAGE_PROVIDERS,
        lambda w, who: providers_view.pause(w.provider, **WHY, **by(who)),
    ),
    "office.providers_view.resume": (
        Action.MANAGE_PROVIDERS,
        resume,
    ),
    "office.providers_view.set_public_name": (
        Action.MANAGE_PROVIDERS,
        lambda w, who: providers_view.set_public_name(w.provider, "North", **by(who)),
    ),
    "office.providers_view.set_calls_at_once": (
        Action.MANAGE_PROVIDERS,
        lambda w, who: providers_view.set_calls_at_once(w.provider, "7", **by(who)),
    ),
    "office.providers_view.replace_key": (
        Action.MANAGE_PROVIDERS,
        lambda w, who: providers_view.replace_key(w.provider, encrypted_key="new", **key_of(w), **by(who)),
    ),
    "office.providers_view.add": (
        Action.MANAGE_PROVIDERS,
        lambda w, who: providers_view.add("By hand", kind="manual", url="", encrypted_key="", **by(who)),
    ),
    "office.providers_view.request_balance_check": (
        Action.MANAGE_PROVIDERS,
        lambda w, who: providers_view.request_balance_check(w.provider, **by(who)),
    ),
    "office.review_resolution.resolve": (
        Action.SET_ORDERS,
        lambda w, who: review_resolution.resolve(
            w.review, Resolution(Decision.DONE, "Looked.", who.email), now=utc_now()
        ),
    ),
    "office.second_approval.move_or_propose": (
        Action.MOVE_MONEY,
        lambda w, who: second_approval.move_or_propose(
            credit(w, who), balance_nanos=ledger.balance_nanos(w.customer), limit_nanos=LIMIT, now=utc_now()
        ),
    ),
    "office.second_approval.move_or_propose, above the limit": (
        Action.MOVE_MONEY,
        lambda w, who: second_approval.move_or_propose(
            credit(w, who), balance_nanos=ledger.balance_nanos(w.customer), limit_nanos=0, now=utc_now()
        ),
    ),
    "office.second_approval.change_access": (
        Action.MANAGE_CUSTOMERS,
        lambda w, who: second_approval.change_access(access(w, who, ProposalKind.DISABLE), now=utc_now()),
    ),
    "office.second_approval.change_access, role": (
        Action.MANAGE_STAFF,
        lambda w, who: second_approval.change_access(
            access(w, who, ProposalKind.GIVE_ROLE, Role.SUPPORT), now=utc_now()
        ),
    ),
    "office.second_approval.propose_limit": (
        Action.MANAGE_SETTINGS,
        lambda w, who: second_approval.propose_limit(LIMIT, operator_id=who.id, **WHY, **by(who)),
    ),
    "office.second_approval.confirm": (
        Action.MOVE_MONEY,
        lambda w, who: second_approval.confirm(w.proposal, operator_id=who.id, balance_nanos=None, **by(who)),
    ),
    "office.second_approval.refuse": (
        Action.MOVE_MONEY,
        lambda w, who: second_approval.refuse(w.proposal, operator_id=who.id, **WHY, **by(who)),
    ),
    "office.second_approval.refuse_deposit": (
        Action.MOVE_MONEY,
        lambda w, who: second_approval.refuse_deposit(w.deposit, **WHY, **by(who)),
    ),
    "office.tool_editor.save": (
        Action.MANAGE_CATALOGUE,
        lambda w, who: tool_editor.save(w.tool, w.typed | {"maximum": "77777"}, version=w.terms, **WHY, **by(who)),
    ),
    "office.tool_editing.tool_schedule.save": (
        Action.MANAGE_CATALOGUE,
        lambda w, who: tool_schedule.save(
            w.tool, w.typed | {"maximum": "77777"}, effective_at=NEXT_WEEK, version=w.terms, **WHY, **by(who)
        ),
    ),
    "catalogue.scheduled_terms.schedule": (
        Action.MANAGE_CATALOGUE,
        lambda w, who: scheduled_terms.schedule(
            tool_settings.lock_tool(w.tool), {"maximum": "77777"}, effective_at=NEXT_WEEK, **WHY, **by(who)
        ),
    ),
    "catalogue.scheduled_terms.schedule_retirement": (
        Action.MANAGE_CATALOGUE,
        lambda w, who: scheduled_terms.schedule_retirement(w.tool, effective_at=NEXT_WEEK, **WHY, **by(who)),
    ),
    "catalogue.scheduled_terms.cancel": (Action.MANAGE_CATALOGUE, cancel_scheduled),
    "office.tool_editor.add": (
        Action.MANAGE_CATALOGUE,
        lambda w, who: tool_editor.add("another-tool", w.typed, **WHY, **by(who)),
    ),
    "office.tool_editor.show_or_hide": (
        Action.MANAGE_CATALOGUE,
        lambda w, who: tool_editor.show_or_hide(w.tool, is_hidden=True, **WHY, **by(who)),
    ),
    "orders.cancellations.decide_by_operator": (
        Action.HANDLE_REFILLS,
        lambda w, who: cancellations.decide_by_operator(w.cancellation, CancellationState.REFUSED, **WHY, **by(who)),
    ),
    "orders.goodwill.give": (
        Action.MOVE_MONEY,
        lambda w, who: goodwill.give(w.ended, Gift(1000, "Sorry.", 1, who.email, who.id, LIMIT), now=utc_now()),
    ),
    "orders.refill_endings.begin_by_operator": (
        Action.HANDLE_REFILLS,
        lambda w, who: refill_endings.begin_by_operator(w.refill, **by(who)),
    ),
    "orders.refill_endings.end_by_operator": (
        Action.HANDLE_REFILLS,
        lambda w, who: refill_endings.end_by_operator(w.refill, RefillState.REFUSED, **WHY, **by(who)),
    ),
    "orders.time_rules.resume": (
        Action.RUN_SITE,
        lambda w, who: time_rules.resume(waiting=0, **WHY, **by(who)),
    ),
    "office.staff.invite": (
        Action.MANAGE_STAFF,
        lambda w, who: staff.invite("invited@example.com", "support", operator_id=who.id, **by(who)),
    ),
    "office.staff.withdraw": (Action.MANAGE_STAFF, lambda w, who: staff.withdraw(w.invitation, **by(who))),
    "payments.methods.change": (
        Action.MANAGE_SETTINGS,
        lambda w, who: methods.change(PaymentMethod.MANUAL, MethodTerms(True, 10**9, 10**11), **by(who)),
    ),
    "payments.reversals.release": (
        Action.MOVE_MONEY,
        lambda w, who: reversals.release(db.session.get_one(DepositRequest, w.held), **WHY, **by(who)),
    ),
    "payments.vouchers.make": (
        Action.MOVE_MONEY,
        lambda w, who: vouchers.make(
            NewVouchers(10**9, 1, 1, None, "A gift", "1" * 24, who.id, who.email), limit_nanos=LIMIT, now=utc_now()
        ),
    ),
    "payments.vouchers.revoke": (Action.MOVE_MONEY, lambda w, who: vouchers.revoke(1, **by(who))),
    "platform.incidents.open_incident": (
        Action.RUN_SITE,
        lambda w, who: incidents.open_incident("Late again", WORDS, request_id="sweep", **by(who)),
    ),
    "platform.incidents.update": (
        Action.RUN_SITE,
        lambda w, who: incidents.update(w.incident, WORDS, **by(who)),
    ),
    "platform.incidents.publish": (
        Action.RUN_SITE,
        lambda w, who: incidents.publish(w.proposed, "Slow", WORDS, **by(who)),
    ),
    "platform.incidents.dismiss": (
        Action.RUN_SITE,
        lambda w, who: incidents.dismiss(w.proposed, **WHY, **by(who)),
    ),
    "stored_settings.logo.save": (
        Action.MANAGE_SETTINGS,
        lambda w, who: logo.save(logo.prepare(Upload("logo.png", a_picture())), seen="", **by(who)),
    ),
    "stored_settings.logo.remove": (Action.MANAGE_SETTINGS, remove_logo),
    "stored_settings.accent.save": (
        Action.MANAGE_SETTINGS,
        lambda w, who: accent.save(AccentColors("#00508c", ""), seen=accent.find().stored, **by(who)),
    ),
    "stored_settings.changes.change": (
        Action.MANAGE_SETTINGS,
        lambda w, who: changes.change(
            SettingGroup.SITE, {"site_name": "Another name"}, seen=changes.form_version(SettingGroup.SITE), **by(who)
        ),
    ),
    "stored_settings.texts.save": (
        Action.MANAGE_SETTINGS,
        lambda w, who: texts.save(TEXT, "# A text", seen=texts.form_version(TEXT), **by(who)),
    ),
    "stored_settings.texts.restore_default": (Action.MANAGE_SETTINGS, restore_default),
    "tickets.canned_answers.add": (
        Action.ANSWER_TICKETS,
        lambda w, who: canned_answers.add(name="A", text="B", **by(who)),
    ),
    "tickets.canned_answers.edit": (
        Action.ANSWER_TICKETS,
        lambda w, who: canned_answers.edit(w.answer, name="A", text="B", seen=1, **by(who)),
    ),
    "tickets.canned_answers.remove": (
        Action.ANSWER_TICKETS,
        lambda w, who: canned_answers.remove(w.answer, seen=1, **by(who)),
    ),
    "tickets.operator_actions.answer": (
        Action.ANSWER_TICKETS,
        lambda w, who: operator_actions.answer(
            w.ticket, text="It starts.", request_id="sweep-0001", seen=1, **operator(who)
        ),
    ),
    "tickets.operator_actions.note": (
        Action.ANSWER_TICKETS,
        lambda w, who: operator_actions.note(w.ticket, text="Ask.", request_id="sweep-0002", **operator(who)),
    ),
    "tickets.operator_actions.assign": (
        Action.ANSWER_TICKETS,
        lambda w, who: operator_actions.assign(w.ticket, assignee_id=w.owner, was_id=None, **operator(who)),
    ),
    "tickets.operator_actions.close": (
        Action.ANSWER_TICKETS,
        lambda w, who: operator_actions.close(w.ticket, seen=1, **operator(who)),
    ),
    "tickets.operator_actions.reopen": (
        Action.ANSWER_TICKETS,
        lambda w, who: operator_actions.reopen(w.closed, **operator(who)),
    ),
}
