"""Fake SMTP server that records the mails it receives."""

import base64
import datetime
import ipaddress
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "panel@example.com", "a pass:word/with @ signs"


@dataclass(frozen=True)
class ReceivedMail:
    """A received mail: the envelope and the message."""

    sender: str
    to: list[str]
    message: EmailMessage


class SmtpServer(socketserver.ThreadingTCPServer):
    """SMTP server with configurable answers to RCPT and DATA, and a configurable delay."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _SmtpHandler)
        self.tls, self.starttls = tls, starttls
        self.taken: list[ReceivedMail] = []
        self.connections = 0
        self.log_in: tuple[str, str] | None = None
        self.recipient_answer = "250 fine"
        self.data_answer = "250 taken"
        self.greeting = "220 here"
        self.pause_seconds = 0.0
        self.drips = False

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"


class _SmtpHandler(socketserver.StreamRequestHandler):
    server: SmtpServer

    def handle(self) -> None:
        self.server.connections += 1
        if self.server.tls is not None and not self._protect(self.server.tls):
            return
        if self.server.drips:
            self._drip()
            return
        self._say(self.server.greeting)
        sender, to = "", []
        while line := self.rfile.readline().decode().strip():
            verb = line.upper()
            if verb.startswith("EHLO"):
                extra = "250-STARTTLS\r\n" if self.server.starttls is not None else ""
                self._say(f"250-here\r\n{extra}250 AUTH PLAIN")
            elif verb == "STARTTLS" and self.server.starttls is not None:
                self._say("220 go on")
                if not self._protect(self.server.starttls):
                    return
            elif verb.startswith("AUTH PLAIN"):
                _, user, password = base64.b64decode(line.split()[-1]).decode().split("\0")
                self.server.log_in = (user, password)
                self._say("235 welcome" if self.server.log_in == (USER, PASSWORD) else "535 who are you")
            elif verb.startswith("MAIL FROM:"):
                sender, to = _address(line), []
                self._say("250 fine")
            elif verb.startswith("RCPT TO:"):
                to.append(_address(line))
                self._say(self.server.recipient_answer)
            elif verb == "DATA":
                self._say("354 go on")
                self._take(sender, to)
            else:
                self._say("221 bye" if verb == "QUIT" else "250 fine")

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def _take(self, sender: str, to: list[str]) -> None:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b".") else line)
        if self.server.data_answer.startswith("2"):
            message = message_from_bytes(b"".join(lines), policy=policy.default)
            self.server.taken.append(ReceivedMail(sender, to, message))
        self._say(self.server.data_answer)

    def _protect(self, context: ssl.SSLContext) -> bool:
        try:
            self.connection = self.request = context.wrap_socket(self.request, server_side=True)
        except OSError:
            return False
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        return True

    def _say(self, text: str) -> None:
        time.sleep(self.server.pause_seconds)
        self.wfile.write(f"{text}\r\n".encode())

    def _drip(self) -> None:
        for _ in range(600):
            try:
                self.wfile.write(b"220-wait\r\n")
            except OSError:
                return
            time.sleep(0.05)


def _address(line: str) -> str:
    return line[line.index("<") + 1 : line.index(">")]


@contextmanager
def mail_server(**given: ssl.SSLContext) -> Iterator[SmtpServer]:
    """A listening server, stopped afterwards."""
    with SmtpServer(**given) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def certificate(folder: Path, *, name: str = "127.0.0.1") -> tuple[ssl.SSLContext, Path]:
    """TLS context with a self-signed certificate for this name, and the certificate's file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(name))])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context, file
