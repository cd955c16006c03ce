"""`flask providers` and `flask reviews resolve`: output, refusals, and audit log entries."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.jobs import dispatch
from panel.models import AuditLogEntry, Provider, Review
from panel.services.catalogue import tools
from panel.services.catalogue.imports import lifecycle, price_rules
from panel.services.catalogue.provider_markup import Markup
from panel.services.providers import registry as provider_registry
from tests.support.factories import a_tool, an_order, reload
from tests.support.hostile_provider import KEY, HostileProvider, hostile_provider, http_response

ROW = {"service": 1, "name": "Visits", "category": "Pages", "type": "Default", "rate": 0.9, "min": 10, "max": "500"}


@pytest.fixture
def server(app: Flask) -> Iterator[HostileProvider]:
    with hostile_provider() as server:
        words = ("providers", "add", "upstream", "--kind", "panel_api", "--url", server.url, "--key-stdin")
        assert ran(app, *words, given=KEY).exit_code == 0
        server.answers["balance"] = http_response({"balance": "100.84292", "currency": "USD"})
        yield server


def ran(app: Flask, *words: str, given: str = "") -> Result:
    db.session.rollback()
    done = app.test_cli_runner().invoke(args=list(words), input=given)
    db.session.rollback()
    return done


def logged_actions() -> list[str]:
    return list(db.session.scalars(select(AuditLogEntry.action).order_by(AuditLogEntry.id)))


def test_a_provider_is_tested_by_its_balance(app: Flask, server: HostileProvider) -> None:
    done = ran(app, "providers", "test", "upstream")

    assert (done.exit_code, done.stdout) == (0, "100.84292 USD\n")
    assert server.calls[0].fields["key"] == KEY


@pytest.mark.parametrize(
    "answer",
    [
        http_response(b""),
        http_response({"error": "Invalid API key"}),
        http_response([]),
        http_response({"balance": None}),
    ],
)
def test_a_provider_that_gives_no_balance_fails_the_test(app: Flask, server: HostileProvider, answer: bytes) -> None:
    server.answers["balance"] = answer

    done = ran(app, "providers", "test", "upstream")

    assert (done.exit_code, done.stdout) == (1, "")
    assert KEY not in done.stderr


def test_an_import_prints_slugs_alone_and_talks_on_standard_error(app: Flask, server: HostileProvider) -> None:
    server.answers["services"] = http_response([ROW, ROW | {"service": 2, "rate": "free"}])

    done = ran(app, "providers", "import", "upstream", "--margin", "20%")

    assert (done.exit_code, done.stdout) == (0, "visits-1\n")
    assert "Row 2 (service 2) was skipped" in done.stderr
    assert "1 of 1 terms written" in done.stderr
    tool = tools.find("visits-1")
    assert tool is not None
    assert tool.price_micros_per_thousand == 1_080_000


@pytest.mark.parametrize("answer", [http_response([]), http_response({}), http_response(b"["), http_response([1])])
def test_an_import_of_nothing_fails_and_changes_nothing(app: Flask, server: HostileProvider, answer: bytes) -> None:
    server.answers["services"] = http_response([ROW])
    ran(app, "providers", "import", "upstream", "--margin", "0")
    server.answers["services"] = answer

    done = ran(app, "providers", "import", "upstream")

    assert (done.exit_code, done.stdout) == (1, "")
    assert tools.find("visits-1") is not None


def price(slug: str = "visits-1") -> int:
    db.session.rollback()
    tool = tools.find_any(slug)
    assert tool is not None
    return tool.price_micros_per_thousand


def test_a_second_import_keeps_the_margin_of_the_first(app: Flask, server: HostileProvider) -> None:
    server.answers["services"] = http_response([ROW])
    ran(app, "providers", "import", "upstream", "--margin", "20%")
    server.answers["services"] = http_response([ROW | {"rate": "1.00"}])

    done = ran(app, "providers", "import", "upstream")

    assert (done.exit_code, done.stdout) == (0, "visits-1\n")
    assert price() == 1_200_000
    assert "Margin 20%" in done.stderr
    assert "visits-1: 1.08 → 1.20 per 1,000" in done.stderr


def test_falling_prices_are_shown_and_need_confirmation(app: Flask, server: HostileProvider) -> None:
    server.answers["services"] = http_response([ROW, ROW | {"service": 2}])
    ran(app, "providers", "import", "upstream", "--margin", "20%")

    refused = ran(app, "providers", "import", "upstream", "--margin", "2%")

    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "visits-1: 1.08 → 0.918 per 1,000 (falls)" in refused.stderr
    assert "2 prices would fall. Nothing was changed." in refused.stderr
    assert price() == 1_080_000
    assert ran(app, "providers", "import", "upstream").exit_code == 0
    assert price() == 1_080_000, "the margin that was refused is not remembered"
    assert ran(app, "providers", "import", "upstream", "--margin", "2%", "--yes").exit_code == 0
    assert price() == 918_000


def test_an_import_from_before_margins_were_kept_asks_for_one(app: Flask, server: HostileProvider) -> None:
    server.answers["services"] = http_response([ROW])
    ran(app, "providers", "import", "upstream", "--margin", "20%")
    with transaction():
        db.session.execute(update(Provider).values(margin_millionths=None, exchange_nanos=None))

    done = ran(app, "providers", "import", "upstream")

    assert done.exit_code == 1
    assert "upstream has no price rules yet" in done.stderr and "Give its margin with --margin" in done.stderr
    assert price() == 1_080_000


def test_a_first_import_without_price_rules_is_refused(app: Flask, server: HostileProvider) -> None:
    server.answers["services"] = http_response([ROW])

    refused = ran(app, "providers", "import", "upstream")
    free = ran(app, "providers", "import", "upstream", "--margin", "0")

    assert (refused.exit_code, free.exit_code) == (1, 0)
    assert "--margin 20%; --margin 0 sells at its rates" in refused.stderr
    assert price() == 900_000


def test_a_first_import_uses_the_price_rules_of_the_office(app: Flask, server: HostileProvider) -> None:
    server.answers["services"] = http_response([ROW])
    with transaction():
        provider = db.session.scalars(select(Provider)).one()
        rules = Markup(margin_millionths=500_000, step_micros=1_000_000)
        price_rules.save(
            provider.id, lambda *_: rules, digest=price_rules.Repricing().digest, actor="maya", now=utc_now()
        )

    done = ran(app, "providers", "import", "upstream")

    assert (done.exit_code, price()) == (0, 2_000_000)
    assert "Margin 50%, rounded up to 1.00" in done.stderr


def test_an_import_is_undone_by_command(app: Flask, server: HostileProvider) -> None:
    server.answers["services"] = http_response([ROW, ROW | {"service": 3, "name": "Old"}])
    ran(app, "providers", "import", "upstream", "--margin", "20%")
    server.answers["services"] = http_response([ROW | {"rate": "9"}, ROW | {"service": 2, "name": "New"}])
    ran(app, "providers", "import", "upstream")
    ran(app, "tools", "set", "new-2", "minimum", "20")

    done = ran(app, "providers", "undo-import", "upstream")
    again = ran(app, "providers", "undo-import", "upstream")

    assert (done.exit_code, done.stderr) == (
        0,
        "2 undone, 1 left as they are, because they were changed since.\n",
    )
    assert (price(), price("new-2")) == (1_080_000, 1_080_000)
    assert [tools.find(slug) is None for slug in ("visits-1", "old-3", "new-2")] == [False, False, False]
    assert (again.exit_code, again.stderr) == (1, "Error: There is no import of upstream that can be undone.\n")
    assert logged_actions()[-2:] == ["tools set", "providers undo import"]


def test_an_import_is_refused_while_one_of_the_office_runs(app: Flask, server: HostileProvider) -> None:
    server.answers["services"] = http_response([ROW])
    ran(app, "providers", "import", "upstream", "--margin", "20%")
    with transaction():
        lifecycle.request_import(db.session.scalars(select(Provider.id)).one(), actor="maya", now=utc_now())
    server.answers["services"] = http_response([ROW | {"rate": "9"}])

    done = ran(app, "providers", "import", "upstream")

    assert (done.exit_code, price()) == (1, 1_080_000)
    assert "An import of this provider is running. Wait until it ends." in done.stderr


@pytest.mark.parametrize("place", ["balance", "rows"])
def test_a_catalogue_in_another_currency_needs_a_rate_which_is_remembered(
    app: Flask, server: HostileProvider, place: str
) -> None:
    row = ROW | ({"currency": "eur"} if place == "rows" else {})
    server.answers["services"] = http_response([row])
    if place == "balance":
        server.answers["balance"] = http_response({"balance": "5", "currency": "EUR"})

    refused = ran(app, "providers", "import", "upstream", "--margin", "10%")
    done = ran(app, "providers", "import", "upstream", "--margin", "10%", "--rate", "1.08")
    first = price()
    server.answers["services"] = http_response([row | {"rate": "1.00"}])
    later = ran(app, "providers", "import", "upstream")

    assert (refused.exit_code, done.exit_code, later.exit_code) == (1, 0, 0)
    assert "upstream sells in EUR, and this panel in USD. Nothing was changed. Give --rate" in refused.stderr
    assert (first, price()) == (1_069_200, 1_188_000)
    assert "Margin 10%; 1 EUR is 1.08 USD." in later.stderr


def test_a_remembered_rate_is_not_taken_for_a_third_currency(app: Flask, server: HostileProvider) -> None:
    server.answers["services"] = http_response([ROW | {"currency": "EUR"}])
    ran(app, "providers", "import", "upstream", "--margin", "0", "--rate", "1.08")
    server.answers["services"] = http_response([ROW | {"currency": "INR"}])

    done = ran(app, "providers", "import", "upstream")

    assert done.exit_code == 1
    assert "sells in INR" in done.stderr


def test_a_rate_for_our_own_currency_is_refused(app: Flask, server: HostileProvider) -> None:
    server.answers["services"] = http_response([ROW])

    done = ran(app, "providers", "import", "upstream", "--margin", "0", "--rate", "1.08")

    assert (done.exit_code, tools.find_any("visits-1")) == (1, None)
    assert "upstream sells in USD, as this panel does. Leave out --rate." in done.stderr


def test_prices_in_several_currencies_are_refused(app: Flask, server: HostileProvider) -> None:
    server.answers["services"] = http_response([ROW | {"currency": "EUR"}, ROW | {"service": 2, "currency": "USD"}])

    done = ran(app, "providers", "import", "upstream", "--margin", "0", "--rate", "1.08")

    assert done.exit_code == 1
    assert "prices in several currencies: EUR, USD" in done.stderr


def test_an_unknown_currency_is_not_guessed(app: Flask, server: HostileProvider) -> None:
    server.answers["services"] = http_response([ROW])
    server.answers["balance"] = http_response({"error": "Incorrect request"})

    refused = ran(app, "providers", "import", "upstream", "--margin", "0")
    done = ran(app, "providers", "import", "upstream", "--margin", "0", "--rate", "1")

    assert (refused.exit_code, done.exit_code) == (1, 0)
    assert "the currency of these prices isn't known" in refused.stderr
    assert price() == 900_000


def test_a_catalogue_of_several_mebibytes_is_imported(app: Flask, server: HostileProvider) -> None:
    rows = [ROW | {"service": number, "description": "x" * 100_000} for number in range(1, 51)]
    server.answers["services"] = http_response(rows)

    done = ran(app, "providers", "import", "upstream", "--margin", "0")

    assert (done.exit_code, len(done.stdout.split())) == (0, 50)


def packed() -> bytes:
    return http_response(gzip.compress(b"[]"), headers="Content-Encoding: gzip\r\n")


FAILURES = {
    "the answer is longer than 16 MiB": lambda: http_response(b"[" + b" " * 17 * 1024 * 1024),
    "the answer is not JSON": lambda: http_response(b"<html>"),
    "the answer is packed although that was not asked for": packed,
    "the provider answered with status 500": lambda: http_response(b"", status="500 Internal Server Error"),
    "the connection broke before a whole answer came": lambda: http_response([ROW], length=5_000),
    "the provider's catalogue is empty or no list: {'error': 'Invalid API key'}": lambda: http_response(
        {"error": "Invalid API key"}
    ),
}


@pytest.mark.parametrize("words", FAILURES)
def test_a_failed_call_says_its_reason_in_words(app: Flask, server: HostileProvider, words: str) -> None:
    server.answers["services"] = FAILURES[words]()

    done = ran(app, "providers", "import", "upstream", "--margin", "0")

    assert done.exit_code == 1
    assert f"Nothing was changed: {words}." in done.stderr
    assert "Error: Nothing" in done.stderr and "Error" not in done.stderr.replace("Error: Nothing", "")


def test_an_unknown_provider_is_reported_in_words(app: Flask) -> None:
    with hostile_provider() as gone:
        url = gone.url
    ran(app, "providers", "add", "gone", "--kind", "panel_api", "--url", url, "--key-stdin", given=KEY)
    unknown = "https://no-such-host.invalid/api/v2"
    ran(app, "providers", "add", "unknown", "--kind", "panel_api", "--url", unknown, "--key-stdin", given=KEY)

    assert "gave no usable answer: the connection was refused." in ran(app, "providers", "test", "gone").stderr
    assert "gave no usable answer: its host name was not found." in ran(app, "providers", "test", "unknown").stderr


def test_only_an_upstream_panel_can_be_tested_or_imported(app: Flask) -> None:
    ran(app, "providers", "add", "hand", "--kind", "manual")

    for words in (("test", "hand"), ("import", "hand"), ("test", "nobody"), ("import", "nobody")):
        assert ran(app, "providers", *words).exit_code == 1


def test_pause_and_resume_leave_lines_in_the_audit_log(app: Flask, server: HostileProvider) -> None:
    first = ran(app, "providers", "pause", "upstream", "--reason", "Slow.")
    twice = ran(app, "providers", "pause", "upstream", "--reason", "Slow.")
    paused = provider_registry.find("upstream")
    reason = paused.pause_reason if paused else ""
    resumed = ran(app, "providers", "resume", "upstream", "--reason", "Better.")

    assert (first.exit_code, twice.exit_code, resumed.exit_code) == (0, 1, 0)
    assert reason == "Slow."
    assert logged_actions() == ["providers add", "providers pause", "providers resume"]


def test_a_field_is_set_by_hand_and_given_back(app: Flask, server: HostileProvider) -> None:
    server.answers["services"] = http_response([ROW])
    ran(app, "providers", "import", "upstream", "--margin", "0")

    done = ran(app, "tools", "set", "visits-1", "minimum", "20")
    wrong = ran(app, "tools", "set", "visits-1", "minimum", "501")
    ran(app, "tools", "unset", "visits-1", "minimum")
    ran(app, "providers", "import", "upstream")

    tool = tools.find("visits-1")
    assert (done.exit_code, wrong.exit_code) == (0, 1)
    assert tool is not None
    assert (tool.minimum, tool.terms_version) == (10, 3)


def test_a_review_is_resolved_in_exactly_one_way(app: Flask, server: HostileProvider) -> None:
    server.answers["add"] = http_response(b"")
    provider = provider_registry.find("upstream")
    assert provider is not None
    order = an_order(tool=a_tool(provider=provider, provider_service="1"), now=utc_now())
    dispatch.sweep(worker="test", wait=True)
    review = str(db.session.scalars(select(Review.id).where(Review.kind == "unconfirmed")).one())

    none = ran(app, "reviews", "resolve", review, "--reason", "Looked.")
    two = ran(app, "reviews", "resolve", review, "--reason", "Looked.", "--not-sent", "--return")
    done = ran(app, "reviews", "resolve", review, "--reason", "Looked.", "--done")
    returned = ran(app, "reviews", "resolve", review, "--reason", "Looked.", "--return")
    again_returned = ran(app, "reviews", "resolve", review, "--reason", "Looked.", "--return")

    assert [each.exit_code for each in (none, two, done, returned, again_returned)] == [2, 2, 1, 0, 1]
    assert reload(order).status == Status.CANCELED
    assert logged_actions()[-1] == "reviews resolve"


def test_the_key_is_in_no_file_of_the_instance(app: Flask, server: HostileProvider) -> None:
    instance: Path = app.config["PANEL"].instance

    assert [path.name for path in instance.iterdir() if path.is_file() and KEY.encode() in path.read_bytes()] == []


def test_calls_at_once_are_given_with_a_new_provider_and_set_later(app: Flask) -> None:
    url = ("--kind", "panel_api", "--url", "https://panel.example/api/v2", "--key-stdin")

    added = ran(app, "providers", "add", "north", *url, "--calls-at-once", "3", given=KEY)
    first = db.session.scalars(select(Provider.calls_at_once)).one()
    changed = ran(app, "providers", "set", "north", "--calls-at-once", "16")
    refused = ran(app, "providers", "set", "north", "--calls-at-once", "33")
    none = ran(app, "providers", "add", "south", *url, "--calls-at-once", "0", given=KEY)

    assert [each.exit_code for each in (added, changed, refused, none)] == [0, 0, 1, 1]
    assert (first, db.session.scalars(select(Provider.calls_at_once)).one()) == (3, 16)
    assert logged_actions() == ["providers add", "providers calls at once", "providers calls at once"]
