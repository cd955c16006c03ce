"""Navigation links of the header, the footer and the office, in order. Links to missing pages are not rendered."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """A link in the header, a menu or the footer. `logged_in` and `operators` limit who sees it."""

    path: str
    label: str
    logged_in: bool | None = None
    operators: bool = False


BAR = (
    Link("/orders", "Orders", logged_in=True),
    Link("/orders/new", "New order", logged_in=True),
    Link("/tools", "Tools"),
    Link("/order-statuses", "Order statuses", logged_in=False),
    Link("/faq", "FAQ", logged_in=False),
    Link("/api", "API", logged_in=False),
    Link("/platform-status", "Platform status", logged_in=False),
    Link("/office", "Office", logged_in=True, operators=True),
    Link("/log-in", "Log in", logged_in=False),
)
# The customer's Help menu in the bar.
HELP = (
    Link("/getting-started", "Getting started", logged_in=True),
    Link("/order-statuses", "Order statuses", logged_in=True),
    Link("/faq", "FAQ", logged_in=True),
    Link("/platform-status", "Platform status", logged_in=True),
    Link("/tickets", "Tickets", logged_in=True),
)
# The account menu in the bar, under the customer's email.
ACCOUNT = (
    Link("/balance/add", "Add funds", logged_in=True),
    Link("/balance/statement", "Statement", logged_in=True),
    Link("/orders/mass", "Mass order", logged_in=True),
    Link("/account/keys", "API keys", logged_in=True),
    Link("/account/webhooks", "Webhooks", logged_in=True),
    Link("/account", "Security", logged_in=True),
    Link("/account/notices", "Notifications", logged_in=True),
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
            Link("/orders", "Your orders", logged_in=True),
            Link("/balance", "Balance", logged_in=True),
            Link("/account", "Account", logged_in=True),
            Link("/log-in", "Log in", logged_in=False),
            Link("/sign-up", "Sign up", logged_in=False),
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
