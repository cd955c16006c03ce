"""Public topics of the push hub: what pages can listen to without a session.

The latest test order and the platform status are the same for everyone. A public order's topic is the hash of its
link's token with our signature, so that only a page that was opened with the token has it. No topic names a customer.
"""

from enum import StrEnum

from itsdangerous import BadSignature, Signer

MAX_LENGTH = 200
_SALT = "panel.push.public-order"
_BEFORE_HASH = "public-order."


class Topic(StrEnum):
    """Topics that need no proof."""

    TEST_ORDER = "test-order"
    PLATFORM_STATUS = "platform-status"


def of_public_order(token_hash: str, *, key: str) -> str:
    """The topic of the public order whose link's token has this hash."""
    return _BEFORE_HASH + Signer(key, salt=_SALT).sign(token_hash).decode()


def verified(text: str, *, key: str) -> Topic | str | None:
    """The topic that this text stands for: a Topic, or a public order's token hash; None if it isn't one of ours."""
    if text in set(Topic):
        return Topic(text)
    if not text.startswith(_BEFORE_HASH) or len(text) > MAX_LENGTH:
        return None
    try:
        return Signer(key, salt=_SALT).unsign(text.removeprefix(_BEFORE_HASH)).decode()
    except BadSignature:
        return None
