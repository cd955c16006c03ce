"""Push hub addresses: a separate port in a single run, the site's own address behind a proxy."""

import pytest

from panel.security import content_security_policy, push_address
from tests.support.databases import settings_for


@pytest.mark.parametrize(
    ("given", "port", "url"),
    [
        ({"port": 8000}, 8001, "http://127.0.0.1:8001/push?seen=1.2"),
        ({"port": 65_535}, 65_534, "http://127.0.0.1:65534/push?seen=1.2"),
        ({"port": 8000, "hub_port": 9000}, 9000, "http://127.0.0.1:9000/push?seen=1.2"),
        ({"trusted_proxies": 1}, 8001, "/push?seen=1.2"),
        ({"base_url": "https://panel.example.com"}, 8001, "/push?seen=1.2"),
        ({"hub": False}, 8001, ""),
    ],
)
def test_pages_listen_beside_the_site_or_behind_its_proxy(
    tmp_path_factory: pytest.TempPathFactory, given: dict[str, object], port: int, url: str
) -> None:
    settings = settings_for(tmp_path_factory.mktemp("instance"), **given)

    assert (push_address.port(settings), push_address.url(settings, seen="1.2")) == (port, url)


def test_topic_stands_before_what_the_page_has_seen(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = settings_for(tmp_path_factory.mktemp("instance"), trusted_proxies=1)

    assert push_address.url(settings, seen="1f", topic="test-order") == "/push?topic=test-order&seen=1f"


def test_policy_names_the_hub_alone_beside_the_site(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("instance")
    beside, behind, without = (
        content_security_policy(settings_for(folder, **given))
        for given in ({"port": 8000}, {"trusted_proxies": 1}, {"hub": False})
    )

    assert "connect-src 'self' http://127.0.0.1:8001" in beside
    assert behind.endswith("connect-src 'self'") and without == behind
