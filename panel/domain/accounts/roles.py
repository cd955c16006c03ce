"""Staff roles and permissions: one table of which role may take which action in the office.

Routes ask it before their view runs, the audit log asks it whenever an action is recorded, and pages ask it before they
offer an action. `panel/ARCHITECTURE.md` prints the table.
"""

from collections.abc import Mapping
from enum import StrEnum

from panel.domain.errors import RoleNotAllowed


class Role(StrEnum):
    """Role of an account: customer, or one of the staff's, the most powerful first."""

    OWNER = "owner"
    OPERATOR = "operator"
    SUPPORT = "support"
    READ_ONLY = "read-only"
    CUSTOMER = "customer"

    @property
    def label(self) -> str:
        return _ROLE_LABELS[self]

    @property
    def is_staff(self) -> bool:
        """Whether the role opens the office at all."""
        return self is not Role.CUSTOMER


_ROLE_LABELS = {
    Role.OWNER: "Owner",
    Role.OPERATOR: "Operator",
    Role.SUPPORT: "Support",
    Role.READ_ONLY: "Read-only",
    Role.CUSTOMER: "Customer",
}
STAFF_ROLES = tuple(role for role in Role if role.is_staff)
# Roles that move money and approve what a colleague proposed.
APPROVERS = (Role.OWNER, Role.OPERATOR)


class Action(StrEnum):
    """Permission of the office: a group of actions that roles may or may not take."""

    LOOK = "look"
    SEE_FIGURES = "see_figures"
    EXPORT = "export"
    ANSWER_TICKETS = "answer_tickets"
    HANDLE_REFILLS = "handle_refills"
    HANDLE_ORDERS = "handle_orders"
    SET_ORDERS = "set_orders"
    MOVE_MONEY = "move_money"
    MANAGE_CUSTOMERS = "manage_customers"
    MANAGE_CATALOGUE = "manage_catalogue"
    MANAGE_PROVIDERS = "manage_providers"
    RUN_SITE = "run_site"
    SEE_AS_CUSTOMER = "see_as_customer"
    CHOOSE_ALERTS = "choose_alerts"
    MANAGE_SETTINGS = "manage_settings"
    MANAGE_STAFF = "manage_staff"

    @property
    def label(self) -> str:
        return _ACTION_LABELS[self]


_ACTION_LABELS = {
    Action.LOOK: "See orders, customers, tickets, the ledger, tools and providers",
    Action.SEE_FIGURES: "See vouchers, reports, profit and the audit log",
    Action.EXPORT: "Download CSV files",
    Action.ANSWER_TICKETS: "Answer, assign and close tickets; write canned answers",
    Action.HANDLE_REFILLS: "Start and end refills; answer cancellation requests",
    Action.HANDLE_ORDERS: "Cancel orders that no provider has; ask providers now; open reviews",
    Action.SET_ORDERS: "Set the status of manual orders; resolve reviews",
    Action.MOVE_MONEY: "Credit, debit and goodwill; deposits; vouchers; approve what a colleague proposed",
    Action.MANAGE_CUSTOMERS: "Disable accounts and log them out; confirm emails; give price groups",
    Action.MANAGE_CATALOGUE: "Change tools, their providers and price groups",
    Action.MANAGE_PROVIDERS: "Add, pause and change providers",
    Action.RUN_SITE: "Publish incidents and announcements; close ordering; resume time rules",
    Action.SEE_AS_CUSTOMER: "See the site as a customer, read-only",
    Action.CHOOSE_ALERTS: "Get alerts and choose them",
    Action.MANAGE_SETTINGS: "Change payment methods and settings",
    Action.MANAGE_STAFF: "Invite staff; give and end roles; disable accounts of the staff",
}

