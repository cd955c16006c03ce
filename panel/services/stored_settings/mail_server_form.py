"""Form of the mail server in the office: its fields, and the address that they make, as in PANEL_SMTP_URL."""

import ipaddress
import re
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote

from panel.domain.errors import BadInput
from panel.domain.network.mail_server import MailServer, parse_mail_server

MAX_LENGTH = 200
MAX_PORT = 65_535

_HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.ASCII)


class Encryption(StrEnum):
    """How the connection is encrypted; the values are schemes of PANEL_SMTP_URL."""

    STARTTLS = "smtp+starttls"
    TLS = "smtps"
    NONE = "smtp"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    Encryption.STARTTLS: "STARTTLS (usually port 587)",
    Encryption.TLS: "TLS (usually port 465)",
    Encryption.NONE: "None (a server on this machine, without a password)",
}


@dataclass(frozen=True, slots=True)
class MailServerForm:
    """The fields as typed. An empty password keeps the present one."""

    host: str
    encryption: str
    port: str
    user: str
    password: str = field(repr=False)


def present(server: MailServer | None) -> MailServerForm:
    """The fields with the present server, without its password."""
    if server is None:
        return MailServerForm("", Encryption.STARTTLS, "", "", "")
    return MailServerForm(server.host, server.scheme, str(server.port), server.user, "")


def url(form: MailServerForm, *, server: MailServer | None) -> str:
    """The address; empty without a host. `server`: the present one. Raises BadInput for a field."""
    if not form.host:
        if form.user or form.password:
            raise BadInput("Enter the mail server’s host name.", field="host")
        return ""
    host = _host(form.host)
    if form.encryption not in list(Encryption):
        raise BadInput("Choose how the connection is encrypted.", field="encryption")
    port = _port(form.port)
    password = _password(form, host=host.strip("[]"), server=server)
    if password and not form.user:
        raise BadInput("Enter the user name that belongs to the password.", field="user")
    login = f"{quote(form.user, safe='')}:{quote(password, safe='')}@" if form.user else ""
    made = f"{form.encryption}://{login}{host}{port}"
    try:
        parse_mail_server(made)
    except ValueError:
        raise BadInput(
            "Without encryption, the password would be sent unprotected. Choose STARTTLS or TLS.", field="encryption"
        ) from None
    return made


def described(address: str) -> str:
    """The server without its password, for pages and the audit log; empty if there is none."""
    if not address:
        return ""
    server = parse_mail_server(address)
    user = f", user {server.user}" if server.user else ""
    return f"{server.host}, port {server.port}, {Encryption(server.scheme).label.partition(' (')[0]}{user}"


def _host(typed: str) -> str:
    try:
        found = ipaddress.ip_address(typed.strip("[]"))
        return f"[{found}]" if found.version == 6 else str(found)
    except ValueError:
        host = typed.lower()
    if len(host) > MAX_LENGTH or not _HOST.fullmatch(host):
        raise BadInput("Enter a host name, such as smtp.example.com, without a scheme or port.", field="host")
    return host


def _port(typed: str) -> str:
    """The port with its colon; empty for the usual one."""
    if not typed:
        return ""
    if not (typed.isascii() and typed.isdigit() and len(typed) <= len(str(MAX_PORT)) and 0 < int(typed) <= MAX_PORT):
        raise BadInput("Enter a port from 1 to 65535, or leave it empty for the usual one.", field="port")
    return f":{int(typed)}"


def _password(form: MailServerForm, *, host: str, server: MailServer | None) -> str:
    """The typed password, or the present one, which never goes to another server or user."""
    for name, text in (("user", form.user), ("password", form.password)):
        if len(text) > MAX_LENGTH or not text.isprintable():
            raise BadInput(f"Enter at most {MAX_LENGTH} characters on one line.", field=name)
    if form.password or not form.user:
        return form.password
    if server is None or (server.host, server.user) != (host, form.user):
        raise BadInput("Enter the password. It is kept only while host and user name stay the same.", field="password")
    return server.password
