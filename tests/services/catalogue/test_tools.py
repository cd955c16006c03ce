"""Catalogue files: loaded completely or not at all; terms are append-only."""

import pytest
import yaml
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from panel.db import db, transaction
from panel.domain import money
from panel.domain.errors import BadCatalogue
from panel.models import Terms, Tool
from panel.services.catalogue import terms_history, tools, yaml_fields
from tests.support.factories import NOON, a_provider, a_tool

LATER = NOON.replace(hour=15)

GOOD = """\
- slug: page-visits
  name: Page visits
  category: Pages
  summary: Visits to one page.
  unit: visits
  price_per_thousand: "0.90"
  minimum: 50
  maximum: 10000
  link:
    pattern: 'https://[a-z.]+/pages/[a-z]+'
    example: https://www.example.com/pages/bread
    counter_example: https://www.example.com/
    hint: Give the address of one page.
  refill: {days: 30}
  cancel: true
  provider: simulated
  provider_service: usual
"""

BAD_FILES = {
    "a price without quotes": ('"0.90"', "0.90", "line 6, price_per_thousand: Write the price in quotes"),
    "a whole price without quotes": ('"0.90"', "1", "line 6, price_per_thousand: Write the price in quotes"),
    "a price finer than a micro": ('"0.90"', '"0.0000001"', "line 6, price_per_thousand"),
    "a price of nothing": ('"0.90"', '"0.00"', "line 6, price_per_thousand"),
    "a price with a sign": ('"0.90"', '"-1"', "line 6, price_per_thousand"),
    "a price above the bound": ('"0.90"', '"1000.01"', "line 6, price_per_thousand"),
    "a minimum of nothing": ("minimum: 50", "minimum: 0", "line 7, minimum"),
    "a minimum below nothing": ("minimum: 50", "minimum: -5", "line 7, minimum"),
    "a minimum in quotes": ("minimum: 50", 'minimum: "50"', "line 7, minimum"),
    "a minimum with a point": ("minimum: 50", "minimum: 5.0", "line 7, minimum"),
    "a minimum in eights": ("minimum: 50", "minimum: 050", "line 7, minimum"),
    "a maximum below the minimum": ("maximum: 10000", "maximum: 49", "line 8, maximum"),
    "a maximum above the bound": ("maximum: 10000", "maximum: 1000000001", "line 8, maximum"),
    "a slug with capitals": ("slug: page-visits", "slug: Page-Visits", "line 1, slug"),
    "a slug with two hyphens": ("slug: page-visits", "slug: page--visits", "line 1, slug"),
    "a name that is a number": ("name: Page visits", "name: 12", "line 2, name"),
    "an empty name": ("name: Page visits", "name: ''", "line 2, name"),
    "an empty value": ("unit: visits", "unit:", "line 5, unit"),
    "a summary too long": ("Visits to one page.", "x" * 301, "line 4, summary"),
    "an invisible character": ("Page visits", '"Page\\u202Evisits"', "line 2, name"),
    "a pattern that is none": ("'https://[a-z.]+/pages/[a-z]+'", "'https://('", "line 10, link.pattern"),
    "an example that does not fit": ("/pages/bread", "/shelves/bread", "line 11, link.example"),
    "a counter-example that fits": (
        "example.com/\n",
        "example.com/pages/salt\n",
        "line 12, link.counter_example",
    ),
    "a link without a hint": (
        "    hint: Give the address of one page.\n",
        "",
        "line 10, link.hint: This field is mis",
    ),
    "an unknown field of the link": ("    hint:", "    tip: x\n    hint:", "line 13, link.tip"),
    "a refill of no days": ("{days: 30}", "{days: 0}", "line 14, refill.days"),
    "a refill as a word": ("{days: 30}", "yes", "line 14, refill"),
    "a refill without days": ("{days: 30}", "{}", "line 14, refill.days"),
    "a cancel that is a number": ("cancel: true", "cancel: 1", "line 15, cancel"),
    "a cancel that says yes": ("cancel: true", "cancel: yes", "line 15, cancel"),
    "an unknown provider": (
        "provider: simulated",
        "provider: nobody",
        "line 16, provider: There is no provider called",
    ),
    "a missing field": ("  unit: visits\n", "", "line 1, unit: This field is missing"),
    "an unknown field": ("  unit: visits\n", "  unit: visits\n  colour: red\n", "line 6, colour"),
    "a field given twice": (
        "  unit: visits\n",
        "  unit: visits\n  unit: reads\n",
        "line 6, unit: This field is given",
    ),
    "a slug used twice": (
        "- slug: page-visits",
        GOOD + "- slug: page-visits",
        "line 18, slug: The slug page-visits",
    ),
    "an anchor": ("name: Page visits", "name: &name Page visits", "line 2, file: Anchors"),
    "a tag of its own": ("name: Page visits", "name: !!python/name:os.system x", "line 2, name"),
    "no YAML": ("  minimum: 50", "  minimum: [50", "file: This is not YAML"),
    "no list": (GOOD, "slug: page-visits\n", "line 1, file: A catalogue is a list"),
    "an empty file": (GOOD, "", "line 1, file: A catalogue is a list"),
    "a tool that is a word": (GOOD, "- page-visits\n", "line 1, tool"),
    "a file nested deep": (GOOD, "[" * 5_000, "line 1, file: The file is nested too deep"),
}


