"""Link validation: public, complete and matching the tool's pattern, before any money moves.

Links are stored normalized: scheme and host in lower case, the rest as entered.
"""

from functools import lru_cache
from urllib.parse import urlsplit

from panel.domain import patterns
from panel.domain.errors import BadCatalogue, BadLink
from panel.domain.network import public_ip_rules
from panel.domain.patterns import BadPattern

MAX_LENGTH = 2_000
_SCHEMES = ("https", "http")


def check_link(link: str, *, pattern: str, example: str, hint: str) -> str:
    """Validate and normalize the link. Raises BadLink that says what is wrong and how it should look."""
    link = link.strip()
    should = f"It should look like {example}. {hint}".strip()
    if not link:
        raise BadLink(f"The link is missing. {should}")
    if len(link) > MAX_LENGTH:
        raise BadLink(f"The link is longer than {MAX_LENGTH:,} characters. {should}")
    if any(sign.isspace() or not sign.isprintable() for sign in link):
        raise BadLink(f"The link has a space or an invisible character in it. {should}")
    link = canonical(link)
    _check_address(link, should=should)
    try:
        is_of_form = patterns.matches(pattern, link)
    except BadPattern as error:
        raise BadLink("Links for this tool can’t be checked right now, so it can’t be ordered.") from error
    if not is_of_form:
        raise BadLink(f"This link does not have the form this tool needs. {should}")
    return link


def is_web_link(link: str) -> bool:
    """Whether a browser may follow the link: https or http, and no other scheme."""
    return link.partition("://")[0] in _SCHEMES


def canonical(link: str) -> str:
    """Normalize the link: no surrounding spaces, scheme and host in lower case."""
    scheme, separator, rest = link.strip().partition("://")
    if not separator:
        return link.strip()
    end = min((place for sign in "/?#" if (place := rest.find(sign)) >= 0), default=len(rest))
    return f"{scheme.lower()}://{rest[:end].lower()}{rest[end:]}"


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
    if not host:
        raise BadLink(f"The link has no public host name. {should}")
    if not public_ip_rules.is_public_host(host):
        raise BadLink(
            f"The link has no public host name: {host[:80]} can’t be reached from the public internet. {should}"
        )


def check_rule(*, pattern: str, example: str, counter_example: str, hint: str) -> None:
    """Validate a tool's link rule: its good example must match and its bad one must not. Raises BadCatalogue."""
    fault = patterns.fault(pattern)
    if fault:
        raise BadCatalogue(f"link.pattern {fault}.")
    if not _passes(example, pattern=pattern, hint=hint):
        raise BadCatalogue("link.example does not pass link.pattern.")
    if _passes(counter_example, pattern=pattern, hint=hint):
        raise BadCatalogue("link.counter_example passes link.pattern, so it is no counter-example.")


@lru_cache(maxsize=10_000)
def stored_fault(pattern: str, example: str) -> str:
    """Why a stored rule is unusable, as the end of a sentence about its pattern; empty if it is usable.

    A rule from before links were normalized and public may match none of the links accepted now.
    """
    found = patterns.fault(pattern)
    if found or _passes(example, pattern=pattern, hint=""):
        return found
    return "does not take its own example: scheme and host of a link are in lower case, and the host is a public one"


def _passes(link: str, *, pattern: str, hint: str) -> bool:
    try:
        check_link(link, pattern=pattern, example=link, hint=hint)
    except BadLink:
        return False
    return True


_SHOWN_LENGTH = 24
_SHOWN_END = 10


def without_scheme(link: str) -> str:
    """A link as people read it, without `https://`."""
    return link.removeprefix("https://").removeprefix("http://")


def shorten(link: str) -> str:
    """A link for tables: without its scheme, and cut in its middle, since hosts and endings tell links apart."""
    shown = without_scheme(link)
    if len(shown) <= _SHOWN_LENGTH:
        return shown
    return f"{shown[: _SHOWN_LENGTH - _SHOWN_END - 1]}…{shown[-_SHOWN_END:]}"
