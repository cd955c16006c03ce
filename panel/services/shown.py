"""The one hot question of an open page: is what it shows still so?

A page carries the hash of what it shows. Whoever computes it again from what the database says now, and
finds the same, knows that nothing has changed: every change that this person's pages show bumps the
`state_version`, and every change to a tool the catalogue's.
"""

import hashlib
from datetime import datetime

from panel.build import build
from panel.services.sign_ins import LASTS, Present


def shown_hash(present: Present, *, address: str) -> str:
    """The hash of what `address` (path and query) shows to this person."""
    what = f"{build()}|{present.user_id}|{present.state_version}|{present.catalogue_version}|{address}"
    return hashlib.blake2b(what.encode(), digest_size=16).hexdigest()


def since(now: datetime) -> datetime:
    """Devices signed in at or before this moment are signed in no longer."""
    return now - LASTS
