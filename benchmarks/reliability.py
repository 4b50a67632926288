"""Tables of docs/reliability.md: what the fuzzer tried, what killed runs ended with; `tables.py` writes them."""

import json
from collections.abc import Mapping
from typing import Any

from cells import NO_RESULTS, RESULTS, markdown


def fuzzed() -> str:
    """Count the inputs of each target of the fuzzer, and what came of them."""
    record = _record("fuzz")
    if record is None:
        return NO_RESULTS
    targets: dict[str, dict[str, Any]] = record["targets"]
    rows = [_fuzzed_row(name, figures) for name, figures in targets.items()]
    counts = {key: sum(one[key] for one in targets.values()) for key in ("inputs", "refused", "accepted", "findings")}
    most = {key: max(one[key] for one in targets.values()) for key in ("slowest_seconds", "peak_memory_mib")}
    together = counts | most | {"seconds": sum(one["seconds"] for one in targets.values())}
    head = ("target", "inputs", "refused", "accepted", "findings", "seconds", "slowest input, s", "peak memory, MiB")
    told = f"{record['minutes']} minutes, {record['jobs']} at once, seed {record['seed']}; {record['machine']}."
    return f"{markdown(head, *rows, _fuzzed_row('together', together))}\n\n{told}"


def killed() -> str:
    """Count the runs that were killed, and what the same command ended with afterwards."""
    keys = ("kills", "same_result", "other", "lost", "stale_locks")
    head = ("work", "killed", "kills", "same result", "another", "something lost", "stale locks")
    return _counted("kills", keys, head)


def disturbed() -> str:
    """Count the runs without space, permission or reader."""
    return _counted("disturbed", ("runs", "as_promised"), ("work", "disturbed by", "runs", "as promised"))


def _fuzzed_row(name: str, one: Mapping[str, Any]) -> list[str]:
    counts = [f"{one[key]:,}" for key in ("inputs", "refused", "accepted", "findings")]
    return [name, *counts, f"{one['seconds']:,.0f}", f"{one['slowest_seconds']:.1f}", f"{one['peak_memory_mib']:,}"]


def _counted(table: str, keys: tuple[str, ...], head: tuple[str, ...]) -> str:
    record = _record(table)
    if record is None:
        return NO_RESULTS
    rows = [[one["work"], one["how"], *(f"{one[key]:,}" for key in keys)] for one in record[table]]
    together = ["together", "", *(f"{sum(one[key] for one in record[table]):,}" for key in keys)]
    return f"{markdown(head, *rows, together)}\n\n{record['machine']}."


def _record(name: str) -> dict[str, Any] | None:
    file = RESULTS / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
