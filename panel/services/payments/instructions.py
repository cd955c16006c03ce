"""Payment instructions in force: the text written in the office, else `payment.txt` in the instance folder."""

from panel import app_context
from panel.payments import manual
from panel.services.stored_settings.texts import EditableText


def text() -> str:
    """The text as it was written; empty if there is none."""
    own = app_context.live_settings().text(EditableText.PAYMENT_INSTRUCTIONS)
    return manual.text_of_file(app_context.settings().instance) if own is None else own[0]


def paragraphs() -> list[list[str]]:
    """The instructions as paragraphs of lines."""
    return manual.paragraphs(text())


def method_names() -> list[str]:
    """Names of the payment methods in the instructions, in their order."""
    return manual.method_names(text())
