"""A trained model as a folder: JSON, YAML and safetensors, checksummed, written whole or not at all."""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError

from hierarchy.disk.manifests import MANIFEST
from hierarchy.disk.whole_files import cannot_write, checksum
from hierarchy.disk.whole_folders import whole_folder
from hierarchy.errors import ArtifactError
from pipelines.model.artifact.manifest import FORMAT_VERSION, METRICS, NEIGHBOURS, PROMISES, RECORD
from pipelines.model.artifact.replacement import foreign, model_place
from pipelines.model.artifact.saved_settings import description
from pipelines.model.model import Model

CASCADE = ("threshold", "routing", "points", "delta", "documents", "answered")  # of it, beside its fusion
logger = logging.getLogger(f"coarsefine.{__name__}")


def save_model(model: Model, folder: Path, *, metrics: Mapping[str, Any] | None, card: str) -> None:
    """Write `model` to `folder`, replacing what an earlier save left there and keeping what is not the model's.

    At any moment there is the earlier model or the new one, whole: see `hierarchy.disk.whole_folders.whole_folder`.

    Parameters
    ----------
    model
        To be saved.
    folder
        Where to.
    metrics
        Figures of an evaluation, for ``metrics.json``.
    card
        Text of the model card.

    Raises
    ------
    ArtifactError
        `folder` cannot be replaced (see `pipelines.model.artifact.replacement.check_replaceable`), or written; it is
        left alone.
    BusyError
        Another process writes a model there.
    """
    try:
        with model_place(folder), whole_folder(folder, lambda: foreign(folder)) as part:
            sizes = _write(model, part, metrics, card)
    except (OSError, SafetensorError) as error:
        raise ArtifactError(
            f"{cannot_write(folder, error)}; with a run folder, the same training goes on from what it finished"
        ) from error
    kept = f", {sizes[NEIGHBOURS]:.1f} MB of it vectors of training documents" if NEIGHBOURS in sizes else ""
    logger.info("model: %.1f MB in %s%s", sum(sizes.values()), folder, kept)


def _write(model: Model, folder: Path, metrics: Mapping[str, Any] | None, card: str) -> dict[str, float]:
    """Write the files of a model, and return how many megabytes each has."""
    from safetensors.numpy import save_file

    config = {
        "format": "coarsefine/model",
        "format_version": FORMAT_VERSION,
        "settings": description(model.settings),
        "id2label": {str(i): label for i, label in enumerate(model.label_ids)},
        "label2id": {label: i for i, label in enumerate(model.label_ids)},
        "groups": list(model.group_ids),
    }
    if model.words:
        config["words"] = dict(model.words)
    _write_json(folder / "config.json", config)
    _write_json(folder / RECORD, model.record)
    model.taxonomy.to_yaml(folder / "taxonomy.yaml")
    router = model.router
    tensors = {"group_of": model.space.group_of, "train_counts": model.train_counts, "valid_keys": model.valid_keys}
    if router.neural is not None:
        tensors |= router.neural.tensors("neural")
    if router.lexical is not None and router.group_rows is not None and model.extractor.vectorizer is not None:
        tensors |= router.lexical.tensors("lexical") | router.group_rows.tensors("group_ngrams")
        tensors["idf"] = model.extractor.vectorizer.idf
        _write_json(folder / "vocabulary.json", model.extractor.vectorizer.vocabulary)
    if model.extractor.neural is not None:
        neural = model.extractor.neural
        tensors |= {f"document_model.{name}": array for name, array in neural.document_model.state().items()}
        neural.encoder.save(folder / "encoder")
        for encoder in neural.fine_encoders or ():
            if encoder is not neural.encoder:
                encoder.save(folder / "encoder_pretrained")
    contents = {"model.safetensors": tensors}
    if model.neighbours is not None:
        contents[NEIGHBOURS] = model.neighbours.tensors()
    for name, arrays in contents.items():
        save_file({key: np.ascontiguousarray(array) for key, array in arrays.items()}, folder / name)
        # It comes out private: as readable as the other files.
        (folder / name).chmod((folder / "taxonomy.yaml").stat().st_mode)
    fusions = {name: asdict(fusion) for name, fusion in router.fusions.items()}
    weights: dict[str, Any] = {"coarse": asdict(router.coarse_fusion), "fine": fusions}
    if model.cascade is not None:
        own = model.cascade.router
        limits = {name: getattr(model.cascade, name) for name in CASCADE}
        weights["cascade"] = {"coarse": asdict(own.coarse_fusion), "fine": asdict(own.fusions["full"]), **limits}
    _write_json(folder / "router.json", weights)
    if model.promises is not None:
        _write_json(folder / PROMISES, model.promises.as_dict())
    if metrics is not None:
        _write_json(folder / METRICS, metrics)
    (folder / "README.md").write_text(card, encoding="utf-8", errors="backslashreplace")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    digests = {path.relative_to(folder).as_posix(): checksum(path) for path in files}
    _write_json(folder / MANIFEST, {"sha256": digests})
    return {name: (folder / name).stat().st_size / 1e6 for name in digests}


def _write_json(file: Path, content: Any) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=1, default=str, allow_nan=False)
    # A path can hold bytes that are no text: JSON has an escape for them.
    file.write_text(text, encoding="utf-8", errors="backslashreplace")
