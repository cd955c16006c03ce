"""Former office addresses: redirects for operators, 404 for everyone else."""

from flask.testing import FlaskClient

from panel.domain.status import Status
from tests.support.factories import an_order

MOVED = {
    "/office/top-ups": "/office/deposits",
    "/office/top-ups/T-AB12CD?x=1": "/office/deposits/T-AB12CD?x=1",
    "/office/figures": "/office/reports",
    "/office/log?subject=customer+1": "/office/audit-log?subject=customer+1",
    "/office/log.csv?from=2026-01-01": "/office/audit-log.csv?from=2026-01-01",
    "/office/proposals/7": "/office/approvals/7",
}


def test_former_address_is_redirected_for_good_with_its_rest_and_query(office: FlaskClient) -> None:
    answers = {old: office.get(old) for old in MOVED}

    assert {old: answer.location for old, answer in answers.items()} == MOVED
    assert {answer.status_code for answer in answers.values()} == {301}


def test_former_address_is_not_found_for_visitors(client: FlaskClient) -> None:
    assert {client.get(old).status_code for old in MOVED} == {404}


def test_former_names_of_queues_show_the_same_orders(office: FlaskClient) -> None:
    order = an_order(provider="manual", status=Status.IN_PROGRESS)

    page = office.get("/office/orders?queue=by-hand").text

    assert "<h1>Manual orders</h1>" in page
    assert f'id="open-{order.id}"' in page
    assert office.get("/office/orders?queue=stuck").status_code == 200
