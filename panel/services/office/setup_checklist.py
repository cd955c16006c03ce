"""First-run checklist of the office: what a new panel needs before it can sell, each read from its real state."""

from dataclasses import dataclass

from sqlalchemy import select

from panel.db import db
from panel.models import Tool
from panel.services import test_orders
from panel.services.catalogue import tools
from panel.services.office import account_access
from panel.services.payments import instructions
from panel.services.providers import registry

NEEDED_OPERATORS = 2
NEEDED_TO_SELL = frozenset({"payment", "provider", "catalogue", "visible"})


@dataclass(frozen=True, slots=True)
class SetupStep:
    """One step: what to do, how, and the page where it is done, if the office has one."""

    name: str
    label: str
    how: str
    url: str
    is_done: bool


def steps(*, sends_mail: bool) -> list[SetupStep]:
    """All steps in order; an empty list once they are done."""
    # Where a tool is offered, there are tools and a provider.
    offered = tools.listed()
    found = [
        SetupStep(
            "payment",
            "Tell customers how to pay",
            "Write the payment instructions, such as your bank account.",
            "/office/settings/texts/payment-instructions",
            bool(instructions.text().strip()),
        ),
        SetupStep(
            "provider",
            "Add a provider",
            "A provider delivers the orders. Choose “manual” to fulfill orders yourself.",
            "/office/providers/new",
            bool(offered or registry.listed()),
        ),
        SetupStep(
            "catalogue",
            "Add tools",
            "Import the provider’s catalogue, or add the first tool.",
            "/office/tools/new",
            bool(offered) or _has_tools(),
        ),
        SetupStep(
            "visible",
            "Offer the first tool",
            "Customers see a tool once it is offered and can be ordered.",
            "/office/tools",
            bool(offered),
        ),
        SetupStep(
            "mail",
            "Set up email",
            "Enter your mail server. Until then, emails are saved as files in the instance folder.",
            "/office/settings/email",
            sends_mail,
        ),
        SetupStep(
            "operators",
            "Add a second operator",
            "Large amounts and changes to operators need a second operator’s approval.",
            "/office/staff",
            account_access.active_operators() >= NEEDED_OPERATORS,
        ),
    ]
    return [] if all(step.is_done for step in found) else found


def can_sell(found: list[SetupStep]) -> bool:
    """Whether customers can already add funds and order: the rest of the checklist can then wait."""
    return all(step.is_done for step in found if step.name in NEEDED_TO_SELL)


def _has_tools() -> bool:
    own = select(Tool.id).where(Tool.slug != test_orders.TOOL_SLUG).limit(1)
    return db.session.scalar(own) is not None
