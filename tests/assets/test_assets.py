"""Stylesheet and scripts: bundled, named by content hash, cached forever."""

import gzip

import pytest
from flask import Flask
from flask.testing import FlaskClient

from panel import assets
from panel.assets import asset
from panel.assets.stylesheets import SHEETS, minify
from panel.settings import ROOT


def test_stylesheet_is_all_its_files_in_the_order_of_layers(client: FlaskClient) -> None:
    address = asset("site.css")

    assert address is not None
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer.content_type == "text/css; charset=utf-8"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    places = [answer.text.index(f"@layer {name}") for name in ("reset,tokens", "reset{", "tokens{", "base{", "layout{")]
    assert places == sorted(places)


def test_every_stylesheet_of_the_folder_is_served() -> None:
    static = ROOT / "static"
    named = {part for parts in SHEETS.values() for part in parts}

    assert {str(path.relative_to(static).with_suffix("")) for path in static.rglob("*.css")} == named


@pytest.mark.parametrize(
    ("css", "shorter"),
    [
        ("a {\n  color: red;\n}\n", "a{color:red}"),
        # A descendant inside a nested rule stays a descendant.
        ("@layer l { .bar { .x :is(a, b) { top: 0 } } }", "@layer l{.bar{& .x :is(a,b){top:0}}}"),
        (".bar :is(a, b) { top: 0 } /* why: x */", ".bar :is(a,b){top:0}"),
        ('a::before { content: "/* ; 0.5 */" / ""; }', 'a:before{content:"/* ; 0.5 */" / ""}'),
        ("@media (width < 40rem) { a { top: -0.01em } }", "@media (width<40rem){a{top:-.01em}}"),
        ("a { color: light-dark(oklch(98% 0.004 235), red) }", "a{color:light-dark(oklch(98% .004 235),red)}"),
    ],
)
def test_minified_css_keeps_its_meaning(css: str, shorter: str) -> None:
    assert minify(css) == shorter


def test_invalid_css_is_refused() -> None:
    with pytest.raises(ValueError, match="Unexpected end of input"):
        minify("a { & :is(b }")


def test_gzip_is_sent_to_who_takes_it(client: FlaskClient) -> None:
    address = asset("site.css")
    assert address is not None

    answer = client.get(address, headers={"Accept-Encoding": "gzip"})

    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Vary"] == "Accept-Encoding"
    refused = client.get(address, headers={"Accept-Encoding": "gzip;q=0"})
    assert gzip.decompress(answer.data) == refused.data == client.get(address).data
    assert "Content-Encoding" not in refused.headers


@pytest.mark.parametrize(
    "name", ["site.css", "site-0000000000000000.css", "../app.py", "..%2fapp.py", "css/base.css", "", "%00"]
)
def test_nothing_else_is_served(client: FlaskClient, name: str) -> None:
    assert client.get(f"/static/{name}").status_code == 404


def test_site_runs_without_htmx() -> None:
    assert asset("htmx.js") is None


def test_script_with_another_content_is_not_served(app: Flask) -> None:
    settings = app.config["PANEL"]
    assets.htmx_path(settings).write_bytes(b"alert(1)")

    assert assets.read_htmx(settings) is None


def test_parts_with_another_hash_are_refused() -> None:
    with pytest.raises(ValueError, match="another hash"):
        assets.join_parts([b"one", b"two"])


def test_fetched_script_is_the_pinned_one_or_none(app: Flask) -> None:
    settings = app.config["PANEL"]

    was_had = assets.fetch_htmx(settings)

    content = assets.read_htmx(settings)
    assert was_had is (content is not None)
    assert was_had is ("htmx.js" in assets.collect_assets(settings).by_name)
    if content is not None:
        assert b"registerExtension" in content
        assert b"sourceMappingURL" not in content
