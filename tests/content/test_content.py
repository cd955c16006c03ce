"""Files of `content/`: errors that stop the start, and rules for words."""

import re
import shutil
from pathlib import Path

import pytest

from panel.domain import pricing, settlement
from panel.domain.status import Status
from panel.services.help import content as texts
from panel.services.help.content import Content, WrongContent
from panel.services.help.facts import facts_for_prose
from panel.services.help.worked_examples import worked_sum
from panel.settings import ROOT, Settings

FOLDER = ROOT / "content"
FACTS = facts_for_prose(Settings(_env_file=None))
FORBIDDEN = ("instant", "guarantee", "high quality", "please", "oops", "simply", "cancelled")


def read(folder: Path = FOLDER) -> Content:
    return texts.load(folder, facts=FACTS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the texts that a test may damage."""
    return Path(shutil.copytree(FOLDER, tmp_path / "content", ignore=shutil.ignore_patterns("tools", "api.md")))


def spoil(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))


def the_line(folder: Path) -> str:
    """The one line with which the start fails."""
    with pytest.raises(WrongContent) as stopped:
        read(folder)
    line = str(stopped.value.code)
    assert "\n" not in line
    return line


def test_every_status_has_its_file_and_every_file_its_status() -> None:
    files = {path.stem for path in (FOLDER / "statuses").iterdir()}

    assert files == set(Status)


def test_the_six_questions_are_answered() -> None:
    questions = [each.page.keys.question for each in read().questions]

    for word in ("Pending", "Partial", "Canceled", "In progress", "Refill", "How long"):
        assert any(word in question for question in questions), word


def test_an_answer_is_two_sentences() -> None:
    for each in read().questions:
        assert len(re.findall(r"\.(?:\s|$)", each.page.prose.plain_intro)) == 2, each.id


def test_a_missing_status_file_stops_the_start_with_one_line(folder: Path) -> None:
    (folder / "statuses" / "partial.md").unlink()

    assert the_line(folder) == "Wrong content content/statuses/partial.md: the file is missing."


def test_a_file_of_no_status_stops_the_start_with_one_line(folder: Path) -> None:
    shutil.copy(folder / "statuses" / "partial.md", folder / "statuses" / "paused.md")

    assert the_line(folder) == "Wrong content content/statuses/paused.md: nothing in the panel is called 'paused'."


@pytest.mark.parametrize("file", ["statuses/refill.md", "faq/how-long.md", "guides/getting-started.md"])
def test_a_missing_key_stops_the_start_and_is_named(folder: Path, file: str) -> None:
    spoil(folder, file, "changed:", "# changed:")

    assert the_line(folder) == f"Wrong content content/{file}: key 'changed' is missing."


@pytest.mark.parametrize("file", ["statuses/refill.md", "faq/how-long.md", "guides/getting-started.md"])
def test_an_unknown_key_stops_the_start_and_is_named(folder: Path, file: str) -> None:
    spoil(folder, file, "changed:", "mood: calm\nchanged:")

    assert the_line(folder) == f"Wrong content content/{file}: key 'mood' is not known."


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("remains: 360", "remains: none of it", "key 'remains'"),
        ("remains: 360", "remains: 0", "key 'remains'"),
        ("remains: 360", "remains: 1000", "key 'remains'"),
        ("changed: ", "changed: lately ", "key 'changed'"),
        ("title: ", "title: [", "front matter"),
        ("  - /order-statuses/canceled", "  - /tools", "key 'related'"),
        ("## How long it takes", "## How soon", "the parts must be"),
        ("You pay for the", "{{ colour }} You pay for the", "unknown fact 'colour'"),
        ("You pay for the", "[You](https://example.com) pay for the", "leaves the site"),
        ("You pay for the", "[You](//example.com) pay for the", "leaves the site"),
    ],
)
def test_a_wrong_value_stops_the_start_with_file_and_reason(folder: Path, old: str, new: str, named: str) -> None:
    spoil(folder, "statuses/partial.md", old, new)

    line = the_line(folder)

    assert line.startswith("Wrong content content/statuses/partial.md") and named in line


def test_a_link_that_leads_nowhere_stops_the_start(folder: Path) -> None:
    spoil(folder, "statuses/partial.md", "(/tools)", "(/tolls)")

    with pytest.raises(WrongContent) as stopped:
        read(folder).check_links(lambda path: path != "/tolls")

    assert stopped.value.code == "Wrong content content/statuses/partial.md: the link /tolls leads nowhere."


def test_an_anchor_that_is_not_there_stops_the_start(folder: Path) -> None:
    spoil(folder, "guides/faq.md", "Short answers to", "[Short](/getting-started#dance) answers to")

    with pytest.raises(WrongContent, match="/getting-started#dance leads nowhere"):
        read(folder).check_links(lambda path: True)


def test_markup_in_a_text_stays_text(folder: Path) -> None:
    spoil(folder, "faq/how-long.md", "It depends", "<b onclick=x>It</b> depends")

    html = next(each for each in read(folder).questions if each.id == "how-long").page.prose.intro

    assert "<b" not in html and "&lt;b onclick=x&gt;" in html


@pytest.mark.parametrize("status", list(Status))
def test_a_worked_sum_is_what_the_refund_rule_says(status: Status) -> None:
    remains = read().statuses[status].keys.remains

    worked = worked_sum(status, remains=remains)

    settled = settlement.settle(
        status,
        quantity=worked.quantity,
        remains=remains,
        price_micros_per_thousand=worked.price_micros_per_thousand,
    )
    assert worked.charge_nanos == pricing.charge_nanos(
        quantity=worked.quantity, price_micros_per_thousand=worked.price_micros_per_thousand
    )
    assert (worked.kept_nanos, worked.returned_nanos) == (settled.kept_nanos, settled.returned_nanos)
    assert worked.held_nanos + worked.kept_nanos + worked.returned_nanos == worked.charge_nanos
    assert (worked.held_nanos == worked.charge_nanos) is status.is_open


def test_the_texts_keep_to_the_words_of_the_house() -> None:
    for path in sorted(FOLDER.glob("*/*.md")):
        text = path.read_text().lower()
        assert not [word for word in FORBIDDEN if word in text], path.name
        assert "!" not in text and "refunded" not in text, path.name


def test_rules_that_are_set_are_filled_in_and_not_typed() -> None:
    settings = Settings(_env_file=None, unconfirmed_hours=5, dispatch_hours=1.5)

    pending = texts.load(FOLDER, facts=facts_for_prose(settings)).statuses[Status.PENDING]

    assert "5 hours" in pending.part("How long it takes") and "1.5 hours" in pending.part("How long it takes")
