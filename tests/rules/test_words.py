"""Plain English: words of the product's former dialect are not used in code, tests and documents.

Pages, mails and content have a list of their own once they are rewritten; sentences of theirs that stand in code are
allowed here by file.
"""

import ast
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

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
