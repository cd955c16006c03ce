"""The settings, read once from the environment and checked; a wrong value stops the start with one clear line.

README and `.env.example` list each with its type and default; `tests/rules/test_settings.py` compares them.
"""

import ipaddress
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import AliasChoices, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
MIN_SECRET_LENGTH = 32


class InvalidSetting(SystemExit):
    """A setting that cannot be used. As a SystemExit it ends the start with its one line."""


_MAIL_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}


@dataclass(frozen=True)
class MailServer:
    """The SMTP server that mails go to."""

    scheme: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)

    @property
    def is_tls_from_the_start(self) -> bool:
        return self.scheme == "smtps"

    @property
    def is_starttls(self) -> bool:
        return self.scheme == "smtp+starttls"


class Settings(BaseSettings):
    """Each field is `PANEL_<NAME>` in the environment, but `database_url`, which is plain `DATABASE_URL`."""

    model_config = SettingsConfigDict(env_prefix="PANEL_", env_file=".env", extra="ignore", populate_by_name=True)

    env: Literal["development", "production"] = Field("development", description="production refuses unsafe settings")
    host: str = Field("127.0.0.1", description="address the web server listens on")
    port: int = Field(8000, ge=1, le=65535, description="port the web server listens on")
    instance: Path = Field(Path("instance"), description="folder of database, secrets, fetched scripts and mails")
    site_name: str = Field("SmmPanelUS", min_length=1, max_length=40, description="name in titles and mails")
    currency: str = Field("USD", pattern=r"^[A-Z]{3}$", description="currency of every amount")
    base_url: str = Field("", description="address for canonical links and mails; empty: http://HOST:PORT")
    support_email: str = Field(
        "", pattern=r"^([^@\s]+@[^@\s]+)?$", description="where customers write to; empty: none shown"
    )
    secret_key: str = Field("", description="signs cookies; empty: made once and kept in the instance folder")
    seal_key: str = Field("", description="seals providers' keys; empty: made once and kept in the instance folder")
    web_workers: int = Field(2, ge=1, le=64, description="web processes")
    worker: bool = Field(True, description="whether `python app.py` also starts the worker")
    sync_seconds: int = Field(10, ge=1, le=3600, description="how often a provider is asked about an open order")
    dispatch_seconds: int = Field(1, ge=1, le=59, description="how often new orders are handed over")
    probe_seconds: int = Field(60, ge=1, le=60, description="how often the worker measures the platform")
    canary_seconds: int = Field(
        300, ge=0, le=86_400, description="least time between two test orders of the panel's own; 0: none are placed"
    )
    simulated_orders: bool = Field(
        False, description="whether production sells tools of the simulator, which delivers nothing"
    )
    lease_seconds: float = Field(60, gt=0, le=3600, description="how long one worker may hold an order")
    dispatch_hours: float = Field(
        24, gt=0, le=8760, description="an order never sent is canceled and returned after this"
    )
    unconfirmed_hours: float = Field(
        72, gt=0, le=8760, description="an unconfirmed order is canceled and returned after this"
    )
    time_rule_orders_an_hour: int = Field(
        20,
        ge=1,
        le=1_000_000,
        description="orders that time may cancel in an hour, at least; then an operator is asked",
    )
    time_rule_percent_an_hour: int = Field(
        5, ge=0, le=100, description="or this share of the open orders, in percent, where that is more"
    )
    stuck_hours: float = Field(
        24, gt=0, le=8760, description="an order whose count stands still this long shows up in the office"
    )
    provider_timeout_seconds: float = Field(20, gt=0, le=300, description="total deadline of one call to a provider")
    smtp_url: str = Field(
        "",
        repr=False,
        description="where mails go: smtp://, smtps:// or smtp+starttls://USER:PASSWORD@HOST:PORT; "
        "empty: they become files in the instance folder",
    )
    mail_from: str = Field(
        "",
        pattern=r"^([!-?A-~]+@[!-?A-~]+)?$",
        description="address that mails come from; empty: PANEL_SUPPORT_EMAIL, else no-reply at the site's host",
    )
    metrics_token: str = Field("", description="opens /metrics from afar; empty: loopback only")
    trusted_proxies: int = Field(0, ge=0, le=8, description="proxies in front whose X-Forwarded-For is believed")
    limits_url: str = Field("memory://", description="where request limits are counted: memory:// or redis://…")
    api_requests_a_minute: int = Field(
        600, ge=1, le=1_000_000_000, description="calls a minute that one API key may make"
    )
    sign_ups_an_hour: int = Field(
        20, ge=1, le=1_000_000, description="accounts an hour from one network, and at one rare mail host"
    )
    second_operator_amount: int = Field(
        100,
        ge=0,
        le=1_000_000_000,
        description="most that is moved in 24 hours without a second operator, per customer and operator",
    )
    log_sql: bool = Field(False, description="whether each SQL statement is logged, without its values")
    egress_test_hosts: str = Field("", description="ip:port pairs that address checks let through in tests")
    database_url: str = Field(
        "",
        validation_alias=AliasChoices("DATABASE_URL", "database_url"),
        description="PostgreSQL address; empty: SQLite in the instance folder",
    )

    @model_validator(mode="after")
    def _check(self) -> "Settings":
        self.instance = self.instance if self.instance.is_absolute() else ROOT / self.instance
        _check_database_url(self.database_url)
        _check_limits_url(self.limits_url)
        _check_base_url(self.base_url)
        _check_pairs(self.egress_test_hosts)
        _ = self.mail_server
        if self.env == "production":
            if len(self.secret_key) < MIN_SECRET_LENGTH:
                raise ValueError(f"PANEL_SECRET_KEY needs at least {MIN_SECRET_LENGTH} characters in production")
            if self.seal_key and len(self.seal_key) < MIN_SECRET_LENGTH:
                raise ValueError(f"PANEL_SEAL_KEY needs at least {MIN_SECRET_LENGTH} characters in production")
            if self.egress_test_hosts:
                raise ValueError("PANEL_EGRESS_TEST_HOSTS is refused in production")
            if not self.base_url.startswith("https://"):
                raise ValueError("PANEL_BASE_URL must start with https:// in production")
        return self

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.instance / 'panel.db'}"

    @property
    def is_sqlite(self) -> bool:
        return self.database.startswith("sqlite")

    @property
    def public_url(self) -> str:
        return (self.base_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def mail_server(self) -> MailServer | None:
        """The server of `smtp_url`; None where mails become files. Raises ValueError when it is no such address."""
        return _mail_server(self.smtp_url) if self.smtp_url else None

    @property
    def mail_host(self) -> str:
        """The name that stands behind the @ of our own addresses and Message-IDs."""
        host = urlsplit(self.public_url).hostname or "localhost"
        return "localhost" if ":" in host else host

    @property
    def mail_sender(self) -> str:
        return self.mail_from or self.support_email or f"no-reply@{self.mail_host}"

    @property
    def is_https(self) -> bool:
        return self.public_url.startswith("https://")


def _mail_server(url: str) -> MailServer:
    form = "PANEL_SMTP_URL must look like smtp+starttls://USER:PASSWORD@HOST:PORT (or smtps://, smtp://)"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(form) from None
    is_plain = parts.path in ("", "/") and not parts.query and not parts.fragment and url.isprintable()
    if (
        parts.scheme not in _MAIL_PORTS
        or not parts.hostname
        or not is_plain
        or bool(parts.username) != bool(parts.password)
    ):
        raise ValueError(form)
    if parts.scheme == "smtp" and parts.password and not _is_this_machine(parts.hostname):
        raise ValueError("PANEL_SMTP_URL would send its password unprotected: use smtps:// or smtp+starttls://")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return MailServer(parts.scheme, parts.hostname, port or _MAIL_PORTS[parts.scheme], user, password)


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _parts(name: str, url: str) -> SplitResult:
    """The parts of an address, its port a number. Raises ValueError."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"{name} cannot be read as an address: {error}") from None
    if not url.isprintable() or " " in url:
        raise ValueError(f"{name} contains a space or a control character")
    return parts


def _check_database_url(url: str) -> None:
    if url and not url.startswith(("postgresql+psycopg://", "sqlite:///")):
        raise ValueError("DATABASE_URL must start with postgresql+psycopg:// or sqlite:///")
    if url.startswith("postgresql"):
        _parts("DATABASE_URL", url)


def _check_limits_url(url: str) -> None:
    parts = _parts("PANEL_LIMITS_URL", url)
    is_socket = parts.scheme == "redis+unix" and parts.path.startswith("/")
    if url != "memory://" and not is_socket and not (parts.scheme in ("redis", "rediss") and parts.hostname):
        raise ValueError(
            "PANEL_LIMITS_URL must be memory://, redis://HOST:PORT, rediss://HOST:PORT or redis+unix:///PATH"
        )


def _check_base_url(url: str) -> None:
    parts = _parts("PANEL_BASE_URL", url)
    is_plain = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password)
    if url and not (parts.scheme in ("http", "https") and parts.hostname and is_plain):
        raise ValueError("PANEL_BASE_URL must look like https://panel.example.com, without a path")


def _check_pairs(pairs: str) -> None:
    for pair in pairs.replace(",", " ").split():
        host, _colon, port = pair.rpartition(":")
        try:
            ipaddress.ip_address(host.strip("[]"))
            is_pair = 0 < int(port) < 65536
        except ValueError:
            is_pair = False
        if not is_pair:
            raise ValueError(f"PANEL_EGRESS_TEST_HOSTS must list ip:port pairs, and {pair!r} is none")


def load(**given: object) -> Settings:
    """The settings of this process; `given` wins over the environment. Raises InvalidSetting with one line."""
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        name = name if name.isupper() or not name else f"PANEL_{name.upper()}"
        what = first["msg"].removeprefix("Value error, ")
        raise InvalidSetting(f"Wrong setting {name}: {what}." if name else f"Wrong setting: {what}.") from error


def secret_key(settings: Settings) -> str:
    """The key that signs cookies: as set, or made once and kept in the instance folder with mode 600."""
    return settings.secret_key or load_or_create_secret(settings, "secret_key")


def load_or_create_secret(settings: Settings, name: str) -> str:
    """A random secret of this installation, made at first use; two processes at once agree on one."""
    path = settings.instance / name
    settings.instance.mkdir(parents=True, exist_ok=True)
    fresh = settings.instance / f".{name}.{os.getpid()}.{secrets.token_hex(4)}"
    if not path.exists():
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text().strip()
