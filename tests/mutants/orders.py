"""Mutants of orders: statuses, placing, dispatch, provider reports, timeouts, refills."""

from tests.mutants.mutant import POSTGRESQL, in_file

TRANSITIONS = "tests/services/orders/test_transitions.py"
ORDERING = "tests/services/orders/test_placing.py"
DISPATCH = "tests/jobs/test_dispatch.py tests/jobs/test_review_resolution.py"

# Without these locks two threads read the same row and both act on it.
LOCKS = (
    *in_file(
        "panel/services/money/ledger.py",
        "tests/flows/test_placing_races.py",
        (
            'lock_rows(_OWNED.where(in_list(ACCOUNTS.c.user_id, "user_ids")))',
            '_OWNED.where(in_list(ACCOUNTS.c.user_id, "user_ids"))',
        ),
        engine=POSTGRESQL,
    ),
    *in_file(
        "panel/services/orders/transitions.py",
        "tests/flows/test_taking_races.py",
        (
            'lock_rows(_CLAIMED.where(in_list(ORDERS.c.id, "ids")), of=ORDERS)',
            '_CLAIMED.where(in_list(ORDERS.c.id, "ids"))',
        ),
        engine=POSTGRESQL,
    ),
    *in_file(
        "panel/services/orders/dispatch.py",
        "tests/flows/test_races.py",
        ("lock_rows(due, of=Order, skip_locked=True)", "due"),
        engine=POSTGRESQL,
    ),
)

