"""SSRF protection: customers' webhook URLs may only reach public IP addresses.

An address passes only if it lies in a range allocated to the public internet, and in no special-purpose range (RFC 6890
and its registries). Anything not known to be public is rejected, in every spelling.
"""

import ipaddress
import re
import unicodedata
from urllib.parse import SplitResult, urlsplit

from panel.domain.errors import BadInput

MAX_URL_LENGTH = 500
# Ports of public web servers. With other ports a customer could scan a machine's ports.
PORTS = (443, 80)
EXAMPLE = "https://panel.example.com/webhooks"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Pairs = frozenset[tuple[str, int]]

_SPECIAL_V4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",
            "100.64.0.0/10",  # carrier-grade NAT
            "127.0.0.0/8",
            "169.254.0.0/16",  # link-local, with cloud metadata services
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
            "2002::/16",  # 6to4, which can embed any IPv4 address
            "2620:4f:8000::/48",  # AS112
            "3ffe::/16",  # deprecated
            "3fff::/20",  # documentation
        ),
    )
)

# Domains of local networks only (RFC 6761, RFC 6762, RFC 8375, and ICANN's `internal`).
_LOCAL_DOMAINS = (
    "localhost",
    "localdomain",
    "local",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "home.arpa",
    "test",
    "invalid",
)
_LABEL = re.compile(r"[\w-]{1,63}")
# Browsers read such a host as an IPv4 address: `2130706433`, `0x7f.1` and `0177.0.0.1` are all one.
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)


def read_pairs(text: str) -> Pairs:
    """Parse the `ip:port` pairs of a setting, such as `127.0.0.1:8210,[::1]:8210`. Raises ValueError."""
    pairs = set()
    for written in re.split(r"[\s,]+", text.strip()) if text.strip() else ():
        host, _, port = written.rpartition(":")
        pairs.add((str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))), int(port)))
    return frozenset(pairs)


def is_public(address: Address) -> bool:
    """Whether the IP address belongs to the public internet."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _SPECIAL_V4)
    return address in _PUBLIC_V6 and not any(address in network for network in _SPECIAL_V6)


def is_public_host(host: str) -> bool:
    """Whether the host, as written, can be on the public internet.

    A name needs two labels or more, outside the local domains; what it resolves to is checked later. An IP address must
    be public and in its canonical form. Full-width digits and dots are read like browsers read them.
    """
    plain = unicodedata.normalize("NFKC", host).lower().replace("\N{IDEOGRAPHIC FULL STOP}", ".").removesuffix(".")
    labels = plain.split(".")
    if ":" in plain or _NUMERIC.fullmatch(labels[-1]):
        literal = _address(plain)
        return literal is not None and is_public(literal)
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        return False
    return not any(f".{plain}".endswith(f".{domain}") for domain in _LOCAL_DOMAINS)


def _address(written: str) -> Address | None:
    """The IP address, with an IPv4-mapped one as IPv4; None for other text, and for an address with a zone."""
    try:
        address: Address = ipaddress.ip_address(written)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return None if address.scope_id is not None else address.ipv4_mapped or address
    return address


def allowed(written: str, *, port: int, is_tls: bool, test_hosts: Pairs) -> str | None:
    """The resolved address to connect to, or None if it isn't allowed.

    An IPv4-mapped IPv6 address is checked, and connected to, as IPv4. Without TLS, and on other ports than those of the
    web, only test hosts pass.
    """
    address = _address(written)
    if address is None:
        return None
    if (str(address), port) in test_hosts or (is_tls and port in PORTS and is_public(address)):
        return str(address)
    return None


def check_url(url: str, *, test_hosts: Pairs) -> str:
    """Validate a customer's webhook URL. Raises BadInput with the field `url`.

    What a name resolves to is checked when it is called.
    """
    url = url.strip()
    parts, port = _split(url)
    host = parts.hostname or ""
    is_tls = parts.scheme == "https"
    literal = _literal(host)
    if (literal, port) in test_hosts:
        return url
    if not is_tls:
        raise BadInput("The address must start with https://.", field="url")
    if not is_public_host(host):
        raise BadInput("This address is not on the public internet.", field="url")
    # A name may resolve to a test host; its port is then checked together with the address.
    if port not in PORTS and all(port != of_test_host for _, of_test_host in test_hosts):
        raise BadInput(f"Webhooks go to port 443. Leave out the port {port}.", field="url")
    return url


def _split(url: str) -> tuple[SplitResult, int]:
    malformed = BadInput(f"The address must look like {EXAMPLE}.", field="url")
    if len(url) > MAX_URL_LENGTH:
        raise BadInput(f"The address must have at most {MAX_URL_LENGTH} characters.", field="url")
    # Two URL parsers may find different hosts in an unusual URL, so unusual ones are rejected.
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
    """The host as an IP address, if it is one in canonical form."""
    address = _address(host)
    return None if address is None else str(address)
