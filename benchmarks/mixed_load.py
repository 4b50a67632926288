"""What a service makes of all that comes at once: short, long, empty, invalid, cancelled and oversized requests.

Every answer is compared with that of offline `predict`: the same label (or another one that is as probable), the
probability within the bound of its arithmetic (docs/how-it-works.md). Where it is not, the answer is crossed; a request
without one is lost.
"""

import http.client
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

from harness import print_table
from service_process import Client, ServiceProcess, answers_in, request

if TYPE_CHECKING:
    from pipelines.model.model import Model

CLIENTS = 12
SHORT_TEXTS, LONG_TEXTS = 1_000, 3
LONG_WORDS = 50_000  # as many tokens, or more
# How often each kind comes. A long text takes as long as thousands of short ones: of more, all others would only wait.
KINDS = {"several": 200, "single": 150, "empty": 50, "invalid": 50, "cancelled": 30, "oversized": 19, "long": 1}
INVALID = (b"{", b"[]", b'{"texts": "one"}', b'{"texts": [1]}', b'{"texts": ["a"], "top_k": 0}', b"\xff")
OVERSIZED_BYTES, OVERSIZED_TEXTS = 9 << 20, 1_001
LOST, GONE = -1, 0  # in place of a status: no answer came, or none was waited for
EXPECTED = {kind: {200} for kind in KINDS} | {"invalid": {400, 422}, "oversized": {413}, "cancelled": {GONE}}
BUSY = {429, 503}  # may be the answer to anything
BOUNDS = {"float32": 1e-5, "bfloat16": 0.03, "int8": 1e-3}
ROUNDING = 1e-6  # answers have six digits
EVERY = 0.5  # seconds between two looks at the memory


@dataclass
class Found:
    """What has come back, counted by all clients, one at a time."""

    requests: Counter[str] = field(default_factory=Counter)  # by kind
    statuses: Counter[int] = field(default_factory=Counter)
    unexpected: Counter[str] = field(default_factory=Counter)  # kind and status
    crossed: int = 0
    ties: int = 0  # other labels, as probable
    largest_difference: float = 0.0
    seconds: list[float] = field(default_factory=list)  # of requests with short texts
    alone: threading.Lock = field(default_factory=threading.Lock)


def mixed_load(
    model: "Model", service: ServiceProcess, texts: list[str], *, seconds: float, dtype: str
) -> dict[str, Any]:
    """Let clients ask for everything at random.

    Parameters
    ----------
    model
        For offline.
    service
        Which is asked.
    texts
        Short documents; long ones are made of them.
    seconds
        How long.
    dtype
        Arithmetic of the model.
    """
    from pipelines.serving.answers import answers

    draw = random.Random(0)  # noqa: S311 - no secrets
    words = " ".join(texts).split()
    texts = texts[:SHORT_TEXTS]
    long = [" ".join(draw.choices(words, k=LONG_WORDS)) for _ in range(LONG_TEXTS)]
    pools = {"empty": ["", "  \n"], "long": long}
    asked = [*texts, *pools["empty"], *long]
    known = dict(zip(asked, answers(model, asked), strict=True))
    bound, found, over = BOUNDS[dtype] + ROUNDING, Found(), time.monotonic() + seconds

    def ask(seed: int) -> None:
        client, draw = Client(service.port), random.Random(seed)  # noqa: S311
        while time.monotonic() < over:
            [kind] = draw.choices([*KINDS], [*KINDS.values()])
            some = draw.choices(pools.get(kind, texts), k=draw.randint(2, 16) if kind in ("several", "empty") else 1)
            started = time.perf_counter()
            status, body = _sent(client, kind, some, draw)
            with found.alone:
                found.requests[kind] += 1
                found.statuses[status] += 1
                if status not in EXPECTED[kind] | BUSY:
                    found.unexpected[f"{kind}: {status}"] += 1
                if kind in ("several", "single"):
                    found.seconds.append(time.perf_counter() - started)
                if status == 200:
                    _compare(found, [known[text] for text in some], answers_in(body), bound)
        client.close()

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(CLIENTS)]
    memory = [service.memory_mib]
    for thread in threads:
        thread.start()
    while time.monotonic() < over:
        time.sleep(EVERY)
        memory.append(service.memory_mib)
    for thread in threads:
        thread.join()
    tenth = len(memory) // 10
    return {
        "seconds": seconds,
        "clients": CLIENTS,
        "requests": {kind: found.requests[kind] for kind in KINDS},
        "statuses": {str(status): n for status, n in sorted(found.statuses.items()) if status > 0},
        "lost": found.statuses[LOST],
        "crossed": found.crossed,
        "ties": found.ties,
        "unexpected": dict(found.unexpected),
        "bound": bound,
        "largest_difference": found.largest_difference,
        "p50_ms": 1000 * median(found.seconds),
        "p99_ms": 1000 * sorted(found.seconds)[int(0.99 * len(found.seconds))],
        "memory_mib": {
            "start": memory[0], "second_tenth": median(memory[tenth : 2 * tenth + 1]),
            "last_tenth": median(memory[-tenth - 1 :]), "peak": max(memory),
        },
    }  # fmt: skip


def _sent(client: Client, kind: str, texts: list[str], draw: random.Random) -> tuple[int, bytes]:
    """Ask, and return status and body of the answer."""
    body = request(texts)
    if kind == "invalid":
        body = draw.choice(INVALID)
    elif kind == "oversized":
        body = draw.choice([request(texts * OVERSIZED_TEXTS), b" " * OVERSIZED_BYTES])
    try:
        if kind == "cancelled":
            client.hang_up(body)
            return GONE, b""
        return client.ask(body)
    except (OSError, http.client.HTTPException):
        client.close()
        # What is too large is refused before all of it is sent, so that the refusal itself may be lost to a client.
        return (413 if kind == "oversized" else LOST), b""


def _compare(found: Found, right: list[dict[str, Any]], answers: list[dict[str, Any]], bound: float) -> None:
    """Count the answers that are others than offline."""
    found.crossed += abs(len(right) - len(answers))
    for ours, theirs in zip(right, answers, strict=False):
        offline = {path["label"]: path["probability"] for path in ours["paths"]}.get(theirs["label"], 0.0)
        difference = abs(theirs["probability"] - offline)
        is_tie = ours["probability"] - offline <= bound
        found.ties += is_tie and ours["label"] != theirs["label"]
        found.crossed += difference > bound or not is_tie
        found.largest_difference = max(found.largest_difference, difference)


def show_mixed_load(figures: dict[str, Any]) -> None:
    """Print what came back."""
    memory = figures["memory_mib"]
    print_table(
        "Mixed load",
        ("what", "figure", "wanted"),
        [
            ("requests", f"{sum(figures['requests'].values()):,}", ""),
            *((f"answered with {status}", f"{n:,}", "") for status, n in figures["statuses"].items()),
            ("lost", f"{figures['lost']}", "0"),
            ("crossed", f"{figures['crossed']}", "0"),
            ("another label that is as probable", f"{figures['ties']}", ""),
            ("unexpected", ", ".join(f"{n} x {what}" for what, n in figures["unexpected"].items()) or "0", "0"),
            ("largest difference of a probability", f"{figures['largest_difference']:.2g}", f"{figures['bound']:.2g}"),
            ("short texts, p50 / p99 ms", f"{figures['p50_ms']:.0f} / {figures['p99_ms']:.0f}", ""),
            *((f"memory, {when}, MiB", f"{mib:.0f}", "") for when, mib in memory.items()),
        ],
    )
