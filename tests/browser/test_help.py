"""Help pages: what a small screen shows before scrolling, and search by keyboard."""

from playwright.sync_api import expect

from panel.domain.status import Status
from tests.browser.conftest import Tabs

NARROW = {"width": 360, "height": 640}
# For each cell, where it begins and where the first line of its text does.
VALUE_EDGES = """(cells) => cells.map((cell) => {
    const text = document.createRange();
    text.selectNodeContents(cell);
    return [cell, text].map((part) => Math.round(part.getClientRects()[0].left));
})"""


def test_a_small_screen_shows_what_a_status_means_and_what_to_do_without_scrolling(tabs: Tabs) -> None:
    page = tabs.open(viewport=NARROW).page
    for status in Status:
        page.goto(f"/order-statuses/{status.slug}")
        for part in (".lead", "#means"):
            box = page.locator(part).bounding_box()
            assert box is not None and box["y"] + box["height"] <= NARROW["height"], f"{status} {part}"


def test_the_help_is_searched_by_keyboard_and_without_scripts(tabs: Tabs) -> None:
    page = tabs.open(java_script_enabled=False).page
    page.goto("/order-statuses")
    page.get_by_label("Search help and tools").focus()

    page.keyboard.type("where is my refund")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("Search")
    assert page.locator("ol.hits a").count() > 0 and page.locator("mark").count() > 0


def test_a_narrow_table_has_one_left_edge_for_labels_and_one_for_values(tabs: Tabs) -> None:
    page = tabs.open(viewport=NARROW).page
    page.goto("/order-statuses")

    edges = page.locator("table[data-stack] td[data-label]").evaluate_all(VALUE_EDGES)

    assert len(edges) >= 3 * len(Status)
    assert len({label for label, _value in edges}) == 1
    assert len({value for _label, value in edges}) == 1
