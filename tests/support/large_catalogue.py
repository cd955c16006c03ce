"""Catalogues of thousands of tools, inserted in bulk."""

from sqlalchemy import insert, select, update

from panel.db import db, transaction
from panel.models import Catalogue, Terms, Tool
from tests.support.factories import LINK, LINK_PATTERN, NOON, a_provider


def fill_catalogue(count: int, *, after: int = 0) -> None:
    """Insert tools up to this number (Tool 00001 and so on), of one provider, in ten categories."""
    provider_id = a_provider("simulated").id
    with transaction():
        tools = [_tool(number, provider_id=provider_id) for number in range(after + 1, count + 1)]
        db.session.execute(insert(Tool), tools)
        db.session.execute(insert(Terms), [_terms(each) for each in tools])
        of_tool = select(Terms.id).where(Terms.tool_id == Tool.id).scalar_subquery()
        db.session.execute(update(Tool).values(terms_id=of_tool).execution_options(synchronize_session=False))
        db.session.execute(update(Catalogue).values(version=Catalogue.version + 1))


def _tool(number: int, *, provider_id: int) -> dict[str, object]:
    return {
        "id": number,
        "slug": f"tool-{number:05}",
        "name": f"Tool {number:05}",
        "category": f"Category {number % 10}",
        "summary": "Visits to a page, counted by the page itself.",
        "unit": "visits",
        "provider_id": provider_id,
        "provider_service": "usual",
        "is_hidden": False,
        "changed_at": NOON,
    }


def _terms(tool: dict[str, object]) -> dict[str, object]:
    return {
        "tool_id": tool["id"],
        "version": 1,
        "price_micros_per_thousand": 900_000,
        "minimum": 10,
        "maximum": 100_000,
        "link_pattern": LINK_PATTERN,
        "link_example": LINK,
        "link_counter_example": "https://example.com/",
        "link_hint": "Copy the address of one page.",
        "refill_days": 30,
        "can_cancel": True,
        "since": NOON,
        "name": tool["name"],
        "category": tool["category"],
        "unit": tool["unit"],
    }
