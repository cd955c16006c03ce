"""`flask migrate-in`: everything of another panel or nothing, with exact balances, and no order sent again."""

import re
import zipfile
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.money import parse_nanos
from panel.domain.provider_report import Report
from panel.domain.status import Status
from panel.models import AuditLogEntry, Mail, Order, Provider, Terms, Tool, User
from panel.security import encryption
from panel.services.money import audit, ledger
from panel.services.moving_in.files import COLUMNS
from panel.services.orders import dispatch, sync
from tests.support import ledger_oracle
from tests.support.factories import LINK, a_provider, a_tool

pytestmark = pytest.mark.both_engines

USERS = "email,balance\nAnna@Example.com,12.345678901\nben@example.com,0\ncarla@example.com,3\n"
TOOLS = (
    ",".join(COLUMNS["tools.csv"])
    + "\nvisits,Page visits,Pages,Visits to a page.,visits,0.90,50,10000,"
    + r"https://example\.com/[a-z0-9-]+,https://example.com/page-1,https://example.com/,Copy the address.,"
    + "30,yes,upstream,7\n"
)
HEAD = ",".join(COLUMNS["orders.csv"]) + "\n"
ORDERS = (
    HEAD
    + f"anna@example.com,visits,{LINK},1000,0.85,In progress,400,17,9001,2026-11-01T10:00:00Z\n"
    + f"anna@example.com,visits,{LINK},500,0.9,Pending,500,,9002,2026-11-02T10:00:00+02:00\n"
    + f"ben@example.com,visits,{LINK},2000,1,processing,2000,0,9003,2026-11-02T10:00:00\n"
)
MADE = (User, Tool, Terms, Order, Mail, AuditLogEntry)


@pytest.fixture
def upstream() -> Provider:
    return a_provider("panel_api", name="upstream")


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def migrate(app: Flask, *arguments: str) -> Result:
    db.session.rollback()
    done: Result = app.test_cli_runner().invoke(args=["migrate-in", *arguments])
    db.session.rollback()
    return done


def counts() -> list[int]:
    return [db.session.scalar(select(func.count()).select_from(model)) or 0 for model in MADE]


def balance(email: str) -> int:
    return ledger.balance_nanos(db.session.scalars(select(User.id).where(User.email == email)).one())


def test_users_tools_and_open_orders_are_moved_in(app: Flask, tmp_path: Path, upstream: Provider) -> None:
    done = migrate(app, str(written(tmp_path, users=USERS, tools=TOOLS, orders=ORDERS)))

    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        "3 users with balances of 15.345678901",
        "1 tools",
        "3 open orders that hold 3.30",
    ]
    assert balance("anna@example.com") == parse_nanos("12.345678901")
    assert (balance("ben@example.com"), balance("carla@example.com")) == (0, parse_nanos("3"))
    rows = db.session.scalars(select(Order).order_by(Order.placed_at)).all()
    assert [(row.provider_order_id, row.status, row.remains, row.start_count) for row in rows] == [
        ("9001", Status.IN_PROGRESS, 400, 17),
        ("9002", Status.PENDING, 500, None),
        ("9003", Status.PROCESSING, 2000, 0),
    ]
    assert [row.charge_nanos for row in rows] == [850_000_000, 450_000_000, 2_000_000_000]
    assert [f"{row.placed_at:%d %H}" for row in rows] == ["01 10", "02 08", "02 10"]
    assert audit.audit().differences == ()
    ledger_oracle.assert_consistent()


def test_orders_are_asked_about_and_never_sent(app: Flask, tmp_path: Path, upstream: Provider) -> None:
    migrate(app, str(written(tmp_path, users=USERS, tools=TOOLS, orders=ORDERS)))
    now = utc_now() + timedelta(minutes=1)

    with transaction():
        assert dispatch.open_attempts(upstream.id, most=9, lease_seconds=60, now=now) == []
        asked = sync.take_batch(upstream.id, again_seconds=60, now=now)
        sync.apply_reports(asked, {ask.order_id: Report("Partial", 100) for ask in asked}, now=now)

    assert sorted(ask.provider_order_id for ask in asked) == ["9001", "9002", "9003"]
    returned = (850_000 + 900_000) * 100
    assert balance("anna@example.com") == parse_nanos("12.345678901") + returned
    assert audit.audit().differences == ()


