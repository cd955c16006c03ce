"""Webhook sweep: sends the queue of each endpoint in its own lane until a delivery fails."""

import time

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.network import public_ip_rules
from panel.jobs import provider_lanes
from panel.jobs.provider_calls import panel_settings
from panel.providers import egress
from panel.providers.egress import NotReached
from panel.security import encryption
from panel.security.encryption import DecryptionFailed
from panel.services.api import webhook_deliveries
from panel.services.api.webhook_deliveries import Parcel

LEASE_SECONDS = 30.0
# A lane is released after this long, so that slow endpoints take turns with the others.
TURN_SECONDS = 20.0
CANNOT_SIGN = "Not sent: the secret cannot be opened any more. Change the secret, then send this again."


def sweep(*, worker: str, wait: bool = False) -> int:
    """Send due deliveries, each endpoint in its own lane. Returns their number when `wait` is set."""
    waiting = webhook_deliveries.endpoints_with_work(now=utc_now())
    db.session.rollback()
    return provider_lanes.run("webhooks", waiting, serve, wait=wait)


def serve(endpoint_id: int) -> int:
    """Send this endpoint's deliveries one by one until none is due, one fails, or its time slice is over."""
    ends = time.monotonic() + TURN_SECONDS
    count = 0
    while time.monotonic() < ends:
        with transaction():
            parcel = webhook_deliveries.lease_delivery(endpoint_id, lease_seconds=LEASE_SECONDS, now=utc_now())
        if parcel is None:
            break
        status, answer = _send(parcel)
        with transaction():
            is_taken = webhook_deliveries.record_outcome(parcel, status=status, answer=answer, now=utc_now())
        count += 1
        if not is_taken:
            break
    return count


def _send(parcel: Parcel) -> tuple[int | None, str]:
    """POST it once with a current signature. Returns the HTTP status, if any, and the text for the delivery log."""
    settings = panel_settings()
    try:
        secrets = [encryption.decrypt(ciphertext, settings=settings) for ciphertext in parcel.encrypted_secrets]
    except DecryptionFailed:
        return None, CANNOT_SIGN
    timestamp = int(utc_now().timestamp())
    headers = {
        "Content-Type": "application/json",
        "Webhook-Id": parcel.public_id,
        "Webhook-Timestamp": str(timestamp),
        "Webhook-Signature": webhook_deliveries.sign(parcel.body, secrets=secrets, timestamp=timestamp),
    }
    try:
        answer = egress.post(
            parcel.url,
            parcel.body.encode(),
            headers=headers,
            timeout_seconds=webhook_deliveries.TIMEOUT_SECONDS,
            test_hosts=public_ip_rules.read_pairs(settings.egress_test_hosts),
        )
    except NotReached as failure:
        return None, str(failure)
    return answer.status, f"{answer.status} {answer.text}".strip()
