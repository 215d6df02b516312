"""Orders that the API has acknowledged, written all the time by several clients, to be asked for again later."""

import json
import secrets
import threading
import time
import urllib.error
import urllib.request


class Api:
    """The API behind its edge, or wherever `address` leads."""

    def __init__(self, address: str):
        self.address = address

    def call(self, method: str, path: str, body: dict | None = None, headers: dict | None = None, timeout: float = 30) -> tuple[int, dict]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}{path}", data=data, method=method, headers={"content-type": "application/json", **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            text = error.read()
            try:
                return error.code, json.loads(text)
            except ValueError:
                return error.code, {"text": text.decode(errors="replace")}

    def order(self, customer: str, key: str) -> tuple[int, dict]:
        body = {"customerId": customer, "currency": "EUR", "items": [{"sku": "book", "quantity": 1, "unitAmount": 1200}]}
        return self.call("POST", "/v1/orders", body, {"idempotency-key": key})


class Ledger:
    """Writes until the `with` block ends. `acknowledged`: identifiers; `failures`: every answer but 200 and 201."""

    def __init__(self, api: Api, clients: int = 2, pause: float = 0.1):
        self.api, self.clients, self.pause = api, clients, pause
        self.acknowledged: list[str] = []
        self.failures: list[str] = []
        self.customer = f"c-{secrets.token_hex(4)}"
        self.ends = threading.Event()
        self.lock = threading.Lock()

    def __enter__(self) -> "Ledger":
        self.threads = [threading.Thread(target=self.write, daemon=True) for _ in range(self.clients)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ends.set()
        for thread in self.threads:
            thread.join(60)

    def write(self) -> None:
        while not self.ends.is_set():
            try:
                status, answer = self.api.order(self.customer, secrets.token_hex(8))
            except OSError as error:
                status, answer = 0, {"text": repr(error)}
            with self.lock:
                if status in (200, 201):
                    self.acknowledged.append(answer["id"])
                else:
                    self.failures.append(f"{time.strftime('%H:%M:%S')} {status} {json.dumps(answer)[:300]}")
            time.sleep(self.pause)

    def wait_for(self, count: int, seconds: float = 60) -> None:
        """Until so many more orders were acknowledged."""
        target, deadline = len(self.acknowledged) + count, time.monotonic() + seconds
        while len(self.acknowledged) < target:
            if time.monotonic() > deadline:
                raise AssertionError(f"{len(self.acknowledged) - target + count} of {count} orders were acknowledged in {seconds:.0f} s; last failures: {self.failures[-3:]}")
            time.sleep(0.1)

    def stored(self) -> set[str]:
        """What the API has of this ledger's customer, page by page."""
        found, cursor = set(), ""
        while True:
            status, page = self.api.call("GET", f"/v1/orders?limit=100&customerId={self.customer}{cursor}")
            if status == 429:
                time.sleep(1)
                continue
            assert status == 200, (status, page)
            found |= {order["id"] for order in page["orders"]}
            if not page.get("nextCursor"):
                return found
            cursor = f"&cursor={page['nextCursor']}"

    def missing(self) -> list[str]:
        return sorted(set(self.acknowledged) - self.stored())
