"""Settings from the environment, validated at startup; an invalid value stops the start with one line.

README and `.env.example` list each with its type and default; `tests/rules/test_settings.py` compares them.
"""

import ipaddress
import os
import secrets
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AliasChoices, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from panel.domain.network.mail_server import MailServer, parse_mail_server

ROOT = Path(__file__).resolve().parent.parent
MIN_SECRET_LENGTH = 32


class InvalidSetting(SystemExit):
    """An invalid setting. As a SystemExit it ends the process with one line."""


class Settings(BaseSettings):
    """Each field is `PANEL_<NAME>` in the environment, but `database_url`, which is plain `DATABASE_URL`."""

    model_config = SettingsConfigDict(env_prefix="PANEL_", env_file=".env", extra="ignore", populate_by_name=True)

    env: Literal["development", "production"] = Field("development", description="production refuses unsafe settings")
    host: str = Field("127.0.0.1", description="address the web server listens on")
    port: int = Field(8000, ge=1, le=65535, description="port the web server listens on")
    instance: Path = Field(
        Path("instance"), description="folder for the database, secrets, downloaded scripts and emails"
    )
    # Texts in Markdown have it in them, so it has none of its signs.
    site_name: str = Field(
        "SmmPanelUS", max_length=40, pattern=r"^[^\[\]<>{}*`\\]+$", description="site name in titles and emails"
    )
    currency: str = Field("USD", pattern=r"^[A-Z]{3}$", description="currency of every amount")
    currency_display: Literal["sign", "country-sign", "code"] = Field(
        "sign", description="how amounts are written: $12.30, US$12.30 or 12.30 USD"
    )
    base_url: str = Field("", description="site address for canonical links and emails; empty: http://HOST:PORT")
    support_email: str = Field(
        "", pattern=r"^([^@\s]+@[^@\s]+)?$", description="contact address for customers; empty: none shown"
    )
    company_name: str = Field("", description="company that runs the panel, for legal pages; empty: left out")
    company_address: str = Field("", description="address of the company, for legal pages; empty: left out")
    contact_email: str = Field(
        "", pattern=r"^([^@\s]+@[^@\s]+)?$", description="email on legal pages; empty: PANEL_SUPPORT_EMAIL, if set"
    )
    secret_key: str = Field("", description="signs cookies; empty: generated once in the instance folder")
    seal_key: str = Field("", description="encrypts providers' keys; empty: generated once in the instance folder")
    web_workers: int = Field(2, ge=1, le=64, description="number of web processes")
    worker: bool = Field(True, description="whether `python app.py` also starts the worker")
    hub: bool = Field(True, description="whether pages listen to the push hub, which `python app.py` also starts")
    hub_port: int = Field(0, ge=0, le=65535, description="port of the push hub; 0: the port after PANEL_PORT")
    sync_seconds: int = Field(10, ge=1, le=3600, description="seconds between status checks of an open order")
    dispatch_seconds: int = Field(1, ge=1, le=59, description="seconds between dispatches of new orders to providers")
    probe_seconds: int = Field(60, ge=1, le=60, description="seconds between the worker's measurements of the platform")
    canary_seconds: int = Field(
        300, ge=0, le=86_400, description="minimum seconds between two test orders; 0: no test orders"
    )
    simulated_orders: bool = Field(
        False, description="whether production offers simulated tools, which deliver nothing"
    )
    lease_seconds: float = Field(60, gt=0, le=3600, description="seconds that a worker's lock on an order lasts")
    dispatch_hours: float = Field(
        24, gt=0, le=8760, description="hours until an order that was never sent is canceled and refunded"
    )
    unconfirmed_hours: float = Field(
        72, gt=0, le=8760, description="hours until an unconfirmed order is canceled and refunded"
    )
    time_rule_orders_an_hour: int = Field(
        20,
        ge=1,
        le=1_000_000,
        description="orders that timeouts may cancel in an hour before an operator must agree",
    )
    time_rule_percent_an_hour: int = Field(
        5, ge=0, le=100, description="the same limit in percent of the open orders; the higher one counts"
    )
    stuck_hours: float = Field(
        24, gt=0, le=8760, description="hours without a new count until an order is listed as stalled"
    )
    provider_timeout_seconds: float = Field(20, gt=0, le=300, description="timeout of a whole call to a provider")
    smtp_url: str = Field(
        "",
        repr=False,
        description="mail server: smtp://, smtps:// or smtp+starttls://USER:PASSWORD@HOST:PORT; "
        "empty: emails become files in the instance folder",
    )
    mail_from: str = Field(
        "",
        pattern=r"^([!-?A-~]+@[!-?A-~]+)?$",
        description="sender address of emails; empty: PANEL_SUPPORT_EMAIL, else no-reply at the site's host",
    )
    metrics_token: str = Field("", description="token for /metrics; empty: loopback only")
    trusted_proxies: int = Field(0, ge=0, le=8, description="number of trusted proxies in front (X-Forwarded-For)")
    limits_url: str = Field("memory://", description="storage of rate limits: memory:// or redis://…")
    api_requests_a_minute: int = Field(
        600, ge=1, le=1_000_000_000, description="rate limit: calls a minute for one API key"
    )
    sign_ups_an_hour: int = Field(
        20,
        ge=1,
        le=1_000_000,
        description="rate limit: new accounts an hour from one network, and at one uncommon mail host",
    )
    second_operator_amount: int = Field(
        100,
        ge=0,
        le=1_000_000_000,
        description="approval limit: most moved in 24 hours without a second operator, per customer and operator",
    )
    stripe_secret_key: str = Field(
        "",
        repr=False,
        pattern=r"^((sk|rk)_(live|test)_\S+)?$",
        description="secret key of your Stripe account; empty: no card payments",
    )
    stripe_webhook_secret: str = Field(
        "",
        repr=False,
        pattern=r"^(whsec_\S+)?$",
        description="signing secret of the Stripe webhook endpoint for /payments/events/stripe",
    )
    stripe_url: str = Field("", description="address of Stripe's API in tests; empty: Stripe's own")
    pretend_card: bool = Field(
        False, description="whether deposits can be paid with a pretend card, which the demo turns on; moves no money"
    )
    telegram_token: str = Field(
        "",
        repr=False,
        pattern=r"^([0-9]+:[A-Za-z0-9_-]{20,})?$",
        description="token of the Telegram bot for operators' alerts and customers' notifications; empty: no Telegram",
    )
    log_sql: bool = Field(False, description="whether each SQL statement is logged, without its values")
    egress_test_hosts: str = Field("", description="ip:port pairs that address checks allow in tests")
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
        if bool(self.stripe_secret_key) != bool(self.stripe_webhook_secret):
            raise ValueError("PANEL_STRIPE_SECRET_KEY and PANEL_STRIPE_WEBHOOK_SECRET need each other")
        if self.env == "production":
            if len(self.secret_key) < MIN_SECRET_LENGTH:
                raise ValueError(f"PANEL_SECRET_KEY needs at least {MIN_SECRET_LENGTH} characters in production")
            if self.seal_key and len(self.seal_key) < MIN_SECRET_LENGTH:
                raise ValueError(f"PANEL_SEAL_KEY needs at least {MIN_SECRET_LENGTH} characters in production")
            if self.stripe_url or "_test_" in self.stripe_secret_key[:8]:
                raise ValueError("PANEL_STRIPE_SECRET_KEY must be a live key in production, without PANEL_STRIPE_URL")
            if self.pretend_card:
                raise ValueError("PANEL_PRETEND_CARD is refused in production: its deposits are not paid")
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
        return parse_mail_server(self.smtp_url) if self.smtp_url else None

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
    """Load the settings; `given` overrides the environment. Raises InvalidSetting with one line."""
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        name = name if name.isupper() or not name else f"PANEL_{name.upper()}"
        what = first["msg"].removeprefix("Value error, ")
        raise InvalidSetting(f"Wrong setting {name}: {what}." if name else f"Wrong setting: {what}.") from error


def secret_key(settings: Settings) -> str:
    """Key that signs cookies: from the settings, or created once in the instance folder with mode 600."""
    return settings.secret_key or load_or_create_secret(settings, "secret_key")


def load_or_create_secret(settings: Settings, name: str) -> str:
    """Load this installation's random secret, or create it; concurrent processes agree on one."""
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
