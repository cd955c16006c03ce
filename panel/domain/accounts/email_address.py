"""Email address normalization and validation, with internationalized domains (IDNA 2008 with UTS 46, like browsers).

`ada@bücher.example` and `ada@xn--bcher-kva.example` are the same mailbox. Browsers send the second for the first.
"""

import re

import idna

MAX_LOCAL_PART_LENGTH = 64

# A single address without name, list or quotes. Few mail servers accept other characters before the @.
_LOCAL = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
_HOST = re.compile(r"[a-zA-Z0-9-]{1,63}(\.[a-zA-Z0-9-]{1,63})*", re.ASCII)


class BadLocalPart(ValueError):
    """The part before the @ is not accepted by mail servers."""


class BadHost(ValueError):
    """The part after the @ is not a valid mail domain."""


def canonical(address: str) -> str:
    """Normalize the address: lower case, with a Unicode domain. Raises BadLocalPart or BadHost."""
    local, _, host = address.strip().lower().rpartition("@")
    if not _LOCAL.fullmatch(local) or len(local) > MAX_LOCAL_PART_LENGTH:
        raise BadLocalPart(local)
    return f"{local}@{_host(host)}"


def _host(host: str) -> str:
    """The domain in Unicode. Raises BadHost for an invalid one: `-a.com`, `a.123`, `localhost`."""
    try:
        ascii_form = idna.encode(host, uts46=True).decode()
        own_letters = idna.decode(ascii_form)
    except (idna.IDNAError, UnicodeError) as error:
        raise BadHost(host) from error
    labels = ascii_form.split(".")
    if len(labels) < 2 or not all(labels) or labels[-1].isdigit():
        raise BadHost(host)
    return own_letters


def spellings(typed: str) -> tuple[str, ...]:
    """All spellings under which an account may be stored: as entered, with a Unicode domain, in ASCII.

    Older versions stored the domain as entered.
    """
    plain = typed.strip().lower()
    try:
        one = canonical(plain)
    except ValueError:
        return (plain,)
    return tuple(dict.fromkeys((plain, one, in_ascii(one))))


def one_spelling(typed: str) -> str:
    """The normalized address; an invalid one in lower case."""
    try:
        return canonical(typed)
    except ValueError:
        return typed.strip().lower()


def search_forms(text: str) -> tuple[str, ...]:
    """Part of an address in all the spellings a stored one may have: domain labels in Unicode or ASCII."""
    plain = text.strip().lower()
    forms = [plain]
    for convert in (_label_in_own_letters, _label_in_ascii):
        local, at, host = plain.rpartition("@")
        forms.append(f"{local}{at}{'.'.join(convert(label) for label in host.split('.'))}")
    return tuple(dict.fromkeys(forms))


def _label_in_own_letters(label: str) -> str:
    try:
        return idna.ulabel(label) if label.startswith("xn--") else label
    except (idna.IDNAError, UnicodeError):
        return label


def _label_in_ascii(label: str) -> str:
    try:
        return label if label.isascii() else idna.encode(label, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        return label


def in_ascii(address: str) -> str:
    """The address in ASCII for email headers. Raises ValueError unless it is a single valid address.

    An address that isn't normalized is rejected: the email could reach someone other than the page shows.
    """
    local, _, host = address.rpartition("@")
    if not host.isascii():
        if _host(host) != host.lower():
            raise BadHost(host)
        host = idna.encode(host.lower()).decode()
    if not _LOCAL.fullmatch(local) or not _HOST.fullmatch(host):
        raise ValueError("mail servers take no such address")
    return f"{local}@{host}"
