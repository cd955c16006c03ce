"""Which addresses that customers choose may be called: those of the public internet, and no other.

An address passes only when it lies in a range that is given out to the public and in none of the special
ones (RFC 6890 and the registries behind it). What is not known to be public is refused, in every spelling.
"""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from panel.domain.errors import BadInput

LONGEST_URL = 500
EXAMPLE = "https://panel.example.com/webhooks"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Pairs = frozenset[tuple[str, int]]

_SPECIAL_V4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",
            "100.64.0.0/10",  # behind a carrier's NAT
            "127.0.0.0/8",
            "169.254.0.0/16",  # link-local, and the machines' own metadata
            "172.16.0.0/12",
            "192.0.0.0/24",  # protocol assignments
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # multicast tunnels
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",
            "192.175.48.0/24",  # AS112
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/3",  # multicast, reserved, broadcast
        ),
    )
)
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4, which holds any IPv4 address
            "2620:4f:8000::/48",  # AS112
            "3ffe::/16",  # given back
            "3fff::/20",  # documentation
        ),
    )
)


def read_pairs(text: str) -> Pairs:
    """The `ip:port` pairs of a setting, such as `127.0.0.1:8210,[::1]:8210`. Raises ValueError."""
    pairs = set()
    for written in re.split(r"[\s,]+", text.strip()) if text.strip() else ():
        host, _, port = written.rpartition(":")
        pairs.add((str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))), int(port)))
    return frozenset(pairs)


def is_public(address: Address) -> bool:
    """Whether the address belongs to the public internet."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _SPECIAL_V4)
    return address in _PUBLIC_V6 and not any(address in network for network in _SPECIAL_V6)


def allowed(written: str, *, port: int, is_tls: bool, test_hosts: Pairs) -> str | None:
    """The resolved address in the spelling to connect to, or None where it may not be called.

    An IPv4 address in an IPv6 coat is judged, and called, as what it is. Without TLS only test hosts pass.
    """
    try:
        address: Address = ipaddress.ip_address(written)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return None
        address = address.ipv4_mapped or address
    if (str(address), port) in test_hosts or (is_tls and is_public(address)):
        return str(address)
    return None


def check_url(url: str, *, test_hosts: Pairs) -> str:
    """A customer's address without spaces around it. Raises BadInput with a sentence for the field `url`.

    What a name leads to is only known at the call, and checked there.
    """
    url = url.strip()
    parts, port = _split(url)
    host = parts.hostname or ""
    is_tls = parts.scheme == "https"
    literal = _literal(host)
    if not is_tls and (literal, port) not in test_hosts:
        raise BadInput("The address must start with https://.", field="url")
    if literal is not None and allowed(literal, port=port, is_tls=is_tls, test_hosts=test_hosts) is None:
        raise BadInput("This address is not on the public internet.", field="url")
    if literal is None and (
        "." not in host.strip(".") or host.strip(".").endswith((".local", ".internal", ".localhost"))
    ):
        raise BadInput("This address is not on the public internet.", field="url")
    return url


def _split(url: str) -> tuple[SplitResult, int]:
    malformed = BadInput(f"The address must look like {EXAMPLE}.", field="url")
    if len(url) > LONGEST_URL:
        raise BadInput(f"The address must have at most {LONGEST_URL} signs.", field="url")
    # Two readers of one odd address could see two hosts in it, so that odd ones are refused.
    if not url.isascii() or not url.isprintable() or re.search(r"[\s\\<>\"^`{|}]", url):
        raise malformed
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise malformed from None
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise malformed
    if "@" in parts.netloc or parts.fragment or port == 0 or not re.fullmatch(r"[\w.:-]+", parts.hostname):
        raise malformed
    return parts, port or (443 if parts.scheme == "https" else 80)


def _literal(host: str) -> str | None:
    """The host as an address, if it is one in the usual spelling; odd ones are judged when they are resolved."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None
