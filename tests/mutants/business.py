"""Mutants of payments, vouchers, order forms, costs, spend caps, public links and the maintenance switch."""

from tests.mutants.mutant import in_file

SETTLEMENT = "tests/services/payments/test_settlement.py"
METHODS = "tests/services/payments/test_methods.py"
MANUAL_METHODS = "tests/services/payments/test_manual_methods.py"
VOUCHERS = "tests/services/payments/test_vouchers.py"
DRIP_FEED = "tests/flows/test_drip_feed.py"
FAIL_OVER = "tests/jobs/test_fail_over.py"
FORMS = "tests/domain/forms/test_values.py"
PRICE_GROUPS = "tests/flows/test_price_groups.py"
TEST_KEYS = "tests/flows/test_test_keys.py"
PUBLIC_LINKS = "tests/services/test_public_links.py"
MAINTENANCE = "tests/flows/test_maintenance.py"

MUTANTS = (
    *in_file(
        "panel/domain/payment.py",
        SETTLEMENT,
        ("if report.is_live != asked.is_live:", "if report.is_live and not asked.is_live:"),
        ("if report.account != asked.account:", "if False:"),
        ("if report.currency != asked.currency:", "if False:"),
        ("and report.amount_nanos != asked.amount_nanos:", "and report.amount_nanos < asked.amount_nanos:"),
        ("not 0 < report.amount_nanos <= asked.amount_nanos", "not 0 < report.amount_nanos"),
        ("min(paid_nanos, refunded_nanos + disputed_nanos)", "min(paid_nanos, refunded_nanos)"),
    ),
    *in_file(
        "panel/domain/payment.py",
        METHODS,
        ("return credited_nanos * returned // paid_nanos", "return returned"),
        ("return -(-share // unit_nanos) * unit_nanos", "return share // unit_nanos * unit_nanos"),
        ("if amount_nanos < self.bonus_from_nanos:", "if amount_nanos <= self.bonus_from_nanos:"),
        ("// BASIS_POINTS // unit_nanos * unit_nanos", "// BASIS_POINTS"),
    ),
    *in_file(
        "panel/services/payments/settlement.py",
        SETTLEMENT,
        ("    if why := _why_not(deposit, report):", "    if (why := _why_not(deposit, report)) and not why:"),
        ("if report.payment_id and deposit.payment_id and report.payment_id != deposit.payment_id:", "if False:"),
        ("if report.checkout_id and deposit.checkout_id and report.checkout_id != deposit.checkout_id:", "if False:"),
        ("        if deposit.refused_at is not None:\n", "        if False:\n"),
        ("    if deposit.transfer_id is not None:\n        return Applied", "    if False:\n        return Applied"),
        (
            "    deposit.payment_id = report.payment_id\n    reversals.take_back(deposit, now=now)\n",
            "    deposit.payment_id = report.payment_id\n",
        ),
        ("max(deposit.refunded_nanos, report.amount_nanos)", "deposit.refunded_nanos + report.amount_nanos"),
        ("if deposit.transfer_id is not None or deposit.refused_at is not None:", "if False:"),
    ),
    *in_file(
        "panel/services/money/deposits.py",
        f"{METHODS} {MANUAL_METHODS}",
        ("    if request.bonus_nanos:\n", "    if False:\n"),
        ("request.fee_nanos, request.bonus_nanos = paid.fee_nanos, paid.bonus_nanos", "pass"),
        ("amount_nanos=paid.amount_nanos, reason", "amount_nanos=amount_nanos, reason"),
    ),
    *in_file(
        "panel/services/orders/fail_over.py",
        FAIL_OVER,
        ("still = (ORDERS.c.id.in_(orders), ORDERS.c.dispatch_at.is_not(None))", "still = (ORDERS.c.id.in_(orders),)"),
        (".where(*still, Provider.paused_at.is_not(None))", ".where(*still)"),
        ("    if order.is_asked_to_stop:\n        return False\n", ""),
        ("{order.provider_id, *without}", "{order.provider_id}"),
        ("if any(attempt.answer == FOUND_NOT_SENT for attempt in attempts) or _is_test(order):", "if False:"),
        ("            transitions.set_schedule(order, dispatch_at=now + LOOK_AGAIN)\n", ""),
        ("if route.is_paused is is_paused and route", "if route"),
        (" or _left(order, found, is_paused=True)", ""),
        ("dispatch_at = None if target.is_manual else now", "dispatch_at = now"),
        ('"provider_service": target.service, ', ""),
    ),
    *in_file(
        "panel/services/catalogue/routes.py",
        FAIL_OVER,
        ("(route.cost_nanos is None, route.cost_nanos or 0) if row[-1]", "(route.cost_nanos is None, 0) if row[-1]"),
        (".where(ToolRoute.provider_id != Tool.provider_id)", ""),
        ("ToolRoute.id == route_id, ToolRoute.tool_id == tool.id)", "ToolRoute.id == route_id)"),
    ),
    *in_file(
        "panel/services/catalogue/route_fit.py",
        "tests/jobs/test_fail_over_fit.py",
        (
            "        if takes is None:\n            return is_steady\n",
            "        if takes is None:\n            return True\n",
        ),
        ("form == of and least <= quantity <= most", "least <= quantity <= most"),
        ("form == of and least <= quantity <= most", "form == of and quantity <= most"),
    ),
    *in_file(
        "panel/domain/pricing.py",
        "tests/domain/test_discounts.py",
        ("-(-exact // (BASIS_POINTS * unit)) * unit)", "exact // (BASIS_POINTS * unit) * unit)"),
        ("return min(price_micros_per_thousand, -(-exact", "return max(0, -(-exact"),
    ),
    *in_file(
        "panel/services/catalogue/customer_prices.py",
        PRICE_GROUPS,
        ("if fixed is not None and fixed[1] == is_package:", "if fixed is not None:"),
        ("_MEMBERS.c.user_id == func.coalesce(", "_MEMBERS.c.user_id >= func.coalesce("),
        ("_PRICES.c.group_id == _GROUPS.c.id, isouter", "_PRICES.c.group_id > 0, isouter"),
    ),
    *in_file(
        "panel/services/orders/placing.py",
        PRICE_GROUPS,
        (
            "if is_other_price or asked.terms_id not in (None, wanted.offer.terms_id):",
            "if asked.terms_id not in (None, wanted.offer.terms_id):",
        ),
        (
            "known.prices.of(_orderable(known.found, of_hidden_tools=of_hidden_tools))",
            "_orderable(known.found, of_hidden_tools=of_hidden_tools)",
        ),
    ),
    *in_file(
        "panel/middleware/api_read_cache.py",
        PRICE_GROUPS,
        (
            "self._services(versions.catalogue_version, versions.group_id, versions.period)",
            "self._services(versions.catalogue_version, None, versions.period)",
        ),
    ),
    *in_file(
        "panel/services/api/keys.py",
        TEST_KEYS,
        ("_TEST_CUSTOMERS.c.owner_id == KEYS.c.user_id, _IS_TEST", "_TEST_CUSTOMERS.c.owner_id == KEYS.c.user_id"),
        ("        ~_IS_TEST,\n", ""),
    ),
    *in_file(
        "panel/services/test_orders.py",
        TEST_KEYS,
        ("own.union_all(select(table_of(ApiTestCustomer).c.user_id))", "own.union_all(own)"),
        ("for end in ends), about)", "for end in ends))"),
        (".where(tests.c.owner_id == user_id)", ""),
    ),
    *in_file(
        "panel/services/orders/fail_over.py",
        TEST_KEYS,
        ("for attempt in attempts) or _is_test(order):", "for attempt in attempts):"),
    ),
    *in_file(
        "panel/services/orders/placing.py",
        TEST_KEYS,
        ("to = asked.destination or routes.first(", "to = routes.first("),
    ),
    *in_file(
        "panel/services/privacy/closing.py",
        TEST_KEYS,
        ("    for each in everybody:\n        _erase_texts", "    for each in everybody[:1]:\n        _erase_texts"),
        ("    for each in everybody:\n        _anonymize", "    for each in everybody[:1]:\n        _anonymize"),
    ),
    *in_file(
        "panel/services/orders/runs.py",
        DRIP_FEED,
        ("    if following is None or _is_stopped(order.id):", "    if following is None:"),
    ),
    *in_file(
        "panel/domain/forms/drip_feed.py",
        "tests/domain/forms/test_drip_feed.py tests/flows/test_drip_feed.py",
        (
            "kept_whole = {Status.COMPLETED: 0, Status.CANCELED: run.quantity}",
            "kept_whole = {Status.CANCELED: run.quantity}",
        ),
        ("kept_whole = {Status.COMPLETED: 0, Status.CANCELED: run.quantity}", "kept_whole = {Status.COMPLETED: 0}"),
        ("if remains == quantity else Status.PARTIAL", "if remains > quantity else Status.PARTIAL"),
    ),
    *in_file(
        "panel/services/orders/sync.py",
        DRIP_FEED,
        (
            "run.provider_order_id is None or run.provider_order_id != numbers[order.id]:",
            "run.provider_order_id is None:",
        ),
    ),
    *in_file(
        "panel/services/payments/reversals.py",
        SETTLEMENT,
        ("total - deposit.reversed_nanos - deposit.owed_nanos", "total - deposit.reversed_nanos"),
        ("    deposit.reversed_nanos += taken\n", ""),
        ("    deposit.holds_orders = True\n", ""),
        ("    deposit.holds_orders = False\n", ""),
        ("_DEPOSITS.c.customer_id == customer_id, _DEPOSITS.c.holds_orders)", "_DEPOSITS.c.holds_orders)"),
    ),
    *in_file(
        "panel/services/payments/events.py",
        SETTLEMENT,
        (
            'on_conflict_do_nothing(index_elements=["method", "event_id"])',
            'on_conflict_do_update(index_elements=["method", "event_id"], set_={"due_at": now})',
        ),
        ("    if state is None:\n        return False\n", ""),
        ("if deposit is None and report.kind is not PaymentReportKind.PAID and", "if False and"),
    ),
    *in_file(
        "panel/services/payments/vouchers.py",
        VOUCHERS,
        ("            VOUCHERS.c.used < VOUCHERS.c.uses,\n", ""),
        ("            VOUCHERS.c.revoked_at.is_(None),\n            or_", "            or_"),
        (
            "or_(VOUCHERS.c.expires_at.is_(None), VOUCHERS.c.expires_at > now),\n        )",
            "or_(VOUCHERS.c.expires_at.is_(None), VOUCHERS.c.expires_at >= now),\n        )",
        ),
        ("if lately + wanted.worth_nanos > limit_nanos:", "if wanted.worth_nanos > limit_nanos:"),
        ("return self.amount_nanos * self.uses * self.codes", "return self.amount_nanos * self.codes"),
        ("if db.session.scalars(select(User.is_staff).where(User.id == customer_id)).one():", "if False:"),
        ("for sign in code.upper() if sign.isalnum()", "for sign in code if sign.isalnum()"),
    ),
    *in_file(
        "panel/services/api/spend_caps.py",
        "tests/services/api/test_spend_caps.py",
        ("KEYS.c.daily_cap_nanos >= _SPENT)", "KEYS.c.daily_cap_nanos > _SPENT)"),
        ("(KEYS.c.spent_on == _DAY, KEYS.c.spent_nanos)", "(KEYS.c.spent_on != _DAY, KEYS.c.spent_nanos)"),
        ("    if nanos == 0:\n", "    if nanos < 0:\n"),
        ("return key.spent_nanos if key.spent_on == now.date() else 0", "return key.spent_nanos"),
    ),
    *in_file(
        "panel/services/money/order_costs.py",
        "tests/services/money/test_profit.py",
        (
            "if (known.charge_nanos, known.currency) == (charge.nanos, charge.currency):",
            "if known.charge_nanos == charge.nanos:",
        ),
        ("and charge.nanos > listed:", "and charge.nanos >= listed:"),
        ("and cost_nanos > known.price_nanos:", "and cost_nanos > 2 * known.price_nanos:"),
        ("cost_nanos <= resale.MAX_CHARGE_NANOS", "cost_nanos >= 0"),
    ),
    *in_file(
        "panel/domain/forms/values.py",
        FORMS,
        ("for name in values if name not in form.names]", "for name in () if name not in form.names]"),
        ('and unicodedata.category(sign) != "Cf"', ""),
        ('replace("\\r\\n", "\\n").replace("\\r", "\\n")', 'replace("\\r\\n", "\\n")'),
        ("if pieces < minimum:", "if pieces <= minimum:"),
        ("if pieces > maximum:", "if pieces >= maximum:"),
        ("if not field.is_required and not is_due:", "if not field.is_required:"),
        ("field.minimum <= int(value) <= field.maximum", "field.minimum <= int(value) < field.maximum"),
        ("    if len(lines) > most:\n", "    if len(lines) >= most:\n"),
        ('in ("Cc", "Cs") and sign != "\\t"', 'in ("Cs",) and sign != "\\t"'),
    ),
    *in_file(
        "panel/services/public_links.py",
        PUBLIC_LINKS,
        ("_IS_OPEN = (User.disabled_at.is_(None), User", "_IS_OPEN = (User"),
        ("order.returned_nanos) if shows_money else None", "order.returned_nanos)"),
        (
            "select(Order.id).where(Order.id == order_id, Order.customer_id == customer_id)",
            "select(Order.id).where(Order.id == order_id)",
        ),
        ("TOKEN_BYTES = 16", "TOKEN_BYTES = 15"),
        ("|{order_version}|", "|"),
    ),
    *in_file(
        "panel/services/maintenance.py",
        MAINTENANCE,
        ("ends_at is not None and now < ends_at", "ends_at is not None and now <= ends_at"),
        ("if not now < ends_at <= now + MAX_SPAN:", "if not now <= ends_at <= now + MAX_SPAN:"),
        ("delete(Maintenance).where(Maintenance.ends_at <= now)", "delete(Maintenance)"),
        ("    db.session.execute(update(Catalogue).values(version=Catalogue.version + 1))\n", ""),
    ),
    *in_file(
        "panel/services/money/run_costs.py",
        "tests/services/money/test_run_costs.py",
        ("if is_waiting or not sent or any(", "if not sent or any("),
        ("nanos = sum(run.charge_nanos for run in sent)", "nanos = max(run.charge_nanos for run in sent)"),
    ),
    *in_file(
        "panel/services/webhooks.py",
        "tests/flows/test_test_keys.py",
        ("return func.coalesce(owner.scalar_subquery(), user_id)", "return user_id"),
    ),
    *in_file(
        "panel/services/catalogue/customer_prices.py",
        "tests/flows/test_test_keys.py",
        ('func.coalesce(_OWNER.scalar_subquery(), bindparam("customer_id"))', 'bindparam("customer_id")'),
    ),
    *in_file(
        "panel/services/catalogue/route_fit.py",
        "tests/jobs/test_fail_over_fit.py",
        ("has_form = _same_form(takes, own)", "has_form = own.id == own.id"),
    ),
    *in_file(
        "panel/services/platform/incident_notifications.py",
        "tests/services/platform/test_incident_notifications.py",
        ("if placed_at is None or placed_at < now - ORDERED_WITHIN:", "if placed_at is None:"),
        ("if now - incident.changed_at > NEWS_FOR:", "if False:"),
    ),
)
