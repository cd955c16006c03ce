"""The CSV files of another panel: rows by column, with the line of each, and all faults together."""

import csv
import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from panel.domain.errors import BadInput, PanelError

MAX_BYTES = 64 * 1_048_576
MAX_ROWS = 200_000
SHOWN_FAULTS = 20

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "users.csv": ("email", "balance"),
    "tools.csv": (
        *("slug", "name", "category", "summary", "unit", "price_per_thousand", "minimum", "maximum"),
        *("link_pattern", "link_example", "link_counter_example", "link_hint"),
        *("refill_days", "cancel", "provider", "provider_service"),
    ),
    "orders.csv": (
        *("email", "tool", "link", "quantity", "price_per_thousand", "status", "remains", "start_count"),
        *("provider_order_id", "placed_at"),
    ),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a file: its values by column, without the spaces around them."""

    file: str
    number: int
    values: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.values[column]


@dataclass
class Faults:
    """Errors of the files, line by line."""

    found: list[str] = field(default_factory=list)

    def add(self, line: Line, sentence: str) -> None:
        self.found.append(f"{line.file}, line {line.number}: {sentence}")

    @contextmanager
    def of(self, line: Line) -> Iterator[None]:
        """Note the refusal of this line instead of raising it."""
        try:
            yield
        except PanelError as error:
            self.add(line, error.message)

    def check(self) -> None:
        """Raises BadInput with the first faults, if there are any."""
        if self.found:
            more = len(self.found) - SHOWN_FAULTS
            lines = [*self.found[:SHOWN_FAULTS], *([f"{more:,} more."] if more > 0 else [])]
            raise BadInput("\n".join([*lines, "Nothing was changed."]))


def read(path: Path) -> dict[str, list[Line]]:
    """The rows of each file in this folder or ZIP file; a file that isn't there has none. Raises BadInput."""
    texts = _of_folder(path) if path.is_dir() else _of_zip(path)
    if not texts:
        raise BadInput(f"{path} has none of the files {', '.join(COLUMNS)}. Nothing was changed.")
    return {name: _lines(name, texts[name]) if name in texts else [] for name in COLUMNS}


def _of_folder(path: Path) -> dict[str, bytes]:
    return {name: _bounded(path.joinpath(name).read_bytes(), name) for name in COLUMNS if path.joinpath(name).is_file()}


def _of_zip(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as packed:
            texts = {}
            for name in COLUMNS:
                if name in packed.namelist():
                    with packed.open(name) as opened:
                        texts[name] = _bounded(opened.read(MAX_BYTES + 1), name)
            return texts
    # In turn: no ZIP file, damaged data, an unknown compression, an encrypted file.
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise BadInput(f"{path} is neither a folder nor a ZIP file that can be read.") from error


def _bounded(text: bytes, name: str) -> bytes:
    if len(text) > MAX_BYTES:
        raise BadInput(f"{name} is larger than {MAX_BYTES:,} bytes.")
    return text


def _lines(name: str, data: bytes) -> list[Line]:
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        head = [column.strip() for column in reader.fieldnames or ()]
        _check_head(name, head)
        reader.fieldnames = head
        lines = []
        for row in reader:
            if None in row or None in row.values():
                raise BadInput(f"{name}, line {reader.line_num}: It has another number of columns than the first line.")
            lines.append(Line(name, reader.line_num, {column: value.strip() for column, value in row.items()}))
            if len(lines) > MAX_ROWS:
                raise BadInput(f"{name} has more than {MAX_ROWS:,} rows.")
    except UnicodeDecodeError as error:
        raise BadInput(f"{name} is not UTF-8 text.") from error
    except csv.Error as error:
        raise BadInput(f"{name} can’t be read as CSV: {error}.") from error
    return lines


def _check_head(name: str, head: list[str]) -> None:
    if sorted(head) != sorted(COLUMNS[name]):
        raise BadInput(f"{name}: The first line must name these columns: {','.join(COLUMNS[name])}.")
