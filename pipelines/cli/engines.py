"""Where a command does its work, as the options --engine, --processes and --address ask for it."""

from typing import Any

from pipelines.engines.engine import opened_engine


def engine_keywords(engine: str | None, processes: int | None, address: str | None) -> dict[str, Any]:
    """Return the keywords for who opens the engine; what makes no sense is told before documents are read."""
    name = engine or "local"
    opened_engine(name, processes=processes, address=address)  # opens it only once it is entered
    return {"engine": name, "processes": processes, "address": address}
