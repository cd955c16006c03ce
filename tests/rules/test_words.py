"""Plain English: words of the product's former dialect are not used in code, tests and documents.

Pages, mails and content have a list of their own once they are rewritten; sentences of theirs that stand in code are
allowed here by file.
"""

import re

from tests.rules.source import ROOT, name_of, python_files

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
    assert [name for name in ALLOWED if not (ROOT / name).is_file()] == []
