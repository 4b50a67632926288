"""A service in a process of its own, and a client of it: what `serving.py` and `mixed_load.py` share."""

import http.client
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
from harness import ROOT

READY = re.compile(r"ready at http://127\.0\.0\.1:(\d+)")
PATIENCE = 300  # seconds until it is ready, or has ended
JSON = {"Content-Type": "application/json"}


class ServiceProcess:
    """``coarsefine serve`` at a free port, for as long as a ``with`` block lasts.

    Parameters
    ----------
    model
        Folder of the model.
    log
        File for what it says.
    """

    def __init__(self, model: Path, log: Path) -> None:
        self.model, self.log = model, log

    def __enter__(self) -> "ServiceProcess":
        command = [sys.executable, "-m", "coarsefine", "serve", str(self.model), "--port", "0"]
        environment = {name: value for name, value in os.environ.items() if name != "COARSEFINE_TOKEN"}
        with self.log.open("w") as stream:
            self._started = subprocess.Popen(command, cwd=ROOT, stderr=stream, env=environment)
        self._process = psutil.Process(self._started.pid)
        end = time.monotonic() + PATIENCE
        while not (ready := READY.search(self.log.read_text(encoding="utf-8"))):
            if self._started.poll() is not None or time.monotonic() > end:
                self._started.kill()
                sys.exit(f"the service did not start: see {self.log}")
            time.sleep(0.1)
        self.port = int(ready[1])
        return self

    def __exit__(self, *_: object) -> None:
        self._started.terminate()
        self._started.wait(PATIENCE)

    @property
    def cpu_seconds(self) -> float:
        """What its process has computed so far."""
        times = self._process.cpu_times()
        return float(times.user + times.system)

    @property
    def memory_mib(self) -> float:
        """Resident memory of its process."""
        return float(self._process.memory_info().rss / 2**20)


class Client:
    """One connection that is kept, and opened again where the service has closed it.

    Parameters
    ----------
    port
        Of the service.
    """

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def ask(self, body: bytes, headers: dict[str, str] = JSON) -> tuple[int, bytes]:
        """Return status and body of the answer to ``POST /predict``."""
        self._connection.request("POST", "/predict", body, headers)
        response = self._connection.getresponse()
        return response.status, response.read()

    def hang_up(self, body: bytes) -> None:
        """Ask, and wait for no answer."""
        self._connection.request("POST", "/predict", body, JSON)
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def request(texts: list[str]) -> bytes:
    """Return the body that asks for texts."""
    return json.dumps({"texts": texts}, ensure_ascii=False).encode()


def answers_in(body: bytes) -> list[dict[str, Any]]:
    """Return the answers in a body."""
    found: list[dict[str, Any]] = json.loads(body)["answers"]
    return found