MUTANTS = (
    *LOCKS,
    *in_file(
        "panel/domain/status.py",
        "tests/domain/test_status.py",
        ("next=(S.COMPLETED, S.PARTIAL, S.CANCELED),", "next=(S.COMPLETED, S.PARTIAL),"),
        ("money=ChargeState.RETURNED,", "money=ChargeState.KEPT,"),
        ("USUAL_PATH.index(self) < USUAL_PATH", "USUAL_PATH.index(self) <= USUAL_PATH"),
    ),
    *in_file(
        "panel/domain/provider_report.py",
        "tests/domain/test_provider_report.py",
        ("0 < counted < standing.quantity", "0 <= counted < standing.quantity"),
        ("and value > most", "and value >= most"),
        ('"cancelled": Status.CANCELED', '"cancelled": Status.COMPLETED'),
        ("if isinstance(value, bool):", "if False:"),
    ),
    *in_file(
        "panel/domain/refill.py",
        "tests/domain/test_refill.py",
        ("if now > end:", "if now >= end:"),
        ("timedelta(days=refill_days)", "timedelta(days=refill_days + 1)"),
        ("if is_open or status is Status.REFILL:", "if status is Status.REFILL:"),
    ),
    *in_file(
        "panel/services/orders/placing.py",
        ORDERING,
        ('asked.quantity.lstrip("0") == str(_entered(earlier))', "True"),
        ("asked.terms_id not in (None, wanted.offer.terms_id)", "(asked.terms_id or 0) > wanted.offer.terms_id"),
        ('"charge_nanos": wanted.charge_nanos,', '"charge_nanos": wanted.charge_nanos - 1,'),
    ),
    *in_file(
        "panel/services/orders/new_order/facts.py",
        ORDERING,
        ("_ORDERS.c.customer_id == customer, _ORDERS.c.request_id", "_ORDERS.c.request_id"),
    ),
    *in_file(
        "panel/services/orders/placing.py",
        "tests/services/orders/test_first_times.py",
        ("None if to.provider_kind == ProviderKind.MANUAL else now", "now"),
    ),
    *in_file(
        "panel/services/orders/transitions.py",
        f"{TRANSITIONS} tests/services/orders/test_first_times.py",
        ('ORDERS.c.version == bindparam("b_version")', 'ORDERS.c.version >= bindparam("b_version")'),
        ("order.completed_at or (now if to is", "(now if to is"),
        ("order.started_at or (now if", "(now if"),
        ("move.order.status] -= 1", "move.order.status] -= 0"),
        ('"version": move.order.version + 1', '"version": move.order.version'),
        ("order.kept_nanos + order.returned_nanos,", "0,"),
        ("if to is not order.status and not order.status.may_become(to):", "if False:"),
    ),
    *in_file(
        "panel/services/orders/transitions.py",
        "tests/services/mail/test_order_notifications.py",
        ("None if Status.REFILL in (to, order.status) else now", "now"),
    ),
    *in_file(
        "panel/services/customer_version.py",
        f"{TRANSITIONS} tests/middleware/test_live_poll_304.py",
        ('USERS.c.state_version + literal_column("1")', 'USERS.c.state_version + literal_column("0")'),
        ("COUNTS.c.orders + add.excluded.orders", "add.excluded.orders"),
    ),
    *in_file(
        "panel/services/orders/dispatch.py",
        DISPATCH,
        ("OPEN = (AttemptState.INTENT, AttemptState.UNKNOWN)", "OPEN = (AttemptState.INTENT,)"),
        ("2 ** min(tries - 1, 10)", "1 ** min(tries - 1, 10)"),
        ("not outcome.provider_id or is_provider_id_taken(", "not outcome.provider_id and is_provider_id_taken("),
    ),
    *in_file(
        "panel/services/orders/dispatch.py",
        f"{DISPATCH} tests/services/orders/test_cancellation_answers.py tests/flows/test_failures_stay_isolated.py",
        ("cancel_order(order, reason=STOPPED, now=now)", "pass"),
    ),
    *in_file(
        "panel/services/orders/runs.py",
        "tests/flows/test_drip_feed.py",
        ("or _is_stopped(order.id)", ""),
        ("max(late, timedelta(0))", "timedelta(0)"),
        ("for each in _WITH_NUMBER)", "for each in _WITH_NUMBER[:1])"),
    ),
    *in_file(
        "panel/services/orders/sync.py",
        "tests/flows/test_drip_feed.py",
        ("run.provider_order_id != numbers[order.id]", "False"),
    ),
    *in_file(
        "panel/services/orders/timeouts.py",
        "tests/jobs/test_review_resolution.py tests/jobs/test_dispatch.py",
        ("Attempt.at <= now - timedelta(hours=unconfirmed_hours)", "Attempt.at <= now"),
        ("since <= placed_before", "since <= now"),
    ),
    *in_file(
        "panel/services/orders/cancellations.py",
        "tests/services/orders/test_cancellations.py tests/services/orders/test_cancellation_answers.py "
        "tests/blueprints/orders/test_detail.py tests/jobs/test_dispatch.py",
        ("if order.customer_id != customer_id:", "if False:"),
        ("[AttemptState.NOT_SENT, AttemptState.REFUSED]", "[AttemptState.NOT_SENT, AttemptState.UNKNOWN]"),
        ("can_be_sent(order) and not may_provider_have_order(order_id)", "can_be_sent(order)"),
    ),
    *in_file(
        "panel/services/orders/sync.py",
        "tests/jobs/test_sync.py",
        ('ORDERS.c.sync_at <= bindparam("now")', 'ORDERS.c.sync_at >= bindparam("now")'),
        ("if is_new and verdict.is_bad:", "if is_new:"),
        ("reports[ask.order_id] for ask in asked if ask.order_id in reports", "reports[each] for each in reports"),
    ),
    *in_file(
        "panel/services/office/review_resolution.py",
        "tests/jobs/test_review_resolution.py tests/services/office/test_review_list.py",
        ("if review.resolved_at is not None:\n        raise", "if False:\n        raise"),
        ("if runs.is_provider_id_taken(order.provider_id, given):", "if False:"),
    ),
    *in_file(
        "panel/services/orders/refills.py",
        "tests/jobs/test_refills.py tests/services/orders/test_refill_endings.py "
        "tests/services/orders/test_refills.py tests/blueprints/orders/test_detail.py",
        ("if order.customer_id != customer_id:", "if False:"),
        ("is_open=open_refill_of(order_id) is not None,", "is_open=False,"),
    ),
    *in_file(
        "panel/services/orders/manual.py",
        "tests/services/orders/test_manual.py",
        ("not 0 <= given <= order.quantity", "not 0 <= given"),
        ("if to is Status.PARTIAL and given is None:", "if False:"),
    ),
    *in_file(
        "panel/services/reviews.py",
        "tests/jobs/test_sync_report_flood.py tests/jobs/test_sync.py",
        ("if known >= MAX_REPORTS:", "if known > MAX_REPORTS:"),
    ),
)
