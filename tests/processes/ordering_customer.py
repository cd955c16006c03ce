"""Simulated customer over HTTP: signs up, places orders, and sends a form again if there was no response."""

import contextlib
import re
import secrets
import threading
import time

import httpx

from tests.support.servers import Panel

TOOL, LINK, QUANTITY = "newsletter-readers", "https://news.example.com/issues/{}", "50"
PATIENCE_SECONDS = 60
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
ORDER = re.compile(r"/orders/([0-9]+)$")
TERMS = re.compile(r'name="terms" value="([0-9]+)"')


class OrderingCustomer:
    """Remembers which order each form created."""

    def __init__(self, panel: Panel, *, email: str) -> None:
        self.panel, self.email = panel, email
        self.client = httpx.Client(base_url=panel.url, timeout=10)
        self.placed: dict[str, int] = {}
        self.failure: BaseException | None = None

    def sign_up(self) -> None:
        page = self.client.get("/sign-up")
        form = {"email": self.email, "password": secrets.token_urlsafe(12), "csrf_token": _found(TOKEN, page)}
        assert self.client.post("/sign-up", data=form).status_code == 303

    def place_until(self, enough: threading.Event) -> None:
        """Place orders one after another until the first unexpected response, which is stored."""
        try:
            while not enough.is_set():
                self._place(request_id=f"killed-{len(self.placed):04d}-{secrets.token_hex(4)}")
        except BaseException as failure:
            self.failure = failure
            raise
        finally:
            self.client.close()

    def _place(self, *, request_id: str) -> None:
        form = {"tool": TOOL, "link": LINK.format(len(self.placed)), "quantity": QUANTITY, "request_id": request_id}
        checked = self._post("/orders/check", form | {"csrf_token": _found(TOKEN, self._get("/orders/new"))})
        form |= {"terms": _found(TERMS, checked), "csrf_token": _found(TOKEN, checked)}
        answer = self._post("/orders", form)
        assert answer.status_code == 303, answer.text
        self.placed[request_id] = int(_found(ORDER, answer, text=answer.headers["location"]))

    def _get(self, path: str) -> httpx.Response:
        return self._ask("GET", path)

    def _post(self, path: str, form: dict[str, str]) -> httpx.Response:
        return self._ask("POST", path, data=form)

    def _ask(self, method: str, path: str, **more: dict[str, str]) -> httpx.Response:
        """Repeat the request until there is a response: a killed server sends none, whether or not it did the work."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(httpx.TransportError):
                return self.client.request(method, path, **more)  # type: ignore[arg-type]
            time.sleep(0.1)
        raise TimeoutError(f"{method} {path} got no answer for {PATIENCE_SECONDS} seconds")


def _found(pattern: re.Pattern[str], answer: httpx.Response, *, text: str | None = None) -> str:
    found = pattern.search(answer.text if text is None else text)
    assert found is not None, f"{answer.request.url} answered {answer.status_code}:\n{answer.text}"
    return found.group(1)
