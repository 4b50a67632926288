"""What folds, trials and shards are kept for: code, libraries, encoders and functions as they are, not as named."""

import importlib
import shutil
import sys

import pytest

from hierarchy.errors import ConfigError
from pipelines.model import provenance as made_by
from pipelines.model.provenance import SameVersions, code_and_libraries, encoder_contents, function_sources
from stages.coarse.encoder import Encoder


def test_any_change_of_the_code_is_seen(tmp_path):
    for package in made_by.PACKAGES:
        shutil.copytree(made_by.HOUSE / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    assert made_by._code(tmp_path) == code_and_libraries()["code"]
    changed = tmp_path / "stages" / "fine" / "rows.py"
    changed.write_text(changed.read_text(encoding="utf-8").replace("0.01", "0.02", 1), encoding="utf-8")
    assert made_by._code(tmp_path) != code_and_libraries()["code"]


def test_versions_are_those_that_are_installed(monkeypatch):
    import sklearn

    found = code_and_libraries()
    assert found["scikit-learn"] == sklearn.__version__
    assert None not in found.values()
    assert made_by.library_version("no-such-library") is None


def test_work_is_refused_where_versions_are_others(monkeypatch):
    work = SameVersions(lambda: "done")
    assert work() == "done"
    monkeypatch.setattr(made_by, "code_and_libraries", lambda: {**work.versions, "code": "of another day"})
    with pytest.raises(ConfigError, match="another version of: code; install the same on all machines"):
        work()


def test_encoders_are_known_by_content(tiny_encoder, wide_encoder, tmp_path):
    folder = tmp_path / "encoder"
    Encoder.from_pretrained(tiny_encoder).save(folder)
    name = str(folder)
    one = encoder_contents([name, None, "none"])
    assert one == {name: encoder_contents([tiny_encoder])[tiny_encoder]}
    shutil.rmtree(folder)
    Encoder.from_pretrained(wide_encoder).save(folder)
    assert encoder_contents([name]) != one
    shutil.rmtree(folder)
    assert encoder_contents([name]) == {name: None}


def test_functions_are_known_by_their_module(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    sources = []
    for word in ("one", "two"):
        (tmp_path / "rewriting.py").write_text(f"WORD = {word!r}\n\ndef swap(text, random):\n    return WORD\n")
        sys.modules.pop("rewriting", None)
        importlib.invalidate_caches()
        sources.append(function_sources(["rewriting:swap", None]))
    sys.modules.pop("rewriting")
    assert sources[0].keys() == {"rewriting:swap"}
    assert None not in sources[0].values()
    assert sources[0] != sources[1]
    assert function_sources(["no_such_module:swap", "math:sqrt"]) == {"no_such_module:swap": None, "math:sqrt": None}
