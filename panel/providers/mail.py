"""Sending a mail: through the SMTP server of the settings, or, where none is set, as a file in the instance folder."""

import hashlib
import os
import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from pathlib import Path
from types import TracebackType
from typing import Protocol
from urllib.parse import urlsplit

from panel.domain import email_address
from panel.settings import MailServer, Settings

CONNECT_SECONDS = 10.0
# Each step (greeting and log-in, then each mail) has this long in all, however slowly a server drips.
DEADLINE_SECONDS = 30.0
LONGEST_LINE = 900
_READY = 220
_REFUSED_FOR_GOOD = range(500, 600)


class _Unfolded(UnstructuredHeader, BaseHeader):
    """A header of one long word, on one line: the library would encode what it cannot fold, and nobody decodes that."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
for _name in ("list-unsubscribe", "message-id"):
    _HEADERS.map_to_type(_name, _Unfolded)
POLICY = SMTP.clone(header_factory=_HEADERS)


class NotTaken(Exception):
    """The mail was not sent. `is_final`: it never will be. `stops`: the server takes none now."""

    def __init__(self, text: str, *, is_final: bool = False, stops: bool = False) -> None:
        super().__init__(text)
        self.is_final, self.stops = is_final, stops


@dataclass(frozen=True)
class Written:
    """What a mail says. `key` tells it from all others and makes its Message-ID."""

    key: str
    email: str
    subject: str
    text: str
    unsubscribe_url: str
    at: datetime


class Post(Protocol):
    """Takes mails, one after another, until it is closed."""

    def __enter__(self) -> "Post": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def send(self, written: Written) -> None:
        """Raises NotTaken."""


def post(settings: Settings) -> Post:
    """Where mails of these settings go. Nothing is connected before the first mail."""
    server = settings.mail_server
    return _Files(settings) if server is None else _Smtp(server, settings)


def message(written: Written, *, settings: Settings) -> EmailMessage:
    """The mail with its headers. Raises NotTaken when the address is none that a mail can be sent to."""
    made = EmailMessage(policy=POLICY)
    try:
        made["From"] = Address(settings.site_name, addr_spec=settings.mail_sender)
        made["To"] = Address(addr_spec=email_address.in_ascii(written.email))
        # A line break in a header raises ValueError: one mail can never become two.
        made["Subject"] = written.subject
    except (ValueError, MessageError) as error:
        raise NotTaken(f"This is no address or subject that a mail can have: {error}.", is_final=True) from error
    made["Date"] = written.at
    made["Message-ID"] = f"<{hashlib.sha256(written.key.encode()).hexdigest()[:32]}@{settings.mail_host}>"
    made["Auto-Submitted"] = "auto-generated"
    if settings.support_email:
        made["Reply-To"] = Address(addr_spec=settings.support_email)
    if written.unsubscribe_url:
        made["List-Unsubscribe"] = f"<{written.unsubscribe_url}>"
        made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    lines = written.text.splitlines()
    is_simple = written.text.isascii() and max(map(len, lines), default=0) <= LONGEST_LINE
    made.set_content(written.text, cte="7bit" if is_simple else "quoted-printable")
    return made


class _Files:
    """Each mail as one `.eml` file, readable by us alone. The same mail again writes the same file again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.instance / "mail"

    def __enter__(self) -> "Post":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def send(self, written: Written) -> None:
        made = message(written, settings=self._settings)
        name = re.sub(r"[^a-z0-9]+", "-", written.key.lower()).strip("-")[:30]
        mark = hashlib.sha256(written.key.encode()).hexdigest()[:8]
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(
                self._folder / f"{written.at:%Y%m%dT%H%M%S}-{name}-{mark}.eml",
                made.as_bytes(policy=POLICY.clone(linesep="\n")),
            )
        except OSError as error:
            raise NotTaken(f"The file could not be written: {error.strerror}", stops=True) from error


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}.part")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)


class _Smtp:
    """One connection for all mails of a turn."""

    def __init__(self, server: MailServer, settings: Settings) -> None:
        self._server, self._settings = server, settings
        self._connection: smtplib.SMTP | None = None

    def __enter__(self) -> "Post":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def send(self, written: Written) -> None:
        made = message(written, settings=self._settings)
        try:
            connection = self._connection or self._connect()
            with _deadline(connection):
                to = email_address.in_ascii(written.email)
                connection.send_message(made, from_addr=self._settings.mail_sender, to_addrs=[to])
        except smtplib.SMTPRecipientsRefused as error:
            code, said = next(iter(error.recipients.values()))
            raise NotTaken(_said(code, said), is_final=code in _REFUSED_FOR_GOOD) from error
        except smtplib.SMTPDataError as error:
            raise NotTaken(
                _said(error.smtp_code, error.smtp_error), is_final=error.smtp_code in _REFUSED_FOR_GOOD
            ) from error
        except smtplib.SMTPResponseException as error:
            self._drop()
            raise NotTaken(_said(error.smtp_code, error.smtp_error), stops=True) from error
        except (smtplib.SMTPException, OSError, ValueError) as error:
            self._drop()
            raise NotTaken(f"The mail server could not be reached: {error}", stops=True) from error
        finally:
            if self._connection is not None and self._connection.sock is None:
                self._drop()

    def _connect(self) -> smtplib.SMTP:
        server, context = self._server, ssl.create_default_context()
        connection: smtplib.SMTP
        if server.is_tls_from_the_start:
            connection = smtplib.SMTP_SSL(timeout=CONNECT_SECONDS, context=context, local_hostname=self._own_name())
        else:
            connection = smtplib.SMTP(timeout=CONNECT_SECONDS, local_hostname=self._own_name())
        # `connect` alone does not keep the name that the certificate is checked against.
        connection._host = server.host  # type: ignore[attr-defined]
        try:
            with _deadline(connection):
                code, said = connection.connect(server.host, server.port)
                if code != _READY:
                    raise smtplib.SMTPConnectError(code, said)
                if server.is_starttls:
                    connection.starttls(context=context)
                if server.user:
                    connection.login(server.user, server.password)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _own_name(self) -> str:
        return urlsplit(self._settings.public_url).hostname or "localhost"

    def _close(self) -> None:
        if self._connection is not None:
            with suppress(smtplib.SMTPException, OSError), _deadline(self._connection):
                self._connection.quit()
        self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


@contextmanager
def _deadline(connection: smtplib.SMTP) -> Iterator[None]:
    """Cut the connection after the deadline: a timeout of a socket starts anew with each byte that comes."""
    timer = threading.Timer(DEADLINE_SECONDS, _cut, [connection])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(connection: smtplib.SMTP) -> None:
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]


def _said(code: int, answer: bytes | str) -> str:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else str(answer)
    return f"The mail server answered {code}: {text}"
