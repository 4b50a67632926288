"""`coarsefine serve`: what it refuses before it begins, and the process with what clients and the system do to it."""

import copy
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest
from examples import ROOT

from pipelines.serving.http.guards import checked_hosts, checked_origins

TOKEN = "0123456789abcdef0123"  # noqa: S105
TEXTS = ["the kettle was boiling", "printer ink paper toner"] * 20


@pytest.fixture(scope="module")
def folder(fitted_lexical: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("lexical") / "shop"
    fitted_lexical.save_pretrained(place)
    return place


class Process:
    """A service in a process of its own."""

    def __init__(self, folder: Path, log: Path, *options: str, port: int = 0) -> None:
        self.log = log
        command = self.started(folder, port, *options)
        with log.open("w") as stream:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stderr=stream, env=os.environ | {"COARSEFINE_TOKEN": TOKEN}
            )
        end = time.monotonic() + 120
        while not (ready := re.search(r"ready at http://[\d.]+:(\d+)", log.read_text(encoding="utf-8"))):
            assert self.process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < end
            time.sleep(0.05)
        self.port = int(ready[1])

    def started(self, folder: Path, port: int, *options: str) -> list[str]:
        return [sys.executable, "-m", "coarsefine", "serve", str(folder), "--port", str(port), *options]

    def request(self, texts: list[str]) -> bytes:
        body = json.dumps({"texts": texts}).encode()
        return self.head("POST", "/predict", len(body)) + body

    def head(self, method: str, path: str, length: int | None) -> bytes:
        size = "" if length is None else f"Content-Type: application/json\r\nContent-Length: {length}\r\n"
        return (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n{size}"
            "Connection: close\r\n\r\n"
        ).encode()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def ask(self, sent: bytes) -> tuple[int, bytes]:
        with self.connect() as connection:
            connection.sendall(sent)
            return answer(connection)

    def metrics(self) -> str:
        return self.ask(self.head("GET", "/metrics", None))[1].decode()

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)


class Proxy(ThreadingHTTPServer):
    """Sends each request to the next of several services, and to another one where that is not there any more."""

    daemon_threads = True

    def __init__(self, ports: list[int]) -> None:
        super().__init__(("127.0.0.1", 0), Forward)
        self.ports = ports
        self.turns = count()


class Forward(BaseHTTPRequestHandler):
    server: Proxy

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        first = next(self.server.turns) % len(self.server.ports)  # each port once, whatever other requests do
        for port in self.server.ports[first:] + self.server.ports[:first]:
            service = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            try:
                service.request("POST", self.path, body, dict(self.headers))
                response = service.getresponse()
                said = response.read()
            except (OSError, http.client.HTTPException):
                continue
            if response.status != 503:
                break
        self.send_response(response.status)
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None: ...


def answer(connection: socket.socket) -> tuple[int, bytes]:
    read = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    head, _, body = read.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


@pytest.fixture(scope="module")
def running(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = Process(folder, tmp_path_factory.mktemp("serve") / "log.txt", "--body", "1")
    yield process
    assert process.end() == 0


def test_the_process_answers(running: Process, fitted_lexical: Any):
    status, body = running.ask(running.request(TEXTS))
    assert status == 200
    assert [one["label"] for one in json.loads(body)["answers"]] == fitted_lexical.predict(TEXTS).tolist()
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"http://127.0.0.1:{running.port}/info")
    assert urllib.request.urlopen(f"http://127.0.0.1:{running.port}/").status == 200


