"""Templates in memory: a running panel shows the ones it was started with."""

from pathlib import Path

import pytest
from flask import Flask
from jinja2 import Environment, TemplateNotFound

from panel.application import create_app
from panel.blueprints.shared.template_loader import MemoryLoader
from tests.support import databases


def test_files_that_change_later_change_no_template(tmp_path: Path) -> None:
    folder = tmp_path / "templates" / "pages"
    folder.mkdir(parents=True)
    (folder / "line.html").write_text("as it was")
    environment = Environment(loader=MemoryLoader(folder.parent), autoescape=True)

    (folder / "line.html").write_text("changed")
    (folder / "new.html").write_text("new")

    assert environment.get_template("pages/line.html").render() == "as it was"
    assert environment.list_templates() == ["pages/line.html"]
    with pytest.raises(TemplateNotFound):
        environment.get_template("pages/new.html")


def test_web_process_has_every_template_that_its_files_have(app: Flask, tmp_path: Path) -> None:
    web = create_app(databases.settings_for(tmp_path / "instance"), is_web=True)

    assert isinstance(web.jinja_loader, MemoryLoader)
    assert web.jinja_env.list_templates() == app.jinja_env.list_templates()
    databases.close(web)
