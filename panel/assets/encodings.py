"""Content encodings: which one a request accepts, by its Accept-Encoding header, and a body compressed for it."""

import gzip
from collections.abc import Callable
from functools import lru_cache

import brotli
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

BROTLI_QUALITY = 9
# Longer headers get the body as it is.
MAX_ACCEPT_ENCODING_LENGTH = 256

_COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "br": lambda body: brotli.compress(body, mode=brotli.MODE_TEXT, quality=BROTLI_QUALITY),
    "gzip": lambda body: gzip.compress(body, mtime=0),
}


def encoding_for(accepted: str, *, offered: tuple[str, ...] = tuple(_COMPRESS)) -> str:
    """The best encoding that an Accept-Encoding header allows of those offered; empty for none."""
    return _best_encoding(accepted, offered) if len(accepted) <= MAX_ACCEPT_ENCODING_LENGTH else ""


@lru_cache(maxsize=1024)
def _best_encoding(accepted: str, offered: tuple[str, ...]) -> str:
    return parse_accept_header(accepted, Accept).best_match(offered, "")


def compress(body: bytes, encoding: str) -> bytes:
    return _COMPRESS[encoding](body)
