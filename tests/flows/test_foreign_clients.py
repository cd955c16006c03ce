"""Third-party API clients (babismm, safesmm, smmpy) make each of their calls against a live server."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import smm as babismm
import smmpy
from safesmm import SafeSMM, SafeSMMError

from tests.support.reseller_panel import done, new_key, reseller_panel
from tests.support.servers import Panel

LINK = "https://example.com/page-1"
UNKNOWN = {"error": "Incorrect order ID"}


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    """A panel with a manual tool, and a reseller with a balance."""
    with reseller_panel(tmp_path_factory.mktemp("foreign")) as panel:
        yield panel


@pytest.fixture
def key(panel: Panel) -> str:
    return new_key(panel)


@pytest.fixture
def address(panel: Panel) -> str:
    return f"{panel.url}/api/v2"


def _deliver(panel: Panel, order: int) -> None:
    done(panel, "orders", "set", str(order), "--status", "completed", "--remains", "0", "--start-count", "3572")


def _service(services: list[dict[str, Any]]) -> int:
    one = next(each for each in services if each["type"] == "Default")
    assert one | {"service": 0} == {
        "service": 0,
        "name": "Page visits",
        "type": "Default",
        "category": "Pages",
        "rate": "0.90",
        "min": "10",
        "max": "10000",
        "refill": True,
        "cancel": True,
        "dripfeed": False,
        "desc": "Visits to a page.",
        "average_time": "",
    }
    return int(one["service"])


def _pending(charge: str, remains: str) -> dict[str, str]:
    return {"charge": charge, "start_count": "0", "status": "Pending", "remains": remains, "currency": "USD"}


def _whole_journey(client: Any, panel: Panel, *, error: type[Exception]) -> None:
    """babismm and smmpy have the same eleven calls with the same names."""
    before = client.get_balance()
    service = _service(client.get_services())
    order, other = (client.add_order(service, LINK, 1_000)["order"] for _ in range(2))

    assert float(client.get_balance()["balance"]) == pytest.approx(float(before["balance"]) - 1.8)
    assert client.get_status(order) == _pending("0.90", "1000")
    assert client.get_multi_status([order, 999_999]) == {str(order): _pending("0.90", "1000"), "999999": UNKNOWN}
    assert client.cancel_orders([999_999, other]) == [
        {"order": 999_999, "cancel": UNKNOWN},
        {"order": other, "cancel": 1},
    ]
    _deliver(panel, order)
    delivered = {"charge": "0.90", "start_count": "3572", "status": "Completed", "remains": "0", "currency": "USD"}
    assert client.get_status(order) == delivered
    refill = client.create_refill(order)["refill"]
    assert isinstance(refill, str)
    assert client.get_refill_status(refill) == {"status": "Pending"}
    assert client.get_multi_refill_status([refill, 999_999]) == [
        {"refill": int(refill), "status": "Pending"},
        {"refill": 999_999, "status": {"error": "Refill not found"}},
    ]
    refused = {"error": "Refill is not available"}
    assert client.create_multi_refill([order, 999_999]) == [
        {"order": order, "refill": refused},
        {"order": 999_999, "refill": UNKNOWN},
    ]
    for call, words in _refusals(client, service, order):
        with pytest.raises(error, match=words):
            call()


def _refusals(client: Any, service: int, order: int) -> list[tuple[Callable[[], object], str]]:
    return [
        (lambda: client.add_order(service, "example.com", 1_000), "Bad link"),
        (lambda: client.add_order(service, LINK, 9), "Quantity less than minimal 10"),
        (lambda: client.add_order(service, LINK, 10_001), "Quantity more than maximum 10000"),
        (lambda: client.add_order(999, LINK, 100), "Incorrect service ID"),
        (lambda: client.get_status(999_999), "Incorrect order ID"),
        (lambda: client.create_refill(order), "Refill is not available"),
        (lambda: client.get_refill_status(999_999), "Refill not found"),
    ]


def test_babismm_makes_every_call_it_has(panel: Panel, address: str, key: str) -> None:
    with babismm.SMM(f"{address}/", key) as client:
        _whole_journey(client, panel, error=babismm.SMMAPIError)
        service = _service(client.get_services())
        fields: dict[str, Any] = {"link": LINK, "quantity": 10, "request_id": "babismm-1"}
        for name, asked in {"comments": "a\nb", "runs": 1, "interval": 1, "min": 1, "flag": True}.items():
            with pytest.raises(babismm.SMMAPIError, match="Incorrect request"):
                client.add_order(service, **fields, **{name: asked})
        order = client.add_order(service, **fields, expiry="undefined", comments="")
        assert client.add_order(service, link=LINK, quantity=10, request_id="babismm-1") == order
    with pytest.raises(babismm.SMMAPIError, match="Invalid API key"):
        babismm.SMM(address, "wrong").get_balance()


def test_smmpy_makes_every_call_it_has(panel: Panel, address: str, key: str) -> None:
    client = smmpy.smm(address, key)

    _whole_journey(client, panel, error=Exception)

    service = _service(client.get_services())
    for asked in ({"comments": "a"}, {"runs": 1}, {"interval": 1}):
        with pytest.raises(Exception, match="Incorrect request"):
            client.add_order(service, LINK, 10, **asked)
    assert client.add_order(service, LINK, 10, comments="")["order"] > 0
    with pytest.raises(Exception, match="Invalid API key"):
        smmpy.smm(address, "wrong").get_balance()


def test_safesmm_makes_every_call_it_has(panel: Panel, address: str, key: str) -> None:
    client = SafeSMM(key, api_url=address)

    service = _service(client.services())
    order, other = (client.add_order(service, LINK, 500)["order"] for _ in range(2))
    assert client.balance()["currency"] == "USD"
    assert client.status(order) == _pending("0.45", "500")
    assert client.multi_status([order, 999_999]) == {str(order): _pending("0.45", "500"), "999999": UNKNOWN}
    assert client.cancel(other) == [{"order": other, "cancel": 1}]
    assert client.status(other)["status"] == "Canceled"
    assert client.status(other)["charge"] == "0.00"
    _deliver(panel, order)
    assert int(client.refill(order)["refill"]) > 0
    with pytest.raises(SafeSMMError, match="Refill is not available"):
        client.refill(order)
    with pytest.raises(SafeSMMError, match="Invalid API key"):
        SafeSMM("wrong", api_url=address).balance()
    with pytest.raises(SafeSMMError, match="Quantity more than maximum 10000"):
        client.add_order(service, LINK, 1_000_000)
    with pytest.raises(SafeSMMError, match="Incorrect request"):
        client.add_order(service, LINK, 500, runs=5, interval=30)


def test_body_too_large_is_refused_by_the_live_server_and_the_next_call_is_answered(address: str, key: str) -> None:
    with requests.Session() as session:
        for size in (2, 8):
            began = time.monotonic()
            answer = session.post(address, data={"key": key, "action": "status", "orders": "1," * size * 512 * 1024})
            assert (answer.status_code, answer.text) == (200, '{"error":"Incorrect request"}')
            assert time.monotonic() - began < 10
        assert session.post(f"{address}/", data={"key": key, "action": "balance"}).json()["currency"] == "USD"


def test_a_hundred_thousand_ids_are_refused_fast(address: str, key: str) -> None:
    ids = ",".join(str(number) for number in range(100_000))
    began = time.monotonic()

    answer = requests.post(address, data={"key": key, "action": "status", "orders": ids}, timeout=10)

    assert answer.json() == {"error": "Incorrect request"}
    assert time.monotonic() - began < 5


def test_pieces_without_a_length_are_read_too(address: str, key: str) -> None:
    def pieces() -> Iterator[bytes]:
        yield json.dumps({"key": key, "action": "balance"})[:10].encode()
        yield json.dumps({"key": key, "action": "balance"})[10:].encode()

    answer = requests.post(address, data=pieces(), headers={"Content-Type": "application/json"}, timeout=10)

    assert answer.json()["currency"] == "USD"


def test_key_is_in_no_log_and_no_file(panel: Panel, address: str, key: str) -> None:
    requests.post(address, params={"key": key, "action": "balance"}, timeout=10)
    requests.post(address, data={"key": key, "action": "nonsense"}, timeout=10)

    kept = [path for path in Path(panel.instance).rglob("*") if path.is_file()]
    assert kept
    assert not [path.name for path in kept if key.encode() in path.read_bytes()]
