"""What happens next with an order, and what its customer can do, from all facts of the order.

The status alone is not enough: a Pending order may be waiting for a paused provider, be unconfirmed, or have a
cancellation requested. All pages that say what happens next use this.
"""

from dataclasses import dataclass

from panel.domain.status import Status

# States of a cancellation request, as stored; "" without one.
ASKED, ACCEPTED = "asked", "accepted"


@dataclass(frozen=True, slots=True)
class NextStepFacts:
    """The facts behind the next step. `is_held_back`: not sent yet, and the provider takes no orders right now.

    `has_refill`: the order's terms offer refill.
    """

    status: Status
    is_unconfirmed: bool = False
    stop: str = ""
    is_held_back: bool = False
    can_cancel: bool = False
    has_incident: bool = False
    has_refill: bool = True


@dataclass(frozen=True, slots=True)
class NextStep:
    """Sentences for the order page, and a short note beside the status in lists; empty in the normal case.

    `is_usual`: no delay, so that measured times say when to expect the next status.
    """

    you_do: str
    note: str = ""
    is_usual: bool = True


_INCIDENT = "An incident is open that can delay this order."


def next_step(facts: NextStepFacts) -> NextStep:
    """The next step: the most specific fact decides, and an open incident is mentioned with it."""
    found = _without_incident(facts)
    if not (facts.has_incident and facts.status.is_moving):
        return found
    return NextStep(f"{_INCIDENT} {found.you_do}", found.note or "Incident open", is_usual=False)


def _without_incident(facts: NextStepFacts) -> NextStep:
    if not facts.status.is_open:
        if facts.status is Status.CANCELED and facts.stop == ACCEPTED:
            return NextStep("You asked for it, so you don’t need to do anything. Order again if you like.")
        if facts.status is Status.COMPLETED and not facts.has_refill:
            return NextStep("You don’t need to do anything.")
        return NextStep(facts.status.facts.you_do)
    if facts.is_unconfirmed and facts.status is Status.PENDING:
        return _unconfirmed(facts)
    if facts.stop == ASKED:
        return NextStep(
            "You asked to cancel this order. It may still start or go on until the provider answers. "
            "What is not delivered comes back to your balance.",
            "Cancellation requested",
            is_usual=False,
        )
    if facts.stop == ACCEPTED:
        return NextStep(
            "You don’t need to do anything. The provider is stopping this order, and what is not delivered comes back "
            "to your balance when it has ended.",
            "Being canceled",
            is_usual=False,
        )
    if facts.is_held_back and facts.status is Status.PENDING:
        choice = " If you don’t want to wait, you can cancel it." if facts.can_cancel else ""
        return NextStep(
            "The provider of this tool takes no new orders at the moment, so this order waits. It is sent when the "
            f"provider takes orders again, or canceled and the whole amount returned to your balance.{choice}",
            "Waiting for provider",
            is_usual=False,
        )
    return NextStep(facts.status.facts.you_do)


def _unconfirmed(facts: NextStepFacts) -> NextStep:
    stop = " You asked to cancel it: that is passed on if the provider has the order." if facts.stop == ASKED else ""
    return NextStep(
        "You don’t need to do anything. We find out whether the provider has this order. It is confirmed, or it is "
        f"canceled and the whole amount returned to your balance.{stop}",
        "Not confirmed yet",
        is_usual=False,
    )
