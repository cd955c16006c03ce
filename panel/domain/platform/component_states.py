"""Component states of the status page, their thresholds, and how each component is measured.

The status page prints its rules from here, so that the page and the probes can't disagree.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

PROVIDER_PREFIX = "provider-"


class State(StrEnum):
    """State of a component. `unknown` is displayed as "No data"; it is neither good nor bad."""

    OPERATIONAL = "operational"
    DEGRADED = "degraded"
    PARTIAL = "partial"
    MAJOR = "major"
    UNKNOWN = "unknown"

    @property
    def label(self) -> str:
        return _FACTS[self].label

    @property
    def means(self) -> str:
        return _FACTS[self].means

    @property
    def tone(self) -> str:
        """Tone of its status tag."""
        return _FACTS[self].tone

    @property
    def is_outage(self) -> bool:
        return self in (State.PARTIAL, State.MAJOR)


@dataclass(frozen=True)
class StateFacts:
    label: str
    means: str
    tone: str


_FACTS = {
    State.OPERATIONAL: StateFacts("Operational", "It was measured and is within its limits.", "completed"),
    State.DEGRADED: StateFacts("Degraded", "It works, and is slower than its first limit.", "progress"),
    State.PARTIAL: StateFacts("Partial outage", "A part of it does not work.", "partial"),
    State.MAJOR: StateFacts("Major outage", "It does not work, or is slower than its last limit.", "canceled"),
    State.UNKNOWN: StateFacts("No data", "Nothing was measured. It counts neither as up nor as down.", "pending"),
}

# In order of severity.
_BY_CONCERN = (State.OPERATIONAL, State.UNKNOWN, State.DEGRADED, State.PARTIAL, State.MAJOR)


@dataclass(frozen=True)
class Finding:
    """Result of one probe of a component: state, measured time, and a reason in customers' words."""

    component: str
    state: State
    value_ms: int | None = None
    text: str = ""


@dataclass(frozen=True)
class SpeedLimits:
    """Thresholds in milliseconds: up to the first operational, up to the last degraded, above it a major outage."""

    slow_ms: int
    fails_ms: int

    def judge(self, took_ms: int | None) -> State:
        """The state for a measured time. None: there was no answer."""
        if took_ms is None or took_ms > self.fails_ms:
            return State.MAJOR
        return State.DEGRADED if took_ms > self.slow_ms else State.OPERATIONAL


class Component(StrEnum):
    """Components except for providers, whose keys have the form `provider-3`."""

    PLATFORM = "platform"
    SITE = "site"
    ORDERING = "ordering"
    DISPATCH = "dispatch"
    UPDATES = "order-updates"
    REFUNDS = "refunds"
    API = "api"

    @property
    def facts(self) -> "ComponentFacts":
        return COMPONENTS[self]


@dataclass(frozen=True)
class ComponentFacts:
    """A component's label, how it is measured, and whether only the worker keeps it going."""

    label: str
    probe: str
    timed: str = ""
    limits: SpeedLimits | None = None
    needs_worker: bool = False


ANSWER = SpeedLimits(slow_ms=2_000, fails_ms=8_000)
WRITE = SpeedLimits(slow_ms=2_000, fails_ms=30_000)
HAND_OVER = SpeedLimits(slow_ms=60_000, fails_ms=300_000)
UPDATE = SpeedLimits(slow_ms=120_000, fails_ms=600_000)

COMPONENTS = {
    Component.PLATFORM: ComponentFacts("Whole platform", "The worst of the components.", needs_worker=True),
    Component.SITE: ComponentFacts(
        "Site", "We request a page over HTTP, as a browser does.", timed="response time", limits=ANSWER
    ),
    Component.ORDERING: ComponentFacts(
        "Ordering",
        "We check a test order and whether the database can write; every few minutes we place a test order.",
        timed="check time",
        limits=WRITE,
    ),
    Component.DISPATCH: ComponentFacts(
        "Dispatch",
        "We measure how long the oldest order has been waiting for a provider that takes orders.",
        timed="longest wait",
        limits=HAND_OVER,
        needs_worker=True,
    ),
    Component.UPDATES: ComponentFacts(
        "Order updates",
        "We measure how late our latest request to a provider is, and whether the test order reaches its end.",
        timed="delay of updates",
        limits=UPDATE,
        needs_worker=True,
    ),
    Component.REFUNDS: ComponentFacts(
        "Refunds",
        "Each test order ends undelivered, so its whole charge must come back; the audit of all money must be sound.",
        needs_worker=True,
    ),
    Component.API: ComponentFacts(
        "API",
        "We request the balance of the test account over HTTP with an API key.",
        timed="response time",
        limits=ANSWER,
    ),
}
# In the page's order. An outage of one of these is an outage of the platform.
CORE = (
    Component.SITE,
    Component.ORDERING,
    Component.DISPATCH,
    Component.UPDATES,
    Component.REFUNDS,
    Component.API,
)

PROVIDER_PROBE = (
    "We count the calls that orders need anyway: {few} unanswered in a row are degraded, {many} a major outage. While "
    "we pause the provider, new orders wait, which is a partial outage. With nothing to ask it, there is no data."
)
PROVIDER_DEGRADED_AFTER = 2
PROVIDER_MAJOR_AFTER = 5


def provider_key(provider_id: int) -> str:
    return f"{PROVIDER_PREFIX}{provider_id}"


def needs_worker(component: str) -> bool:
    """Whether time without a worker counts as an outage of this component."""
    return component in set(Component) and Component(component).facts.needs_worker


def provider_state(*, is_paused: bool, failures: int, is_asked: bool) -> State:
    """A provider's state from its calls: consecutive failures, and whether there are any calls."""
    if failures >= PROVIDER_MAJOR_AFTER:
        return State.MAJOR
    if is_paused:
        return State.PARTIAL
    if failures >= PROVIDER_DEGRADED_AFTER:
        return State.DEGRADED
    return State.OPERATIONAL if is_asked else State.UNKNOWN


def worst(states: Iterable[State]) -> State:
    """The most severe state; "No data" for none."""
    return max(states, key=_BY_CONCERN.index, default=State.UNKNOWN)


def overall(core: Iterable[State], providers: Iterable[State]) -> State:
    """State of the platform: its worst component. A provider affects only its tools, so it counts one step less."""
    softer = {State.MAJOR: State.PARTIAL, State.PARTIAL: State.DEGRADED, State.UNKNOWN: State.OPERATIONAL}
    return worst([*core, *(softer.get(state, state) for state in providers)])


def sentence(state: State) -> str:
    """State of the whole platform as a sentence."""
    return _SENTENCES[state]


_SENTENCES = {
    State.OPERATIONAL: "Every part of the platform works.",
    State.DEGRADED: "The platform works; a part of it is slow.",
    State.PARTIAL: "A part of the platform does not work.",
    State.MAJOR: "An essential part of the platform does not work.",
    State.UNKNOWN: "Not every part of the platform is being measured.",
}