def test_everybody_gets_a_link_for_a_password(
    app: Flask, client: FlaskClient, tmp_path: Path, upstream: Provider
) -> None:
    migrate(app, str(written(tmp_path, users=USERS)))

    mails = db.session.scalars(select(Mail).order_by(Mail.id)).all()
    text = encryption.decrypt(mails[0].text, settings=app.config["PANEL"])
    found = re.search(r"http://[^/]+(/reset-password/\S+)", text)
    assert [mail.email for mail in mails] == ["anna@example.com", "ben@example.com", "carla@example.com"]
    assert found is not None
    page = client.post(found[1], data={"password": "seven green lanterns"})
    assert page.status_code == 303
    anna = db.session.scalars(select(User).where(User.email == "anna@example.com")).one()
    assert anna.email_confirmed_at is not None


def test_dry_run_says_the_same_and_changes_nothing(app: Flask, tmp_path: Path, upstream: Provider) -> None:
    folder, packed = written(tmp_path, users=USERS, tools=TOOLS, orders=ORDERS), tmp_path / "all.zip"
    with zipfile.ZipFile(packed, "w") as into:
        for name in COLUMNS:
            into.write(folder / name, name)
    before = counts()

    dry = migrate(app, str(packed), "--dry-run")

    assert (dry.exit_code, counts()) == (0, before)
    assert dry.stderr.startswith("Nothing was changed.")
    assert migrate(app, str(packed)).stdout == dry.stdout
    assert counts() != before
    again = migrate(app, str(folder))
    assert (again.exit_code, "There is an account with the email anna@example.com already." in again.stderr) == (
        1,
        True,
    )


WRONG = {
    "an order of nobody": (HEAD + ORDERS.splitlines()[1].replace("anna@", "dora@"), "line 2: dora@example.com is not"),
    "an order without the provider's number": (ORDERS.replace("9001", ""), "line 2: The provider’s number is missing."),
    "one number twice": (ORDERS.replace("9003", "9001"), "line 4: The provider’s order 9001 is here already."),
    "an order that ended": (ORDERS.replace("processing", "Completed"), "line 4: The status of an open order is one of"),
    "more left than ordered": (ORDERS.replace(",400,", ",1001,"), "line 2: What remains is a whole number"),
    "less left of a Pending order": (ORDERS.replace("Pending,500", "Pending,400"), "line 3: What remains is a whole"),
    "no such tool": (
        ORDERS.replace("ben@example.com,visits", "ben@example.com,likes"),
        "line 4: There is no tool likes",
    ),
    "a price with too many digits": (ORDERS.replace("0.85", "0.8500001"), "line 2: "),
    "nothing ordered": (ORDERS.replace("1000,0.85", "0,0.85"), "line 2: "),
    "an enormous quantity": (ORDERS.replace("1000,0.85", f"{'9' * 5_000},0.85"), "line 2: quantity is no whole number"),
    "more than can be ordered": (ORDERS.replace("1000,0.85", "9999999999,0.85"), "line 2: "),
    "more money than an account holds": (
        HEAD
        + "".join(f"carla@example.com,visits,{LINK},{10**9},1000,Pending,{10**9},,{n},2026-11-01\n" for n in range(5)),
        "more than an account can hold",
    ),
    "no price": (ORDERS.replace(",0.85,", ",0,"), "line 2: The price must be above 0"),
    "a time to come": (ORDERS.replace("2026-11-01", "2126-11-01"), "line 2: placed_at is in the future."),
    "no time in UTC": (
        ORDERS.replace("2026-11-01T10:00:00Z", "0001-01-01T00:00:00+14:00"),
        "line 2: Write placed_at as",
    ),
    "no time": (ORDERS.replace("2026-11-01T10:00:00Z", "yesterday"), "line 2: Write placed_at as"),
    "another head": (ORDERS.replace("remains", "left"), "orders.csv: The first line must name these columns"),
    "a column too many": (ORDERS.replace("Pending", "Pending,"), "line 3: It has another number of columns"),
}


