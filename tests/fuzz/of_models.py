"""Saved models: damage under an honest manifest is never accepted, and what a stranger signed anew does no harm."""

import hashlib
import json
import shutil
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from safetensors import SafetensorError

from fuzz.cases import ACCEPTED, REFUSED, Target, Wrong
from fuzz.mutation import mutated, text
from fuzz.of_texts import check_probabilities
from fuzz.subjects import KINDS, PROBES, fitted, prepare, saved
from hierarchy.errors import ArtifactError, CoarsefineError

MANIFEST = "manifest.json"
OF_NGRAMS = ["config.json", "model.safetensors", "promises.json", "router.json", "run.json", "taxonomy.yaml",
             "vocabulary.json", "README.md"]  # fmt: skip
OF_ENCODER = ["encoder/config.json", "encoder/model.safetensors", "encoder/tokenizer.json",
              "encoder/tokenizer_config.json", "neighbours.safetensors"]  # fmt: skip


def _kind(rng: Random) -> str:
    return rng.choices(KINDS, [10, 1])[0]


def _make_damaged(rng: Random) -> dict[str, Any]:
    kind = _kind(rng)
    files = [*OF_NGRAMS, *(OF_ENCODER if kind == KINDS[1] else [])]
    return {"kind": kind, "file": rng.choice([*files, MANIFEST]), "seed": rng.randint(0, 2**40),
            "how": rng.choice(["bytes", "bytes", "bytes", "gone", "empty", "folder", "other", "more"])}  # fmt: skip


def _check_damaged(case: dict[str, Any], folder: Path) -> str:
    model = _copy(case["kind"], folder)
    file = model / case["file"]
    before = _content(file)
    _damage(file, case["how"], Random(case["seed"]))  # noqa: S311
    changed = _content(file) != before
    try:
        loaded = _load(model)
    except ArtifactError as error:
        if not changed:
            raise Wrong("a whole model is refused", error) from error
        return REFUSED
    if changed and case["file"] != MANIFEST:
        raise Wrong("a damaged model is accepted", case["file"])
    _same_answers(loaded, case["kind"])
    return ACCEPTED


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


def _damage(file: Path, how: str, rng: Random) -> None:
    if not file.is_file():
        return
    if how == "bytes":
        file.write_bytes(mutated(rng, file.read_bytes(), 2))
    elif how == "empty":
        file.write_bytes(b"")
    elif how == "other":
        file.write_bytes((file.parent / "config.json").read_bytes())
    elif how == "more":
        file.with_name("more.txt").write_text("not of the model", encoding="utf-8")
    else:
        file.unlink()
        if how == "folder":
            file.mkdir()


def _make_rewritten(rng: Random) -> dict[str, Any]:
    kind = _kind(rng)
    files = [*OF_NGRAMS[:-1], *(OF_ENCODER if kind == KINDS[1] else []), "config.json", "model.safetensors"]
    return {"kind": kind, "files": [rng.choice(files) for _ in range(rng.choice([1, 1, 1, 2]))],
            "seed": rng.randint(0, 2**40), "manifest": rng.random() < 0.1}  # fmt: skip


def _check_rewritten(case: dict[str, Any], folder: Path) -> str:
    model, rng = _copy(case["kind"], folder), Random(case["seed"])  # noqa: S311
    for name in case["files"]:
        if (model / name).is_file():
            _rewrite(model / name, rng)
    _sign(model)
    if case["manifest"]:
        _rewrite(model / MANIFEST, rng)
    try:
        loaded = _load(model)
    except ArtifactError:
        return REFUSED
    except CoarsefineError as error:
        raise Wrong(f"a wrong model is a {type(error).__name__}", error) from error
    return _answers(loaded, case["kind"])


def _answers(loaded: Any, kind: str) -> str:
    labels = len(loaded.classes_)
    try:
        check_probabilities(loaded.predict_proba(PROBES), (len(PROBES), labels))
        paths = loaded.predict_paths(PROBES, top_k=2)
        if any(not np.isfinite(path.probability) for found in paths for path in found):
            raise Wrong("a path has no finite probability", paths)
        loaded.explain(PROBES[0])
        if loaded.model_.promises is not None:
            loaded.predict_sets(PROBES)
    except CoarsefineError:
        return REFUSED
    return ACCEPTED


def _rewrite(file: Path, rng: Random) -> None:
    """Change what a file means and keep it a file of its kind, most of the time."""
    data = file.read_bytes()
    change = {".json": _other_json, ".safetensors": _other_tensors}.get(file.suffix)
    try:
        changed = mutated(rng, data, 2) if change is None or rng.random() < 0.15 else change(data, rng)
    except (ValueError, SafetensorError):  # it was changed before, and is no file of its kind any more
        changed = mutated(rng, data, 2)
    file.write_bytes(changed)


