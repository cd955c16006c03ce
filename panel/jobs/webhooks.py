"""The webhook sweep: each receiver's queue is emptied in a lane of its own, as far as the receiver takes it."""

import time

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain import public_ip_rules
from panel.jobs import provider_lanes
from panel.jobs.provider_calls import panel_settings
from panel.providers import egress
from panel.providers.egress import NotReached
from panel.security import encryption
from panel.security.encryption import DecryptionFailed
from panel.services.api import webhook_deliveries
from panel.services.api.webhook_deliveries import Parcel

LEASE_SECONDS = 30.0
# A lane is given back after this long, so that slow receivers take turns with the others.
TURN_SECONDS = 20.0
CANNOT_SIGN = "Not sent: the secret cannot be opened any more. Change the secret, then send this again."


def sweep(*, worker: str, wait: bool = False) -> int:
    """Send what is due, in each receiver's own lane. With `wait`, how many webhooks were sent."""
    waiting = webhook_deliveries.endpoints_with_work(now=utc_now())
    db.session.rollback()
    return provider_lanes.run("webhooks", waiting, serve, wait=wait)


def serve(receiver_id: int) -> int:
    """Send this receiver one webhook after another until none is due, one is not taken, or its turn is over."""
    ends = time.monotonic() + TURN_SECONDS
    count = 0
    while time.monotonic() < ends:
        with transaction():
            parcel = webhook_deliveries.lease_delivery(receiver_id, lease_seconds=LEASE_SECONDS, now=utc_now())
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
    """POST it once, signed as of now. The status of the answer, if one came, and the words for the log."""
    settings = panel_settings()
    try:
        secrets = [encryption.unseal(sealed, settings=settings) for sealed in parcel.sealed_secrets]
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