@pytest.mark.parametrize(("orders", "says"), WRONG.values(), ids=WRONG.keys())
def test_faults_are_named_and_nothing_is_written(
    app: Flask, tmp_path: Path, upstream: Provider, orders: str, says: str
) -> None:
    before = counts()

    done = migrate(app, str(written(tmp_path, users=USERS, tools=TOOLS, orders=orders)))

    assert (done.exit_code, says in done.stderr) == (1, True), done.stderr
    assert counts() == before


def test_all_faults_of_users_and_tools_are_named_together(app: Flask, tmp_path: Path, upstream: Provider) -> None:
    a_tool("taken")
    head, row = TOOLS.strip().split("\n", 1)
    rows = [row, row.replace("visits,", "taken,", 1), row.replace("visits,", "other,", 1).replace("upstream", "nobody")]
    rows += [row.replace("visits,", "third,", 1).replace(",yes,", ",perhaps,")]
    people = (
        "email,balance\nnobody,1\nanna@example.com,1\nANNA@example.com,1\nben@example.com,-1\ncarla@example.com,x\n"
    )
    before = counts()

    done = migrate(app, str(written(tmp_path, users=people, tools="\n".join([head, *rows]))))

    assert "tools.csv, line 3: There is a tool taken already." in done.stderr
    assert "tools.csv, line 4: There is no provider called nobody." in done.stderr
    assert "tools.csv, line 5: cancel: " in done.stderr
    for number in (2, 4, 5, 6):
        assert f"users.csv, line {number}: " in done.stderr
    assert "users.csv, line 3: " not in done.stderr
    assert (done.exit_code, counts()) == (1, before)


def test_more_tools_than_one_catalogue_file_holds_are_moved_in(app: Flask, tmp_path: Path, upstream: Provider) -> None:
    head, row = TOOLS.strip().split("\n", 1)
    tools = "\n".join([head, *(row.replace("visits,", f"visits-{n},", 1) for n in range(201))])
    people = "email,balance\n" + "".join(f"user{n}@example.com,{n}.5\n" for n in range(20))

    done = migrate(app, str(written(tmp_path, users=people, tools=tools)))

    assert done.stdout.splitlines()[:2] == ["20 users with balances of 200.00", "201 tools"]
    assert db.session.scalar(select(func.count()).select_from(Tool)) == 201


def test_damaged_archive_is_refused(app: Flask, tmp_path: Path, upstream: Provider) -> None:
    packed = tmp_path / "all.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as into:
        into.writestr("users.csv", USERS * 50)
    data = bytearray(packed.read_bytes())
    for at in range(45, 80):
        data[at] ^= 0x5A
    packed.write_bytes(data)

    done = migrate(app, str(packed))

    assert (done.exit_code, "ZIP file that can be read" in done.stderr) == (1, True), (done.output, done.exception)


def test_something_else_than_the_files_is_refused(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "all.zip").write_bytes(b"no zip")

    assert "is neither a folder nor a ZIP file" in migrate(app, str(tmp_path / "all.zip")).stderr
    (tmp_path / "empty").mkdir()
    assert "has none of the files" in migrate(app, str(tmp_path / "empty")).stderr
    (tmp_path / "users.csv").write_bytes(b"email,balance\n\xff\xfe")
    assert "users.csv is not UTF-8 text." in migrate(app, str(tmp_path)).stderr


def test_many_users_take_few_statements(app: Flask, tmp_path: Path) -> None:
    count, sent = 600, []
    text = "email,balance\n" + "".join(f"person{number}@example.com,{number % 7}.25\n" for number in range(count))
    path = written(tmp_path, users=text)

    def note(_connection: object, _cursor: object, statement: str, *_arguments: object) -> None:
        sent.append(statement[:60])

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        done = migrate(app, str(path))
    finally:
        event.remove(db.engine, "before_cursor_execute", note)

    assert done.exit_code == 0, done.output
    assert len(sent) < count / 4, Counter(sent).most_common(3)
    assert balance("person5@example.com") == parse_nanos("5.25") and balance("person599@example.com") > 0
    assert audit.audit().is_sound
    ledger_oracle.assert_consistent()
