"""Table of roles and actions in ARCHITECTURE, generated from `panel/domain/accounts/roles.py`.

`python -m tests.rules.roles_table` prints it.
"""

from panel.domain.accounts import roles
from panel.domain.accounts.roles import STAFF_ROLES, Action


def lines() -> list[str]:
    head = " | ".join(role.label for role in STAFF_ROLES)
    rows = [
        f"| {action.label} | {' | '.join('yes' if roles.may(role, action) else '' for role in STAFF_ROLES)} |"
        for action in Action
    ]
    return [f"| Action | {head} |", "|---" * (len(STAFF_ROLES) + 1) + "|", *rows]


if __name__ == "__main__":
    print("\n".join(lines()))
