"""Device descriptions: short, and without a full IP address."""

import pytest

from panel.domain.accounts.user_agent import device_of, network_of

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/143.0.0.0 Safari/537.36"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Mobile Safari/604.1"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (CHROME, "Chrome on Windows"),
        (f"{CHROME} Edg/143.0", "Edge on Windows"),
        (SAFARI, "Safari on iPhone"),
        (FIREFOX, "Firefox on Linux"),
        ("curl/8.5", "curl"),
        ("<script>alert(1)</script>", "Unknown device"),
        ("", "Unknown device"),
    ],
)
def test_device_is_named_in_a_few_words(user_agent: str, name: str) -> None:
    assert device_of(user_agent) == name


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1234:5678::9", "2001:db8:1234::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("fe80::1%eth0", "fe80::/48"),
        ("nonsense", "unknown"),
        (None, "unknown"),
    ],
)
def test_network_is_kept_instead_of_the_address(address: str | None, network: str) -> None:
    assert network_of(address) == network
