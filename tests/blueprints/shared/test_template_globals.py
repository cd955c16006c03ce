"""Template macros: texts from the domain, in valid HTML."""

import re
from datetime import UTC, datetime

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient
from jinja2 import UndefinedError

from panel.blueprints.shared import page_frame, template_globals
from panel.domain import status_diagram
from panel.domain.platform.component_states import State
from panel.domain.status import Status
from panel.settings import ROOT
from tests.support.factories import a_customer, a_tool, logged_in

AT = datetime(2026, 11, 20, 14, 5, 31, tzinfo=UTC)
CSS = ROOT / "static" / "css"


def _rendered(app: Flask, template: str, **context: object) -> str:
    with app.test_request_context("/"):
        return render_template_string(template, **context)


@pytest.mark.parametrize("status", Status)
def test_badge_has_the_word_the_tone_and_a_hidden_icon_of_its_own(app: Flask, status: Status) -> None:
    badge = _rendered(
        app, '{% from "components/status.html" import status_badge %}{{ status_badge(status) }}', status=status
    )
    icon = (ROOT / "templates" / "components" / "icons" / f"{status.slug}.svg").read_text().strip()

    assert f"<span>{status.label}</span>" in badge
    assert f'data-tone="{status.facts.tone}"' in badge
    assert f'data-shape="{"moving" if status.is_moving else "ended"}"' in badge
    assert 'aria-hidden="true"' in badge
    assert icon in badge


def test_every_status_has_an_icon_and_no_other_is_there() -> None:
    icons = {path.stem for path in (ROOT / "templates" / "components" / "icons").glob("*.svg")}

    assert icons == {status.slug for status in Status} | {f"state-{state}" for state in State}


def test_every_tone_is_given_its_colours_once_and_no_other_is() -> None:
    sheet = (CSS / "components.css").read_text()
    named = re.findall(r'^  \[data-tone="([a-z]+)"\] \{', sheet, re.MULTILINE)

    assert sorted(named) == sorted(status.facts.tone for status in Status)


def test_drawing_has_an_arrow_for_each_rendered_move_and_marks_this_status(app: Flask) -> None:
    page = _rendered(
        app, '{% from "components/lifecycle.html" import lifecycle %}{{ lifecycle(here) }}', here=Status.PARTIAL
    )
    arrows = re.findall(r'data-move="(\w+) (\w+)"', page)

    assert sorted(arrows) == sorted((str(before), str(after)) for before, after in status_diagram.shown_pairs())
    assert page.count("data-here") == 1
    assert status_diagram.words(Status.PARTIAL) in page


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("money", 864_000_000, "$0.864"),
        ("plain_money", 864_000_000, "0.864"),
        ("price", 900_000, "$0.90"),
        ("plain_price", 900_000, "0.90"),
        ("count", 1204, "1,204"),
        ("when", AT, "20 November 2026, 14:05 UTC"),
        ("clock", AT, "14:05:31 UTC"),
        ("day", AT, "20 November 2026"),
        ("iso", AT, "2026-11-20T14:05:31Z"),
        ("duration", 0, "under a second"),
        ("duration", 1, "1 second"),
        ("duration", 360, "6 minutes"),
        ("duration", 3900, "1 hour 5 minutes"),
        ("duration", 119, "1 minute 59 seconds"),
        ("duration", 344, "6 minutes"),
        ("duration", 3585, "1 hour"),
        ("duration", 3601, "1 hour 1 minute"),
        ("duration", 90_000, "1 day 1 hour"),
    ],
)
def test_filters_say_figures_as_pages_do(app: Flask, name: str, value: object, shown: str) -> None:
    assert _rendered(app, f"{{{{ value | {name} }}}}", value=value) == shown


def test_a_name_that_nobody_gave_is_an_error(app: Flask) -> None:
    with pytest.raises(UndefinedError):
        _rendered(app, "{{ nobody_gave_this }}")


