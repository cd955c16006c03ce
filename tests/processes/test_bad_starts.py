"""Failed starts: one line on standard error that names the cause, and a nonzero exit code."""

from pathlib import Path

import pytest

from tests.support import warm_python
from tests.support.servers import Panel, a_panel, free_port

APP, FLASK = ("-m", "app"), ("-m", "flask")
COMMANDS = (
    ("users", "add", "a@example.com"),
    ("balance", "add", "a@example.com", "5", "--note", "Bank transfer"),
    ("reviews", "list"),
    ("providers", "test", "upstream"),
    ("audit",),
    ("worker",),
)


def assert_one_line(panel: Panel, command: tuple[str, ...], *words: str) -> None:
    done = warm_python.run(*command, environment=panel.environment, seconds=60)
    lines = done.stderr.strip().splitlines()
    assert done.returncode != 0, (command, done.stdout, done.stderr)
    assert len(lines) == 1, done.stderr
    for word in words:
        assert word in lines[0]
    assert done.stdout == ""


@pytest.mark.parametrize("command", [APP, (*FLASK, "init"), (*FLASK, "audit")], ids=["app", "init", "audit"])
def test_instance_that_is_a_file_or_cannot_be_made(tmp_path: Path, command: tuple[str, ...]) -> None:
    panel = a_panel(tmp_path)
    file = tmp_path / "file"
    file.touch()

    panel.environment["PANEL_INSTANCE"] = str(file)
    assert_one_line(panel, command, "PANEL_INSTANCE", "is a file")
    panel.environment["PANEL_INSTANCE"] = str(file / "below")
    assert_one_line(panel, command, "PANEL_INSTANCE", "cannot be made")


@pytest.mark.parametrize("command", [APP, (*FLASK, "init"), (*FLASK, "audit")], ids=["app", "init", "audit"])
def test_file_that_is_no_database(tmp_path: Path, command: tuple[str, ...]) -> None:
    panel = a_panel(tmp_path)
    (tmp_path / "panel.db").write_bytes(b"no database at all " * 400)

    assert_one_line(panel, command, "not a database")


@pytest.mark.parametrize("command", [APP, (*FLASK, "init"), (*FLASK, "worker")], ids=["app", "init", "worker"])
def test_postgresql_that_is_not_there(tmp_path: Path, command: tuple[str, ...]) -> None:
    panel = a_panel(tmp_path, DATABASE_URL=f"postgresql+psycopg://panel@127.0.0.1:{free_port()}/panel")

    assert_one_line(panel, command, "The database cannot be used now", "refused")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PANEL_PORT", "http"),
        ("DATABASE_URL", "postgresql+psycopg://panel@127.0.0.1:port/panel"),
        ("PANEL_LIMITS_URL", "redis://127.0.0.1:port"),
        ("PANEL_LIMITS_URL", "memcached://127.0.0.1"),
        ("PANEL_BASE_URL", "panel.example.com"),
    ],
)
def test_setting_that_cannot_be_used(tmp_path: Path, name: str, value: str) -> None:
    panel = a_panel(tmp_path, **{name: value})

    assert_one_line(panel, APP, name)
    assert_one_line(panel, (*FLASK, "init"), name)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_command_on_an_empty_folder(tmp_path: Path, command: tuple[str, ...]) -> None:
    assert_one_line(a_panel(tmp_path), (*FLASK, *command), "run flask init first")


def test_seal_key_that_is_lost_or_another(tmp_path: Path) -> None:
    panel = a_panel(tmp_path)
    assert panel.flask("init").returncode == 0
    url = ("--url", "https://panel.example.com/api/v2", "--key-stdin")
    added = panel.flask("providers", "add", "upstream", "--kind", "panel_api", *url, standard_input="k" * 32)
    assert added.returncode == 0, added.stderr
    key = (tmp_path / "seal_key").read_text()
    (tmp_path / "seal_key").unlink()

    for command in (APP, (*FLASK, "init"), (*FLASK, "worker")):
        assert_one_line(panel, command, "lost", "seal_key")
    assert not (tmp_path / "seal_key").exists()
    (tmp_path / "seal_key").write_text("another" * 8)
    for command in (APP, (*FLASK, "worker"), (*FLASK, "providers", "test", "upstream")):
        assert_one_line(panel, command, "seal_key")
    (tmp_path / "seal_key").write_text(key)
    assert panel.flask("init").returncode == 0
