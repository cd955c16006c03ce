"""Navigation links of the header, the footer and the office, in order. Links to missing pages are not rendered."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """A page in the bar or the footer. `signed_in` and `operators` narrow whom it is shown to."""

    path: str
    label: str
    signed_in: bool | None = None
    operators: bool = False


BAR = (
    Link("/orders", "Orders", signed_in=True),
    Link("/orders/new", "New order", signed_in=True),
    Link("/tools", "Tools"),
    Link("/order-statuses", "Status guide", signed_in=True),
    Link("/order-statuses", "Order statuses", signed_in=False),
    Link("/faq", "FAQ"),
    Link("/tickets", "Tickets", signed_in=True),
    Link("/account", "Account", signed_in=True),
    Link("/office", "Office", signed_in=True, operators=True),
    Link("/getting-started", "Getting started", signed_in=False),
    Link("/log-in", "Log in", signed_in=False),
    Link("/sign-up", "Sign up", signed_in=False),
)
FOOTER = (
    (
        "Order",
        (
            Link("/", "Home"),
            Link("/tools", "Tools"),
            Link("/api", "API for resellers"),
        ),
    ),
    (
        "Help",
        (
            Link("/getting-started", "Getting started"),
            Link("/order-statuses", "Order statuses"),
            Link("/faq", "FAQ"),
            Link("/search", "Search"),
        ),
    ),
    (
        "How it runs",
        (
            Link("/platform-status", "Platform status"),
            Link("/reliability", "Reliability"),
            Link("/how-we-work", "How we work"),
        ),
    ),
    (
        "Rules",
        (
            Link("/acceptable-use", "Acceptable use"),
            Link("/privacy", "Privacy"),
            Link("/accessibility", "Accessibility"),
        ),
    ),
    (
        "Your account",
        (
            Link("/orders", "Your orders", signed_in=True),
            Link("/balance", "Balance and statement", signed_in=True),
            Link("/account", "Account", signed_in=True),
            Link("/log-in", "Log in", signed_in=False),
            Link("/sign-up", "Create an account", signed_in=False),
        ),
    ),
)


# The views of the office, in the order of its navigation.
OFFICE = (
    Link("/office", "Dashboard"),
    Link("/office/orders", "Orders"),
    Link("/office/reviews", "Reviews"),
    Link("/office/refills", "Refills and cancellations"),
    Link("/office/tickets", "Tickets"),
    Link("/office/customers", "Customers"),
    Link("/office/deposits", "Deposits"),
    Link("/office/approvals", "Approvals"),
    Link("/office/ledger", "Ledger"),
    Link("/office/tools", "Tools"),
    Link("/office/providers", "Providers"),
    Link("/office/incidents", "Incidents"),
    Link("/office/reports", "Reports"),
    Link("/office/audit-log", "Audit log"),
)
