"""A trained model as a folder: JSON, YAML and safetensors, checksummed, written whole or not at all."""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError

from hierarchy.errors import ArtifactError, ConfigError
from hierarchy.taxonomy import Taxonomy
from pipelines.calibration import Fusion
from pipelines.evidence.neighbours import Neighbours
from pipelines.features import FeatureExtractor, NeuralFeatures
from pipelines.label_words import Word, word_problem
from pipelines.model import Model
from pipelines.model_settings import description, settings_of_model
from pipelines.router import Router
from pipelines.settings import Settings
from pipelines.trust.promises import Promises
from stages.fine.bank import HeadBank
from stages.lexical import NgramVectorizer
from stages.rows import Rows

if TYPE_CHECKING:
    from stages.coarse.encoder import Encoder

FORMAT_VERSION = 3  # 1 fused margins as they are; 1 and 2 had no n-grams of lone characters and of signs
MANIFEST = "manifest.json"
NEIGHBOURS = "neighbours.safetensors"
PROMISES, METRICS, RECORD = "promises.json", "metrics.json", "run.json"
logger = logging.getLogger(__name__)


def save_model(model: Model, folder: Path, *, metrics: Mapping[str, Any] | None, card: str) -> None:
    """Write `model` to `folder`, replacing what an earlier save left there.

    Everything is written to a temporary folder beside it, which then takes its name.

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
        `folder` holds something that is no model; it is left alone.
    """
    check_replaceable(folder)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    try:
        _write(model, part, metrics, card)
        if folder.exists():
            folder.replace(old)
        part.replace(folder)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException as error:
        if old.exists() and not folder.exists():
            old.replace(folder)
        shutil.rmtree(part, ignore_errors=True)
        if isinstance(error, OSError | SafetensorError):
            raise ArtifactError(
                f"the model cannot be written to {folder} ({error}): free some space or name another folder; with a "
                "run folder, the same training goes on from what it finished"
            ) from error
        raise
    _log_size(folder)


