"""Request security: headers, cookies, CSRF, origin check, size limits, rate limits, encryption.

The headers are set around everything, so that errors, static files and responses of the middleware carry them too.
May import `domain`, `clock` and `settings`.
"""

import ipaddress
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from types import TracebackType
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, abort, current_app, g, request, session
from flask_wtf.csrf import CSRFProtect, generate_csrf
from itsdangerous import URLSafeTimedSerializer
from limits import RateLimitItemPerMinute
from limits.storage import Storage, storage_from_string
from werkzeug.middleware.proxy_fix import ProxyFix

from panel.logs import REQUEST_ID, new_request_id
from panel.security import push_address, rate_limits
from panel.security.body_limits import MAX_BODY_BYTES, limit_body
from panel.security.rate_limits import RateLimitUse
from panel.security.request_checks import SAFE_METHODS, check_fields, require_one_host_header
from panel.security.request_identity import MADE_FOR, MAX_REMEMBERED, VISITOR, cookies_of
from panel.settings import Settings

MAX_FORM_PARTS = 200
REQUESTS_A_MINUTE = 1200
# Called by programs with an API key and no cookie.
API_PATHS = ("/api/v2", "/api/v2/")
# One-click unsubscribe requests come from the mail program's site; the token in the URL authorizes them.
CROSS_SITE_ENDPOINTS = frozenset({"notices.unsubscribe"})
LIMITS = "panel.rate_limits"

POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "manifest-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
)
HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
# A stylesheet or script has no frame, referrer or policy of its own: it is read under the page's.
_OF_PARTS = frozenset({"X-Content-Type-Options", "Cross-Origin-Resource-Policy"})
_PARTS = (".css", ".js")
TRANSPORT = ("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
PRIVATE = ("Cache-Control", "no-store")

# Headers of requests that come through a proxy, in the WSGI environ.
_PROXIES_HEADERS = frozenset({"HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA"})

csrf = CSRFProtect()

ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


def init_app(app: Flask) -> None:
    """Set up cookies, CSRF, origin check, sizes and limits. `add_middleware` adds the headers."""
    settings: Settings = app.config["PANEL"]
    app.config.update(
        SESSION_COOKIE_NAME=session_cookie_name(settings),
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.is_https,
        SESSION_COOKIE_PATH="/",
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_BODY_BYTES,
        MAX_FORM_PARTS=MAX_FORM_PARTS,
        PREFERRED_URL_SCHEME="https" if settings.is_https else "http",
        # The token lives as long as the session. The origin is checked below, with or without https.
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
    )
    # An address with doubled slashes is none. The redirect to the right one would name whatever host the request did.
    app.url_map.merge_slashes = False
    # Flask calls it before all functions that are registered as before_request, which read forms.
    app.url_value_preprocessor(limit_body)
    app.before_request(reject_cross_site_requests)
    app.before_request(check_fields)
    csrf.init_app(app)
    app.jinja_env.globals["csrf_token"] = csrf_token
    app.extensions[LIMITS] = storage_from_string(rate_limits.storage_url(settings.limits_url))
    app.before_request(limit_rate)


def csrf_token() -> str:
    """The token for forms, signed once for a session: without a time limit, a signature stays valid."""
    secret, raw = current_app.secret_key, session.get("csrf_token")
    if isinstance(raw, str) and isinstance(secret, str) and "csrf_token" not in g:
        g.csrf_token = _signed_csrf_token(secret, raw)
    return generate_csrf()  # type: ignore[no-any-return]


@lru_cache(MAX_REMEMBERED)
def _signed_csrf_token(secret: str, raw: str) -> str:
    """As Flask-WTF signs it."""
    signed = URLSafeTimedSerializer(secret, salt="wtf-csrf-token").dumps(raw)
    return signed if isinstance(signed, str) else signed.decode()


def session_cookie_name(settings: Settings) -> str:
    return "__Host-session" if settings.is_https else "session"


def reject_cross_site_requests() -> None:
    """Reject unsafe cross-site requests with a 403, with or without a CSRF token."""
    if request.method in SAFE_METHODS or request.path in API_PATHS or request.endpoint in CROSS_SITE_ENDPOINTS:
        return
    fetch_site = request.headers.get("Sec-Fetch-Site")
    if fetch_site is not None:
        if fetch_site not in ("same-origin", "none"):
            abort(403)
        return
    origin = request.headers.get("Origin")
    if origin is not None and origin not in _own_origins():
        abort(403)


def _own_origins() -> tuple[str, str]:
    public = urlsplit(current_app.config["PANEL"].public_url)
    return request.host_url.rstrip("/"), f"{public.scheme}://{public.netloc}"


def limit_rate() -> None:
    """429 above the limit of requests that a network may send to one endpoint in a minute."""
    if request.endpoint is None or is_api_call() or is_direct_loopback():
        return
    who = f"{client_network()}/{request.endpoint}"
    if hit_rate_limit(current_app, who, most_a_minute=REQUESTS_A_MINUTE).is_over:
        abort(429)


def client_network() -> str:
    """Rate limit key: the network that the request came from."""
    return network_of(request.remote_addr or "")


@lru_cache(MAX_REMEMBERED)
def network_of(client: str) -> str:
    """The IPv4 address, or the /64 of an IPv6 address."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return "unknown"
    if address.version == 6:
        # A server that listens on both kinds sees an IPv4 client as ::ffff:a.b.c.d.
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def is_api_call() -> bool:
    """Whether this is an API call: those are counted by key, not by network."""
    return request.path in API_PATHS


def hit_rate_limit(app: Flask, who: str, *, most_a_minute: int) -> RateLimitUse:
    """Count one request of `who` in this minute, and say how much of the limit is left."""
    storage: Storage = app.extensions[LIMITS]
    limit = _per_minute(most_a_minute)
    key = limit.key_for(who)
    # As the library's fixed window counts, without asking for the count a second time.
    count = storage.incr(key, limit.get_expiry())
    return RateLimitUse(most_a_minute, max(0, most_a_minute - count), storage.get_expiry(key), count > most_a_minute)


def is_rate_limited(app: Flask, who: str, *, most_a_minute: int) -> bool:
    """Whether `who` has used up this minute's limit; counts nothing."""
    storage: Storage = app.extensions[LIMITS]
    return storage.get(_per_minute(most_a_minute).key_for(who)) >= most_a_minute


_per_minute = cache(RateLimitItemPerMinute)


def is_direct_loopback() -> bool:
    """Whether the request comes from loopback and not through a proxy."""
    environ = request.environ
    original = environ.get("werkzeug.proxy_fix.orig", {}).get("REMOTE_ADDR", environ.get("REMOTE_ADDR"))
    return _PROXIES_HEADERS.isdisjoint(environ) and _is_loopback(original or "")


@lru_cache(MAX_REMEMBERED)
def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def add_middleware(app: Flask) -> None:
    """Wrap the application with the response headers and the proxy headers. Call this last."""
    settings: Settings = app.config["PANEL"]
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=0)  # type: ignore[method-assign]
    app.wsgi_app = require_one_host_header(app.wsgi_app)  # type: ignore[method-assign, assignment]
    app.wsgi_app = with_headers(app.wsgi_app, settings)  # type: ignore[method-assign, assignment]


