"""The demo's news: an announcement, and a price that changes in a week."""

from datetime import datetime, timedelta

from panel.domain.announcements import Audience
from panel.services import announcements
from panel.services.catalogue import scheduled_terms, tool_settings

ACTOR = "demo"
PUBLISHED_BEFORE = timedelta(days=3)
TITLE = "Two tools for shops"
TEXT = (
    "Product page visits now has a second provider, so an order goes on when the first one is paused.\n"
    "Visits from search lets you choose the country your visitors come from."
)
# The tool whose price changes, and what it will cost per 1,000.
DEARER, PRICE = "video-trailer-views", "1.60"
CHANGES_IN = timedelta(days=7)


def fill(*, now: datetime) -> None:
    """A published announcement for everyone, and an announced price."""
    published_at = now - PUBLISHED_BEFORE
    made = announcements.draft(title=TITLE, text=TEXT, audience=Audience.EVERYONE, actor=ACTOR, now=published_at)
    announcements.publish(made.id, is_pinned=False, with_mail=False, seen=made.version, actor=ACTOR, now=published_at)
    scheduled_terms.schedule(
        tool_settings.lock_tool(DEARER),
        {"price_per_thousand": PRICE},
        effective_at=now + CHANGES_IN,
        reason="The provider charges more from then on.",
        actor=ACTOR,
        now=now,
    )
