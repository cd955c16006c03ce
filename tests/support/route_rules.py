"""Access rule of every route. `tests/flows/test_roles.py` tests each one, and finds routes without a rule.

Add a new route to RULES as "METHOD /its/rule", as Flask writes it. Routes under /office need no line. A route with the
rule OWN has the id of a customer's object in its URL: `belongings` in `tests/flows/test_roles.py` creates these, by the
name of the argument.
"""

from enum import Enum, auto

from flask import Flask
from werkzeug.routing import Rule as Route


class Access(Enum):
    """Who may use a route."""

    PUBLIC = auto()
    # For visitors; logged-in users are redirected.
    ENTRY = auto()
    PRIVATE = auto()
    # Logged in, and the object in the URL must be their own; others get a 404.
    OWN = auto()
    # A program with an API key, without a cookie.
    KEY = auto()
    # Only this machine, or with the token.
    HOUSE = auto()
    # Anyone with the random token in the URL or the form, logged in or not.
    TOKEN = auto()
    OFFICE = auto()


_API_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# Changes without a CSRF token: they don't use a cookie, so no other site can make a browser do them. Programs
# call the API with a key; mail programs unsubscribe with one click, by the token in the URL.
WITHOUT_CSRF = frozenset({"/api/v2", "/api/v2/", "/unsubscribe/<token>", "/payments/events/<method>"})


def _all(rule: Access, lines: str) -> dict[str, Access]:
    return {line.strip(): rule for line in lines.strip().splitlines()}


RULES = {
    **_all(
        Access.PUBLIC,
        """
        GET /
        GET /.well-known/security.txt
        GET /acceptable-use
        GET /acceptable-use/
        GET /accessibility
        GET /accessibility/
        GET /api
        GET /api/openapi.json
        GET /api/postman.json
        GET /appearance
        GET /contact
        GET /contact/
        GET /faq
        GET /faq/
        GET /forgot-password
        POST /forgot-password
        GET /forgot-password/sent
        GET /getting-started
        GET /getting-started/
        GET /healthz
        GET /how-we-work
        GET /how-we-work/
        GET /order-statuses
        GET /order-statuses/
        GET /order-statuses/<slug>
        GET /order-statuses/<slug>/
        GET /logo/<name>
        GET /pictures/<name>.png
        GET /platform-status
        GET /platform-status.atom
        GET /platform-status.json
        GET /platform-status/
        GET /platform-status/components/<key>
        GET /platform-status/incidents
        GET /platform-status/live
        GET /platform-status/incidents/<slug>
        GET /privacy
        GET /privacy/
        GET /readyz
        GET /refund-policy
        GET /refund-policy/
        GET /reliability
        GET /reliability/
        GET /reset-password/done
        GET /invitations/approval
        GET /invitations/done
        GET /robots.txt
        GET /search
        GET /sitemap.xml
        GET /terms-of-service
        GET /terms-of-service/
        GET /test-order/live
        GET /tools
        GET /updates
        GET /updates.atom
        GET /tools/<slug>
        """,
    ),
    **_all(
        Access.ENTRY,
        """
        GET /log-in
        POST /log-in
        GET /log-in/second-factor
        POST /log-in/second-factor
        GET /sign-up
        POST /sign-up
        """,
    ),
    **_all(
        Access.PRIVATE,
        """
        GET /account
        GET /welcome
        GET /account/closing
        POST /account/closing
        GET /account/data
        GET /account/data.zip
        POST /account/devices/log-out-elsewhere
        GET /account/email
        POST /account/email
        POST /account/email/confirmation
        GET /account/keys
        POST /account/keys
        POST /account/keys/test-balance
        GET /account/notices
        POST /account/notices
        POST /account/notices/telegram
        POST /account/notices/telegram/end
        POST /account/password
        GET /account/second-factor
        POST /account/second-factor
        GET /account/second-factor/recovery-codes
        POST /account/second-factor/recovery-codes
        GET /account/second-factor/removal
        POST /account/second-factor/removal
        GET /account/second-factor/replacement
        POST /account/second-factor/replacement
        GET /account/webhooks
        POST /account/webhooks
        GET /balance
        GET /balance/add
        POST /balance/add
        GET /balance/deposits/<reference>
        GET /balance/deposits/<reference>/live
        GET /balance/deposits/<reference>/pretend-card
        POST /balance/deposits/<reference>/pretend-card
        GET /balance/statement
        GET /balance/voucher
        POST /balance/voucher
        GET /balance/statement.csv
        POST /log-out
        GET /orders
        POST /orders
        GET /orders.csv
        GET /orders/check
        POST /orders/check
        GET /orders/live
        GET /orders/mass
        POST /orders/mass
        GET /orders/new
        GET /orders/price
        POST /orders/selection
        GET /orders/tools
        GET /orders/waiting
        GET /tickets
        POST /tickets
        GET /tickets/new
        POST /tools/<slug>/favorite
        """,
    ),
    **_all(
        Access.OWN,
        """
        POST /account/devices/<int:session_id>/log-out
        POST /account/keys/<int:key_id>/revocation
        GET /account/webhooks/<int:endpoint_id>
        POST /account/webhooks/<int:endpoint_id>/balance-low
        POST /account/webhooks/<int:endpoint_id>/deliveries/<int:delivery_id>/again
        POST /account/webhooks/<int:endpoint_id>/removal
        POST /account/webhooks/<int:endpoint_id>/secret
        POST /account/webhooks/<int:endpoint_id>/tests
        GET /orders/<int:order_id>
        GET /orders/<int:order_id>/cancellation
        POST /orders/<int:order_id>/cancellation
        GET /orders/<int:order_id>/live
        POST /orders/<int:order_id>/public-link
        POST /orders/<int:order_id>/public-link/revocation
        GET /orders/<int:order_id>/receipt
        POST /orders/<int:order_id>/refills
        GET /tickets/<int:ticket_id>
        POST /tickets/<int:ticket_id>/answers
        POST /tickets/<int:ticket_id>/closing
        GET /tickets/<int:ticket_id>/images/<int:image_id>
        GET /tickets/<int:ticket_id>/live
        POST /tickets/<int:ticket_id>/reopening
        """,
    ),
    **_all(
        Access.TOKEN,
        """
        GET /change-email/<token>
        POST /change-email/<token>
        GET /confirm-email/<token>
        POST /confirm-email/<token>
        POST /payments/events/<method>
        GET /public-orders/<token>
        GET /public-orders/<token>/live
        GET /invitations/<token>
        POST /invitations/<token>
        GET /reset-password/<token>
        POST /reset-password/<token>
        GET /unsubscribe/<token>
        POST /unsubscribe/<token>
        """,
    ),
    **{f"{method} {path}": Access.KEY for path in ("/api/v2", "/api/v2/") for method in _API_METHODS},
    "GET /metrics": Access.HOUSE,
}


def methods(route: Route) -> set[str]:
    """The route's own methods, without HEAD and OPTIONS, which Flask adds."""
    return (route.methods or set()) - {"HEAD", "OPTIONS"}


def name_of(route: Route, method: str) -> str:
    return f"{method} {route.rule}"


def rule_of(route: Route, method: str) -> Access | None:
    """The rule of a route; None if it has none."""
    if route.rule == "/office" or route.rule.startswith("/office/"):
        return Access.OFFICE
    return RULES.get(name_of(route, method))


def routes(app: Flask) -> list[tuple[Route, str]]:
    """Every route of the site with each of its methods."""
    return [(route, method) for route in app.url_map.iter_rules() for method in sorted(methods(route))]