def test_a_hundred_megabytes_are_not_taken(running: Process):
    before = psutil.Process(running.process.pid).memory_info().rss
    assert running.ask(running.head("POST", "/predict", 100 << 20) + b"x" * 1_000)[0] == 413
    with running.connect() as connection:  # a body that does not say how large it is, and is cut off by the answer
        head = running.head("POST", "/predict", 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        sent = 0
        try:
            connection.sendall(head)
            while sent < 100 << 20:
                connection.sendall(b"10000\r\n" + b"x" * (1 << 16) + b"\r\n")
                sent += 1 << 16
        except OSError:
            pass
    assert sent < 50 << 20
    assert psutil.Process(running.process.pid).memory_info().rss < before + (30 << 20)
    assert running.ask(running.request(TEXTS[:2]))[0] == 200


@pytest.mark.parametrize("sent", [b"", b"GARBAGE\r\n\r\n", b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-"])
def test_clients_that_say_nothing_sensible_harm_nobody(running: Process, sent: bytes):
    with running.connect() as connection:
        connection.sendall(sent)
    assert running.ask(running.request(TEXTS[:2]))[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/docs/../info", "/docs/../../../../../../etc/passwd", "/docs/%2e%2e/info", "/docs%2f..%2finfo", "/%69nfo",
        "//info", "/healthz/../info", "/healthz/", "/info;/docs", "/docs\\..\\info", "/info%00", "http://evil.example/info",
    ],
)  # fmt: skip
def test_no_path_leads_around_the_token(running: Process, path: str):
    asked = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    status, said = running.ask(asked)
    assert status in (400, 401)
    assert b"kettles" not in said
    assert b"root:" not in said
    with_token = asked.replace(b"\r\nConnection", f"\r\nAuthorization: Bearer {TOKEN}\r\nConnection".encode())
    assert running.ask(with_token)[0] in ((200,) if path == "/%69nfo" else (400, 404))


def test_a_slow_client_keeps_nobody_waiting(running: Process):
    with running.connect() as slow:
        slow.sendall(running.head("POST", "/predict", 1_000) + b'{"texts')
        assert running.ask(running.request(TEXTS[:2]))[0] == 200


def test_who_hangs_up_is_counted_as_gone(running: Process):
    long = [" ".join(TEXTS)] * 400
    for _ in range(3):
        with running.connect() as connection:
            connection.sendall(running.request(long))
    end = time.monotonic() + 60
    while 'endpoint="/predict",status="499"' not in running.metrics():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_sigterm_with_twenty_requests_in_flight_answers_all(folder: Path, tmp_path: Path, fitted_lexical: Any):
    service = Process(folder, tmp_path / "log.txt")
    right = fitted_lexical.predict(TEXTS).tolist()
    connections = [service.connect() for _ in range(20)]
    for connection in connections:
        connection.sendall(service.request(TEXTS))
    service.process.send_signal(signal.SIGTERM)
    assert service.ask(service.head("GET", "/readyz", None))[0] == 503
    for connection in connections:
        status, body = answer(connection)
        connection.close()
        assert status == 200
        assert [one["label"] for one in json.loads(body)["answers"]] == right
    assert service.process.wait(60) == 0
    assert "Traceback" not in (log := service.log.read_text(encoding="utf-8"))
    assert "kettle" not in log


def test_killed_it_starts_again_at_its_port_and_follows_its_folder(
    folder: Path, tmp_path: Path, fitted_lexical: Any, english: Any
):
    folder = Path(shutil.copytree(folder, tmp_path / "shop"))
    another = copy.copy(fitted_lexical).calibrate(*english.test, precision=0.5)
    corrections = tmp_path / "corrections.jsonl"
    first = Process(folder, tmp_path / "first.txt", "--corrections", str(corrections))
    correction = json.dumps({"text": TEXTS[0], "label": "kettles"}).encode()
    sent = first.head("POST", "/corrections", len(correction)) + correction
    assert [first.ask(sent)[0] for _ in range(3)] == [201] * 3
    with first.connect():
        first.end(signal.SIGKILL)
    assert [json.loads(line)["label"] for line in corrections.read_text(encoding="utf-8").splitlines()] == [
        "kettles"
    ] * 3
    link = tmp_path / "current"
    link.symlink_to("shop")
    again = Process(link, tmp_path / "again.txt", "--watch", port=first.port)
    statuses: list[int] = []
    names: set[str] = set()
    versions: set[str] = set()
    over = threading.Event()

    def load() -> None:
        while not over.is_set():
            status, body = again.ask(again.request(TEXTS[:3]))
            statuses.append(status)
            model = json.loads(body)["model"]
            names.add(model["name"])
            versions.add(model["version"])
            time.sleep(0.01)

    asking = threading.Thread(target=load)
    asking.start()
    another.save_pretrained(folder)
    end = time.monotonic() + 60
    while len(versions) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    over.set()
    asking.join(60)
    assert len(versions) == 2
    assert names == {"current"}
    assert set(statuses) == {200}
    assert again.end(signal.SIGINT) == 0


def test_two_processes_behind_a_proxy_are_one_service(folder: Path, tmp_path: Path, fitted_lexical: Any):
    corrections = tmp_path / "corrections.jsonl"
    options = ("--corrections", str(corrections), "--allow-host", "model.example")
    services = [Process(folder, tmp_path / f"{name}.txt", *options) for name in ("first", "second")]
    proxy = Proxy([service.port for service in services])
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    right = fitted_lexical.predict(TEXTS).tolist()

    def ask(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        client = http.client.HTTPConnection("127.0.0.1", proxy.server_port, timeout=60)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}", "Host": "model.example"}
        client.request("POST", path, json.dumps(body), headers)
        response = client.getresponse()
        return response.status, json.loads(response.read())

    def work(number: int) -> tuple[int, list[str], int]:
        if number == 20:
            services[0].process.send_signal(signal.SIGTERM)
        status, said = ask("/predict", {"texts": TEXTS})
        correction = ask("/corrections", {"text": f"{number} " * 2_000, "label": "kettles"})
        return status, [one["label"] for one in said["answers"]], correction[0]

    with ThreadPoolExecutor(6) as clients:
        assert [*clients.map(work, range(60))] == [(200, right, 201)] * 60
    written = [json.loads(line)["text"].split()[0] for line in corrections.read_text(encoding="utf-8").splitlines()]
    assert sorted(map(int, written)) == [*range(60)]
    assert [services[0].process.wait(60), services[1].end()] == [0, 0]
    assert all("POST /predict 200" in service.log.read_text(encoding="utf-8") for service in services)
    proxy.shutdown()
    proxy.server_close()


@pytest.mark.parametrize("token", ["", "short", "with a blank in it all", "ümlaute-sind-nicht-erlaubt"])
def test_a_token_that_is_none(cli: Callable[..., Any], tmp_path: Path, token: str):
    file = tmp_path / "token.txt"
    file.write_text(token + "\n", encoding="utf-8")
    refused = cli("serve", tmp_path, "--token-file", file)
    assert refused.exit_code == 2
    assert "openssl rand" in refused.output
    assert not token or token not in refused.output


def test_what_cannot_be_had_is_told_before_the_model_is_read(cli: Callable[..., Any], tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = cli("serve", tmp_path, "--port", taken.getsockname()[1])
    assert refused.exit_code == 2
    assert "cannot be had" in refused.output
    assert "--port" in refused.output
    assert "--watch looks at a folder" in cli("serve", "org/name", "--watch").output
    assert ".jsonl" in cli("serve", tmp_path, "--port", 0, "--corrections", tmp_path / "c.csv").output
    assert "token" in cli("serve", tmp_path, "--token-file", tmp_path / "none").output


@pytest.mark.parametrize(
    ("option", "given"),
    [
        ("--allow-host", "https://tickets.example"), ("--allow-host", "tickets.example:443"), ("--allow-host", ""),
        ("--allow-host", "*.example"), ("--allow-origin", "tickets.example"), ("--allow-origin", "https://x.example/a"),
        ("--name", "a/b"), ("--name", ".."), ("--name", "a\nb"), ("--timeout", "inf"), ("--timeout", "nan"),
    ],
)  # fmt: skip
def test_an_option_that_would_do_nothing_is_told_at_once(
    cli: Callable[..., Any], tmp_path: Path, option: str, given: str
):
    refused = cli("serve", tmp_path, "--port", 0, option, given)
    assert refused.exit_code == 2
    assert option in refused.output


def test_names_and_sites_are_known_as_browsers_write_them():
    names = ["Tickets.Example", "::1", "10.0.0.1", "*"]
    assert checked_hosts(names) == ["tickets.example", "::1", "10.0.0.1", "*"]
    assert checked_origins(["https://App.Example:8443/", "*"]) == ["https://app.example:8443", "*"]


def test_without_the_extra_it_says_which(cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for library in ("uvicorn", "prometheus_client"):
        monkeypatch.setitem(sys.modules, library, None)
    refused = cli("serve", tmp_path)
    assert refused.exit_code == 2
    assert "extra `serve`" in refused.output
    assert "pip install uvicorn prometheus_client" in " ".join(refused.output.split())
