"""Structured data (JSON-LD, schema.org): one graph per page, with the same text as the page."""

from datetime import date
from typing import Any

from flask import current_app

from panel import app_context
from panel.domain.status import Status
from panel.services.catalogue.tools import ToolOffer
from panel.services.help.content import Content, ContentPage, PageKeys, StatusKeys

Node = dict[str, Any]


def absolute(path: str) -> str:
    """Absolute URL of a path on this site."""
    return str(current_app.config["PANEL"].public_url) + path


def graph(*nodes: Node) -> Node:
    return {"@context": "https://schema.org", "@graph": list(nodes)}


def breadcrumbs(*trail: tuple[str, str]) -> Node:
    """BreadcrumbList from (name, path) pairs; the page itself is the last."""
    return {
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"@type": "ListItem", "position": position, "name": name, "item": absolute(path)}
            for position, (name, path) in enumerate(trail, start=1)
        ],
    }


def web_page(path: str, *, name: str, changed: date | None, kind: str = "WebPage", **more: Any) -> Node:
    address = absolute(path)
    modified = {} if changed is None else {"dateModified": changed.isoformat()}
    return {"@type": kind, "@id": address, "url": address, "name": name} | modified | more


def guide_page(page: ContentPage[PageKeys], *, path: str) -> Node:
    return graph(
        web_page(path, name=page.keys.heading, changed=page.keys.changed),
        breadcrumbs(("Home", "/"), (page.keys.heading, path)),
    )


def statuses_page(page: ContentPage[PageKeys]) -> Node:
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


def status_page(page: ContentPage[StatusKeys], *, status: Status) -> Node:
    path = f"/order-statuses/{status.slug}"
    term = _term(status) | {"inDefinedTermSet": absolute("/order-statuses")}
    return graph(
        web_page(path, name=page.keys.heading, changed=page.keys.changed, mainEntity=term),
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


def site() -> Node:
    """WebSite and Organization: the site's name, address and search URL."""
    name, address = app_context.settings().site_name, absolute("/")
    search = {
        "@type": "SearchAction",
        "target": {"@type": "EntryPoint", "urlTemplate": f"{absolute('/search')}?q={{search_term_string}}"},
    }
    return graph(
        {
            "@type": "WebSite",
            "@id": f"{address}#site",
            "name": name,
            "url": address,
            "inLanguage": "en",
            "potentialAction": search,
        },
        {"@type": "Organization", "@id": f"{address}#organization", "name": name, "url": address},
    )


def tools_page(*, changed: date | None) -> Node:
    return graph(
        web_page("/tools", name="Tools", changed=changed, kind="CollectionPage"),
        breadcrumbs(("Home", "/"), ("Tools", "/tools")),
    )


def tool_page(tool: ToolOffer) -> Node:
    """A tool as a service that is offered at a price for a thousand units, or for one package."""
    path = f"/tools/{tool.slug}"
    settings = app_context.settings()
    pieces = 1 if tool.is_package else 1_000
    price = {
        "@type": "UnitPriceSpecification",
        "price": tool.rate,
        "priceCurrency": settings.currency,
        "referenceQuantity": {"@type": "QuantitativeValue", "value": pieces, "unitText": tool.unit},
    }
    service = {
        "@type": "Service",
        "name": tool.name,
        "description": tool.summary,
        "url": absolute(path),
        "provider": {"@type": "Organization", "name": settings.site_name, "url": absolute("/")},
        "offers": {"@type": "Offer", "url": absolute(path), "priceSpecification": price},
    }
    return graph(
        web_page(path, name=tool.name, changed=tool.changed_at.date(), mainEntity=service),
        breadcrumbs(("Home", "/"), ("Tools", "/tools"), (tool.name, path)),
    )


def _term(status: Status) -> Node:
    return {
        "@type": "DefinedTerm",
        "name": status.label,
        "description": status.facts.means,
        "url": absolute(f"/order-statuses/{status.slug}"),
    }