def _other_json(data: bytes, rng: Random) -> bytes:
    content = json.loads(data)
    for _ in range(rng.randint(1, 2)):
        content = _changed(content, rng)
    return json.dumps(content).encode()


def _changed(content: Any, rng: Random) -> Any:
    """Change one value somewhere inside of JSON."""
    if not isinstance(content, dict | list) or not content or rng.random() < 0.1:
        return _other_value(content, rng)
    keys: list[Any] = list(content) if isinstance(content, dict) else list(range(len(content)))
    key, kind = rng.choice(keys), rng.random()
    if kind < 0.15:
        del content[key]
    elif kind < 0.25 and isinstance(content, dict):
        content[text(rng)] = content[key]
    elif kind < 0.25:
        content.append(content[key])
    else:
        content[key] = _changed(content[key], rng)
    return content


def _other_value(value: Any, rng: Random) -> Any:
    near = [value + 1, -value, value * 2] if isinstance(value, int | float) else []
    hostile = [None, True, 0, -1, 1, 2.5, 1e308, float("nan"), float("inf"), 10**400, 2**63, "", "x", [], {}, [value],
               {"x": value}, "../../../etc/passwd", "/dev/zero", text(rng)]  # fmt: skip
    return rng.choice([*hostile, *near, *near])


def _other_tensors(data: bytes, rng: Random) -> bytes:
    from safetensors.numpy import load, save

    tensors = dict(load(data))
    for _ in range(rng.randint(1, 2)):
        name = rng.choice(sorted(tensors) or ["x"])
        kind = rng.random()
        if kind < 0.15:
            tensors.pop(name, None)
        elif kind < 0.25:
            tensors[rng.choice([text(rng)[:50], f"{name}x"])] = tensors.get(name, np.zeros(1))
        elif name in tensors:
            tensors[name] = np.ascontiguousarray(_other_array(tensors[name], rng))
    try:
        return save(tensors)
    except (ValueError, TypeError, UnicodeError):  # what the format cannot hold
        return data


def _other_array(array: np.ndarray, rng: Random) -> np.ndarray:
    kind = rng.random()
    if kind < 0.4 and array.size:
        changed = array.copy().reshape(-1)
        high = [0, 1, -1, 5, 1000, 2**31 - 1, -(2**31), 10**9]
        values = high if array.dtype.kind in "iu" else [*high, np.nan, np.inf, -np.inf, 1e30, 1e-45]
        with np.errstate(all="ignore"):
            changed[rng.choice([rng.randrange(changed.size), slice(None)])] = np.array(rng.choice(values)).astype(
                array.dtype
            )
        return changed.reshape(array.shape)
    if kind < 0.55:
        return array[: rng.randint(0, len(array))] if array.ndim else array.reshape(1)
    if kind < 0.65:
        return np.concatenate([array, array]) if array.ndim else array
    if kind < 0.8:
        with np.errstate(all="ignore"):
            return array.astype(rng.choice(["int8", "uint8", "int32", "int64", "uint64", "float16", "float64", "bool"]))
    if kind < 0.9:
        return array.reshape(1, -1) if rng.random() < 0.5 else array.reshape(-1)
    return np.zeros(rng.choice([(0,), (0, 0), (3,), (2, 3), (1, 1, 1), ()]), dtype=array.dtype)


def _sign(model: Path) -> None:
    files = [file for file in sorted(model.rglob("*")) if file.is_file() and file.name != MANIFEST]
    digests = {str(file.relative_to(model)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    whole = json.loads((model / MANIFEST).read_text(encoding="utf-8")) | {"sha256": digests}
    (model / MANIFEST).write_text(json.dumps(whole), encoding="utf-8")


def _copy(kind: str, folder: Path) -> Path:
    return Path(shutil.copytree(saved(kind), folder / "model"))


def _load(model: Path) -> Any:
    from pipelines.classifier import HierarchicalClassifier

    return HierarchicalClassifier.from_pretrained(model, device="cpu")


def _same_answers(loaded: Any, kind: str) -> None:
    if not np.array_equal(loaded.predict_proba(PROBES), fitted(kind).predict_proba(PROBES)):
        raise Wrong("a loaded model answers otherwise than the saved one")


MODELS = [
    Target("damaged-models", _make_damaged, _check_damaged, share=1, in_suite=120, prepare=prepare),
    Target("rewritten-models", _make_rewritten, _check_rewritten, share=4, in_suite=200, prepare=prepare),
]
