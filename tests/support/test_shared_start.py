"""Caches that the apps of a test process share: they are used, and never after a text has changed."""

import os
from pathlib import Path

from flask import Flask
from jinja2 import FileSystemLoader

from panel.application import create_app
from tests.support import databases


def test_second_app_compiles_no_template_again(app: Flask, tmp_path: Path) -> None:
    other = create_app(databases.settings_for(tmp_path / "instance"))

    templates = [each.jinja_env.get_template("orders/index.html") for each in (app, other)]

    first, second = (template.root_render_func.__code__ for template in templates)
    assert second is first
    databases.close(other)


def test_changed_template_is_compiled_again_also_in_those_that_include_it(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text('{% include "region.html" %}')
    (tmp_path / "region.html").write_text('<p>{% include "line.html" %}</p>')
    line = tmp_path / "line.html"
    line.write_text("before")
    shown = [_rendered(app, tmp_path)]

    line.write_text("afterwards")
    os.utime(line, ns=(1, 1))
    shown.append(_rendered(app, tmp_path))

    assert shown == ["<p>before</p>", "<p>afterwards</p>"]


def _rendered(app: Flask, folder: Path) -> str:
    """The page in an environment that has rendered nothing yet, as that of a new app."""
    return app.jinja_env.overlay(loader=FileSystemLoader(folder)).get_template("page.html").render()
