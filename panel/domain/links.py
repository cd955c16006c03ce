"""The link rule: a link is public, complete and of the form its tool asks for, before money moves."""

import re
from urllib.parse import urlsplit

from panel.domain.errors import BadCatalogue, BadLink

MOST_LENGTH = 2_000
_SCHEMES = ("https", "http")


def check_link(link: str, *, pattern: str, example: str, hint: str) -> str:
    """The link without spaces around it. Raises BadLink that says what is wrong and how it should look."""
    link = link.strip()
    should = f"It should look like {example}. {hint}".strip()
    if not link:
        raise BadLink(f"The link is missing. {should}")
    if len(link) > MOST_LENGTH:
        raise BadLink(f"The link is longer than {MOST_LENGTH:,} characters. {should}")
    if any(sign.isspace() or not sign.isprintable() for sign in link):
        raise BadLink(f"The link has a space or an invisible character in it. {should}")
    _check_address(link, should=should)
    if re.fullmatch(pattern, link, re.ASCII) is None:
        raise BadLink(f"This link does not have the form this tool needs. {should}")
    return link


def _check_address(link: str, *, should: str) -> None:
    try:
        parts = urlsplit(link)
        host, has_login = parts.hostname or "", "@" in parts.netloc
        _ = parts.port
    except ValueError as error:
        raise BadLink(f"The link is not a complete address. {should}") from error
    if parts.scheme not in _SCHEMES:
        raise BadLink(f"The link must start with https://. {should}")
    if has_login:
        raise BadLink(f"The link carries a user name or password. A public link has none. {should}")
    if "." not in host.strip("."):
        raise BadLink(f"The link has no public host name. {should}")


def check_rule(*, pattern: str, example: str, counter_example: str, hint: str) -> None:
    """Raises BadCatalogue when the rule is not usable: its good example must pass, its bad one must not."""
    try:
        re.compile(pattern, re.ASCII)
    except (re.error, ValueError, OverflowError, RecursionError) as error:
        raise BadCatalogue(f"link.pattern is not a regular expression: {error}.") from error
    if not _passes(example, pattern=pattern, hint=hint):
        raise BadCatalogue("link.example does not pass link.pattern.")
    if _passes(counter_example, pattern=pattern, hint=hint):
        raise BadCatalogue("link.counter_example passes link.pattern, so it is no counter-example.")


def _passes(link: str, *, pattern: str, hint: str) -> bool:
    try:
        check_link(link, pattern=pattern, example=link, hint=hint)
    except BadLink:
        return False
    return True