def content_security_policy(settings: Settings) -> str:
    """The policy: nothing from other hosts, except that scripts may connect to a push hub on a port of its own."""
    hub = push_address.origin(settings) if settings.hub else ""
    return "; ".join((*POLICY, f"connect-src 'self' {hub}".rstrip()))


def with_headers(inner: WSGIApplication, settings: Settings) -> WSGIApplication:
    """Add the headers that a response lacks, a request id, and `no-store` unless it is marked as made for a visitor."""
    policy = ("Content-Security-Policy", content_security_policy(settings))
    transport = (TRANSPORT,) if settings.is_https else ()
    always = (policy, *HEADERS, *transport)
    of_parts = (*(pair for pair in HEADERS if pair[0] in _OF_PARTS), *transport)
    cookie = session_cookie_name(settings)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        has_session = cookie in cookies_of(environ)
        request_id = environ[REQUEST_ID] = new_request_id()
        path = environ.get("PATH_INFO", "")
        may_be_part = path.startswith("/static/") and path.endswith(_PARTS)

        def start(
            status: str,
            headers: list[tuple[str, str]],
            exc_info: ExcInfo | None = None,
            /,
        ) -> Callable[[bytes], object]:
            names = {name.lower() for name, _value in headers}
            # What isn't found there is answered by a page.
            wanted = of_parts if may_be_part and status.startswith("200") else always
            headers.extend(pair for pair in wanted if pair[0].lower() not in names)
            headers.append(("X-Request-ID", request_id))
            is_visitors = environ.get(MADE_FOR) == VISITOR and not has_session and "set-cookie" not in names
            if "cache-control" not in names and not is_visitors:
                headers.append(PRIVATE)
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        return inner(environ, start)

    return application
