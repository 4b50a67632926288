"""What `/openapi.json` says is what the service does: requests that fit it, and requests that nearly do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from pipelines.serving.http.corrections import Corrections

EXAMPLES = 20  # of each operation in each mode
BEYOND_A_SCHEMA = [positive_data_acceptance]  # that a label is known, that there are texts or a text, and not both


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
def test_the_service_does_what_it_says(client: Callable[..., Any], tmp_path: Path, mode: GenerationMode):
    ours = client(corrections=Corrections(tmp_path / "corrections.jsonl"), hosts=["*"])
    operations = [
        found.ok() for found in schemathesis.openapi.from_asgi("/openapi.json", ours.app).get_all_operations()
    ]
    if mode == GenerationMode.NEGATIVE:
        operations = [operation for operation in operations if operation.body]  # without one nothing can be wrong
    assert operations
    for operation in operations:

        @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), derandomize=True)
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: Any) -> None:
            case.call_and_validate(excluded_checks=BEYOND_A_SCHEMA)

        check()


def test_what_the_documentation_tries_first_is_answered(client: Callable[..., Any]):
    ours = client()
    described = ours.get("/openapi.json").json()
    tried = 0
    for path, methods in described["paths"].items():
        if path == "/corrections" or "post" not in methods:  # which label is right depends on the model
            continue
        body = methods["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        info = ours.get("/info").json()
        place = path.format(name=info["name"], version=info["version"])
        (example,) = described["components"]["schemas"][body]["examples"]
        assert ours.post(place, json=example).status_code == 200, path
        tried += 1
    assert tried == 4