def check_replaceable(folder: Path) -> None:
    """Check that a model can be written to `folder`, before there is one.

    Raises
    ------
    ArtifactError
        It is a file, holds something that is no model, or cannot be made.
    """
    if folder.exists() and not folder.is_dir():
        raise ArtifactError(f"{folder} is a file: name a folder for the model")
    if folder.exists() and any(folder.iterdir()) and not (folder / MANIFEST).exists():
        raise ArtifactError(f"{folder} is not empty and holds no model: name a new folder, or empty this one")
    above = next(parent for parent in folder.absolute().parents if parent.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise ArtifactError(f"{folder} cannot be made, {above} is no folder or not writable: name another folder")


def load_model(folder: Path, *, device: str | None = None) -> tuple[Model, dict[str, Any] | None]:
    """Read a model and its metrics.

    Parameters
    ----------
    folder
        As `save_model` wrote it.
    device
        Torch device for the neural parts; None takes a GPU where there is one.

    Raises
    ------
    ArtifactError
        The folder is no model, a file is missing or damaged, or the format is newer than this version reads.
    """
    listed = check_manifest(folder)
    config = _read_json(folder / "config.json")
    if config["format_version"] < FORMAT_VERSION:
        raise ArtifactError(
            f"{folder} has format version {config['format_version']}, whose n-grams this coarsefine does not read "
            f"(it reads {FORMAT_VERSION}): train again"
        )
    if config["format_version"] > FORMAT_VERSION:
        raise ArtifactError(
            f"{folder} has format version {config['format_version']} and this coarsefine reads up to "
            f"{FORMAT_VERSION}: update coarsefine"
        )
    record = _read_json(folder / RECORD) if RECORD in listed else _older_record(config)
    try:
        settings = settings_of_model(config["settings"], where=str(folder / "config.json"))
    except ConfigError as error:
        made = record.get("versions", {}).get("coarsefine", "unknown")
        problems = [f"{problem} (the model was made by coarsefine {made})" for problem in error.problems]
        raise ArtifactError(
            [f"{problem}: use that version, or train again" for problem in problems], error.where
        ) from None
    tensors = _load_tensors(folder / "model.safetensors")
    label_ids = tuple(config["id2label"][str(i)] for i in range(len(config["id2label"])))
    group_of = tensors["group_of"]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(group_of))])
    fusion = _read_json(folder / "router.json")

    def bank(prefix: str) -> HeadBank | None:
        return HeadBank(Rows.from_tensors(tensors, prefix), offsets) if f"{prefix}.bias" in tensors else None

    vectorizer = None
    if settings.lexical:
        vectorizer = NgramVectorizer.from_state(_read_json(folder / "vocabulary.json"), tensors["idf"])
    neural = None
    if settings.encoder != "none":
        neural = _load_neural(folder, settings, tensors, device)
    model = Model(
        settings=settings,
        taxonomy=Taxonomy.from_yaml(folder / "taxonomy.yaml"),
        label_ids=label_ids,
        group_ids=tuple(config["groups"]),
        train_counts=tensors["train_counts"],
        extractor=FeatureExtractor(neural=neural, vectorizer=vectorizer),
        router=Router(
            group_of=group_of,
            neural=bank("neural"),
            lexical=bank("lexical"),
            group_rows=Rows.from_tensors(tensors, "group_ngrams") if "group_ngrams.bias" in tensors else None,
            coarse_fusion=Fusion(**fusion["coarse"]),
            fusions={name: Fusion(**values) for name, values in fusion["fine"].items()},
            neural_margins=settings.mode == "chained",
        ),
        record=record,
        valid_keys=tensors.get("valid_keys", np.empty(0, dtype=np.uint64)),  # older models have none
        promises=Promises.from_dict(_read_json(folder / PROMISES)) if PROMISES in listed else None,
        neighbours=Neighbours.from_tensors(_load_tensors(folder / NEIGHBOURS)) if NEIGHBOURS in listed else None,
        words=_words(config, label_ids, folder),
    )
    return model, _read_json(folder / METRICS) if METRICS in listed else None


def check_manifest(folder: Path) -> set[str]:
    """Compare every file with its checksum.

    Returns
    -------
    set[str]
        The files that belong to the model; what else lies in the folder is not read.

    Raises
    ------
    ArtifactError
        Names each file that is missing or damaged.
    """
    manifest = folder / MANIFEST
    if not manifest.exists():
        raise ArtifactError(
            f"{folder} holds no model ({MANIFEST} is missing): name the folder that `train` or save_pretrained wrote"
        )
    problems = []
    digests = _read_json(manifest)["sha256"]
    for name, digest in digests.items():
        file = folder / name
        if not file.is_file():
            problems.append(f"{file} is missing: copy the model again")
        elif _sha256(file) != digest:
            problems.append(f"{file} is damaged or was changed (SHA-256 differs from {MANIFEST}): copy the model again")
    if problems:
        raise ArtifactError(problems, where="damaged model")
    return set(digests)


def _write(model: Model, folder: Path, metrics: Mapping[str, Any] | None, card: str) -> None:
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
    tensors = {"group_of": router.group_of, "train_counts": model.train_counts, "valid_keys": model.valid_keys}
    if router.neural is not None:
        tensors |= router.neural.rows.tensors("neural")
    if router.lexical is not None and router.group_rows is not None and model.extractor.vectorizer is not None:
        tensors |= router.lexical.rows.tensors("lexical") | router.group_rows.tensors("group_ngrams")
        tensors["idf"] = model.extractor.vectorizer.idf
        _write_json(folder / "vocabulary.json", model.extractor.vectorizer.vocabulary)
    if model.extractor.neural is not None:
        neural = model.extractor.neural
        tensors |= {
            f"document_model.{name}": tensor.detach().cpu().numpy()
            for name, tensor in neural.document_model.state_dict().items()
        }
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
    fusions = {name: fusion.as_dict() for name, fusion in router.fusions.items()}
    _write_json(folder / "router.json", {"coarse": router.coarse_fusion.as_dict(), "fine": fusions})
    if model.promises is not None:
        _write_json(folder / PROMISES, model.promises.as_dict())
    if metrics is not None:
        _write_json(folder / METRICS, metrics)
    (folder / "README.md").write_text(card, encoding="utf-8", errors="backslashreplace")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    _write_json(folder / MANIFEST, {"sha256": {str(path.relative_to(folder)): _sha256(path) for path in files}})


