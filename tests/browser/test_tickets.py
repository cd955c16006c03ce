"""A ticket in a real browser: our reply appears by itself, a draft stays, and everything works without scripts."""

from pathlib import Path

from playwright.sync_api import expect

from panel.clock import utc_now
from panel.db import db
from panel.models import Ticket
from panel.security.body_limits import MAX_UPLOAD_BYTES
from panel.services.tickets.images import MAX_BYTES, MAX_IMAGES
from tests.browser.conftest import Tabs
from tests.support.factories import a_customer, an_operator
from tests.support.ticket_factories import a_ticket, answered

WITHIN_MS = 5_000
TWO_POLLS_MS = 6_500
WHY_NOT = "(field) => field.validationMessage"


def test_answer_appears_without_a_reload_and_half_typed_words_stay(tabs: Tabs) -> None:
    customer, operator = a_customer(), an_operator()
    ticket = a_ticket(customer=customer, now=utc_now())
    tab = tabs.open(customer)
    tab.has_clock()
    page = tab.page
    page.goto(f"/tickets/{ticket.id}")
    page.evaluate("window.isSamePage = true")
    page.locator("#text").fill("half-typed words")
    page.evaluate("document.getElementById('text').setSelectionRange(5, 10)")

    answered(ticket, operator=operator, text="<b>It starts</b> today.", now=utc_now())

    expect(page.locator("[data-by=us] .thread__text")).to_have_text("<b>It starts</b> today.", timeout=WITHIN_MS)
    expect(page.locator("[role=status]")).to_have_text("There is a new answer.")
    expect(page.locator("#ticket-state")).to_contain_text("Waiting for you")
    kept = "field => [document.activeElement === field, field.value, field.selectionStart, field.selectionEnd]"
    assert page.locator("#text").evaluate(kept) == [True, "half-typed words", 5, 10]
    assert page.evaluate("window.isSamePage === true")

    answered(ticket, operator=operator, text="And done.", closes=True, now=utc_now())
    expect(page.locator("#ticket-state")).to_contain_text("Closed", timeout=WITHIN_MS)
    polls = tab.polls()
    tab.set_forward(TWO_POLLS_MS)

    assert polls == []
    page.get_by_role("button", name="Send reply").click()
    expect(page.locator("#ticket-state")).to_contain_text("Waiting for us")
    expect(page.locator("[data-by=you]").last).to_contain_text("half-typed words")


def test_tickets_also_go_without_scripts(tabs: Tabs) -> None:
    customer, operator = a_customer(), an_operator()
    tab = tabs.open(customer, java_script_enabled=False, viewport={"width": 360, "height": 740})
    tab.complaints.expects_failed_answers = True
    page = tab.page
    page.goto("/tickets")
    page.get_by_role("link", name="Open a ticket").click()
    page.get_by_label("Subject").fill("A question")
    page.get_by_label("Message").fill(" \n ")
    page.get_by_role("button", name="Send ticket").click()
    expect(page.get_by_role("alert")).to_have_text("The ticket was not sent")
    expect(page.get_by_label("Subject")).to_have_value("A question")

    page.get_by_label("Message").fill("When does it start?")
    page.get_by_role("button", name="Send ticket").click()
    expect(page.locator("#ticket-state")).to_contain_text("Waiting for us")
    number = int(page.url.rpartition("/")[2])
    answered(db.session.get_one(Ticket, number), operator=operator, now=utc_now())
    page.get_by_role("link", name="Refresh the thread").click()

    expect(page.locator("[data-by=us]")).to_contain_text("It starts today.")
    page.get_by_role("button", name="Close ticket").click()
    expect(page.locator("#ticket-state")).to_contain_text("Closed")
    page.get_by_role("button", name="Reopen ticket").click()
    expect(page.locator("#ticket-state")).to_contain_text("Waiting for us")


def test_too_large_images_are_refused_in_the_browser_and_the_words_stay(tabs: Tabs, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(b"\x89PNG" + bytes(MAX_BYTES))
    page = tabs.open(a_customer()).page
    page.goto("/tickets/new")
    page.get_by_label("Subject").fill("A question")
    page.get_by_label("Message").fill("What is this?")
    images = page.locator("[name=images]")

    images.set_input_files([large])
    page.get_by_role("button", name="Send ticket").click()

    assert images.evaluate(WHY_NOT) == "large.png is larger than 5 MB. Choose a smaller image."
    images.set_input_files([tmp_path / "large.png"] * (MAX_IMAGES + 1))
    assert images.evaluate(WHY_NOT) == "You chose 6 images. A message takes at most 5."
    expect(page.get_by_label("Message")).to_have_value("What is this?")
    images.set_input_files([])
    page.get_by_role("button", name="Send ticket").click()
    expect(page.locator("#ticket-state")).to_contain_text("Waiting for us")


def test_request_that_is_too_large_leads_back_to_the_typed_words_without_scripts(tabs: Tabs, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(b"\x89PNG" + bytes(MAX_UPLOAD_BYTES // MAX_IMAGES))
    tab = tabs.open(a_customer(), java_script_enabled=False)
    tab.complaints.expects_failed_answers = True
    page = tab.page
    page.goto("/tickets/new")
    page.get_by_label("Message").fill("What is this?")
    page.get_by_label("Subject").fill("A question")

    page.locator("[name=images]").set_input_files([large] * MAX_IMAGES)
    page.get_by_role("button", name="Send ticket").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("That is too large")
    assert page.get_by_role("link", name="Back to the page you came from").count() == 0
    page.go_back()
    expect(page.get_by_label("Message")).to_have_value("What is this?")
