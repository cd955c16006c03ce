"""Review list: those with a timeout first, then the oldest; its pages skip nothing."""

from datetime import timedelta

import pytest

from panel.db import transaction
from panel.domain.provider_kind import ProviderKind
from panel.domain.review_kind import ReviewKind
from panel.providers.base import Unclear
from panel.services import reviews
from panel.services.office import review_list
from panel.services.office.review_list import Cursor, ReviewPage
from panel.services.orders import dispatch
from tests.support.factories import NOON, a_tool, an_order

HOURS = 72.0


def page(*, kind: ReviewKind | None = None, after: Cursor | None = None) -> ReviewPage:
    return review_list.open_page(kind=kind, after=after, unconfirmed_hours=HOURS, now=NOON + timedelta(hours=2))


def open_many(count: int) -> None:
    with transaction():
        for number in range(count):
            reviews.open_review(ReviewKind.REPORT, text=f"Report {number}.", now=NOON)


def lose_an_answer() -> None:
    tool = a_tool()
    an_order(tool=tool)
    with transaction():
        [taken] = dispatch.open_attempts(tool.provider_id, most=1, lease_seconds=60, now=NOON)
        dispatch.record_outcome(taken.attempt_id, Unclear("502"), now=NOON)


def test_reviews_with_a_deadline_come_first_and_show_the_time_left() -> None:
    open_many(2)
    lose_an_answer()

    first, *others = page().lines

    assert (first.review.kind, first.left_seconds) == ("unconfirmed", 70 * 3600)
    assert [(line.review.text, line.left_seconds) for line in others] == [("Report 0.", None), ("Report 1.", None)]


def test_pages_hold_every_open_review_once() -> None:
    open_many(review_list.PAGE_SIZE)
    lose_an_answer()

    first = page()
    second = page(after=first.next_after)

    assert len(first.lines) == review_list.PAGE_SIZE
    assert first.next_after is not None
    assert [line.review.text for line in second.lines] == [f"Report {review_list.PAGE_SIZE - 1}."]
    assert second.next_after is None


def test_resolved_ones_are_neither_listed_nor_counted() -> None:
    lose_an_answer()
    open_many(1)
    with transaction():
        reviews.close(ReviewKind.UNCONFIRMED, order_id=1, resolution="Done.", now=NOON)

    assert [line.review.kind for line in page().lines] == ["report"]
    assert review_list.counts() == [(ReviewKind.REPORT, 1)]
    assert page(kind=ReviewKind.UNCONFIRMED).lines == ()


@pytest.mark.parametrize("kinds", [ReviewKind, ProviderKind])
def test_every_kind_has_a_label_of_its_own(kinds: type[ReviewKind | ProviderKind]) -> None:
    labels = [kind.label for kind in kinds]

    assert len(set(labels)) == len(labels) == len(kinds)
    assert all(label[0].isupper() for label in labels)
