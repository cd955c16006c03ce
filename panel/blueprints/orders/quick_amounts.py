"""Quick amounts of the order form: the minimum, 500, 1,000 and the largest quantity that the balance covers."""

from dataclasses import dataclass

from panel.services.catalogue.tools import ToolOffer

USUAL = (500, 1_000)


@dataclass(frozen=True, slots=True)
class QuickAmount:
    """A suggested quantity and its label."""

    quantity: int
    words: str = ""


def of(tool: ToolOffer, *, balance_nanos: int) -> list[QuickAmount]:
    """Suggested quantities within the tool's limits, without duplicates, smallest first."""
    if not tool.form.takes_quantity:
        return []
    affordable = min(tool.maximum, balance_nanos // tool.price_micros_per_thousand)
    amounts = {quantity: QuickAmount(quantity) for quantity in USUAL if tool.minimum <= quantity <= tool.maximum}
    if affordable >= tool.minimum:
        amounts[affordable] = QuickAmount(affordable, "Maximum" if affordable == tool.maximum else "Max for balance")
    amounts[tool.minimum] = QuickAmount(tool.minimum, "Minimum")
    return sorted(amounts.values(), key=lambda amount: amount.quantity)
