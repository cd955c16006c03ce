"""Email addresses: one plain address, whose host has one spelling here (IDNA 2008 with UTS 46, as browsers have it).

`ada@bücher.example` and `ada@xn--bcher-kva.example` are one mailbox. Browsers send the second for the first.
"""

import re

import idna

LONGEST_LOCAL_PART = 64

# Nothing but one address: no list, no name, no quotes. Few servers take other letters before the @.
_LOCAL = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
_HOST = re.compile(r"[a-zA-Z0-9-]{1,63}(\.[a-zA-Z0-9-]{1,63})*", re.ASCII)


class BadLocalPart(ValueError):
    """What stands before the @ is nothing that mail servers take."""


class BadHost(ValueError):
    """What stands after the @ is no name of a mail host."""


def canonical(address: str) -> str:
    """The address in its one spelling: lower case, the host in its own letters. Raises BadLocalPart or BadHost."""
    local, _, host = address.strip().lower().rpartition("@")
    if not _LOCAL.fullmatch(local) or len(local) > LONGEST_LOCAL_PART:
        raise BadLocalPart(local)
    return f"{local}@{_host(host)}"


def _host(host: str) -> str:
    """The host in its own letters. Raises BadHost for what can't be one: `-a.com`, `a.123`, `localhost`."""
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
    """Every spelling under which an account may be kept: as typed, with the host's own letters, in ASCII.

    Older versions kept the host as it was typed.
    """
    plain = typed.strip().lower()
    try:
        one = canonical(plain)
    except ValueError:
        return (plain,)
    return tuple(dict.fromkeys((plain, one, in_ascii(one))))


def one_spelling(typed: str) -> str:
    """The address in its one spelling; what is no address, in lower case."""
    try:
        return canonical(typed)
    except ValueError:
        return typed.strip().lower()


def search_forms(text: str) -> tuple[str, ...]:
    """A part of an address as it may be written in one that is kept: its host's labels in either spelling."""
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
    """The address as a mail carries it. Raises ValueError unless it is one plain address.

    A host that is not in its one spelling is refused: the mail could reach somebody else than who is shown.
    """
    local, _, host = address.rpartition("@")
    if not host.isascii():
        if _host(host) != host.lower():
            raise BadHost(host)
        host = idna.encode(host.lower()).decode()
    if not _LOCAL.fullmatch(local) or not _HOST.fullmatch(host):
        raise ValueError("mail servers take no such address")
    return f"{local}@{host}"
