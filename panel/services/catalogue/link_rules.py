"""Invalid stored link patterns: opens a review for each tool that has one.

Patterns are validated on save; this finds those of earlier versions or manual edits.
"""

from datetime import datetime

from sqlalchemy import select

from panel.db import db
from panel.domain import links
from panel.domain.review_kind import ReviewKind
from panel.models import Terms, Tool
from panel.services import reviews


def unusable() -> list[tuple[str, str]]:
    """Tools with an invalid pattern, including hidden ones, by slug, with the reason."""
    rows = db.session.execute(
        select(Tool.slug, Terms.link_pattern, Terms.link_example)
        .join(Terms, Terms.id == Tool.terms_id)
        .order_by(Tool.slug)
    )
    return [(row.slug, fault) for row in rows if (fault := links.stored_fault(row.link_pattern, row.link_example))]


def review_unusable(found: list[tuple[str, str]], *, now: datetime) -> int:
    """Open a review for each, once. Returns the number of new reviews."""
    texts = [f"Nobody can order {slug}: its link pattern {fault}." for slug, fault in found]
    return sum(reviews.open_review(ReviewKind.LINK_PATTERN, text=text, now=now) for text in texts)
