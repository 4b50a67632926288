"""Tables of speed: what the service costs, what a mixed load did to it, and what computes an encoder."""

import json
from collections.abc import Callable
from typing import Any

from cells import NO_RESULTS, RESULTS, markdown

Cell = Callable[[dict[str, Any]], str]


def serving() -> str:
    """Figures of `serving.py`, a column a model."""
    rows: list[tuple[str, Cell]] = [("offline `predict`: CPU ms a document", lambda f: f"{f['offline_cpu_ms']:.2f}")]
    for side in ("several", "single"):
        rows += [
            (f"{_asked(side)}: CPU a document, by offline", lambda f, s=side: f"{f[s]['cpu_by_offline']:.2f}"),
            ("documents a second", lambda f, s=side: f"{f[s]['documents_per_second']:,.0f}"),
            ("p50 / p99 of a request, ms", lambda f, s=side: f"{f[s]['p50_ms']:.0f} / {f[s]['p99_ms']:.0f}"),
        ]
    rows += [
        ("one client, one text a request: p50, ms", lambda f: f"{f['lone']['p50_ms']:.1f}"),
        ("the same answer within the process, ms", lambda f: f"{f['lone']['offline_p50_ms']:.1f}"),
        ("the service's share, ms", lambda f: f"{f['lone']['more_ms']:.1f}"),
    ]
    return _table("serving", rows)


def mixed_load() -> str:
    """Figures of `serving.py --minutes`, a column a model."""
    return _table("mixed_load", [
        ("minutes, clients", lambda f: f"{f['seconds'] / 60:g}, {f['clients']}"),
        ("requests", lambda f: f"{sum(f['requests'].values()):,}"),
        ("of them answered", lambda f: f"{f['statuses'].get('200', 0):,}"),
        ("refused (400, 413, 422)", lambda f: f"{sum(f['statuses'].get(s, 0) for s in ('400', '413', '422')):,}"),
        ("too much at once (429)", lambda f: f"{f['statuses'].get('429', 0)}"),
        ("too late (503)", lambda f: f"{f['statuses'].get('503', 0)}"),
        ("cancelled by the client", lambda f: f"{f['requests']['cancelled']:,}"),
        ("lost, crossed, any other status", lambda f: f"{f['lost']}, {f['crossed']}, {sum(f['unexpected'].values())}"),
        ("largest difference of a probability", lambda f: f"{f['largest_difference']:.2g}, bound {f['bound']:.2g}"),
        ("requests with short texts: p50 / p99, ms", lambda f: f"{f['p50_ms']:.0f} / {f['p99_ms']:.0f}"),
        ("memory, MiB: at the start, second tenth, last tenth, peak",
         lambda f: ", ".join(f"{mib:,.0f}" for mib in f["memory_mib"].values())),
    ])  # fmt: skip


def runtimes() -> str:
    """Figures of `runtimes.py`: a row for each data set and what computes its encoder, best batch of the pipeline."""
    rows = []
    for file in sorted(RESULTS.glob("runtimes-*.json")):
        record = json.loads(file.read_text(encoding="utf-8"))
        figures, flags = record["figures"], record["figures"]["flags"]
        where = f"{record['settings']['dataset']}, {flags[0] if flags else record['machine']['processor']}"
        pipelines = {n: own["encoder"] for n, own in figures["speed"].items() if n not in figures["sides"]}
        plain = max(pipelines, key=lambda n: pipelines[n])
        for name in (*figures["sides"], plain):
            speed, side = figures["speed"][name], figures["sides"].get(name, {})
            rows.append([
                where, name, f"{speed['encoder']:,.0f}", f"{speed['encoder_ratio']:.2f}",
                f"{speed['predict_ratio']:.2f}" if "predict_ratio" in speed else "",
                f"{100 * side['accuracy']:.2f}" if side else "", f"{side['ece']:.4f}" if side else "",
                f"{side['disk_mb']:.0f}" if side else "", f"{side['seconds']:.1f}" if "seconds" in side else "",
                f"{side['memory_mib']:.0f}" if "memory_mib" in side else "",
            ])  # fmt: skip
    head = [
        "data, processor", "computed by", "tokens a second", "by torch float32", "whole `predict`", "accuracy, %",
        "ECE", "MB on disk", "to the first answer, s", "memory, MiB",
    ]  # fmt: skip
    return markdown(head, *rows) if rows else NO_RESULTS


def _asked(side: str) -> str:
    return f"32 clients, {'16 texts' if side == 'several' else 'one text'} a request"


def _table(name: str, rows: list[tuple[str, Cell]]) -> str:
    files = sorted(RESULTS.glob(f"{name}-*.json"))
    if not files:
        return NO_RESULTS
    records = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    head = ["", *(f"{r['settings']['dataset']}, {r['figures']['encoder'] or 'n-grams alone'}" for r in records)]
    return markdown(head, *([what, *(cell(r["figures"]) for r in records)] for what, cell in rows))
