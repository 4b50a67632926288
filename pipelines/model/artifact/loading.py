"""A saved model read back: everything that it holds is checked against everything else before any of it is used."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hierarchy.disk.manifests import MANIFEST
from hierarchy.errors import ArtifactError, ConfigError, TaxonomyError, need
from hierarchy.taxonomy import Taxonomy
from pipelines.data.label_words import word_problem
from pipelines.model.artifact.loading_neural import DOCUMENT_MODEL, load_neural, reads_pretrained
from pipelines.model.artifact.manifest import (
    FORMAT_VERSION,
    METRICS,
    NEIGHBOURS,
    PROMISES,
    RECORD,
    check_complete,
    check_manifest,
    read_model_json,
    stamp,
)
from pipelines.model.artifact.saved_settings import settings_of_model
from pipelines.model.artifact.schemas.checking import REMEDY, checked, refusing
from pipelines.model.artifact.schemas.model import SavedCascade, SavedConfig, SavedRouter, SavedVocabulary
from pipelines.model.artifact.schemas.record import SavedRecord
from pipelines.model.model import Model
from pipelines.model.neighbours import Neighbours
from pipelines.promises.promises import Promises
from pipelines.settings import Settings
from stages.arrays import Array, check_arrays, read_arrays, row_arrays
from stages.coarse.exported_encoder import FILES, is_exported
from stages.features import FeatureExtractor
from stages.fine.ngrams import NgramVectorizer
from stages.fine.opinion import NgramOpinion
from stages.fine.rows import Rows
from stages.label_space import LabelSpace
from stages.router.cascade import Cascade
from stages.router.router import Fusion, Router

TRIES = 3  # where another process puts a new model in its place while it is read
logger = logging.getLogger(f"coarsefine.{__name__}")


def load_model(folder: Path, *, device: str | None = None) -> tuple[Model, Any]:
    """Read a model, and its metrics as they stand: `EvaluationReport.from_dict` checks them for who uses them.

    Parameters
    ----------
    folder
        As `pipelines.model.artifact.saving.save_model` wrote it. Where it is exchanged meanwhile, the new model is
        read.
    device
        Torch device for the neural parts; None takes a GPU where there is one.

    Raises
    ------
    ArtifactError
        The folder is no model, a file is missing or damaged, what the files hold does not fit together, or the format
        is newer than this version reads.
    ConfigError
        The device cannot be used.
    """
    if device not in (None, "cpu"):  # also where the model has no neural parts
        need("torch", what="a device is one of torch")
        from stages.machine import device_of

        device_of(device)
    for _ in range(TRIES):
        before = stamp(folder, MANIFEST)
        try:
            listed = check_manifest(folder)
            loaded = _read(folder, listed, device)
        except ArtifactError:
            if stamp(folder, MANIFEST) == before:
                raise
        else:
            if stamp(folder, MANIFEST) == before and all(stamp(folder, name) == one for name, one in listed.items()):
                return loaded
        logger.info("%s has changed while it was read: reading it again", folder)
    raise ArtifactError(f"{folder} changes again and again while it is read: try again when nobody writes to it")


def _read(folder: Path, listed: Mapping[str, Any], device: str | None) -> tuple[Model, Any]:
    check_complete(listed, ["config.json", RECORD], listed, folder / MANIFEST)
    config = _config(folder)
    record = read_model_json(folder, RECORD)
    checked(SavedRecord, record, folder / RECORD)
    settings = _settings(config, record, folder)
    _check_listed(listed, settings, folder)
    taxonomy = _taxonomy(folder)
    vocabulary = []
    if settings.lexical:
        content = read_model_json(folder, "vocabulary.json")
        vocabulary = checked(SavedVocabulary, content, folder / "vocabulary.json").root
    sizes = {"labels": len(config.id2label), "groups": len(config.groups), "n-grams": len(vocabulary)}
    tensors = read_arrays(folder / "model.safetensors", remedy=REMEDY)
    expected = _arrays(settings, tensors)
    sizes = check_arrays(tensors, expected, sizes, where=str(folder / "model.safetensors"), remedy=REMEDY)
    space = LabelSpace(config.label_ids, tuple(config.groups), tensors["group_of"])
    _check_tree(space, taxonomy, folder)
    weights = checked(SavedRouter, read_model_json(folder, "router.json"), folder / "router.json")
    router = _router(weights, settings, space, tensors)
    vectorizer = NgramVectorizer(vocabulary, tensors["idf"]) if settings.lexical else None
    neural = None
    if settings.encoder != "none":
        opinion = None
        if vectorizer is not None and router.group_rows is not None:
            opinion = NgramOpinion(vectorizer, router.group_rows)
        neural = load_neural(folder, listed, settings, tensors, sizes, device, opinion=opinion)
    model = Model(
        settings=settings,
        taxonomy=taxonomy,
        train_counts=tensors["train_counts"],
        extractor=FeatureExtractor(
            neural=neural,
            vectorizer=vectorizer,
        ),
        router=router,
        record=record,
        valid_keys=tensors["valid_keys"],
        promises=_promises(folder, len(config.groups)) if PROMISES in listed else None,
        cascade=None if weights.cascade is None else _cascade(weights.cascade, router, folder),
        neighbours=_neighbours(folder, sizes) if NEIGHBOURS in listed else None,
        words=config.words,
    )
    return model, read_model_json(folder, METRICS) if METRICS in listed else None


def _config(folder: Path) -> SavedConfig:
    file = folder / "config.json"
    content = read_model_json(folder, file.name)
    version = content.get("format_version") if isinstance(content, dict) else None
    if isinstance(version, int) and version < FORMAT_VERSION:
        raise ArtifactError(
            f"{folder} has format version {version}, whose n-grams this coarsefine does not read "
            f"(it reads {FORMAT_VERSION}): train again"
        )
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise ArtifactError(
            f"{folder} has format version {version} and this coarsefine reads up to {FORMAT_VERSION}: update coarsefine"
        )
    config = checked(SavedConfig, content, file)
    problem = word_problem(config.words, config.label_ids)
    if problem:
        raise ArtifactError(f"the words of the labels contradict the model: {problem}: {REMEDY}", str(file))
    return config


def _settings(config: SavedConfig, record: Mapping[str, Any], folder: Path) -> Settings:
    try:
        return settings_of_model(config.settings, where=str(folder / "config.json"))
    except ConfigError as error:
        made = record["versions"].get("coarsefine", "unknown")
        remedy = f"(the model was made by coarsefine {made}): use that version, or train again"
        raise ArtifactError([f"{problem} {remedy}" for problem in error.problems], error.where) from None


def _check_listed(listed: Mapping[str, Any], settings: Settings, folder: Path) -> None:
    needed = {"config.json", RECORD, "taxonomy.yaml", "router.json", "model.safetensors"}
    allowed = {PROMISES, METRICS, "README.md"}
    if settings.lexical:
        needed.add("vocabulary.json")
    parts = [] if settings.encoder == "none" else ["encoder", *["encoder_pretrained"] * reads_pretrained(settings)]
    if parts:
        allowed.add(NEIGHBOURS)
    for part in parts:
        if is_exported(listed, "encoder"):
            needed |= {f"{part}/{name}" for name in FILES}
        else:
            needed.add(f"{part}/config.json")
            allowed.add(f"{part}/")
    check_complete(listed, needed, allowed, folder / MANIFEST)


def _taxonomy(folder: Path) -> Taxonomy:
    try:
        return Taxonomy.from_yaml(folder / "taxonomy.yaml")
    except TaxonomyError as error:
        raise ArtifactError([f"{problem}: {REMEDY}" for problem in error.problems], error.where) from error


def _check_tree(space: LabelSpace, taxonomy: Taxonomy, folder: Path) -> None:
    """Refuse labels and groups that the tree does not have, or has elsewhere."""
    of_tree = LabelSpace.of(taxonomy, space.label_ids).group_by_label
    problems = [
        f"{label!r} stands in the group {group!r} and in taxonomy.yaml in {of_tree.get(label)!r}"
        for label, group in space.group_by_label.items()
        if of_tree.get(label) != group
    ]
    if problems:
        raise ArtifactError([f"{problem}: {REMEDY}" for problem in problems], str(folder / "config.json"))


def _router(saved: SavedRouter, settings: Settings, space: LabelSpace, tensors: Mapping[str, np.ndarray]) -> Router:
    def rows(prefix: str) -> Rows | None:
        return Rows.from_tensors(tensors, prefix) if f"{prefix}.bias" in tensors else None

    return Router(
        space=space,
        neural=rows("neural"),
        lexical=rows("lexical"),
        group_rows=rows("group_ngrams"),
        coarse_fusion=Fusion(**dict(saved.coarse)),
        fusions={name: Fusion(**dict(weights)) for name, weights in saved.fine.items()},
        neural_margins=settings.mode == "chained",
    )


def _cascade(saved: SavedCascade, router: Router, folder: Path) -> Cascade:
    if router.neural is None or router.lexical is None:
        raise ArtifactError(
            f"cascade: the model has no {'n-grams' if router.lexical is None else 'encoder'}: {REMEDY}",
            str(folder / "router.json"),
        )
    limits = dict(saved)
    coarse, fine = (Fusion(**dict(limits.pop(name))) for name in ("coarse", "fine"))
    return Cascade(replace(router, neural=None, coarse_fusion=coarse, fusions={"full": fine}), **limits)


def _promises(folder: Path, groups: int) -> Promises:
    content = read_model_json(folder, PROMISES)
    with refusing(folder / PROMISES):
        promises = Promises.from_dict(content)
    limits = promises.conformal.groups
    if limits is not None and len(limits) != groups:
        raise ArtifactError(
            f"conformal.groups: it has {len(limits)} limits, and the model {groups} groups: {REMEDY}",
            str(folder / PROMISES),
        )
    return promises


def _arrays(settings: Settings, tensors: Mapping[str, np.ndarray]) -> dict[str, Array]:
    """Specify ``model.safetensors``; the tensors of the document model are compared with the model itself later."""
    expected = {
        "group_of": Array("int64", ("labels",), below="groups", rising=True, complete=True),
        "train_counts": Array("int64", ("labels",), counts=True),
        "valid_keys": Array("uint64", ("validation documents",)),
    }
    if settings.encoder != "none":
        expected |= row_arrays("neural", rows="labels", columns="features", sparse=False)
        expected |= {
            name: Array("float32", array.shape) for name, array in tensors.items() if name.startswith(DOCUMENT_MODEL)
        }
    if settings.lexical:
        expected["idf"] = Array("float32", ("n-grams",))
        expected |= row_arrays("lexical", rows="labels", columns="n-grams", sparse=True)
        expected |= row_arrays("group_ngrams", rows="groups", columns="n-grams", sparse=True)
    return expected


def _neighbours(folder: Path, sizes: Mapping[str, int]) -> Neighbours:
    expected = {
        "vectors": Array("float16", ("documents", "features")),
        "rows": Array("int64", ("documents",), counts=True),
        "labels": Array("int64", ("documents",), below="labels"),
    }
    tensors = read_arrays(folder / NEIGHBOURS, remedy=REMEDY)
    check_arrays(tensors, expected, sizes, where=str(folder / NEIGHBOURS), remedy=REMEDY)
    return Neighbours(**tensors)
