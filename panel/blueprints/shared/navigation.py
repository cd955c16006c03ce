"""Navigation links of the header, the footer and the office, in order. Links to missing pages are not rendered."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """A link in the header, a menu or the footer. `signed_in` and `operators` limit who sees it."""

    path: str
    label: str
    signed_in: bool | None = None
    operators: bool = False


BAR = (
    Link("/orders", "Orders", signed_in=True),
    Link("/orders/new", "New order", signed_in=True),
    Link("/tools", "Tools"),
    Link("/order-statuses", "Order statuses", signed_in=False),
    Link("/faq", "FAQ", signed_in=False),
    Link("/api", "API", signed_in=False),
    Link("/platform-status", "Platform status", signed_in=False),
    Link("/office", "Office", signed_in=True, operators=True),
    Link("/log-in", "Log in", signed_in=False),
)
# The customer's Help menu in the bar.
HELP = (
    Link("/getting-started", "Getting started", signed_in=True),
    Link("/order-statuses", "Order statuses", signed_in=True),
    Link("/faq", "FAQ", signed_in=True),
    Link("/platform-status", "Platform status", signed_in=True),
    Link("/tickets", "Tickets", signed_in=True),
)
# The account menu in the bar, under the customer's email.
ACCOUNT = (
    Link("/balance/add", "Add funds", signed_in=True),
    Link("/balance/statement", "Statement", signed_in=True),
    Link("/orders/mass", "Mass order", signed_in=True),
    Link("/account/keys", "API keys", signed_in=True),
    Link("/account/webhooks", "Webhooks", signed_in=True),
    Link("/account", "Security", signed_in=True),
    Link("/account/notices", "Notifications", signed_in=True),
)
FOOTER = (
    (
        "Product",
        (
            Link("/tools", "Tools"),
            Link("/updates", "Updates"),
            Link("/api", "API for resellers"),
            Link("/platform-status", "Platform status"),
            Link("/reliability", "Reliability"),
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
        "Company",
        (
            Link("/contact", "Contact"),
            Link("/how-we-work", "How we work"),
            Link("/accessibility", "Accessibility"),
        ),
    ),
    (
        "Legal",
        (
            Link("/terms-of-service", "Terms of service"),
            Link("/refund-policy", "Refund policy"),
            Link("/privacy", "Privacy"),
            Link("/acceptable-use", "Acceptable use"),
        ),
    ),
    (
        "Your account",
        (
            Link("/orders", "Your orders", signed_in=True),
            Link("/balance", "Balance", signed_in=True),
            Link("/account", "Account", signed_in=True),
            Link("/log-in", "Log in", signed_in=False),
            Link("/sign-up", "Sign up", signed_in=False),
        ),
    ),
)


# The views of the office, in the order of its navigation. A line parts the groups.
OFFICE_GROUPS = (
    (Link("/office", "Dashboard"),),
    (
        Link("/office/orders", "Orders"),
        Link("/office/reviews", "Reviews"),
        Link("/office/refills", "Refills and cancellations"),
        Link("/office/tickets", "Tickets"),
    ),
    (
        Link("/office/customers", "Customers"),
        Link("/office/deposits", "Deposits"),
        Link("/office/approvals", "Approvals"),
        Link("/office/ledger", "Ledger"),
    ),
    (
        Link("/office/tools", "Tools"),
        Link("/office/providers", "Providers"),
    ),
    (
        Link("/office/incidents", "Incidents"),
        Link("/office/announcements", "Announcements"),
        Link("/office/maintenance", "Maintenance"),
        Link("/office/alerts", "Alerts"),
    ),
    (
        Link("/office/reports", "Reports"),
        Link("/office/profit", "Profit"),
        Link("/office/audit-log", "Audit log"),
    ),
    (
        Link("/office/settings", "Settings"),
        Link("/office/staff", "Staff"),
    ),
)
OFFICE = tuple(link for links in OFFICE_GROUPS for link in links)
