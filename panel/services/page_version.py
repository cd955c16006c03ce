"""The one hot question of an open page: is what it shows still so?

A page carries the hash of what it shows. Whoever computes it again from what the database says now, and
finds the same, knows that nothing has changed: every change that this person's pages show bumps the
`state_version`, and every change to a tool the catalogue's.
"""

import hashlib

from sqlalchemy import bindparam, literal_column, select

from panel.assets.build_id import digest
from panel.models import Catalogue, LoginSession, User
from panel.services.accounts.sessions import PageVersions, is_login_allowed

# The least that says whether anything is new: a fifth more answers than by all that a whole page needs to know.
PAGE_VERSIONS = (
    select(User.id, User.state_version, Catalogue.version)
    .join_from(LoginSession, User, User.id == LoginSession.user_id)
    .join(Catalogue, Catalogue.id == literal_column("1"))
    .where(
        LoginSession.token_hash == bindparam("token_hash"),
        LoginSession.ended_at.is_(None),
        LoginSession.signed_in_at > bindparam("since", type_=LoginSession.signed_in_at.type),
        is_login_allowed(),
    )
)


def page_etag(versions: PageVersions, *, address: str) -> str:
    """The hash of what `address` (path and query) shows to this person."""
    what = f"{digest()}|{versions.user_id}|{versions.state_version}|{versions.catalogue_version}|{address}"
    return hashlib.blake2b(what.encode(), digest_size=16).hexdigest()
