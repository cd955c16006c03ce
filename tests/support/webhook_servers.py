"""Local HTTP and HTTPS servers as targets of webhook calls."""

import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from panel.clock import utc_now
from panel.domain.network.public_ip_rules import Pairs, read_pairs
from panel.providers.http import tls


class RecordingServer:
    """Server that records requests and responds with `answer`."""

    def __init__(self, answer: bytes, *, pause_seconds: float) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.answer, self.pause_seconds = answer, pause_seconds
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            with connection:
                self.requests.append(_request(connection))
                size = 1 if self.pause_seconds else 4096
                for place in range(0, len(self.answer), size):
                    connection.sendall(self.answer[place : place + size])
                    time.sleep(self.pause_seconds)
        except OSError:
            return

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?a=b"

    @property
    def pairs(self) -> Pairs:
        return read_pairs(f"127.0.0.1:{self.port}")


def _request(connection: socket.socket) -> bytes:
    """Read a whole request; its body may be in a separate packet."""
    request = b""
    while piece := connection.recv(65536):
        request += piece
        head, _, body = request.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        if length and len(body) >= int(length[1]):
            break
    return request


@contextmanager
def a_server(
    answer: bytes = b"HTTP/1.1 204 No Content\r\n\r\n", *, pause_seconds: float = 0
) -> Iterator[RecordingServer]:
    server = RecordingServer(answer, pause_seconds=pause_seconds)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.listening.shutdown(socket.SHUT_RDWR)
        server.listening.close()
        thread.join(5)


def answer_of(status: str, body: bytes, *headers: str) -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers])
    return f"{head}\r\n\r\n".encode() + body


@contextmanager
def a_tls_server(folder: Path, *, name: str) -> Iterator[int]:
    """HTTPS server with a trusted certificate for this name; yields its port."""
    key, certificate = _certificate(name)
    file = folder / f"{name}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(certificate.public_bytes(Encoding.PEM) + private)
    tls().load_verify_locations(cadata=certificate.public_bytes(Encoding.PEM).decode())
    server = ThreadingHTTPServer(("127.0.0.1", 0), RecordingHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class RecordingHandler(BaseHTTPRequestHandler):
    """Accepts every request and responds with its Host."""

    def do_POST(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.headers["Host"].encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


def _certificate(name: str) -> tuple[EllipticCurvePrivateKey, x509.Certificate]:
    key = generate_private_key(SECP256R1())
    now = utc_now()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return key, builder.sign(key, SHA256())
