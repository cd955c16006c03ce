"""Webhook endpoints of a customer, each with an encrypted signing secret that is shown once."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, select, update

from panel.db import db
from panel.domain.errors import ActionRefused, BadInput, NotFound
from panel.domain.network import public_ip_rules
from panel.models import DeliveryState, WebhookDelivery, WebhookEndpoint
from panel.security import encryption
from panel.services import webhooks
from panel.services.accounts import email_confirmation
from panel.services.api import webhook_deliveries
from panel.services.money import ledger
from panel.settings import Settings

MOST = 5
OLD_SIGNS_FOR = timedelta(hours=24)
REMOVED = "Not sent: the endpoint was removed."


@dataclass(frozen=True)
class EndpointSummary:
    """An endpoint with the counts of its newest deliveries. `counted`: how many those are, where it has had more."""

    endpoint: WebhookEndpoint
    waiting: int
    delivered: int
    given_up: int

    @property
    def counted(self) -> int | None:
        is_all = self.waiting + self.delivered + self.given_up < webhook_deliveries.COUNTED
        return None if is_all else webhook_deliveries.COUNTED


@dataclass(frozen=True)
class NewSecret:
    """An endpoint with its new secret, which is never shown again."""

    endpoint: WebhookEndpoint
    secret: str


def listed(user_id: int) -> list[EndpointSummary]:
    """The customer's endpoints, oldest first."""
    found = db.session.scalars(_live(user_id).order_by(WebhookEndpoint.id)).all()
    counts = webhook_deliveries.counts([endpoint.id for endpoint in found])
    return [
        EndpointSummary(
            endpoint,
            waiting=counts[endpoint.id][DeliveryState.WAITING],
            delivered=counts[endpoint.id][DeliveryState.DELIVERED],
            given_up=counts[endpoint.id][DeliveryState.GIVEN_UP],
        )
        for endpoint in found
    ]


def find(endpoint_id: int, *, user_id: int) -> WebhookEndpoint:
    """The customer's endpoint with this id. Raises NotFound."""
    endpoint = db.session.scalar(_live(user_id).where(WebhookEndpoint.id == endpoint_id))
    if endpoint is None:
        raise NotFound("This endpoint doesn’t exist.")
    return endpoint


def add(user_id: int, *, url: str, balance_low_nanos: int | None, settings: Settings, now: datetime) -> NewSecret:
    """Add an endpoint. Raises EmailNotConfirmed, and BadInput for an invalid or duplicate URL or too many endpoints."""
    url = public_ip_rules.check_url(url, test_hosts=public_ip_rules.read_pairs(settings.egress_test_hosts))
    email_confirmation.hold_confirmed(user_id)
    present = db.session.scalars(_live(user_id)).all()
    if url in {endpoint.url for endpoint in present}:
        raise BadInput("This endpoint exists already. Nothing was added.", field="url")
    if len(present) >= MOST:
        raise BadInput(f"An account has at most {MOST} endpoints. Remove one first.", field="url")
    secret = _new_secret()
    endpoint = WebhookEndpoint(
        user_id=user_id,
        url=url,
        encrypted_secret=encryption.encrypt(secret, settings=settings),
        balance_low_nanos=balance_low_nanos,
        made_at=now,
    )
    db.session.add(endpoint)
    db.session.flush()
    return NewSecret(endpoint, secret)


def secret_fingerprint(endpoint: WebhookEndpoint) -> str:
    """Fingerprint of the encrypted secret, to notice changes without revealing the secret."""
    return hashlib.sha256(endpoint.encrypted_secret.encode()).hexdigest()[:16]


def rotate(endpoint_id: int, *, user_id: int, fingerprint: str, settings: Settings, now: datetime) -> NewSecret:
    """Rotate the secret; the previous one also signs for another 24 hours.

    Raises NotFound, and Refused if the secret was rotated after the form was opened.
    """
    ledger.lock_accounts([user_id])
    endpoint = find(endpoint_id, user_id=user_id)
    if fingerprint != secret_fingerprint(endpoint):
        raise ActionRefused("The secret was changed since you opened this page. Nothing was changed now.")
    secret = _new_secret()
    endpoint.encrypted_old_secret = endpoint.encrypted_secret
    endpoint.old_secret_until = now + OLD_SIGNS_FOR
    endpoint.encrypted_secret = encryption.encrypt(secret, settings=settings)
    db.session.flush()
    return NewSecret(endpoint, secret)


def set_balance_low(endpoint_id: int, *, user_id: int, nanos: int | None) -> None:
    """Set the low balance threshold of the endpoint; None turns it off. Raises NotFound."""
    ledger.lock_accounts([user_id])
    find(endpoint_id, user_id=user_id).balance_low_nanos = nanos
    db.session.flush()


def remove(endpoint_id: int, *, user_id: int, now: datetime) -> None:
    """Remove the endpoint and its pending deliveries. Raises NotFound."""
    ledger.lock_accounts([user_id])
    find(endpoint_id, user_id=user_id).removed_at = now
    db.session.flush()
    waiting = (WebhookDelivery.endpoint_id == endpoint_id, WebhookDelivery.state == DeliveryState.WAITING)
    ended = {"state": DeliveryState.GIVEN_UP, "due_at": None, "answer": REMOVED}
    db.session.execute(update(WebhookDelivery).where(*waiting).values(**ended))


def remove_all(user_id: int, *, now: datetime) -> None:
    """Remove all endpoints of this user."""
    for endpoint_id in db.session.scalars(select(WebhookEndpoint.id).where(*_is_live(user_id))).all():
        remove(endpoint_id, user_id=user_id, now=now)


def send_test(endpoint_id: int, *, user_id: int, now: datetime) -> None:
    """Queue a test event and resume the queue now. Raises NotFound."""
    ledger.lock_accounts([user_id])
    endpoint = find(endpoint_id, user_id=user_id)
    webhooks.queue_test_event(endpoint.id, user_id=user_id, now=now)
    webhook_deliveries.resume_queue(endpoint.id, now=now)


def send_again(delivery_id: int, *, endpoint_id: int, user_id: int, now: datetime) -> None:
    """Requeue a delivery of one of the customer's endpoints. Raises NotFound."""
    ledger.lock_accounts([user_id])
    endpoint = find(endpoint_id, user_id=user_id)
    webhook_deliveries.send_again(delivery_id, endpoint_id=endpoint.id, now=now)


def _live(user_id: int) -> Select[WebhookEndpoint]:
    return select(WebhookEndpoint).where(*_is_live(user_id))


def _is_live(user_id: int) -> tuple[ColumnElement[bool], ...]:
    return (WebhookEndpoint.user_id == user_id, WebhookEndpoint.removed_at.is_(None))


def _new_secret() -> str:
    return f"whsec_{secrets.token_urlsafe(32)}"
