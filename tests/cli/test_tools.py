"""`flask tools` and `flask providers`: output, refusals, and the exact JSON."""

import json
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from panel.db import db
from panel.services.catalogue import tools
from panel.services.providers import registry as provider_registry
from panel.settings import ROOT
from tests.services.catalogue.test_tools import GOOD
from tests.support.factories import a_provider, a_tool


def ran(app: Flask, *words: str, given: str = "") -> Result:
    db.session.rollback()
    return app.test_cli_runner().invoke(args=list(words), input=given)


def a_file(folder: Path, text: str) -> str:
    path = folder / "tools.yaml"
    path.write_text(text)
    return str(path)


def test_an_import_prints_the_slugs_that_changed(app: Flask, tmp_path: Path) -> None:
    a_provider("simulated")
    file = a_file(tmp_path, GOOD)

    first, second = ran(app, "tools", "import", file), ran(app, "tools", "import", file)

    assert (first.exit_code, first.stdout) == (0, "page-visits\n")
    assert first.stderr == "1 added, 0 changed, 0 as they were.\n"
    assert (second.exit_code, second.stdout) == (0, "")
    assert second.stderr == "0 added, 0 changed, 1 as they were.\n"


def test_a_wrong_file_is_refused_with_file_line_and_field(app: Flask, tmp_path: Path) -> None:
    a_provider("simulated")
    file = a_file(tmp_path, GOOD.replace('"0.90"', "0.90"))

    refused = ran(app, "tools", "import", file)

    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert refused.stderr.startswith(f"Error: {file}, line 6, price_per_thousand: Write the price in quotes")
    assert tools.listed_all() == []


def test_a_file_that_is_not_there_is_refused(app: Flask, tmp_path: Path) -> None:
    assert ran(app, "tools", "import", str(tmp_path / "nothing.yaml")).exit_code != 0


def test_the_list_as_json_has_exactly_the_agreed_shape(app: Flask) -> None:
    tool = a_tool("page-visits", price="0.90", minimum=50, maximum=10_000, refill_days=30, can_cancel=True)
    a_tool("plain-visits", refill_days=None, can_cancel=False, is_hidden=True)

    shown = json.loads(ran(app, "tools", "list", "--json").stdout)

    assert shown[0] == {
        "id": tool.id,
        "slug": "page-visits",
        "name": "Page visits",
        "price_per_thousand": "0.90",
        "minimum": 50,
        "maximum": 10_000,
        "refill_days": 30,
        "cancel": True,
        "provider": "simulated",
    }
    assert [each["slug"] for each in shown] == ["page-visits", "plain-visits"]
    assert (shown[1]["refill_days"], shown[1]["cancel"]) == (None, False)


def test_a_tool_that_nobody_can_order_is_marked_in_the_list(app: Flask) -> None:
    a_tool("old-pattern", link_pattern=r"https://(?!x).*")

    listed = ran(app, "tools", "list", "--json")

    assert [each["slug"] for each in json.loads(listed.stdout)] == ["old-pattern"]
    assert "Nobody can order old-pattern: its link pattern can’t be used (invalid perl operator: (?!)" in listed.stderr


def test_a_file_with_a_pattern_that_cannot_be_used_is_refused_with_the_reason(app: Flask, tmp_path: Path) -> None:
    a_provider("simulated", name="simulated")
    file = a_file(tmp_path, GOOD.replace("https://[a-z.]+/pages/[a-z]+", r"https://([a-z]+)\1"))

    refused = ran(app, "tools", "import", file)

    assert refused.exit_code == 1
    assert "line 10, link.pattern: The pattern can’t be used (invalid escape sequence: \\1)" in refused.stderr


def test_the_list_in_lines_names_slug_id_price_and_limits(app: Flask) -> None:
    tool = a_tool("page-visits", price="1.5", minimum=50, maximum=10_000)

    assert ran(app, "tools", "list").stdout == f"page-visits\t{tool.id}\t1.50\t50\t10000\n"


def test_the_demo_catalogue_is_imported_by_the_command(app: Flask) -> None:
    ran(app, "providers", "add", "simulator", "--kind", "simulated")
    ran(app, "providers", "add", "by-hand", "--kind", "manual")

    did = ran(app, "tools", "import", str(ROOT / "content" / "tools" / "catalogue.yaml"))

    assert did.exit_code == 0, did.stderr
    assert len(did.stdout.splitlines()) == len(tools.listed_all())


def test_a_provider_is_added_and_its_id_alone_is_printed(app: Flask) -> None:
    did = ran(app, "providers", "add", "by-hand", "--kind", "manual")

    db.session.rollback()
    found = provider_registry.find("by-hand")
    assert found is not None
    assert (did.exit_code, did.stdout) == (0, f"{found.id}\n")


def test_the_key_of_a_provider_is_read_from_standard_input_and_never_shown(app: Flask) -> None:
    words = ("providers", "add", "upstream", "--kind", "panel_api", "--url", "https://p.example/api/v2", "--key-stdin")

    did = ran(app, *words, given="a-secret-key\n")
    listed = ran(app, "providers", "list")

    db.session.rollback()
    found = provider_registry.find("upstream")
    assert found is not None
    assert "a-secret-key" not in did.output + listed.output + found.encrypted_key
    assert provider_registry.decrypt(found.encrypted_key, settings=app.config["PANEL"]) == "a-secret-key"
    assert listed.stdout == f"upstream\t{found.id}\tpanel_api\thttps://p.example/api/v2\n"


@pytest.mark.parametrize(
    "words",
    [
        ("by-hand", "--kind", "manual"),
        ("upstream", "--kind", "panel_api"),
        ("upstream", "--kind", "panel_api", "--url", "https://p.example"),
        ("upstream", "--kind", "magic"),
        ("upstream",),
    ],
)
def test_a_wrong_provider_is_refused(app: Flask, words: tuple[str, ...]) -> None:
    a_provider("manual", name="by-hand")

    refused = ran(app, "providers", "add", *words)

    assert refused.exit_code != 0
    assert refused.stdout == ""
    assert [each.name for each in provider_registry.listed()] == ["by-hand"]
