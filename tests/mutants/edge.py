"""Mutants of the middleware, of access control, and of pagination."""

from tests.mutants.mutant import in_file

PAGES = "tests/blueprints/office/test_paging.py"
UNCHANGED = "tests/middleware/test_live_poll_304.py tests/services/test_page_version.py"
KEPT_HISTORY = "tests/middleware/test_order_history_cache.py tests/services/test_page_version.py"
KEPT_PAGES = "tests/middleware/test_public_page_cache.py"
QUICK = "tests/middleware/test_api_read_cache.py"

MUTANTS = (
    *in_file(
        "panel/services/page_version.py",
        UNCHANGED,
        ("|{versions.user_id}|", "|"),
        ("{versions.state_version}|", ""),
        ("{versions.catalogue_version}|", ""),
        ("|{address}", ""),
        ("LoginSession.logged_in_at >", "LoginSession.logged_in_at <"),
    ),
    *in_file(
        "panel/middleware/live_poll_304.py",
        UNCHANGED,
        ("is not None and tag == page_etag(page_versions, address=address_of(environ))", "is not None"),
        ('environ["REQUEST_METHOD"] != "GET" or not', "not"),
    ),
    *in_file(
        "panel/db/read_only.py",
        "tests/models/test_connections.py",
        ("?mode=ro", "?mode=rw"),
    ),
    *in_file(
        "panel/middleware/response_cache.py",
        f"{KEPT_HISTORY} {KEPT_PAGES} {QUICK}",
        ("if entry is not None and entry[0] == versions:", "if entry is not None:"),
    ),
    *in_file(
        "panel/middleware/captured_response.py",
        f"tests/middleware/test_captured_response.py {KEPT_HISTORY} {KEPT_PAGES}",
        ("and self._made_for == token", ""),
        ("== token and is_lasting", "== token"),
        ('self.status == "200 OK" and', ""),
    ),
    *in_file(
        "panel/middleware/order_history_cache.py",
        KEPT_HISTORY,
        ("== PAGE and page.may_be_cached_for(versions.token):", "== PAGE:"),
        ("is not None and page.may_be_cached_for(versions.token):", "is not None:"),
        ("theme_of(environ), address) if session", '"", address) if session'),
    ),
    *in_file(
        "panel/blueprints/orders/history_again.py",
        "tests/middleware/test_history_rendered_again.py",
        ("!= before:", "== 1:"),
        ("== self.facts", "is not None"),
        ("if incident_banner.closed_ordering() is None:", "if True:"),
    ),
    *in_file(
        "panel/middleware/public_page_cache.py",
        KEPT_PAGES,
        ('or environ.get("QUERY_STRING")', ""),
        ("if not response.may_be_cached_for(VISITOR):", "if False:"),
        ("(commit_count(), ", "(0, "),
        ("if self._tag in environ", "if self._tag not in environ"),
        ("int(now.timestamp()) // 60", "0"),
    ),
    *in_file(
        "panel/middleware/api_read_cache.py",
        QUICK,
        ("if is_allowed else None", ""),
        ("if use.is_over:", "if False:"),
    ),
    *in_file(
        "panel/services/api/orders.py",
        "tests/blueprints/api/test_endpoint.py tests/middleware/test_api_read_cache.py",
        ('literal_column("0") == bindparam("customer_id")', 'literal_column("0") >= literal_column("0")'),
    ),
    *in_file(
        "panel/services/api/repeated_orders.py",
        "tests/blueprints/api/test_endpoint.py",
        ("order.placed_at - LIKELY_TWICE", "order.placed_at"),
        ("if not (has_fields or any(row[1] for row in found)):", "if not any(row[1] for row in found):"),
    ),
    *in_file(
        "panel/services/accounts/sessions.py",
        "tests/services/accounts/test_sessions.py tests/blueprints/shared/test_auth.py "
        "tests/blueprints/office/test_customers.py",
        ("USERS.c.closed_at.is_(None), USERS.c.disabled_at.is_(None)", "USERS.c.closed_at.is_(None)"),
    ),
    *in_file(
        "panel/blueprints/shared/csv_files.py",
        "tests/blueprints/account/test_statement.py tests/blueprints/orders/test_history.py",
        ('("=", "+"', '("+"'),
    ),
    *in_file(
        "panel/services/orders/history.py",
        f"{PAGES} tests/services/orders/test_history.py tests/blueprints/orders/test_history.py",
        ('ORDERS.c.id < bindparam("after")', 'ORDERS.c.id <= bindparam("after")'),
        ('.replace("_", "\\\\_")', ""),
    ),
    *in_file("panel/services/office/order_table.py", PAGES, ("ORDERS.c.id < filters", "ORDERS.c.id <= filters")),
    *in_file(
        "panel/services/office/ledger_search.py",
        PAGES,
        ("conditions.append(TRANSFERS.c.id < filters", "conditions.append(TRANSFERS.c.id <= filters"),
    ),
    *in_file(
        "panel/services/office/audit_log_search.py",
        PAGES,
        ("AuditLogEntry.id < filters", "AuditLogEntry.id <= filters"),
    ),
    *in_file("panel/services/office/customers.py", PAGES, ("User.id < after", "User.id <= after")),
    *in_file(
        "panel/services/office/review_list.py",
        PAGES,
        ("Review.id > after.review_id", "Review.id >= after.review_id"),
        ("order_by(_rank, Review.id)", "order_by(Review.id)"),
    ),
    *in_file(
        "panel/services/money/deposits.py",
        PAGES,
        ("DepositRequest.id > (after or 0)", "DepositRequest.id >= (after or 0)"),
    ),
    *in_file(
        "panel/services/tickets/ticket_rows.py",
        f"{PAGES} tests/services/tickets/test_customer_list.py",
        ("statement.offset((number - 1) * size)", "statement.offset((number - 1) * (size + 1))"),
    ),
    *in_file(
        "panel/services/tickets/queue.py",
        f"{PAGES} tests/services/tickets/test_customer_list.py",
        ("Ticket.waits_since, Ticket.id)", "Ticket.waits_since, Ticket.id.desc())"),
    ),
    *in_file(
        "panel/blueprints/office/access.py",
        "tests/flows/test_staff_roles.py",
        ("        roles.check(person.role, action)", "        pass"),
        ('options.pop("action", None) or (', '(options.pop("action", None) and None) or ('),
    ),
    *in_file(
        "panel/blueprints/office/operations/customer_view.py",
        "tests/blueprints/office/test_customer_view.py",
        ("begun[0] == customer_id and utc_now()", "utc_now()"),
        ("endpoint not in SHOWN or", "False or"),
        ("g._login_user = person", "pass"),
    ),
    *in_file(
        "panel/services/audit_log.py",
        "tests/flows/test_office_actions_by_role.py",
        ("        check_role(needed, actor=actor)", "        pass"),
        ("User.closed_at.is_(None), User.disabled_at.is_(None)", "User.closed_at.is_(None),"),
    ),
    *in_file(
        "panel/services/money/cancel_limit.py",
        "tests/services/money/test_cancel_limit.py",
        ("returned + charge_nanos > limit", "charge_nanos > limit"),
        ("returned + charge_nanos > limit", "returned + charge_nanos >= limit"),
        ("if role != Role.SUPPORT:", "if False:"),
        ("AuditLogEntry.at > now - approval_limit.WINDOW", "AuditLogEntry.at > now"),
    ),
    *in_file(
        "panel/services/office/account_access.py",
        "tests/services/office/test_account_access.py",
        ("if not change.is_approved and (user.is_staff or change.kind in _ROLES):", "if False:"),
        ("and _is_only_owner(user):", "and False:"),
        ("or_(User.id == user_id, User.role == Role.OWNER)", "User.id == user_id"),
    ),
    *in_file(
        "panel/services/office/account_access.py",
        "tests/services/office/test_account_access.py tests/services/office/test_second_approval.py",
        ("return user.role in APPROVERS or change.role in APPROVERS", "return change.role in APPROVERS"),
        ("return user.role in APPROVERS or change.role in APPROVERS", "return user.role in APPROVERS"),
        ("if change.kind is not ProposalKind.ENABLE:", "if change.kind is ProposalKind.DISABLE:"),
        ("if user.id == change.operator_id:", "if False:"),
        (
            "where(User.is_staff, User.role.in_(APPROVERS), User.disabled_at.is_(None))",
            "where(User.is_staff, User.role.in_(APPROVERS))",
        ),
        (
            "User.id == user_id, User.role.in_(APPROVERS), User.disabled_at.is_(None)",
            "User.id == user_id, User.role.in_(APPROVERS)",
        ),
        ("user.closed_at is not None or user.disabled_at is not None:", "user.closed_at is not None:"),
        (
            "case ProposalKind.GIVE_ROLE if user.email_confirmed_at is None:",
            "case ProposalKind.GIVE_ROLE if False:",
        ),
        ('user.disabled_at, user.disabled_reason = None, ""', "user.disabled_at = None"),
        ("LoginSession.user_id == user_id, LoginSession.ended_at.is_(None)", "LoginSession.user_id == user_id"),
    ),
)
