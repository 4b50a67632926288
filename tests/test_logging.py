"""One root for all loggers of ours, so that a user turns them up, down and elsewhere in one line."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("package", ["hierarchy", "stages", "pipelines"])
def test_every_logger_is_below_coarsefine(package):
    for file in (ROOT / package).rglob("*.py"):
        named = re.findall(r"^logger = logging\.getLogger\((.*)\)", file.read_text(encoding="utf-8"), re.M)
        assert set(named) <= {'f"coarsefine.{__name__}"'}, file
