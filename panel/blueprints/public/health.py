"""Health checks and metrics: `/healthz`, `/readyz` and Prometheus `/metrics`."""

import hmac

from flask import Blueprint, Response, abort, current_app, request
from flask.typing import ResponseReturnValue

from panel.clock import utc_now
from panel.security import is_direct_loopback
from panel.services import health
from panel.settings import Settings

bp = Blueprint("health", __name__)

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


@bp.get("/healthz")
def healthz() -> ResponseReturnValue:
    """Liveness: the process answers."""
    return _plain("ok\n")


@bp.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Readiness: database writable, migrations applied, worker alive. Otherwise 503 with the reason."""
    missing = health.problems(migrations=current_app.config["MIGRATIONS"], now=utc_now())
    if missing:
        return _plain(f"not ready: {', '.join(missing)}\n", status=503)
    return _plain("ready\n")


@bp.get("/metrics")
def metrics() -> ResponseReturnValue:
    """Metrics in Prometheus format, for requests from this machine or with the token."""
    if not _may_read():
        abort(404)
    now = health.numbers(now=utc_now())
    lines = [
        "# HELP panel_orders Orders by status; completed, partial and canceled ones as of the last ten minutes.",
        "# TYPE panel_orders gauge",
    ]
    lines += [f'panel_orders{{status="{status}"}} {count}' for status, count in now.orders_by_status.items()]
    lines += _gauge("panel_open_reviews", "Reviews that wait for an operator.", now.open_reviews)
    lines += _gauge(
        "panel_oldest_waiting_order_seconds",
        "Age of the oldest order not handed over.",
        now.oldest_pending_seconds,
    )
    lines += _gauge("panel_worker_heartbeat_age_seconds", "Time since a worker was seen.", now.heartbeat_age_seconds)
    lines += _gauge("panel_mails_waiting", "Mails not sent yet.", now.mails_waiting)
    lines += _gauge("panel_oldest_waiting_mail_seconds", "Age of the oldest mail not sent.", now.oldest_mail_seconds)
    lines += _gauge("panel_mails_given_up", "Mails given up in the last day.", now.mails_given_up)
    return _plain("\n".join(lines) + "\n", content_type=PROMETHEUS)


def _may_read() -> bool:
    settings: Settings = current_app.config["PANEL"]
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if settings.metrics_token and hmac.compare_digest(given.encode(), settings.metrics_token.encode()):
        return True
    return is_direct_loopback()


def _gauge(name: str, what: str, value: float | None) -> list[str]:
    """Prometheus lines of one gauge; none if it can't be measured."""
    if value is None:
        return []
    return [f"# HELP {name} {what}", f"# TYPE {name} gauge", f"{name} {value:g}"]


def _plain(text: str, *, status: int = 200, content_type: str = "text/plain; charset=utf-8") -> Response:
    return Response(text, status=status, content_type=content_type, headers={"Cache-Control": "no-store"})
