"""A service around the small model of n-grams, asked through a client that needs no network."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.serving.http.limits import Limits


@pytest.fixture(scope="session")
def lexical_folder(fitted_lexical: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`fitted_lexical` as a folder. Tests that change it copy it first."""
    folder = tmp_path_factory.mktemp("lexical") / "shop"
    fitted_lexical.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def served(lexical_folder: Path) -> Any:
    from pipelines.serving.served_model import read_served

    return read_served(lexical_folder, name="shop", device=None)


@pytest.fixture
def client(served: Any) -> Iterator[Callable[..., Any]]:
    """Make a client of a service: limits and corrections by name, all else for the application."""
    from starlette.testclient import TestClient

    from pipelines.serving.http.app import make_app
    from pipelines.serving.http.service import Service

    services: list[Service] = []

    def make(*, corrections: Any = None, limits: dict[str, Any] | None = None, model: Any = served, **app: Any) -> Any:
        service = Service(model, Limits(**(limits or {})), corrections)
        service.start()
        services.append(service)
        made = TestClient(make_app(service, **app), base_url="http://localhost:8000")
        made.service = service  # type: ignore[attr-defined]
        return made

    yield make
    for service in services:
        service.close()
