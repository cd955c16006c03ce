"""What pages say to search engines: one graph a page, made of the same words that the page shows."""

from datetime import date
from typing import Any

from flask import current_app

from panel.domain.status import Status
from panel.services.content import Content, Page, PageKeys, StatusKeys

Node = dict[str, Any]


def absolute(path: str) -> str:
    """The whole address of a page of this site."""
    return str(current_app.config["PANEL"].public_url) + path


def graph(*nodes: Node) -> Node:
    return {"@context": "https://schema.org", "@graph": list(nodes)}


def breadcrumbs(*trail: tuple[str, str]) -> Node:
    """The way to a page, from (name, path) of each step; the page itself is the last."""
    return {
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"@type": "ListItem", "position": position, "name": name, "item": absolute(path)}
            for position, (name, path) in enumerate(trail, start=1)
        ],
    }


def web_page(path: str, *, name: str, changed: date, kind: str = "WebPage", **more: Any) -> Node:
    address = absolute(path)
    return {
        "@type": kind,
        "@id": address,
        "url": address,
        "name": name,
        "dateModified": changed.isoformat(),
    } | more


def guide_page(page: Page[PageKeys], *, path: str) -> Node:
    return graph(
        web_page(path, name=page.keys.heading, changed=page.keys.changed),
        breadcrumbs(("Home", "/"), (page.keys.heading, path)),
    )


def statuses_page(page: Page[PageKeys]) -> Node:
    path = "/order-statuses"
    terms = {
        "@type": "DefinedTermSet",
        "name": page.keys.heading,
        "url": absolute(path),
        "hasDefinedTerm": [_term(status) for status in Status],
    }
    return graph(
        web_page(path, name=page.keys.heading, changed=page.keys.changed, mainEntity=terms),
        breadcrumbs(("Home", "/"), (page.keys.heading, path)),
    )


def status_page(page: Page[StatusKeys], *, status: Status) -> Node:
    path = f"/order-statuses/{status.slug}"
    return graph(
        web_page(path, name=page.keys.heading, changed=page.keys.changed, mainEntity=_term(status)),
        breadcrumbs(("Home", "/"), ("Order statuses", "/order-statuses"), (status.label, path)),
    )


def questions_page(content: Content) -> Node:
    page = content.guides["faq"]
    asked = [
        {
            "@type": "Question",
            "name": question.page.keys.question,
            "acceptedAnswer": {"@type": "Answer", "text": question.page.prose.plain_intro},
        }
        for question in content.questions
    ]
    return graph(
        web_page(
            "/faq",
            name=page.keys.heading,
            changed=content.questions_changed,
            kind="FAQPage",
            mainEntity=asked,
        ),
        breadcrumbs(("Home", "/"), (page.keys.heading, "/faq")),
    )


def _term(status: Status) -> Node:
    return {
        "@type": "DefinedTerm",
        "name": status.label,
        "description": status.facts.means,
        "url": absolute(f"/order-statuses/{status.slug}"),
        "inDefinedTermSet": absolute("/order-statuses"),
    }
