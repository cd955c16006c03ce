"""Mail server address: `smtp://`, `smtps://` or `smtp+starttls://USER:PASSWORD@HOST:PORT`."""

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

_MAIL_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}


@dataclass(frozen=True)
class MailServer:
    """SMTP server for outgoing mail."""

    scheme: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)

    @property
    def is_tls_from_the_start(self) -> bool:
        return self.scheme == "smtps"

    @property
    def is_starttls(self) -> bool:
        return self.scheme == "smtp+starttls"


def parse_mail_server(url: str) -> MailServer:
    """Parse the address. Raises ValueError with one line about what is wrong."""
    form = "PANEL_SMTP_URL must look like smtp+starttls://USER:PASSWORD@HOST:PORT (or smtps://, smtp://)"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(form) from None
    is_plain = parts.path in ("", "/") and not parts.query and not parts.fragment and url.isprintable()
    if (
        parts.scheme not in _MAIL_PORTS
        or not parts.hostname
        or not is_plain
        or bool(parts.username) != bool(parts.password)
    ):
        raise ValueError(form)
    if parts.scheme == "smtp" and parts.password and not _is_this_machine(parts.hostname):
        raise ValueError("PANEL_SMTP_URL would send its password unprotected: use smtps:// or smtp+starttls://")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return MailServer(parts.scheme, parts.hostname, port or _MAIL_PORTS[parts.scheme], user, password)


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
