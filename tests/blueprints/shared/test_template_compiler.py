"""The site's template compiler: every page as Jinja's own compiler makes it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from jinja2 import DictLoader, Environment, UndefinedError
from jinja2.compiler import CodeGenerator
from jinja2.runtime import Context

from panel.blueprints.shared import page_frame, template_compiler
from tests.support import logged_in_pages
from tests.support.logged_in_pages import LoggedInPage

# What differs in two responses of one page: tokens, and texts and values made from the time.
_DIFFERS = re.compile(r'(?:value|href|data-[\w-]+|src|content|datetime)="[^"]*"|\d[\d:.,]*')


def test_pages_are_as_jinja_makes_them(app: Flask) -> None:
    pages = [page for page in logged_in_pages.pages(app) if page.rule != "/account/second-factor"]

    ours = {page.rule: _html(app, page) for page in pages}
    with _jinjas_own_compiler(app):
        theirs = {page.rule: _html(app, page) for page in pages}

    assert len(pages) > 80
    assert [rule for rule in ours if ours[rule] != theirs[rule]] == []


def test_included_template_sees_loop_and_keeps_its_own_names(app: Flask) -> None:
    shown = _environment(
        app,
        {
            "page.html": '{% for one in "ab" %}{% include "part.html" %}{% endfor %}{{ kept is defined }}',
            "part.html": '{% from "macros.html" import bold %}{% set kept = one ~ loop.index %}{{ bold(kept) }}',
            "macros.html": "{% macro bold(text) %}<b>{{ text }}</b>{% endmacro %}",
        },
    )

    assert shown.get_template("page.html").render() == "<b>a1</b><b>b2</b>False"


def test_values_are_escaped_and_markup_is_not(app: Flask) -> None:
    page = (
        '{% macro shown(text, kind="x") %}<i class="{{ kind }}">{{ text }}'
        '{% if text != "<&>" %}{{ caller() }}{% endif %}</i>{% endmacro %}'
        '{{ shown(text, kind="<") }}{{ "<" }}{{ 1 }}{{ none }}'
        "{% call shown(text | upper | safe ~ 1) %}&{{ text }}{% endcall %}"
    )

    html = _environment(app, {"page.html": page}).get_template("page.html").render(text="<&>")

    assert html == ('<i class="&lt;">&lt;&amp;&gt;</i>&lt;1None<i class="x"><&>1&&lt;&amp;&gt;</i>')


@pytest.mark.parametrize("call", ["one(1, 2)", "one(1, other=2)", "one(first=1, other=2)"])
def test_macro_refuses_what_it_does_not_take(app: Flask, call: str) -> None:
    page = _environment(app, {"page.html": f"{{% macro one(first) %}}{{% endmacro %}}{{{{ {call} }}}}"})

    with pytest.raises(TypeError):
        page.get_template("page.html").render()


def test_missing_argument_of_a_macro_is_undefined(app: Flask) -> None:
    page = _environment(app, {"page.html": "{% macro one(first) %}{{ first }}{% endmacro %}{{ one() }}"})

    with pytest.raises(UndefinedError, match="'first' was not provided"):
        page.get_template("page.html").render()


def _environment(app: Flask, templates: dict[str, str]) -> Environment:
    """The site's environment with these templates instead of its own."""
    return app.jinja_env.overlay(loader=DictLoader(templates), bytecode_cache=None)


@contextmanager
def _jinjas_own_compiler(app: Flask) -> Iterator[None]:
    environment = app.jinja_env
    environment.code_generator_class, environment.context_class = CodeGenerator, Context
    _forget_compiled(app)
    try:
        yield
    finally:
        environment.code_generator_class = template_compiler.FastCode
        environment.context_class = template_compiler.FastContext
        _forget_compiled(app)


def _forget_compiled(app: Flask) -> None:
    assert app.jinja_env.cache is not None
    app.jinja_env.cache.clear()
    app.extensions[page_frame.EXTENSION].clear()


def _html(app: Flask, page: LoggedInPage) -> str:
    with app.app_context():
        answer = app.test_client(use_cookies=False).get(page.path, headers=page.headers)
    return _DIFFERS.sub("…", answer.text) if answer.mimetype == "text/html" else ""