def imported(written: str | bytes, *, now=NOON) -> tools.Imported:  # type: ignore[no-untyped-def]
    with transaction():
        return tools.import_tools(
            written if isinstance(written, bytes) else written.encode(), name="tools.yaml", now=now
        )


def rows_of(model: type) -> int:
    return db.session.execute(select(func.count()).select_from(model)).scalar_one()


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_wrong_file_is_refused_with_line_and_field_and_imports_nothing(case: str) -> None:
    old, new, message = BAD_FILES[case]
    a_provider("simulated")
    before = tools.version()
    assert old in GOOD

    good_first = GOOD.replace("page-visits", "good-one")
    with pytest.raises(BadCatalogue) as refused:
        imported(GOOD.replace(old, new) if case == "a slug used twice" else GOOD.replace(old, new, 1))
    with pytest.raises(BadCatalogue):
        imported(good_first + GOOD.replace(old, new, 1) + "- nothing\n")

    assert message in refused.value.message
    assert refused.value.message.startswith("tools.yaml, line ")
    assert (rows_of(Tool), rows_of(Terms), tools.version()) == (0, 0, before)


@pytest.mark.parametrize("written", [b"- slug: \xff\xfe", b"x" * (yaml_fields.MAX_BYTES + 1), b"- slug: a\x00b"])
def test_a_file_that_is_no_text_or_too_large_is_refused(written: bytes) -> None:
    with pytest.raises(BadCatalogue, match=r"^tools\.yaml, line 1, file: The file"):
        imported(written)


@pytest.mark.both_engines
def test_an_unknown_provider_of_the_last_tool_leaves_nothing_of_the_first() -> None:
    a_provider("simulated")
    last = GOOD.replace("page-visits", "last").replace("provider: simulated", "provider: nobody")

    with pytest.raises(BadCatalogue, match=r"tools\.yaml, line 33, provider: There is no provider called nobody\."):
        imported(GOOD + last)

    assert (rows_of(Tool), rows_of(Terms)) == (0, 0)


