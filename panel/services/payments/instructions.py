"""Payment instructions in force: the text written in the office, else `payment.txt` in the instance folder."""

from panel import app_context
from panel.domain.payment import PaymentOption
from panel.payments import manual
from panel.services.stored_settings.texts import EditableText


def text() -> str:
    """The text as it was written; empty if there is none."""
    own = app_context.live_settings().text(EditableText.PAYMENT_INSTRUCTIONS)
    return manual.text_of_file(app_context.settings().instance) if own is None else own[0]


def paragraphs() -> list[list[str]]:
    """All of it as paragraphs of lines."""
    return manual.paragraphs(text())


def options() -> list[PaymentOption]:
    """The manual methods with their instructions; one without a name if no method is named."""
    return manual.options(text())
