"""PANEL_LOG_SQL: logs statements without their values."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import literal, select

from panel.application import create_app
from panel.db import db
from tests.support import databases

LOGGER = "sqlalchemy.engine"


@pytest.fixture
def _level_restored() -> Iterator[None]:
    before = logging.getLogger(LOGGER).level
    yield
    logging.getLogger(LOGGER).setLevel(before)


@pytest.mark.parametrize("log_sql", [True, False])
@pytest.mark.usefixtures("_level_restored")
def test_statements_are_logged_on_demand_and_without_values(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, log_sql: bool
) -> None:
    app = create_app(databases.settings_for(tmp_path / "logged", log_sql=log_sql))

    with app.app_context():
        db.session.execute(select(literal("a-secret-value").label("asked")))
    databases.close(app)

    logged = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith(LOGGER))
    assert ("AS asked" in logged) == log_sql
    assert "a-secret-value" not in logged
