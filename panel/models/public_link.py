"""Public links to orders: who has the address sees one order, without logging in."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import Base


class PublicLink(Base):
    """The public link of an order: the token's hash to find it by, and the token, encrypted, to copy it again."""

    __tablename__ = "public_links"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), unique=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    encrypted_token: Mapped[str]
    shows_money: Mapped[bool]
    made_at: Mapped[datetime]
