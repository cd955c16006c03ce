"""What happens next with an order, and what its customer does: one answer from all the facts of the order.

The status alone is not enough: an order that is Pending may be waiting for a paused provider, may be unconfirmed, or
may have been asked to stop. Every page that says what happens next asks here.
"""

from dataclasses import dataclass

from panel.domain.status import Status

# The states of a request to stop, as the database has them; "" without one.
ASKED, ACCEPTED = "asked", "accepted"


@dataclass(frozen=True, slots=True)
class NextStepFacts:
    """What decides it. `is_held_back`: not sent yet, and its provider takes no orders at the moment."""

    status: Status
    is_unconfirmed: bool = False
    stop: str = ""
    is_held_back: bool = False
    can_cancel: bool = False


@dataclass(frozen=True, slots=True)
class NextStep:
    """The sentence for the order's own page, and the short one beside its status in a list; empty on the usual way."""

    you_do: str
    note: str = ""


def next_step(facts: NextStepFacts) -> NextStep:
    """What happens next: the most particular fact decides."""
    if not facts.status.is_open:
        if facts.status is Status.CANCELED and facts.stop == ACCEPTED:
            return NextStep("Nothing, since you asked for it. Re-order if you like.")
        return NextStep(facts.status.facts.you_do)
    if facts.is_unconfirmed and facts.status is Status.PENDING:
        return _unconfirmed(facts)
    if facts.stop == ASKED:
        return NextStep(
            "You asked to cancel this order. It may still start or go on until the provider answers. "
            "What is not delivered comes back to your balance.",
            "You asked to cancel it. The provider has not answered yet.",
        )
    if facts.stop == ACCEPTED:
        return NextStep(
            "You don't need to do anything. The provider is stopping this order, and what is not delivered comes back "
            "to your balance when it has ended.",
            "The provider is stopping it.",
        )
    if facts.is_held_back and facts.status is Status.PENDING:
        choice = " If you don't want to wait, cancel it below." if facts.can_cancel else ""
        return NextStep(
            "It waits: the provider of this tool takes no new orders at the moment. It is sent when the provider takes "
            f"orders again, or canceled and the whole amount returned to your balance.{choice}",
            "It waits: its provider takes no new orders at the moment.",
        )
    return NextStep(facts.status.facts.you_do)


def _unconfirmed(facts: NextStepFacts) -> NextStep:
    stop = " You asked to cancel it: that is passed on if the provider has the order." if facts.stop == ASKED else ""
    return NextStep(
        "You don't need to do anything. We find out whether the provider has this order. It is confirmed, or it is "
        f"canceled and the whole amount returned to your balance.{stop}",
        "Not yet confirmed by the provider. It is not sent twice, and your money is held.",
    )
