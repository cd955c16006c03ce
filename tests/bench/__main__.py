"""`python -m tests.bench history` and the like: see the modules of this folder."""

import sys

from tests.bench import api, backfill, history, money, pages, providers, push, request_cpu, slow_clients, sync, tools

BENCHES = {
    "api": api.main,
    "backfill": backfill.main,
    "history": history.main,
    "money": money.main,
    "pages": pages.main,
    "providers": providers.main,
    "push": push.main,
    "request-cpu": request_cpu.main,
    "slow-clients": slow_clients.main,
    "sync": sync.main,
    "tools": tools.main,
}

if __name__ == "__main__":
    wanted = sys.argv[1] if len(sys.argv) == 2 else ""
    if wanted not in BENCHES:
        raise SystemExit(f"Usage: python -m tests.bench {' | '.join(BENCHES)}")
    BENCHES[wanted]()
