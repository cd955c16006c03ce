"""Browser without scripts: follows links by their text, and fills in forms by their fields."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlsplit

from flask.testing import FlaskClient

VOID = {"input", "br", "hr", "meta", "link", "img"}


@dataclass
class PageForm:
    """A form: action, method, fields, and the text of its buttons."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[str] = field(default_factory=list)


class ParsedPage(HTMLParser):
    """Parser for the links, forms and headings of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[tuple[str, str, str]] = []
        self.forms: list[PageForm] = []
        self.text = ""
        self._section = ""
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self._words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "h2":
            self._section = given.get("id") or ""
        if tag == "form":
            self.forms.append(PageForm(given.get("action") or "", given.get("method") or "get"))
        if tag == "input" and self.forms and given.get("name"):
            self.forms[-1].fields[str(given["name"])] = given.get("value") or ""
        if tag in ("a", "button"):
            self._words = []
        self.text += " "
        if tag not in VOID:
            self._open.append((tag, given))

    def handle_data(self, data: str) -> None:
        if not any(tag in ("script", "style") for tag, _given in self._open):
            self.text += data
            self._words.append(data)

    def handle_endtag(self, tag: str) -> None:
        given = next((attrs for name, attrs in reversed(self._open) if name == tag), {})
        while self._open and self._open.pop()[0] != tag:
            pass
        words = " ".join("".join(self._words).split())
        if tag == "a":
            self.links.append((self._section, words, given.get("href") or ""))
        if tag == "button" and self.forms:
            self.forms[-1].buttons.append(words)


class Visitor:
    """A visitor's browser, without scripts."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.path = ""
        self.status = 0
        self.page = ParsedPage("")

    @property
    def words(self) -> str:
        return " ".join(self.page.text.split())

    def open(self, path: str) -> None:
        self._came_to(self.client.get(path, follow_redirects=True))

    def follow(self, words: str, *, step: str = "") -> None:
        """Follow the link with this text, in this step of a guide if one is given."""
        found = [address for section, label, address in self.page.links if label == words and step in ("", section)]
        assert found, f"{self.path} has no link {words!r}"
        self.open(found[0])

    def press(self, button: str, **typed: str) -> None:
        """Fill in the form that has a button whose text starts with this, and press the button."""
        form = next(form for form in self.page.forms if any(label.startswith(button) for label in form.buttons))
        assert set(typed) - {"tool"} <= set(form.fields), form.fields
        sent = form.fields | typed
        assert form.method == "post"
        self._came_to(self.client.post(form.action or self.path, data=sent, follow_redirects=True))

    def _came_to(self, answer) -> None:  # type: ignore[no-untyped-def]
        self.status, self.path = answer.status_code, urlsplit(answer.request.path).path
        self.page = ParsedPage(answer.text)
