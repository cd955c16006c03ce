"""Registry of the settings that can be changed in the office: their labels, hints, and how a typed value is parsed.

Types and limits are those of `panel/settings.py`, so that both places accept the same values.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any

from pydantic import TypeAdapter

from panel.domain import plain_text
from panel.domain.accounts import email_address
from panel.domain.errors import BadInput
from panel.domain.money import CurrencyDisplay
from panel.domain.network.mail_server import parse_mail_server
from panel.services.stored_settings import mail_server_form
from panel.settings import Settings

MAX_LENGTH = 200
MAX_EMAIL_LENGTH = 254


class SettingGroup(StrEnum):
    """Settings that are changed together, in one form."""

    SITE = "site"
    TIMES = "times"
    EMAIL = "email"
    APPROVALS = "approvals"

    @property
    def label(self) -> str:
        return _GROUP_LABELS[self]


_GROUP_LABELS = {
    SettingGroup.SITE: "Site and contact",
    SettingGroup.TIMES: "Times of orders",
    SettingGroup.EMAIL: "Email",
    SettingGroup.APPROVALS: "Approval limit",
}


class SettingKind(StrEnum):
    """Kind of a setting: decides the form field, and what is checked beyond the schema."""

    TEXT = "text"
    EMAIL = "email"
    WHOLE_NUMBER = "whole_number"
    NUMBER = "number"
    MAIL_SERVER = "mail_server"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class EditableSetting:
    """A setting by its name in `Settings`. `right`: what a valid value is, for an error message."""

    name: str
    group: SettingGroup
    kind: SettingKind
    label: str
    hint: str
    right: str
    max_length: int = MAX_LENGTH
    unit: str = ""
    # Of a choice: each value with its label.
    choices: tuple[tuple[str, str], ...] = ()

    @property
    def field_type(self) -> str:
        return "email" if self.kind is SettingKind.EMAIL else "text"

    @property
    def is_secret(self) -> bool:
        """Whether the value is stored encrypted, and never shown."""
        return self.kind is SettingKind.MAIL_SERVER

    @property
    def input_mode(self) -> str:
        """The keyboard of a phone for a number; empty for text."""
        return _INPUT_MODES.get(self.kind, "")

    @property
    def environment_name(self) -> str:
        return f"PANEL_{self.name.upper()}"

    @property
    def default(self) -> Any:
        return Settings.model_fields[self.name].default

    def parse(self, typed: str) -> Any:
        """The typed value. Raises BadInput, which says what is right."""
        try:
            if len(typed) > self.max_length or plain_text.one_line(typed, most=self.max_length) != typed:
                raise ValueError("control characters, repeated spaces, or too long")
            if self.kind is SettingKind.EMAIL and typed:
                # Emails have it in their headers, where not every mail server takes other letters.
                typed = email_address.in_ascii(email_address.canonical(typed))
            return self.read(typed)
        except ValueError as error:
            raise BadInput(f"{self.label}: {self.right}", field=self.name) from error

    def shown(self, value: Any) -> str:
        """The value on a page and in the audit log, without its secret; empty if there is none."""
        if self.kind is SettingKind.MAIL_SERVER:
            return mail_server_form.described(value)
        text = dict(self.choices).get(value, as_text(value))
        return f"{text} {self.unit}" if self.unit else text

    def read(self, stored: str) -> Any:
        """The value of a stored text. Raises ValueError."""
        if self.kind is SettingKind.MAIL_SERVER and stored:
            parse_mail_server(stored)
        return _schema(self.name).validate_python(stored)


_INPUT_MODES = {SettingKind.WHOLE_NUMBER: "numeric", SettingKind.NUMBER: "decimal"}


def as_text(value: Any) -> str:
    """A value as its field shows it, and as it is stored: `24` for 24.0."""
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


@lru_cache(64)
def _schema(name: str) -> TypeAdapter[Any]:
    field = Settings.model_fields[name]
    schema: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    return TypeAdapter(schema)


SITE_SETTINGS = (
    EditableSetting(
        "site_name",
        SettingGroup.SITE,
        SettingKind.TEXT,
        "Site name",
        "Shown in the header, in page titles and in emails.",
        "enter 1 to 40 characters on one line, without [ ] < > { } * ` and \\.",
        max_length=40,
    ),
    EditableSetting(
        "currency_display",
        SettingGroup.SITE,
        SettingKind.CHOICE,
        "Amounts are written",
        "On pages, in emails and in feeds. The API and CSV files have plain numbers. The currency stays the same.",
        "choose one of the three.",
        choices=tuple((display.value, display.label) for display in CurrencyDisplay),
    ),
    EditableSetting(
        "company_name",
        SettingGroup.SITE,
        SettingKind.TEXT,
        "Company name",
        "Shown in the footer and on the Contact page. Leave it empty to show none.",
        f"enter at most {MAX_LENGTH} characters on one line.",
    ),
    EditableSetting(
        "company_address",
        SettingGroup.SITE,
        SettingKind.TEXT,
        "Company address",
        "On one line. Shown in the footer and on the Contact page. Leave it empty to show none.",
        f"enter at most {MAX_LENGTH} characters on one line.",
    ),
    EditableSetting(
        "contact_email",
        SettingGroup.SITE,
        SettingKind.EMAIL,
        "Contact email",
        "Shown in the footer and on the Contact page. Leave it empty to show the support email, if there is one.",
        "enter one email address, such as hello@example.com.",
        max_length=MAX_EMAIL_LENGTH,
    ),
    EditableSetting(
        "support_email",
        SettingGroup.SITE,
        SettingKind.EMAIL,
        "Support email",
        "Receives a copy of customers’ tickets, and replies to our emails. Leave it empty to use the office alone.",
        "enter one email address, such as support@example.com.",
        max_length=MAX_EMAIL_LENGTH,
    ),
)

TIME_SETTINGS = (
    EditableSetting(
        "sync_seconds",
        SettingGroup.TIMES,
        SettingKind.WHOLE_NUMBER,
        "Status checks every",
        "Seconds between two status checks of an open order. Many checks can be too much for a provider.",
        "enter whole seconds from 1 to 3600.",
        max_length=4,
        unit="seconds",
    ),
    EditableSetting(
        "stuck_hours",
        SettingGroup.TIMES,
        SettingKind.NUMBER,
        "Stalled after",
        "Hours without a new count until an order is listed as stalled, for operators.",
        "enter hours, more than 0 and at most 8,760, such as 24 or 1.5.",
        max_length=8,
        unit="hours",
    ),
    EditableSetting(
        "unconfirmed_hours",
        SettingGroup.TIMES,
        SettingKind.NUMBER,
        "Unconfirmed orders are canceled after",
        "Hours until an order that its provider hasn’t confirmed is canceled and refunded. The help tells customers.",
        "enter hours, more than 0 and at most 8,760, such as 72 or 1.5.",
        max_length=8,
        unit="hours",
    ),
)

EMAIL_SETTINGS = (
    EditableSetting(
        "smtp_url",
        SettingGroup.EMAIL,
        SettingKind.MAIL_SERVER,
        "Mail server",
        "Without one, emails are saved as files in the instance folder.",
        "check host, port, user name and password.",
        max_length=2_000,
    ),
    EditableSetting(
        "mail_from",
        SettingGroup.EMAIL,
        SettingKind.EMAIL,
        "Sender address",
        "Your mail server must accept it. Leave it empty to send from the support email.",
        "enter one email address, such as hello@example.com.",
        max_length=MAX_EMAIL_LENGTH,
    ),
)

APPROVAL_SETTINGS = (
    EditableSetting(
        "second_operator_amount",
        SettingGroup.APPROVALS,
        SettingKind.WHOLE_NUMBER,
        "Approval limit",
        "The most that moves in 24 hours without a second person, for one customer and by one operator.",
        "enter a whole amount from 0 to 1000000000, without a currency sign.",
        max_length=10,
    ),
)

SETTINGS = {setting.name: setting for setting in (*SITE_SETTINGS, *TIME_SETTINGS, *EMAIL_SETTINGS, *APPROVAL_SETTINGS)}


def of_group(group: SettingGroup) -> list[EditableSetting]:
    """The settings of a group, in the order of its form."""
    return [setting for setting in SETTINGS.values() if setting.group is group]
