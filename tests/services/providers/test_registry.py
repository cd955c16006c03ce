"""Provider registry: which providers can be added, and API keys encrypted with a key outside the database."""

import pytest
from flask import Flask

from panel.db import transaction
from panel.domain.errors import ActionRefused, BadInput
from panel.services.providers import registry as provider_registry
from panel.settings import Settings
from tests.support.factories import NOON


def settings_of(app: Flask) -> Settings:
    settings: Settings = app.config["PANEL"]
    return settings


def test_an_encrypted_key_is_decrypted_and_is_not_the_key(app: Flask) -> None:
    ciphertext = provider_registry.encrypt("a-secret-key\n", settings=settings_of(app))

    assert "a-secret-key" not in ciphertext
    assert provider_registry.decrypt(ciphertext, settings=settings_of(app)) == "a-secret-key"


def test_key_encrypted_under_another_secret_is_refused(app: Flask) -> None:
    ciphertext = provider_registry.encrypt("a-secret-key", settings=settings_of(app))
    (settings_of(app).instance / "seal_key").unlink()

    with pytest.raises(ActionRefused):
        provider_registry.decrypt(ciphertext, settings=settings_of(app))


@pytest.mark.parametrize("key", ["", "  ", "two\nlines"])
def test_a_key_is_one_line(app: Flask, key: str) -> None:
    with pytest.raises(BadInput):
        provider_registry.encrypt(key, settings=settings_of(app))


@pytest.mark.both_engines
def test_providers_are_found_by_name() -> None:
    with transaction():
        provider_registry.add_provider(
            "upstream", kind="panel_api", url="https://p.example/api", encrypted_key="x", now=NOON
        )
        provider_registry.add_provider("by-hand", kind="manual", now=NOON)

    found = provider_registry.find("upstream")
    assert found is not None and (found.kind, found.url) == ("panel_api", "https://p.example/api")
    assert provider_registry.find("nobody") is None
    assert [each.name for each in provider_registry.listed()] == ["by-hand", "upstream"]


@pytest.mark.parametrize(
    ("name", "given", "field"),
    [
        ("", {"kind": "manual"}, "name"),
        (" padded", {"kind": "manual"}, "name"),
        ("x" * 61, {"kind": "manual"}, "name"),
        ("upstream", {"kind": "magic"}, "kind"),
        ("upstream", {"kind": "manual", "url": "https://p.example"}, "url"),
        ("upstream", {"kind": "panel_api", "url": "https://p.example"}, "key"),
        ("upstream", {"kind": "panel_api", "url": "", "encrypted_key": "x"}, "url"),
        ("upstream", {"kind": "panel_api", "url": "ftp://p.example", "encrypted_key": "x"}, "url"),
        ("upstream", {"kind": "panel_api", "url": "https://a:b@p.example", "encrypted_key": "x"}, "url"),
        ("upstream", {"kind": "panel_api", "url": "https://p.example:x", "encrypted_key": "x"}, "url"),
    ],
)
def test_a_wrong_provider_is_refused_by_field(name: str, given: dict[str, str], field: str) -> None:
    with pytest.raises(BadInput) as refused, transaction():
        provider_registry.add_provider(name, now=NOON, **given)

    assert refused.value.field == field
    assert provider_registry.listed() == []


def test_a_name_is_used_once() -> None:
    with transaction():
        provider_registry.add_provider("by-hand", kind="manual", now=NOON)

    with pytest.raises(ActionRefused), transaction():
        provider_registry.add_provider("by-hand", kind="simulated", now=NOON)