def test_field_binds_label_hint_and_error_to_its_input(app: Flask) -> None:
    page = _rendered(
        app,
        '{% from "components/form.html" import field %}'
        '{{ field("quantity", "Quantity", "<12>", error="Too few.", hint="At least 50.", required=True, data_x="1") }}',
    )

    assert '<label for="quantity">Quantity</label>' in page
    assert 'aria-describedby="quantity-error quantity-hint" aria-invalid="true"' in page
    assert '<p class="field__error" id="quantity-error">Too few.</p>' in page
    assert 'value="&lt;12&gt;"' in page
    assert " required " in page
    assert ' data-x="1">' in page


def test_password_is_never_written_back(app: Flask) -> None:
    page = _rendered(
        app,
        '{% from "components/form.html" import field %}'
        '{{ field("password", "Password", "secret words", type="password") }}',
    )

    assert "secret words" not in page


def test_bar_shows_the_balance_with_its_nanos_to_logged_in_users(client: FlaskClient) -> None:
    customer = a_customer(balance="12.3456")

    page = logged_in(client, customer).get("/").text

    assert 'id="balance" data-nanos="12345600000"' in page
    assert ">$12.3456</data>" in page
    assert 'action="/log-out"' in page


def test_visitor_sees_no_balance_and_no_way_to_log_out(client: FlaskClient) -> None:
    page = client.get("/").text

    assert 'id="balance"' not in page
    assert "/log-out" not in page


def test_every_link_of_bar_and_footer_leads_to_a_page(app: Flask, client: FlaskClient) -> None:
    page = client.get("/").text
    inside = page.split('<header class="site-bar">')[1].split("</header>")[0] + page.split("<footer")[1]

    paths = set(re.findall(r'href="(/[^"]*)"', inside))

    assert "/" in paths
    with app.test_request_context("/"):
        assert [path for path in paths if not template_globals.has_page(path)] == []


def test_only_the_page_shown_is_marked_in_the_bar(app: Flask) -> None:
    with app.test_request_context("/orders/new"):
        assert page_frame.aria_current("/orders/new") == ' aria-current="page"'
        assert page_frame.aria_current("/orders") == ""
    with app.test_request_context("/orders/12"):
        assert page_frame.aria_current("/orders") == ' aria-current="true"'
        assert page_frame.aria_current("/order-statuses") == ""


def test_a_page_of_the_office_marks_its_own_part_and_the_dashboard_only_itself(app: Flask) -> None:
    with app.test_request_context("/office/canned-answers/1"):
        assert page_frame.aria_current("/office/tickets") == ' aria-current="true"'
        assert page_frame.aria_current("/office") == ""
    with app.test_request_context("/office"):
        assert page_frame.aria_current("/office") == ' aria-current="page"'


def test_landing_page_states_no_figure_that_was_not_measured(client: FlaskClient) -> None:
    a_tool(slug="readers", price="0.90")

    page = client.get("/").text

    assert "ended Completed" not in page
    assert "median" not in page
    assert "$0.90" in page
    assert 'href="/tools/readers"' in page


def test_head_names_the_page_for_search_engines(app: Flask, client: FlaskClient) -> None:
    page = client.get("/").text
    public = app.config["PANEL"].public_url

    assert '<html lang="en">' in page
    assert "<title>Promotion for your page, podcast or newsletter | SmmPanelUS</title>" in page
    assert f'<link rel="canonical" href="{public}/">' in page
    assert 'property="og:title" content="Promotion for your page, podcast or newsletter"' in page
    assert page.count('rel="stylesheet"') == 2


def test_styles_hold_to_the_rules_of_the_house() -> None:
    sheets = {path.name: path.read_text() for path in CSS.glob("*.css")}
    utilities = re.findall(r"^ {2,4}\.[a-z-]+ \{", sheets["utilities.css"], re.MULTILINE)

    assert [name for name, text in sheets.items() if "!important" in text] == []
    assert [
        name
        for name, text in sheets.items()
        if name != "tokens.css" and re.search(r"oklch\(|rgba?\(|hsla?\(|#[0-9a-f]{3,8}\b", text)
    ] == []
    assert 0 < len(utilities) <= 20
    assert not [path for path in (ROOT / "templates").rglob("*.html") if re.search(r'\sstyle="', path.read_text())]
