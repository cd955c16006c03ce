"""Email addresses as mail servers take them: one plain address, with its host as the name system has it."""

import re

# One address and nothing more: no list, no name, no quotes. Few servers take other letters before the @.
_MAILED = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*@[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)*", re.ASCII)


def in_ascii(address: str) -> str:
    """The address as a mail carries it. Raises ValueError unless it is one plain address.

    A host that the name system would read as another one (`ß` as `ss`, wide letters as plain ones) is refused: the
    mail would reach somebody else.
    """
    local, _, host = address.rpartition("@")
    asked = host.encode("idna")
    given = f"{local}@{asked.decode()}"
    if _MAILED.fullmatch(given) is None or asked.decode("idna") != host.lower():
        raise ValueError("mail servers take no such address")
    return given
