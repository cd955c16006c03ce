"""Injection tests: hostile text, and an HTML parser that checks whether any of it was executed or became markup."""

import json
import re
from html.parser import HTMLParser

from werkzeug.test import TestResponse

# 7191 times 7193: on a page only if template braces in user input were evaluated.
PRODUCT = "51724863"
BRACES = "{{7191*7193}}{% print(7191*7193) %}${7191*7193}#{7191*7193}"
MARKUP = "\"'><script>alert(1)</script></script><img src=x onerror=alert(1)><zqtag zqattr=1>&lt;zqtag&gt;]]>-->"
MARK = re.compile(r"zq:([a-z_]+\.[a-z_]+)")
ADDRESSES = ("href", "src", "action", "formaction", "data-hx-get", "data-hx-post", "cite", "poster")
SAFE_ADDRESS = re.compile(r"/(?!/)|#|\?|https?://|mailto:|otpauth://totp/|$")


class InjectionParser(HTMLParser):
    """Parses a page as a browser does, and records everything that no template of ours contains."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.shown: set[str] = set()
        self.fields: set[str] = set()
        self.forms: list[tuple[str, str, dict[str, str]]] = []
        self._script: dict[str, str | None] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "zqtag" or (tag == "img" and not (given.get("src") or "").startswith("/")):
            self.wrong.append(f"an element <{tag}> came out of a text")
        for name, value in attrs:
            self.shown.update(MARK.findall(value or ""))
            if name.startswith("on") or not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9:_-]*", name) or name == "zqattr":
                self.wrong.append(f"an attribute {name!r} came out of a text")
            if name in ADDRESSES and not SAFE_ADDRESS.match(value or ""):
                self.wrong.append(f"{name} leads to {value!r}")
        if tag == "script":
            self._script = given
        if tag == "form":
            self.forms.append((given.get("method") or "get", given.get("action") or "", {}))
        if tag in ("input", "select", "textarea", "button") and given.get("name"):
            name = str(given["name"])
            self.fields.add(name)
            if self.forms:
                self.forms[-1][2][name] = given.get("value") or ""

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._script = None

    def handle_data(self, data: str) -> None:
        self.shown.update(MARK.findall(data))
        if self._script is None:
            return
        if self._script.get("type") == "application/ld+json":
            json.loads(data)
        elif data.strip() or "src" not in self._script:
            self.wrong.append(f"a script stands in the page: {data[:60]!r}")


def read_page(text: str) -> InjectionParser:
    reader = InjectionParser()
    reader.feed(text)
    reader.close()
    return reader


def is_page(answer: TestResponse) -> bool:
    return answer.mimetype == "text/html" and answer.status_code not in (301, 302, 303, 304)


def injection_faults(answer: TestResponse) -> list[str]:
    found = [answer.status] if answer.status_code >= 500 else []
    found += read_page(answer.text).wrong if is_page(answer) else []
    found += ["braces were run"] if PRODUCT.encode() in answer.data else []
    return found
