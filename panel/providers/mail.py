"""SMTP client for outgoing mail (aiosmtplib); without a server in the settings, each mail becomes a file."""

import asyncio
import hashlib
import os
import re
import ssl
import threading
from collections.abc import Coroutine
from contextlib import suppress
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

import aiosmtplib

from panel.domain.accounts import email_address
from panel.domain.network.mail_server import MailServer
from panel.settings import Settings

CONNECT_SECONDS = 10.0
# Deadline of each step (connecting with log-in, then each mail), however slowly the server answers.
DEADLINE_SECONDS = 30.0
MAX_LINE_LENGTH = 900
CLOSING_SECONDS = 0.1
_REFUSED_FOR_GOOD = range(500, 600)


class _Unfolded(UnstructuredHeader, BaseHeader):
    """A header that is never folded: the library would encode a long word, and mail programs don't decode it there."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
for _name in ("list-unsubscribe", "message-id"):
    _HEADERS.map_to_type(_name, _Unfolded)
POLICY = SMTP.clone(header_factory=_HEADERS)


class MailNotSent(Exception):
    """The mail was not sent. `is_final`: a retry would fail too. `stops`: the server accepts no mail now."""

    def __init__(self, text: str, *, is_final: bool = False, stops: bool = False) -> None:
        super().__init__(text)
        self.is_final, self.stops = is_final, stops


@dataclass(frozen=True)
class OutgoingMail:
    """A mail to send. `key` is its idempotency key and makes its Message-ID."""

    key: str
    email: str
    subject: str
    text: str
    unsubscribe_url: str
    at: datetime


class Transport(Protocol):
    """Sends mails, one after another, until it is closed."""

    def __enter__(self) -> "Transport": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def send(self, mail: OutgoingMail) -> None:
        """Raises MailNotSent."""


def open_transport(settings: Settings) -> Transport:
    """Transport for these settings. It connects with the first mail."""
    server = settings.mail_server
    return FileTransport(settings) if server is None else SmtpTransport(server, settings)


def message(mail: OutgoingMail, *, settings: Settings) -> EmailMessage:
    """Build the message with its headers. Raises MailNotSent if the address or subject is invalid."""
    made = EmailMessage(policy=POLICY)
    try:
        made["From"] = Address(settings.site_name, addr_spec=settings.mail_sender)
        made["To"] = Address(addr_spec=email_address.in_ascii(mail.email))
        # A line break in a header raises ValueError, which prevents header injection.
        made["Subject"] = mail.subject
    except (ValueError, MessageError) as error:
        raise MailNotSent(f"This is no address or subject that a mail can have: {error}.", is_final=True) from error
    made["Date"] = mail.at
    made["Message-ID"] = f"<{hashlib.sha256(mail.key.encode()).hexdigest()[:32]}@{settings.mail_host}>"
    made["Auto-Submitted"] = "auto-generated"
    if settings.support_email:
        made["Reply-To"] = Address(addr_spec=settings.support_email)
    if mail.unsubscribe_url:
        made["List-Unsubscribe"] = f"<{mail.unsubscribe_url}>"
        made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    lines = mail.text.splitlines()
    is_simple = mail.text.isascii() and max(map(len, lines), default=0) <= MAX_LINE_LENGTH
    made.set_content(mail.text, cte="7bit" if is_simple else "quoted-printable")
    return made


class FileTransport:
    """Writes each mail as an `.eml` file with mode 600. The same mail overwrites its own file."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.instance / "mail"

    def __enter__(self) -> "Transport":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def send(self, mail: OutgoingMail) -> None:
        made = message(mail, settings=self._settings)
        name = re.sub(r"[^a-z0-9]+", "-", mail.key.lower()).strip("-")[:30]
        mark = hashlib.sha256(mail.key.encode()).hexdigest()[:8]
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(
                self._folder / f"{mail.at:%Y%m%dT%H%M%S}-{name}-{mark}.eml",
                made.as_bytes(policy=POLICY.clone(linesep="\n")),
            )
        except OSError as error:
            raise MailNotSent(f"The file could not be written: {error.strerror}", stops=True) from error


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}.part")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)


class _Client(aiosmtplib.SMTP):
    """SMTP client that aborts its connection on close, also after a failed log-in."""

    def close(self) -> None:
        transport = self.transport
        super().close()
        if isinstance(transport, asyncio.WriteTransport):
            # A clean TLS shutdown waits for the server, which may never answer.
            transport.abort()


class SmtpTransport:
    """One SMTP connection for all mails of a sweep. A rejected mail leaves it open, other failures close it."""

    def __init__(self, server: MailServer, settings: Settings) -> None:
        self._settings = settings
        # The connection lives longer than one call, so its event loop does too.
        self._runner = asyncio.Runner()
        self._client = _Client(
            hostname=server.host,
            port=server.port,
            use_tls=server.is_tls_from_the_start,
            start_tls=server.is_starttls,
            tls_context=ssl.create_default_context(),
            username=server.user or None,
            password=server.password or None,
            local_hostname=urlsplit(settings.public_url).hostname or "localhost",
            timeout=CONNECT_SECONDS,
        )

    def __enter__(self) -> "Transport":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client.is_connected:
            with suppress(aiosmtplib.SMTPException, OSError):
                self._run(self._client.quit())
        self._disconnect()
        self._runner.close()

    def send(self, mail: OutgoingMail) -> None:
        made = message(mail, settings=self._settings)
        to = email_address.in_ascii(mail.email)
        try:
            if not self._client.is_connected:
                self._run(self._client.connect())
            self._run(self._client.send_message(made, sender=self._settings.mail_sender, recipients=[to]))
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refused(error.recipients[0]) from error
        except aiosmtplib.SMTPDataError as error:
            raise _refused(error) from error
        except aiosmtplib.SMTPResponseException as error:
            self._disconnect()
            raise MailNotSent(_reply_text(error), stops=True) from error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            self._disconnect()
            # The deadline's own error has no text.
            why = str(error) or f"no answer within {DEADLINE_SECONDS:g} seconds"
            raise MailNotSent(f"The mail server could not be reached: {why}", stops=True) from error

    def _run(self, step: Coroutine[object, object, object]) -> None:
        """Run one step with a total deadline (TimeoutError): the client's own timeout is per answer."""

        async def with_deadline() -> None:
            async with asyncio.timeout(DEADLINE_SECONDS):
                await step

        self._runner.run(with_deadline())

    def _disconnect(self) -> None:
        async def close() -> None:
            self._client.close()
            # A transport closes its socket later, in turns of the loop.
            await asyncio.sleep(CLOSING_SECONDS)

        self._runner.run(close())


def _refused(error: aiosmtplib.SMTPResponseException) -> MailNotSent:
    return MailNotSent(_reply_text(error), is_final=error.code in _REFUSED_FOR_GOOD)


def _reply_text(error: aiosmtplib.SMTPResponseException) -> str:
    return f"The mail server answered {error.code}: {error.message}"
