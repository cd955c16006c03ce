"""`python -m tests.conformance URL KEY SERVICE [LINK]`: prints a report, and exits with 1 if a check failed.

It places up to two orders of the service's smallest quantity and asks for the first to be canceled: use a cheap one.
"""

import sys

from tests.conformance.checks import CHECKS, Run
from tests.conformance.server import NotApplicable, NotConforming, Server

LINK = "https://example.com/page-1"
USAGE = "Usage: python -m tests.conformance URL KEY SERVICE [LINK]"


def main(arguments: list[str]) -> int:
    """Run all checks and print a line for each. Returns the exit code."""
    if len(arguments) not in (3, 4):
        print(USAGE, file=sys.stderr)
        return 2
    url, key, service, *link = arguments
    run = Run(Server(url, key), service, link[0] if link else LINK)
    failed = 0
    for check in CHECKS:
        try:
            result, seen = "pass", check(run)
        except NotApplicable as error:
            result, seen = "skip", str(error)
        except NotConforming as error:
            result, seen = "FAIL", str(error)
            failed += 1
        print(f"{result}  {check.__name__.replace('_', ' ')}: {seen}")
    print(f"{len(CHECKS)} checks, {failed} failed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
