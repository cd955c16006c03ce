"""Build id: digest of sources and templates."""

import hashlib
from functools import cache

from panel.settings import ROOT

_SOURCES = (("panel", "*.py"), ("templates", "*.*"))


@cache
def digest() -> str:
    """The digest, read once in a process."""
    digest = hashlib.blake2b(digest_size=8)
    for folder, pattern in _SOURCES:
        for path in sorted((ROOT / folder).rglob(pattern)):
            digest.update(str(path.relative_to(ROOT)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
