"""Mail templates: one of each kind."""

from panel.models import MailKind
from panel.settings import ROOT


def test_each_kind_of_mail_has_a_template_and_each_template_a_kind() -> None:
    templates = {path.stem for path in ROOT.joinpath("templates", "mails").glob("*.txt")}
    assert {name for name in templates if not name.startswith("_")} == set(MailKind)
