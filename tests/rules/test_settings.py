"""Every setting is listed with its type and default, in README and in `.env.example`, as the code has it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from panel.settings import InvalidSetting, Settings, load
from tests.rules import settings_table
from tests.rules.source import ROOT


def test_env_example_is_what_the_settings_say() -> None:
    assert (ROOT / ".env.example").read_text() == settings_table.env_example()


def test_env_example_uncommented_is_a_set_of_good_settings(tmp_path: Path) -> None:
    text = (ROOT / ".env.example").read_text().replace("#PANEL_", "PANEL_").replace("#DATABASE_URL", "DATABASE_URL")
    (tmp_path / ".env").write_text(text)

    assert Settings(_env_file=tmp_path / ".env") == Settings(_env_file=None)


def test_readme_lists_each_setting_with_type_and_default() -> None:
    readme = (ROOT / "README.md").read_text()

    assert settings_table.lines()
    assert [line.name for line in settings_table.lines() if line.in_readme not in readme] == []


def test_fixed_names_have_their_fixed_defaults() -> None:
    fixed = {
        "PANEL_HOST": "127.0.0.1",
        "PANEL_PORT": "8000",
        "PANEL_INSTANCE": "instance",
        "PANEL_SITE_NAME": "SmmPanelUS",
        "PANEL_CURRENCY": "USD",
        "PANEL_WEB_WORKERS": "2",
        "PANEL_SYNC_SECONDS": "10",
        "PANEL_DISPATCH_SECONDS": "1",
        "PANEL_LEASE_SECONDS": "60",
        "PANEL_UNCONFIRMED_HOURS": "72",
        "PANEL_DISPATCH_HOURS": "24",
        "PANEL_SMTP_URL": "",
        "PANEL_METRICS_TOKEN": "",
        "PANEL_TRUSTED_PROXIES": "0",
        "PANEL_LIMITS_URL": "memory://",
        "PANEL_EGRESS_TEST_HOSTS": "",
        "PANEL_ENV": "development",
    }
    known = {line.name: line.default for line in settings_table.lines()}

    assert {name: known.get(name) for name in fixed} == fixed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PANEL_PORT", "http"),
        ("PANEL_PORT", "70000"),
        ("PANEL_WEB_WORKERS", "0"),
        ("PANEL_CURRENCY", "dollars"),
        ("PANEL_UNCONFIRMED_HOURS", "-1"),
        ("PANEL_ENV", "staging"),
        ("PANEL_UNCONFIRMED_HOURS", "1e9"),
        ("PANEL_DISPATCH_HOURS", "inf"),
        ("PANEL_STUCK_HOURS", "nan"),
        ("PANEL_LEASE_SECONDS", "1e9"),
        ("PANEL_PROVIDER_TIMEOUT_SECONDS", "inf"),
        ("PANEL_BASE_URL", "panel.example.com"),
        ("PANEL_BASE_URL", "https://panel.example.com:port"),
        ("PANEL_BASE_URL", "https://panel.example.com/shop"),
        ("PANEL_BASE_URL", "https://"),
        ("PANEL_BASE_URL", "ftp://panel.example.com"),
        ("PANEL_EGRESS_TEST_HOSTS", "localhost"),
        ("PANEL_EGRESS_TEST_HOSTS", "127.0.0.1:http"),
        ("PANEL_EGRESS_TEST_HOSTS", "127.0.0.1:9000;127.0.0.1:9001"),
        ("PANEL_LIMITS_URL", "redis://127.0.0.1:port"),
        ("PANEL_LIMITS_URL", "redis://"),
        ("PANEL_LIMITS_URL", "memcached://127.0.0.1"),
        ("PANEL_LIMITS_URL", ""),
        ("DATABASE_URL", "mysql://root@127.0.0.1/panel"),
        ("DATABASE_URL", "postgresql+psycopg://panel@127.0.0.1:port/panel"),
    ],
)
def test_wrong_value_stops_the_start_with_one_line_that_names_it(name: str, value: str) -> None:
    environment = os.environ | {name: value}

    start = [sys.executable, "-c", "from panel import settings; settings.load(_env_file=None)"]
    done = subprocess.run(start, cwd=ROOT, env=environment, capture_output=True, text=True)

    assert done.returncode == 1
    assert name in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "given",
    [
        {"secret_key": ""},
        {"secret_key": "short"},
        {"seal_key": "short"},
        {"base_url": "http://panel.example"},
        {"egress_test_hosts": "127.0.0.1:9000"},
    ],
)
def test_production_refuses_what_is_unsafe(given: dict[str, str]) -> None:
    good = {"env": "production", "secret_key": "k" * 32, "base_url": "https://panel.example"}
    assert load(_env_file=None, **good).is_https

    with pytest.raises(InvalidSetting):
        load(_env_file=None, **good | given)