@pytest.mark.both_engines
def test_a_file_is_read_back_as_it_was_written() -> None:
    provider = a_provider("simulated")

    did = imported(GOOD)

    assert did == tools.Imported(added=("page-visits",), changed=(), unchanged=())
    tool = tools.find("page-visits")
    assert tool is not None
    assert tool == tools.offer(tool.tool_id) == tools.listed()[0]
    written = yaml.safe_load(GOOD)[0]
    assert {
        "slug": tool.slug,
        "name": tool.name,
        "category": tool.category,
        "summary": tool.summary,
        "unit": tool.unit,
        "price_per_thousand": money.plain_price(tool.price_micros_per_thousand),
        "minimum": tool.minimum,
        "maximum": tool.maximum,
        "link": {
            "pattern": tool.link_pattern,
            "example": tool.link_example,
            "counter_example": tool.link_counter_example,
            "hint": tool.link_hint,
        },
        "refill": {"days": tool.refill_days},
        "cancel": tool.can_cancel,
        "provider": tool.provider_name,
        "provider_service": tool.provider_service,
    } == written
    assert (tool.terms_version, tool.provider_id, tool.provider_kind) == (1, provider.id, "simulated")
    assert tool.changed_at == NOON


@pytest.mark.both_engines
def test_the_same_file_again_changes_nothing() -> None:
    a_provider("simulated")
    imported(GOOD)
    before, version = tools.find("page-visits"), tools.version()

    did = imported(GOOD, now=LATER)

    assert did == tools.Imported(added=(), changed=(), unchanged=("page-visits",))
    assert (tools.find("page-visits"), tools.version()) == (before, version)


@pytest.mark.both_engines
@pytest.mark.parametrize(
    ("old", "new", "field", "value"),
    [
        ('"0.90"', '"1.00"', "price_micros_per_thousand", 1_000_000),
        ("minimum: 50", "minimum: 60", "minimum", 60),
        ("{days: 30}", "null", "refill_days", None),
        ("cancel: true", "cancel: false", "can_cancel", False),
        ("Give the address", "Give the one address", "link_hint", "Give the one address of one page."),
    ],
)
def test_other_terms_become_the_next_version(old: str, new: str, field: str, value: object) -> None:
    a_provider("simulated")
    imported(GOOD)
    first, version = tools.find("page-visits"), tools.version()

    did = imported(GOOD.replace(old, new), now=LATER)

    tool = tools.find("page-visits")
    assert first is not None and tool is not None
    assert did.changed == ("page-visits",)
    assert getattr(tool, field) == value
    assert (tool.terms_version, tool.changed_at, tools.version()) == (2, LATER, version + 1)
    log = terms_history.terms_log(tool.tool_id)
    assert [(each.version, each.since, each.terms_id) for each in log] == [
        (2, LATER, tool.terms_id),
        (1, NOON, first.terms_id),
    ]
    assert getattr(log[1].terms, field) == getattr(first, field)


def test_terms_changed_back_are_a_third_version() -> None:
    a_provider("simulated")
    imported(GOOD)
    imported(GOOD.replace('"0.90"', '"1.00"'))

    imported(GOOD)

    tool = tools.find("page-visits")
    assert tool is not None and tool.terms_version == 3


def test_another_name_is_another_version_of_the_terms() -> None:
    a_provider("simulated")
    imported(GOOD)
    version = tools.version()

    did = imported(GOOD.replace("Page visits", "Visits to pages"), now=LATER)

    tool = tools.find("page-visits")
    assert tool is not None
    assert (tool.name, tool.terms_version, tool.changed_at) == ("Visits to pages", 2, LATER)
    assert (did.changed, tools.version()) == (("page-visits",), version + 1)


def test_tools_that_the_file_does_not_name_stay_as_they_are() -> None:
    a_tool("older-tool")
    before = tools.find("older-tool")

    imported(GOOD)

    assert tools.find("older-tool") == before
    assert [tool.slug for tool in tools.listed()] == ["older-tool", "page-visits"]


@pytest.mark.both_engines
def test_terms_are_never_changed_in_place() -> None:
    a_tool("page-visits")

    for change in ("UPDATE terms SET minimum = 1", "DELETE FROM terms"):
        with pytest.raises(DBAPIError, match="append-only"), transaction():
            db.session.execute(text(change))
