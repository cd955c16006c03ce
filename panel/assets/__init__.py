"""Static files: stylesheets and scripts joined at start, named by their content hash, served from memory.

htmx is fetched once at first start into the instance folder and checked against the hashes pinned here.
Without it the site runs without scripts. May import `domain`, `clock` and `settings`.
"""

import hashlib
import mimetypes
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import httpx
import rjsmin
import structlog
from flask import Flask, current_app

from panel import app_context
from panel.assets import stylesheets
from panel.assets.encodings import compress, encoding_for
from panel.assets.stylesheets import ACCENT
from panel.settings import ROOT, Settings

# One request where a page needs both: `menus.js` is also served alone, for visitors' pages of text.
JOINED_SCRIPTS = {
    "live.js": ("live.js", "live_push.js", "push.js"),
    "poll.js": ("push.js", "poll.js"),
    "visitor_poll.js": ("menus.js", "push.js", "poll.js"),
    "site.js": ("menus.js", "site.js"),
    # Instead of site.js on the office's pages.
    "office.js": ("menus.js", "site.js", "office.js"),
}

HTMX = "htmx.org@4.0.1"
# The parts of our script in order, each with its pinned SHA-256.
PARTS = (
    ("dist/htmx.min.js", "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"),
    ("dist/ext/hx-ptag.min.js", "1993b23e86553100e4f45eed1b756eb8cf53c5b2244caf98e58662dfde9ca069"),
)
JOINED_SHA256 = "0b6b9034fbc6323a8274e7833e50e0326ae44b894a126a71aa0c4a44684f15cb"
CDN = f"https://cdn.jsdelivr.net/npm/{HTMX}/"
NPM_SECONDS = 60
DOWNLOAD_SECONDS = 20

IMMUTABLE = "public, max-age=31536000, immutable"
HASH_LENGTH = 16
MIN_GZIP_BYTES = 500
EXTENSION = "panel.assets"
FOLDER = "/static"
# The stylesheet whose accent color operators choose.
COLORED = "site.css"

_NOT_HAD = (OSError, ValueError, LookupError, subprocess.SubprocessError, tarfile.TarError, httpx.HTTPError)

log = structlog.get_logger("panel.assets")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served."""

    name: str
    served_as: str
    content: bytes
    zipped: bytes | None
    mimetype: str


@dataclass(frozen=True, slots=True)
class Assets:
    """All assets: by the name used in templates, and by the name in the URL."""

    by_name: dict[str, Asset]
    by_served_name: dict[str, Asset]


def init_app(app: Flask) -> None:
    settings: Settings = app.config["PANEL"]
    kept = collect_assets(settings)
    app.extensions[EXTENSION] = kept
    app.wsgi_app = serve_assets(app.wsgi_app, kept)  # type: ignore[method-assign, assignment]


def asset(name: str) -> str | None:
    """The URL of a static file, or None if it is missing (htmx could not be downloaded)."""
    found = _assets().by_name.get(name)
    if found is None:
        return None
    accent = app_context.live_settings().text(ACCENT) if name == COLORED else None
    return f"{FOLDER}/{found.served_as}{f'?{ACCENT}={accent[0]}' if accent else ''}"


def serve_assets(inner: WSGIApplication, kept: Assets) -> WSGIApplication:
    """WSGI middleware: serve files by their exact hashed URL, pass everything else on."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        folder, _slash, name = environ.get("PATH_INFO", "").rpartition("/")
        found = kept.by_served_name.get(name) if folder == FOLDER else None
        if found is None or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return inner(environ, start_response)
        accent = environ.get("QUERY_STRING", "").removeprefix(f"{ACCENT}=")
        if accent and found.name == COLORED:
            found = _colored(found, accent)
        encoding = encoding_for(environ.get("HTTP_ACCEPT_ENCODING", ""), offered=("gzip",))
        content, headers = _content_and_headers(found, takes_gzip=encoding == "gzip")
        start_response("200 OK", headers)
        return [content] if environ["REQUEST_METHOD"] == "GET" else []

    return application


@lru_cache(16)
def _colored(plain: Asset, accent: str) -> Asset:
    """The stylesheet with these accent colors; without them if they are none."""
    content = stylesheets.with_accent(plain.content, accent)
    return plain if content is None else replace(plain, content=content, zipped=compress(content, "gzip"))


