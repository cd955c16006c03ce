"""Every page of those who are logged in, by who opens it: customers' own and the office's, found through the routes."""

from dataclasses import dataclass
from http import HTTPStatus

from flask import Flask

from tests.browser import every_page
from tests.support.route_rules import Access, routes, rule_of

CUSTOMER, OPERATOR = "customer", "operator"
_WHO = {Access.PRIVATE: CUSTOMER, Access.OWN: CUSTOMER, Access.OFFICE: OPERATOR}


@dataclass(frozen=True, slots=True)
class LoggedInPage:
    """A page, the rule of its route, and the session cookie of the one who may open it."""

    rule: str
    path: str
    cookie: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Cookie": f"session={self.cookie}"}


def pages(app: Flask) -> list[LoggedInPage]:
    """All pages that answer 200, of a panel that is filled for it. Needs the app's context."""
    filled = every_page.fill(app)
    found = []
    for route, method in routes(app):
        who = _WHO.get(access) if method == "GET" and (access := rule_of(route, method)) else None
        path = every_page.address_of(route.rule, filled.values) if who else ""
        if who and path:
            found.append(LoggedInPage(route.rule, path, filled.cookies[who]))
    return [page for page in found if status_of(app, page) == HTTPStatus.OK]


def status_of(app: Flask, page: LoggedInPage) -> int:
    """The status of the page, requested in a context of its own: `g` would keep who asked for the page before."""
    with app.app_context():
        return app.test_client(use_cookies=False).get(page.path, headers=page.headers).status_code
