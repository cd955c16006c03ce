"""Plain English: words of the product's former dialect are not used in code, tests and documents.

Pages, mails and content have a list of their own once they are rewritten; sentences of theirs that stand in code are
allowed here by file.
"""

import ast
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import panel.models  # noqa: F401
from panel.db import Base
from tests.rules.source import ROOT, name_of, python_files, tree_of

# Each word with what to write instead.
WORDS = {
    r"anew": "again",
    r"told of": "notified, reported",
    r"unasked": "automatically",
    r"(kept|keep) pages?": "cached page",
    r"who_?asks|who asks|whoever asks": "the user, the caller, session_lookup",
    r"drawn": "rendered",
    r"works no more": "no longer works",
    r"enem(y|ies)": "untrusted",
    r"door": "entry point, the only function that ...",
    r"half signed[- ]in|half_signed_in": "pending session",
    r"means? harm": "hostile",
    r"the books": "the ledger",
}
DIALECT = re.compile(rf"\b({'|'.join(WORDS)})\b", re.IGNORECASE)

# Files with words that stay for now, and which ones. Keep this short.
ALLOWED: dict[str, set[str]] = {
    # The list itself, and those for documents and pages.
    "tests/rules/test_words.py": {"*"},
    "tests/rules/test_documents.py": {"*"},
    "tests/rules/test_page_words.py": {"*"},
    # A rule for content that forbids the word.
    "tests/content/rules.py": {"unasked"},
}

# Words that docstrings and comments don't use, though names, tables and pages may have them.
PROSE_WORDS = {
    r"told": "notified, reported, announced",
    r"receivers?": "endpoint",
    r"(un)?seal(s|ed|ing)?": "encrypt, encrypted, decrypt",
    r"whoever": "the caller, the code that ..., anyone who",
    r"at once": "immediately, concurrently, together",
    r"meanwhile": "in the meantime, since",
    r"takes? up|took up|taken up": "lease, process",
    r"nobody's": "of no account",
    r"requests? to stop|asked to stop": "cancellation request",
    r"but for": "except",
    r"hinder(s|ed)?": "prevent",
    r"so many": "this many, a number of",
    r"hand(s|ed|ing)? over|hand-?overs?": "send, dispatch",
    r"held until": "locked until",
    r"what (became|came) of": "outcome, result",
    r"what time settles": "timeout",
    r"word for word": "exactly as",
    r"good answers?": "success",
    r"the house('s)?": "the panel",
    r"one's own": "their own, own",
    r"whose they are": "access",
    r"a word of its own|words? of (theirs|ours)": "their words, our words",
    r"what (time|nobody)": "timeouts, that nobody",
    r"in the same moment": "at the same time, concurrently",
    r"for want of": "because ... is missing",
    r"led to": "redirected to, sent to",
    r"goes the way": "is processed",
    r"so it is with|so too": "also",
}
PROSE_DIALECT = re.compile(rf"\b({'|'.join(PROSE_WORDS)})\b", re.IGNORECASE)
PROSE_ALLOWED: dict[str, set[str]] = {}

# Parts of names (`is_told`, `top_up_id`) in code, tests, scripts and templates, and of names in the database.
NAME_WORDS = {
    r"told": "notified, expected",
    r"said": "message, notice, sentence, reason, answer",
    r"(un)?seal(s|ed|ing)?": "encrypt, encrypted, digest",
    r"receivers?": "endpoint",
    r"top_?ups?": "deposit",
    r"(sign|signing)_(ins?|out)|signed_(in|out)": "session, log_in, log_out, logged_in",
    r"anew|drawn|unasked|whoever|enemy|enemies": "see WORDS",
}
NAME_DIALECT = re.compile(rf"(?<![a-z])({'|'.join(NAME_WORDS)})(?![a-z])")
# As a noun: action, or what is done. `who_acts` has the verb.
NOUN = re.compile(r"_*acts?|.*(?<!who)_acts|acts?_\w+")
# A setting and a file of the instance folder, which environments and backups outside of the panel name.
NAMES_OUTSIDE = ("seal_key",)
PYTHON_NAME = re.compile(r"\w+")
SCRIPT_NAME = re.compile(r"(?<![\w-])[a-zA-Z_$][\w$]*(?![\w-])")
NOT_CODE = re.compile(r"""//[^\n]*|/\*.*?\*/|"[^"\n]*"|`[^`]*`""", re.DOTALL)
# Names of fields, marks and anchors, and those of macros and variables.
TEMPLATE_NAME = re.compile(r"""\b(?:name|id)="([\w-]+)"|\b(data-[\w-]+)|(?:macro|set|hidden|field) ?\(?"?(\w+)""")


