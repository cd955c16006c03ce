"""Settings that operators changed in the office."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from panel.db import Base


class StoredSetting(Base):
    """The value of one setting, as text; encrypted if it is a secret. No row: the default."""

    __tablename__ = "settings"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]
