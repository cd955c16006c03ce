"""Migration pins: a committed migration is never edited, since instances have run it.

`python -m tests.rules.migration_pins` adds the migrations that are not pinned yet. Do that when you add one, and
again when you rename it before it lands. To mend what a landed migration did, add another one.
"""

import hashlib
from pathlib import Path

from panel.settings import ROOT

VERSIONS = ROOT / "panel" / "migrations" / "versions"
PINS = Path(__file__).with_name("migration_pins.txt")


def hashes() -> dict[str, str]:
    """Hash of each migration, by file name."""
    files = sorted(VERSIONS.glob("*.py"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def pinned() -> dict[str, str]:
    lines = (line.split() for line in PINS.read_text().splitlines())
    return {line[0]: line[1] for line in lines}


def pin() -> None:
    """Update the list: add new migrations, drop removed files, and leave the others as they are."""
    before, now = pinned(), hashes()
    PINS.write_text("".join(f"{name} {before.get(name, digest)}\n" for name, digest in now.items()))


if __name__ == "__main__":
    pin()