def test_code_and_documents_use_none_of_the_old_words() -> None:
    files = [
        *(file for file in python_files("panel", "tests", "app.py") if "migrations" not in file.parts),
        *sorted(ROOT.glob("*.md")),
        *sorted((ROOT / "panel").glob("*.md")),
        *sorted((ROOT / "tests").rglob("*.md")),
        *sorted((ROOT / ".github").rglob("*.md")),
        *sorted((ROOT / "static").rglob("*.js")),
        *sorted((ROOT / "static").rglob("*.css")),
    ]
    assert len(files) > 300

    found = []
    for file in files:
        allowed = ALLOWED.get(name_of(file), set())
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            words = {match[0].lower() for match in DIALECT.finditer(line)}
            if "*" not in allowed and words - allowed:
                found.append(f"{name_of(file)}:{number} {', '.join(sorted(words - allowed))}")

    assert found == [], "\n".join(found)


def test_files_that_may_use_old_words_are_there() -> None:
    assert [name for name in ALLOWED | PROSE_ALLOWED if not (ROOT / name).is_file()] == []


def test_docstrings_and_comments_use_the_terms_of_the_field() -> None:
    checked = [file for file in python_files("panel", "tests", "app.py") if "migrations" not in file.parts]
    assert len(checked) > 600

    found = []
    for file in checked:
        allowed = PROSE_ALLOWED.get(name_of(file), set())
        for line, text in prose_of(file):
            words = {match[0].lower() for match in PROSE_DIALECT.finditer(" ".join(text.split()))} - allowed
            if words:
                found.append(f"{name_of(file)}:{line} {', '.join(sorted(words))}")

    assert found == [], "\n".join(found)


def test_names_in_code_are_the_terms_of_the_field() -> None:
    found = []
    for file in python_files("panel", "tests", "app.py"):
        # Tokens only of files with such a word anywhere: also in a string, where it is no name.
        text = file.read_text(encoding="utf-8")
        if "migrations" in file.parts or not any(map(is_dialect, set(PYTHON_NAME.findall(text)))):
            continue
        with file.open("rb") as source:
            names = {token.string for token in tokenize.tokenize(source.readline) if token.type == tokenize.NAME}
        found += [f"{name_of(file)} {name}" for name in sorted(names) if is_dialect(name)]

    assert found == [], "\n".join(found)


def test_names_in_templates_and_scripts_are_the_terms_of_the_field() -> None:
    found = []
    for file in (ROOT / "templates").rglob("*.html"):
        groups = TEMPLATE_NAME.findall(file.read_text(encoding="utf-8"))
        found += [f"{name_of(file)} {name}" for group in groups for name in group if is_dialect(name)]
    for file in (ROOT / "static" / "js").glob("*.js"):
        names = SCRIPT_NAME.findall(NOT_CODE.sub("", file.read_text(encoding="utf-8")))
        found += [f"{name_of(file)} {name}" for name in names if is_dialect(name)]

    assert found == [], "\n".join(found)


def test_names_in_the_database_are_the_terms_of_the_field() -> None:
    names: set[str] = set()
    for table in Base.metadata.sorted_tables:
        names |= {table.name, *table.columns.keys(), *(str(each.name) for each in table.indexes)}
        names |= {str(each.name) for each in table.constraints}
    assert len(names) > 500

    assert sorted(name for name in names if is_dialect(name)) == []


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("told is_told _said_at saidAt sealed_totp top_up_id receiver act ACTS _acts data-said", True),
        ("sign_in_id SignedIn is_signed_out sign_out_device", True),
        ("who_acts action factor seal_key PANEL_SEAL_KEY aside log_out facts contact drawing", False),
    ],
)
def test_a_name_is_of_the_dialect_by_its_parts(names: str, expected: bool) -> None:
    assert {name: is_dialect(name) for name in names.split()} == dict.fromkeys(names.split(), expected)


def is_dialect(name: str) -> bool:
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    if any(each in parts for each in NAMES_OUTSIDE):
        return False
    return bool(NAME_DIALECT.search(parts) or NOUN.fullmatch(parts))


def prose_of(file: Path) -> Iterator[tuple[int, str]]:
    """Docstrings and comments of a file, each with its line."""
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node)
            if docstring:
                yield node.body[0].lineno, docstring
    with file.open("rb") as source:
        for token in tokenize.tokenize(source.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