def _content_and_headers(found: Asset, *, takes_gzip: bool) -> tuple[bytes, list[tuple[str, str]]]:
    zipped = found.zipped if takes_gzip else None
    content = zipped or found.content
    headers = [
        ("Content-Type", found.mimetype),
        ("Content-Length", str(len(content))),
        ("Cache-Control", IMMUTABLE),
    ]
    if found.zipped is not None:
        headers.append(("Vary", "Accept-Encoding"))
    if zipped is not None:
        headers.append(("Content-Encoding", "gzip"))
    return content, headers


def _assets() -> Assets:
    kept: Assets = current_app.extensions[EXTENSION]
    return kept


def collect_assets(settings: Settings) -> Assets:
    """Read every stylesheet and every file of `static/`, and htmx where it was fetched."""
    static = ROOT / "static"
    contents = stylesheets.sheets(static)
    for path in sorted([*static.glob("*.svg"), *static.glob("img/*.*")]):
        contents[path.name] = path.read_bytes()
    for path in sorted(static.glob("js/*.js")):
        contents[path.name] = rjsmin.jsmin(path.read_bytes())
    contents |= {name: b"\n".join(contents[part] for part in parts) for name, parts in JOINED_SCRIPTS.items()}
    htmx = read_htmx(settings)
    if htmx is not None:
        contents["htmx.js"] = htmx
    by_name = {name: _made(name, content) for name, content in contents.items() if content}
    return Assets(by_name, {made.served_as: made for made in by_name.values()})


def _made(name: str, content: bytes) -> Asset:
    stem, _dot, suffix = name.rpartition(".")
    digest = hashlib.sha256(content).hexdigest()[:HASH_LENGTH]
    mimetype = mimetypes.types_map.get(f".{suffix}", "application/octet-stream")
    is_text = mimetype.startswith("text/") or suffix in ("js", "svg", "webmanifest")
    zipped = compress(content, "gzip") if is_text and len(content) >= MIN_GZIP_BYTES else None
    full_type = f"{mimetype}; charset=utf-8" if is_text else mimetype
    return Asset(name, f"{stem}-{digest}.{suffix}", content, zipped, full_type)


def htmx_path(settings: Settings) -> Path:
    return settings.instance / f"htmx-{JOINED_SHA256[:HASH_LENGTH]}.js"


def read_htmx(settings: Settings) -> bytes | None:
    """The downloaded script; None if it is missing or its hash is wrong."""
    path = htmx_path(settings)
    if not path.exists():
        return None
    content = path.read_bytes()
    return content if hashlib.sha256(content).hexdigest() == JOINED_SHA256 else None


def fetch_htmx(settings: Settings) -> bool:
    """Download htmx into the instance folder if needed. Returns False, with one log line, when that fails."""
    if read_htmx(settings) is not None:
        return True
    sources: tuple[Callable[[], list[bytes]], ...] = (_from_npm, _from_cdn)
    for source in sources:
        try:
            joined = join_parts(source())
        except _NOT_HAD as error:
            log.info("htmx not had from a source", source=source.__name__.strip("_"), why=str(error)[:200])
            continue
        path = htmx_path(settings)
        fresh = path.with_suffix(".new")
        fresh.write_bytes(joined)
        fresh.replace(path)
        return True
    log.warning("htmx could not be fetched: the site runs without scripts", wanted=HTMX)
    return False


def join_parts(contents: list[bytes]) -> bytes:
    """Join the parts to one script. Raises ValueError if a part has the wrong hash."""
    for (name, wanted), content in zip(PARTS, contents, strict=True):
        if hashlib.sha256(content).hexdigest() != wanted:
            raise ValueError(f"{name} has another hash than the pinned one")
    return b"\n".join(content.strip() for content in contents) + b"\n"


def _from_npm() -> list[bytes]:
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is not installed")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", HTMX, "--ignore-scripts", "--silent", "--pack-destination", folder]
        # The command is ours; only the path of npm is looked up.
        subprocess.run(  # noqa: S603
            command, cwd=folder, check=True, capture_output=True, timeout=NPM_SECONDS
        )
        with tarfile.open(sorted(Path(folder).glob("*.tgz"))[0]) as archive:
            return [_member(archive, f"package/{name}") for name, _sha in PARTS]


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is not a file")
    return file.read()


def _from_cdn() -> list[bytes]:
    with httpx.Client(timeout=DOWNLOAD_SECONDS, follow_redirects=False) as client:
        return [client.get(CDN + name).raise_for_status().content for name, _sha in PARTS]
