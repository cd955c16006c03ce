"""A setting changed in one process shows in another, running one within two seconds."""

import time
from pathlib import Path

import httpx

from panel.application import create_app
from panel.clock import utc_now
from panel.db import transaction
from panel.services.stored_settings import changes
from panel.services.stored_settings.registry import SettingGroup
from tests.support import databases
from tests.support.servers import running_panel
from tests.support.waiting import until

SHOWS_WITHIN_SECONDS = 2.0
# A page in the cache of public pages, and one that is in none.
PAGES = ("/contact", "/forgot-password")


def test_change_shows_in_a_running_process_within_two_seconds(tmp_path: Path, sqlite_template: Path) -> None:
    instance = tmp_path / "instance"
    databases.copy_sqlite(sqlite_template, instance)
    with running_panel(instance, PANEL_WORKER="false") as panel, httpx.Client(base_url=panel.url) as browser:
        assert all("Northern Reach" not in browser.get(page).text for page in PAGES)
        app = create_app(databases.settings_for(instance))
        with app.app_context():
            seen = changes.form_version(SettingGroup.SITE)
            with transaction():
                typed = {"site_name": "Northern Reach"}
                changes.change(SettingGroup.SITE, typed, seen=seen, actor="anna", now=utc_now())
        saved_at = time.monotonic()

        shows = until(
            lambda: all("Northern Reach" in browser.get(page).text for page in PAGES), seconds=SHOWS_WITHIN_SECONDS
        )

        assert shows and time.monotonic() - saved_at < SHOWS_WITHIN_SECONDS
        databases.close(app)
