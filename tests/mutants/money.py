"""Mutants of the ledger, of settlement, and of the database layer."""

from tests.mutants.mutant import in_file

LEDGER = "tests/services/money/test_ledger.py"
STATEMENT = "tests/blueprints/account/test_statement.py"
FIGURES = "tests/flows/test_figures.py"
CHAINS = "tests/services/money/test_chain_verification.py"
STATEMENTS = "tests/services/money/test_statements.py"

MUTANTS = (
    *in_file(
        "panel/db/__init__.py",
        "tests/models/test_connections.py",
        ("synchronous=FULL", "synchronous=NORMAL"),
        ("foreign_keys=ON", "foreign_keys=OFF"),
    ),
    *in_file(
        "panel/migrations/versions/0001_the_spine.py",
        "tests/models/test_settling_index.py",
        (
            '"uq_transfers_settling",\n            ["order_id", "kind"],\n            unique=True,',
            '"uq_transfers_settling",\n            ["order_id", "kind"],\n            unique=False,',
        ),
    ),
    *in_file(
        "panel/services/money/ledger.py",
        LEDGER,
        ('.balance_nanos + bindparam("delta") >= 0', '.balance_nanos + bindparam("delta") > 0'),
        ("deltas[source] -= posting.amount_nanos", "deltas[source] += posting.amount_nanos"),
        ("+ amount_nanos > MAX_BALANCE_NANOS", "+ amount_nanos >= MAX_BALANCE_NANOS"),
    ),
    *in_file(
        "panel/services/money/ledger.py",
        "tests/services/privacy/test_closing.py",
        ("if credited := customers & from_outside:", "if credited := customers - customers:"),
    ),
    *in_file(
        "panel/services/money/account_entries.py",
        LEDGER,
        ("balance -= row.change", "balance += row.change"),
    ),
    *in_file(
        "panel/services/money/account_entries.py",
        f"{STATEMENTS}::test_any_sequence_of_transfers_is_summed_and_paged",
        ("DAYS.c.day < day", "DAYS.c.day <= day"),
        ("DAYS.c.day > day", "DAYS.c.day >= day"),
        ("day.opening_nanos + skipped", "day.opening_nanos"),
        ("at < since + timedelta(days=1)", "at <= since + timedelta(days=2)"),
        ("entry.id + 1, day.last_id", "entry.id, day.last_id"),
    ),
    *in_file(
        "panel/services/money/account_entries.py",
        f"{FIGURES}::test_receipt_shows_what_was_charged_kept_and_returned",
        ("day, sums.first_id, row.id)", "day, sums.first_id, row.id - 1)"),
    ),
    *in_file(
        "panel/services/money/statements.py",
        f"{STATEMENTS} {STATEMENT}",
        ("return self.opening_nanos + self.in_nanos", "return self.in_nanos"),
        ("len(some) == wanted and (not is_whole or ", "(True or "),
    ),
    *in_file(
        "panel/migrations/versions/0020_account_days.py",
        STATEMENTS,
        ("in_nanos = account_days.in_nanos +", "in_nanos ="),
        ("THEN excluded.last_id ELSE", "THEN account_days.last_id ELSE"),
    ),
    *in_file(
        "panel/services/orders/refunds.py",
        "tests/services/orders/test_refunds.py tests/services/orders/test_transitions.py",
        ("if to.is_open or charge.settled_nanos:", "if to.is_open:"),
        ("if settlement.returned_nanos:", "if settlement.kept_nanos and settlement.returned_nanos:"),
    ),
    *in_file(
        "panel/domain/settlement.py",
        "tests/domain/test_settlement.py",
        ("returned = remains * price", "returned = (quantity - remains) * price"),
        ("kept_nanos=charge - returned", "kept_nanos=charge"),
        ("0 <= remains <= quantity", "0 <= remains < quantity"),
    ),
    *in_file(
        "panel/domain/money.py",
        "tests/domain/test_money.py",
        ('.ljust(digits, "0")', '.rjust(digits, "0")'),
        ("least_digits: int = 2", "least_digits: int = 1"),
        (":,}.{part}", "}.{part}"),
        ('rstrip("0")) > digits', 'rstrip("0")) >= digits'),
        ('sign = "−" if', 'sign = "" if'),
    ),
    *in_file(
        "panel/domain/pricing.py",
        "tests/domain/test_pricing.py",
        ("if quantity < minimum", "if quantity <= minimum"),
        ("if quantity > maximum", "if quantity >= maximum"),
    ),
    *in_file(
        "panel/domain/lists/date_range.py",
        "tests/domain/lists/test_date_range.py",
        ("timedelta(days=1), time.min", "timedelta(days=0), time.min"),
    ),
    *in_file(
        "panel/services/orders/goodwill.py",
        "tests/services/orders/test_goodwill.py",
        ("left_nanos=kept_nanos - int(returned)", "left_nanos=kept_nanos"),
        ("gift.amount_nanos <= left.left_nanos", "gift.amount_nanos < left.left_nanos"),
        ("if kept - left.left_nanos + gift.amount_nanos >", "if gift.amount_nanos >"),
        ("if left.number != gift.number:", "if left.number < gift.number:"),
    ),
    *in_file(
        "panel/services/money/deposits.py",
        "tests/services/money/test_deposits.py",
        ("if amount_nanos > MAX_NANOS", "if amount_nanos >= MAX_NANOS"),
        ("if amount_nanos < MIN_NANOS", "if amount_nanos <= MIN_NANOS"),
        ("if request.refused_at is not None:", "if False:"),
    ),
    *in_file(
        "panel/services/office/balance_changes.py",
        "tests/services/office/test_second_approval.py tests/blueprints/office/test_customers.py",
        ("ends[::-1] if wanted.kind", "ends if wanted.kind"),
        ("if wanted.customer_id == wanted.operator_id:", "if False:"),
    ),
    *in_file(
        "panel/services/office/second_approval.py",
        "tests/services/office/test_second_approval.py",
        ("if proposal.proposed_by == operator_id:", "if False:"),
        ("if proposal.expires_at <= now:", "if proposal.expires_at < now:"),
        ("if proposal.state != ProposalState.OPEN:", "if False:"),
    ),
    *in_file(
        "panel/services/money/ledger_sums.py",
        "tests/services/money/test_daily_sums.py",
        ("if row.at >= now - SETTLED_AFTER:", "if row.at >= now:"),
        ("statement = select(both).where(~both.c.is_test)", "statement = select(both)"),
    ),
    *in_file(
        "panel/services/money/profit_sums.py",
        "tests/services/money/test_daily_sums.py",
        ("tables = (DAYS, CHANGES)", "tables = (DAYS, DAYS)"),
        ("added = {name: DAYS.c[name] + statement", "added = {name: statement"),
    ),
    *in_file(
        "panel/services/money/audit_balances.py",
        "tests/services/money/test_audit.py",
        ("if cached != summed:", "if cached < summed:"),
        ("having(func.count() != 2)", "having(func.count() > 2)"),
        ("* NANOS_PER_UNIT + int(rest or 0)", "* NANOS_PER_UNIT"),
    ),
    *in_file(
        "panel/services/money/audit_orders.py",
        "tests/services/money/test_audit.py tests/services/orders/test_goodwill.py",
        ("returned != ORDERS.c.returned_nanos,", ""),
    ),
    *in_file(
        "panel/services/money/audit_transfers.py",
        "tests/services/money/test_audit.py tests/services/orders/test_goodwill.py",
        ("having(given > ORDERS.c.kept_nanos)", "having(given > ORDERS.c.kept_nanos + 1)"),
    ),
    *in_file(
        "panel/domain/chain.py",
        "tests/domain/test_chain.py",
        ("{len(reason)}:{reason}", "{reason}"),
        ("return (at - _EPOCH) // _MICROSECOND", "return (at - _EPOCH) // timedelta(milliseconds=1)"),
        ("{row['start_count']},", ""),
    ),
    *in_file(
        "panel/services/money/ledger.py",
        f"{CHAINS}::test_undamaged_chains_pass_the_verification "
        f"{CHAINS}::test_two_transfers_under_one_lock_are_two_links",
        ("self.customer_id)", "None)"),
        ("heads[account] = chain.transfer_hash(", "chain.transfer_hash("),
        ("    chain_heads(ACCOUNTS).update(heads)\n", ""),
    ),
    *in_file(
        "panel/services/orders/event_chain.py",
        f"{CHAINS}::test_two_transfers_under_one_lock_are_two_links tests/services/orders/test_transitions.py",
        ("    chain_heads(ORDERS).update(heads)\n", ""),
        ("if order_id not in known:", "if False:"),
    ),
    *in_file(
        "panel/services/money/chain_verification.py",
        " ".join(
            f"{CHAINS}::test_{name}"
            for name in (
                "rows_after_a_checkpoint_are_verified_without_those_before",
                "rows_of_the_last_hour_are_behind_no_checkpoint",
                "a_checkpoint_stays_before_the_first_row_of_the_last_hour_whatever_comes_after_it",
                "digests_are_checked_from_the_first_row_on_also_behind_a_checkpoint",
                "all_is_verified_from_the_start_once_a_day",
                "a_run_that_began_before_another_was_recorded_moves_no_checkpoint",
                "pages_of_rows_follow_one_another",
                "rows_cut_off_together_with_their_head_are_found_by_the_digest",
            )
        ),
        ("            self._until = None\n", "            pass\n"),
        ("from_start or bool(noted) or not", "from_start or not"),
        ("EVENTS.c.id <= after)", "EVENTS.c.id < after)"),
        ("if before.get(account) != head}", "if before.get(account) == head}"),
        ("all(row.broken_at is None for row in stored.values())", "True"),
        ("not now - FROM_START_EVERY < last <= now", "not now - FROM_START_EVERY < last"),
        (".up_to_id != row.up_to_id for row in stored)", ".up_to_id > row.up_to_id for row in stored)"),
    ),
    *in_file(
        "panel/services/money/chain_verification.py",
        f"{CHAINS}::test_tampering_is_found",
        ("if account.chain_hash != heads.get(", "if account.user_id and account.chain_hash != heads.get("),
    ),
    *in_file(
        "panel/services/money/approval_limit.py",
        "tests/services/office/test_approval_limit.py tests/services/orders/test_goodwill.py",
        ("+ amount_nanos > limit_nanos", "+ amount_nanos >= limit_nanos"),
        ("max(self.customer_nanos, self.operator_nanos)", "self.customer_nanos"),
        ("max(self.customer_nanos, self.operator_nanos)", "self.operator_nanos"),
        ("UNAPPROVED.c.at > since", "UNAPPROVED.c.at >= since"),
        ("UNAPPROVED.c.operator_id == by_operator", "UNAPPROVED.c.customer_id == by_operator"),
        ("WINDOW = timedelta(hours=24)", "WINDOW = timedelta(hours=23)"),
    ),
)