def _words(config: Mapping[str, Any], label_ids: tuple[str, ...], folder: Path) -> dict[str, Word]:
    """Return the words that `predict` answers with where they are no ids; models without any have no such key."""
    words = config.get("words", {})
    problem = word_problem(words, label_ids) if isinstance(words, dict) else "they are no mapping of ids to words"
    if problem:
        raise ArtifactError(f"the words of the labels contradict the model: {problem}", str(folder / "config.json"))
    return words


def _older_record(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what models without a `run.json` tell of their training: no fingerprints, no hardware."""
    return {**config["record"], "versions": config.get("versions", {})}


def _load_neural(
    folder: Path, settings: Settings, tensors: Mapping[str, np.ndarray], device: str | None
) -> NeuralFeatures:
    import torch

    from pipelines.modules import fine_encoders, make_document_model
    from stages.coarse.encoder import Encoder

    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))

    def load(name: str) -> "Encoder":
        if not (folder / name).is_dir():  # a name that is no folder would be looked for on the hub
            raise ArtifactError(f"{folder / name} is missing: copy the model again")
        encoder = Encoder.from_pretrained(str(folder / name), pooling=settings.pooling, precision=settings.precision)
        return encoder.to(where).requires_grad_(False)

    prefix = "document_model."
    state = {
        name.removeprefix(prefix): torch.from_numpy(array) for name, array in tensors.items() if name.startswith(prefix)
    }
    layers = settings.aggregator_layers
    if layers > max(1, len(state)):  # a layer has several tensors: none is built that has no weights
        problem = f"aggregator_layers {layers} is more than the model has: copy the model again"
        raise ArtifactError(problem, str(folder / "config.json"))
    encoder = load("encoder")
    groups = len(state["head.bias"])
    embeddings = state.get("label_attention.group_embeddings", torch.zeros(groups, encoder.hidden_size))
    document_model = make_document_model(settings, encoder.hidden_size, embeddings)
    document_model.load_state_dict(state)
    readers = None if settings.mode == "joint" else [encoder]
    if settings.mode == "chained" and settings.trainable != "frozen" and settings.fine_features != "trained":
        readers = fine_encoders(settings.fine_features, trained=encoder, pretrained=load("encoder_pretrained"))
    return NeuralFeatures(
        encoder=encoder,
        fine_encoders=readers,
        segmenter=encoder.segmenter(
            segment_tokens=settings.segment_tokens,
            overlap=settings.overlap,
            max_segments=settings.max_segments,
        ),
        document_model=document_model.to(where).eval().requires_grad_(False),
        tokens_per_chunk=settings.tokens_per_chunk,
    )


def _log_size(folder: Path) -> None:
    megabytes = {path: path.stat().st_size / 1e6 for path in folder.rglob("*") if path.is_file()}
    kept = megabytes.get(folder / NEIGHBOURS)
    vectors = "" if kept is None else f", {kept:.1f} MB of it vectors of training documents"
    logger.info("model: %.1f MB in %s%s", sum(megabytes.values()), folder, vectors)


def _load_tensors(file: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(file)


def _write_json(file: Path, content: Any) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=1, default=str)
    # A path can hold bytes that are no text: JSON has an escape for them.
    file.write_text(text, encoding="utf-8", errors="backslashreplace")


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{file} cannot be read ({error}): copy the model again") from error


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
