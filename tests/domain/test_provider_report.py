"""Provider reports, row by row of the design's table: effects on status and money."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.domain.provider_report import RAW_LENGTH, WORDS, OrderProgress, Report, Verdict, judge, read_count, read_word
from panel.domain.status import USUAL_PATH, Status

S = Status
QUANTITY = 1_000
OPEN = (S.PENDING, S.PROCESSING, S.IN_PROGRESS)
AFTER_COMPLETED = (S.COMPLETED, S.REFILL)
ENDED = (S.PARTIAL, S.CANCELED)
BAD_REMAINS = [
    None,
    "",
    "-1",
    -1,
    QUANTITY + 1,
    "1e2",
    "1.5",
    2.5,
    640.0,
    True,
    " 5",
    "٣",
    [5],
    {},
    "9" * 40,
    10**30,
]


def an_order(status: Status, *, remains: int = 700, start_count: int | None = 50) -> OrderProgress:
    return OrderProgress(status=status, quantity=QUANTITY, remains=remains, start_count=start_count)


def assert_is_bad(verdict: Verdict, standing: OrderProgress) -> None:
    """Assert that neither status nor count changes, and that a review opens."""
    assert (verdict.to, verdict.remains, verdict.start_count) == (
        standing.status,
        standing.remains,
        standing.start_count,
    )
    assert verdict.is_bad and verdict.review
    assert not verdict.changes(standing)


@pytest.mark.parametrize("status", OPEN)
@pytest.mark.parametrize("word", OPEN)
@pytest.mark.parametrize("remains", [0, 1, 640, "999", QUANTITY])
def test_open_word_at_or_ahead_of_ours_is_believed_with_its_count(
    status: Status, word: Status, remains: object
) -> None:
    standing = an_order(status, remains=300)

    verdict = judge(Report(word.label, remains=remains), standing)

    if USUAL_PATH.index(word) < USUAL_PATH.index(status):
        assert_is_bad(verdict, standing)
    else:
        assert (verdict.to, verdict.remains, verdict.review) == (word, int(str(remains)), None)


@pytest.mark.parametrize("status", OPEN)
@pytest.mark.parametrize("remains", [None, "", " "])
def test_open_word_without_a_count_keeps_the_count_we_have(status: Status, remains: object) -> None:
    verdict = judge(Report("In progress", remains=remains), an_order(status, remains=640))

    assert (verdict.to, verdict.remains, verdict.review) == (S.IN_PROGRESS, 640, None)


@pytest.mark.parametrize("remains", ["-2", -2, "-1000", -(10**30)])
def test_over_delivery_while_running_means_that_nothing_remains(remains: object) -> None:
    verdict = judge(Report("In progress", remains=remains), an_order(S.IN_PROGRESS, remains=300))

    assert (verdict.to, verdict.remains, verdict.review) == (S.IN_PROGRESS, 0, None)


@pytest.mark.parametrize("remains", [bad for bad in BAD_REMAINS if bad not in (None, "", "-1", -1)])
def test_open_word_with_a_bad_count_changes_nothing(remains: object) -> None:
    standing = an_order(S.PROCESSING)

    assert_is_bad(judge(Report("In progress", remains=remains), standing), standing)


@pytest.mark.parametrize("status", OPEN)
@pytest.mark.parametrize("remains", [0, "0", *BAD_REMAINS])
def test_completed_keeps_all_whatever_the_count(status: Status, remains: object) -> None:
    verdict = judge(Report("Completed", remains=remains), an_order(status))

    assert (verdict.to, verdict.remains, verdict.is_bad) == (S.COMPLETED, 0, False)


@pytest.mark.parametrize("status", OPEN)
@pytest.mark.parametrize("remains", [1, "360", QUANTITY])
def test_completed_with_something_remaining_also_opens_a_review(status: Status, remains: object) -> None:
    verdict = judge(Report("Completed", remains=remains), an_order(status))

    assert (verdict.to, verdict.remains) == (S.COMPLETED, int(str(remains)))
    assert verdict.review and not verdict.is_bad


def test_completed_with_more_remaining_than_ordered_opens_a_review_and_does_not_take_the_count() -> None:
    verdict = judge(Report("Completed", remains=QUANTITY + 1), an_order(S.IN_PROGRESS))

    assert (verdict.to, verdict.remains) == (S.COMPLETED, 0)
    assert verdict.review == "The provider says Completed with 1001 remaining."


@pytest.mark.parametrize("status", OPEN)
@pytest.mark.parametrize("remains", [1, "360", QUANTITY - 1, QUANTITY])
def test_partial_with_a_count_is_believed(status: Status, remains: object) -> None:
    verdict = judge(Report("Partial", remains=remains), an_order(status))

    assert (verdict.to, verdict.remains, verdict.review) == (S.PARTIAL, int(str(remains)), None)


def test_partial_with_nothing_remaining_is_believed_and_opens_a_review() -> None:
    verdict = judge(Report("Partial", remains=0), an_order(S.IN_PROGRESS))

    assert (verdict.to, verdict.remains, verdict.is_bad) == (S.PARTIAL, 0, False)
    assert verdict.review


@pytest.mark.parametrize("status", OPEN)
@pytest.mark.parametrize("remains", BAD_REMAINS)
def test_partial_with_a_bad_or_missing_count_changes_nothing(status: Status, remains: object) -> None:
    standing = an_order(status)

    assert_is_bad(judge(Report("Partial", remains=remains), standing), standing)


@pytest.mark.parametrize("status", OPEN)
@pytest.mark.parametrize("remains", [0, QUANTITY, *BAD_REMAINS])
def test_canceled_returns_all_whatever_the_count(status: Status, remains: object) -> None:
    verdict = judge(Report("Canceled", remains=remains), an_order(status))

    assert (verdict.to, verdict.remains, verdict.review) == (S.CANCELED, QUANTITY, None)


@pytest.mark.parametrize("status", OPEN)
@pytest.mark.parametrize("remains", [1, "360", QUANTITY - 1])
def test_canceled_with_a_count_in_between_also_opens_a_review(status: Status, remains: object) -> None:
    verdict = judge(Report("Canceled", remains=remains), an_order(status))

    assert verdict.to is S.CANCELED
    assert verdict.review and not verdict.is_bad


@pytest.mark.parametrize("status", S)
@pytest.mark.parametrize(
    "word", ["", "Done", "Refill", "Error", "Fail", "null", "полностью", None, 3, True, [], {"a": 1}]
)
def test_unknown_word_or_something_that_is_no_text_changes_nothing(status: Status, word: object) -> None:
    standing = an_order(status)

    assert_is_bad(judge(Report(word, remains=5), standing), standing)


@pytest.mark.parametrize("status", AFTER_COMPLETED)
@pytest.mark.parametrize("word", [word for word in S if word not in (S.COMPLETED, S.REFILL)])
def test_anything_but_completed_after_completed_changes_nothing(status: Status, word: Status) -> None:
    standing = an_order(status, remains=0)

    assert_is_bad(judge(Report(word.label, remains=0), standing), standing)


@pytest.mark.parametrize("status", AFTER_COMPLETED)
@pytest.mark.parametrize("remains", [0, 5, None])
def test_completed_after_completed_is_no_news(status: Status, remains: object) -> None:
    standing = an_order(status, remains=0)

    verdict = judge(Report("Completed", remains=remains), standing)

    assert not verdict.changes(standing)
    assert verdict.review is None


@pytest.mark.parametrize("status", ENDED)
@pytest.mark.parametrize("word", [word for word in S if word is not S.REFILL])
def test_another_word_after_the_end_changes_nothing(status: Status, word: Status) -> None:
    standing = an_order(status, remains=360)

    verdict = judge(Report(word.label, remains=359), standing)

    assert not verdict.changes(standing)
    assert (verdict.review is None) is (word is status is S.CANCELED)


@pytest.mark.parametrize("status", ENDED)
def test_same_final_status_reported_again_changes_nothing(status: Status) -> None:
    standing = an_order(status, remains=360)

    verdict = judge(Report(status.label, remains="360"), standing)

    assert not verdict.changes(standing)
    assert verdict.review is None


@pytest.mark.parametrize("remains", [None, ""])
def test_partial_reported_again_without_a_count_changes_nothing(remains: object) -> None:
    verdict = judge(Report("Partial", remains=remains), an_order(S.PARTIAL, remains=360))

    assert verdict.review is None


@pytest.mark.parametrize("start_count", [0, "3572"])
def test_start_count_is_taken_when_it_is_a_count(start_count: object) -> None:
    verdict = judge(Report("In progress", remains=5, start_count=start_count), an_order(S.PENDING, start_count=None))

    assert verdict.start_count == int(str(start_count))


@pytest.mark.parametrize("start_count", [None, "", "-1", 1.5, True, "n/a"])
def test_bad_start_count_leaves_the_one_we_have(start_count: object) -> None:
    verdict = judge(Report("In progress", remains=5, start_count=start_count), an_order(S.PENDING, start_count=50))

    assert (verdict.to, verdict.remains, verdict.start_count) == (S.IN_PROGRESS, 5, 50)


@pytest.mark.parametrize("word", ["in progress", "IN PROGRESS", " In progress ", "inprogress", "In_Progress"])
def test_word_is_read_in_any_case(word: str) -> None:
    assert read_word(word) is S.IN_PROGRESS
    assert read_word("Cancelled") is read_word("canceled") is S.CANCELED


def test_every_provider_word_means_a_status_and_refill_is_never_a_providers_to_say() -> None:
    assert set(WORDS.values()) == set(S) - {S.REFILL}
    assert all(word == word.lower() for word in WORDS)


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers())
ANY_WORD = st.sampled_from([*WORDS, *(status.label for status in S)]) | ANYTHING


@given(st.sampled_from(S), st.integers(0, QUANTITY), ANY_WORD, ANYTHING, ANYTHING)
def test_no_report_leads_off_the_table(
    status: Status, remains: int, word: object, reported: object, start: object
) -> None:
    standing = an_order(status, remains=remains)

    verdict = judge(Report(word, remains=reported, start_count=start), standing)

    assert verdict.to is status or status.may_become(verdict.to)
    assert 0 <= verdict.remains <= QUANTITY
    assert verdict.start_count is None or verdict.start_count >= 0
    assert not (verdict.is_bad and verdict.changes(standing))
    assert status.is_open or not verdict.changes(standing)


@given(ANYTHING, st.integers(0, 10**18))
def test_count_is_a_strict_whole_number_within_its_bound(value: object, most: int) -> None:
    count = read_count(value, most=most)

    assert count is None or (not isinstance(value, bool | float) and 0 <= count <= most)


def test_raw_text_of_a_report_is_short_and_printable() -> None:
    raw = Report("Done\x00\u202e" + "x" * 500, remains=None).raw

    assert raw.startswith("status='Done")
    assert len(raw) == RAW_LENGTH
    assert raw.isprintable()


@pytest.mark.parametrize("remains", [None, "", "0", "1", "750", "-3", "n/a", 10**9])
@pytest.mark.parametrize(("word", "expected"), [("Completed", 0), ("Canceled", 1), ("In progress", 1)])
def test_counts_of_a_package_change_nothing(word: str, expected: int, remains: object) -> None:
    package = OrderProgress(Status.PENDING, quantity=1, remains=1, start_count=None, is_package=True)

    verdict = judge(Report(word, remains), package)

    assert (verdict.to.label, verdict.remains, verdict.review) == (word, expected, None)


def test_partial_of_a_package_is_left_to_an_operator() -> None:
    package = OrderProgress(Status.IN_PROGRESS, quantity=1, remains=1, start_count=None, is_package=True)

    verdict = judge(Report("Partial", "1"), package)

    assert not verdict.changes(package)
    assert verdict.is_bad and verdict.review


def test_repeated_report_of_an_ended_package_is_accepted_whatever_its_count() -> None:
    package = OrderProgress(Status.CANCELED, quantity=1, remains=1, start_count=None, is_package=True)

    assert judge(Report("Canceled", "400"), package).review is None
    assert judge(Report("Completed", "400"), package).is_bad
