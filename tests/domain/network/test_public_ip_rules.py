"""Public IP rules: webhooks may call public addresses only, also in unusual notations."""

import pytest

from panel.domain.errors import BadInput
from panel.domain.network import public_ip_rules
from panel.domain.network.public_ip_rules import Pairs, read_pairs

NO_HOSTS: Pairs = frozenset()

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "192.0.1.1",
    "198.17.255.255",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:82a::200e",
    "2001:200::1",
    "2620:4f:8001::1",
    "::ffff:8.8.8.8",
]
NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.170",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.175.48.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",  # the old IPv4-compatible form
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",  # translated, RFC 2765
    "64:ff9b::7f00:1",  # NAT64
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",  # Teredo
    "2001:0:7f00:1::",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "2002:a9fe:a9fe::1",
    "2620:4f:8000::1",
    "3ffe::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456:789a::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "2606:4700:4700::1111%eth0",
    "no address",
    "",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_called(address: str) -> None:
    assert public_ip_rules.allowed(address, port=443, is_tls=True, test_hosts=NO_HOSTS)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_no_other_address_may_be_called(address: str) -> None:
    assert public_ip_rules.allowed(address, port=443, is_tls=True, test_hosts=NO_HOSTS) is None


def test_an_address_in_another_coat_is_called_as_what_it_is() -> None:
    assert public_ip_rules.allowed("::ffff:8.8.8.8", port=443, is_tls=True, test_hosts=NO_HOSTS) == "8.8.8.8"


def test_without_tls_no_address_may_be_called_but_an_exact_pair_of_the_setting() -> None:
    hosts = read_pairs("127.0.0.1:8210, [::1]:8211")

    def allowed(address: str, port: int) -> str | None:
        return public_ip_rules.allowed(address, port=port, is_tls=False, test_hosts=hosts)

    assert allowed("8.8.8.8", 80) is None
    assert allowed("127.0.0.1", 8210) == "127.0.0.1"
    assert allowed("127.0.0.1", 8211) is None
    assert allowed("127.0.0.2", 8210) is None
    assert allowed("::1", 8211) == "::1"
    assert allowed("::ffff:127.0.0.1", 8210) == "127.0.0.1"


@pytest.mark.parametrize(
    "url",
    [
        "https://panel.example.com",
        "https://panel.example.com:443/a/b?c=d",
        "https://panel.example.com:80/",
        " https://panel.example.com/ ",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]/",
        "https://xn--mnchen-3ya.example.com/",
    ],
)
def test_a_public_looking_url_is_taken(url: str) -> None:
    assert public_ip_rules.check_url(url, test_hosts=NO_HOSTS) == url.strip()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "panel.example.com",
        "//panel.example.com/",
        "http://panel.example.com/",
        "http://127.0.0.1/",
        "ftp://panel.example.com/",
        "file:///etc/passwd",
        "gopher://panel.example.com/",
        "javascript:alert(1)",
        "https://",
        "https:///path",
        "https://user@panel.example.com/",
        "https://user:word@panel.example.com/",
        "https://8.8.8.8@127.0.0.1/",
        "https://127.0.0.1#@8.8.8.8/",
        "https://8.8.8.8\\@127.0.0.1/",
        "https://panel.example.com/\nHost: x",
        "https://panel.example.com/\x00",
        "https://panel.example.com/#part",
        "https://panel.example.com:0/",
        "https://panel.example.com:22/",
        "https://panel.example.com:8443/",
        "https://8.8.8.8:8443/",
        "https://[2606:4700:4700::1111]:8443/",
        "https://printer.lan/",
        "https://nas.home.arpa/",
        "https://127.1/",
        "https://0177.0.0.1/",
        "https://panel.example.com:99999/",
        "https://panel.example.com:port/",
        "https://münchen.example.com/",
        "https://[::1",
        "https://[fe80::1%25eth0]/",
        "https://a b.example.com/",
        "https://localhost/",
        "https://localhost./",
        "https://panel/",
        "https://printer.local/",
        "https://db.internal/",
        "https://a.localhost/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:10.0.0.1]:8443/",
        "https://169.254.169.254/latest/meta-data/",
        "https://0.0.0.0/",
        "https://2130706433/",
        "https://0x7f000001/",
    ],
)
def test_an_odd_or_inner_url_is_refused_before_it_is_kept(url: str) -> None:
    with pytest.raises(BadInput) as refused:
        public_ip_rules.check_url(url, test_hosts=NO_HOSTS)

    assert refused.value.field == "url"


@pytest.mark.parametrize("text", ["127.0.0.1", "localhost:80", "127.0.0.1:port", "127.0.0.1:"])
def test_a_pair_of_the_setting_is_an_address_and_a_port(text: str) -> None:
    with pytest.raises(ValueError):
        read_pairs(text)
