"""Logging: one JSON object per line on standard error, or colored text on a terminal.

Secrets are masked by key name. Query strings and form bodies are never logged.
"""

import logging
import random
import re
import sys
import time
from collections.abc import Mapping
from typing import Any

import structlog
from flask import Flask, Response, g, request
from structlog.typing import EventDict, Processor, WrappedLogger

MASK = "***"
SECRET_WORDS = frozenset(
    [
        "password",
        "passwords",
        "passphrase",
        "secret",
        "secrets",
        "key",
        "keys",
        "apikey",
        "token",
        "tokens",
        "authorization",
        "cookie",
        "cookies",
        "csrf",
        "session",
        "credential",
        "credentials",
        "otp",
        "totp",
    ]
)
# WSGI environ key of the request id, set by the outermost middleware.
REQUEST_ID = "panel.request_id"
# Attribute of `g` set by a POST that only reads.
READ = "only_reads"
# Libraries that log full URLs or a line per call.
QUIET = ("httpx", "httpcore", "alembic", "werkzeug", "markdown_it")

# A path segment this long is a token, as in mailed links.
_SECRET_PART = re.compile(r"[\w.~-]{32,}")
_WORDS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+")


def init_app(app: Flask) -> None:
    """Set up logging for this process, with the request id in each line."""
    configure()
    app.before_request(_begin)
    app.after_request(_end)


def configure() -> None:
    """Route structlog and standard logging through the same handler. Idempotent."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.set_name("panel")
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers()],
        )
    )
    root = logging.getLogger()
    root.handlers = [kept for kept in root.handlers if kept.get_name() != "panel"] + [handler]
    root.setLevel(logging.INFO)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _renderers() -> list[Processor]:
    if sys.stderr.isatty():
        return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask values logged under the name of a secret, at any depth."""
    return {name: _masked(name, value) for name, value in event.items()}


def _masked(name: object, value: Any) -> Any:
    if isinstance(name, str) and _names_a_secret(name):
        return MASK
    if isinstance(value, Mapping):
        return {inner: _masked(inner, found) for inner, found in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(None, found) for found in value]
    return value


def _names_a_secret(name: str) -> bool:
    return any(word.lower() in SECRET_WORDS for word in _WORDS.findall(name))


def redact_path(path: str) -> str:
    """The path with token-like segments masked."""
    return _SECRET_PART.sub(MASK, path)


def new_request_id() -> str:
    # Ids only need to be unique, not unguessable.
    return f"{random.getrandbits(64):016x}"


def _begin() -> None:
    g.request_id = request.environ.get(REQUEST_ID) or new_request_id()
    g.began = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _end(response: Response) -> Response:
    """Log changes and failures; successful reads are not logged."""
    if "request_id" not in g:
        return response
    failed = response.status_code >= 500
    if failed or not (request.method in ("GET", "HEAD", "OPTIONS") or g.get(READ)):
        spent = round((time.perf_counter() - g.began) * 1000, 1)
        log = structlog.get_logger("panel.requests")
        write = log.error if failed else log.info
        write(
            "request",
            method=request.method,
            path=redact_path(request.path),
            status=response.status_code,
            milliseconds=spent,
        )
    return response