_LOOKING = (Role.OWNER, Role.OPERATOR, Role.READ_ONLY)
_HELPING = (Role.OWNER, Role.OPERATOR, Role.SUPPORT)
ALLOWED: Mapping[Action, tuple[Role, ...]] = {
    Action.LOOK: STAFF_ROLES,
    Action.SEE_FIGURES: _LOOKING,
    Action.EXPORT: _LOOKING,
    Action.ANSWER_TICKETS: _HELPING,
    Action.HANDLE_REFILLS: _HELPING,
    # Support returns by cancellations at most what may be moved without approval in 24 hours: see `cancel_limit`.
    Action.HANDLE_ORDERS: _HELPING,
    Action.SET_ORDERS: APPROVERS,
    Action.MOVE_MONEY: APPROVERS,
    Action.MANAGE_CUSTOMERS: APPROVERS,
    Action.MANAGE_CATALOGUE: APPROVERS,
    Action.MANAGE_PROVIDERS: APPROVERS,
    Action.RUN_SITE: APPROVERS,
    Action.SEE_AS_CUSTOMER: _HELPING,
    Action.CHOOSE_ALERTS: _HELPING,
    Action.MANAGE_SETTINGS: (Role.OWNER,),
    Action.MANAGE_STAFF: (Role.OWNER,),
}

# The action behind each entry of the audit log, by its first words; None for a change of the actor's own account.
# An entry without a line is the owner's alone.
_ENTRY_ACTIONS: Mapping[str, Action | None] = {
    "announcement": Action.RUN_SITE,
    "approvals": Action.MOVE_MONEY,
    "cancellations answer": Action.HANDLE_REFILLS,
    "canned-answers": Action.ANSWER_TICKETS,
    "customers confirm email": Action.MANAGE_CUSTOMERS,
    "customers credit": Action.MOVE_MONEY,
    "customers debit": Action.MOVE_MONEY,
    "customers deposit": Action.MOVE_MONEY,
    "customers disable": Action.MANAGE_CUSTOMERS,
    "customers enable": Action.MANAGE_CUSTOMERS,
    # Only an owner gives a role: `account_access` checks that. The second person's approval is recorded too.
    "customers role": Action.MOVE_MONEY,
    "customers see as": Action.SEE_AS_CUSTOMER,
    "customers sign out": Action.MANAGE_CUSTOMERS,
    "deposits": Action.MOVE_MONEY,
    "incidents": Action.RUN_SITE,
    "low balance": Action.MANAGE_PROVIDERS,
    "maintenance": Action.RUN_SITE,
    "orders": Action.SET_ORDERS,
    "orders ask": Action.HANDLE_ORDERS,
    "orders cancel": Action.HANDLE_ORDERS,
    "orders goodwill": Action.MOVE_MONEY,
    "orders review": Action.HANDLE_ORDERS,
    "payment methods": Action.MANAGE_SETTINGS,
    "price group": Action.MANAGE_CATALOGUE,
    "price group give": Action.MANAGE_CUSTOMERS,
    "providers": Action.MANAGE_PROVIDERS,
    "refills": Action.HANDLE_REFILLS,
    "reviews": Action.SET_ORDERS,
    "second factor": None,
    "settings": Action.MANAGE_SETTINGS,
    "staff": Action.MANAGE_STAFF,
    "staff join": None,
    "tickets": Action.ANSWER_TICKETS,
    "time-rules": Action.RUN_SITE,
    "tools": Action.MANAGE_CATALOGUE,
    "vouchers": Action.MOVE_MONEY,
}


def may(role: Role, action: Action) -> bool:
    """Whether the role may take the action."""
    return role in ALLOWED[action]


def check(role: Role, action: Action) -> None:
    """Raises RoleNotAllowed."""
    if not may(role, action):
        names = [each.label.lower() for each in ALLOWED[action]]
        needed = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
        raise RoleNotAllowed(
            f"This needs the role {needed}. Yours is {role.label.lower()}. Ask an owner if you need it."
        )


def action_of(entry: str) -> Action | None:
    """The action behind an entry of the audit log: by the longest beginning that has a line."""
    words = entry.split(" ")
    for end in range(len(words), 0, -1):
        if (found := " ".join(words[:end])) in _ENTRY_ACTIONS:
            return _ENTRY_ACTIONS[found]
    return Action.MANAGE_STAFF
