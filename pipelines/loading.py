"""A saved model read back: everything that it holds is checked against everything else before any of it is used."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hierarchy.errors import ArtifactError, ConfigError, EncoderError, TaxonomyError
from hierarchy.taxonomy import Taxonomy
from pipelines.evidence.neighbours import Neighbours
from pipelines.features import FeatureExtractor, NeuralFeatures
from pipelines.label_words import word_problem
from pipelines.manifest import (
    FORMAT_VERSION,
    MANIFEST,
    METRICS,
    NEIGHBOURS,
    PROMISES,
    RECORD,
    check_complete,
    check_manifest,
    only_listed,
    read_json,
    stamp,
)
from pipelines.model import Model
from pipelines.router import Router
from pipelines.schemas import (
    REMEDY,
    SavedConfig,
    SavedRouter,
    check_metrics,
    check_record,
    checked,
    read_promises,
    read_vocabulary,
)
from pipelines.settings import Settings, validated
from stages.arrays import Array, check_arrays, read_arrays, row_arrays
from stages.fine.bank import HeadBank
from stages.lexical import NgramVectorizer
from stages.rows import Rows

if TYPE_CHECKING:
    from stages.coarse.encoder import Encoder
    from stages.coarse.model import DocumentModel

TRIES = 3  # where another process puts a new model in its place while it is read
DOCUMENT_MODEL = "document_model."
logger = logging.getLogger(__name__)


def load_model(folder: Path, *, device: str | None = None) -> tuple[Model, dict[str, Any] | None]:
    """Read a model and its metrics.

    Parameters
    ----------
    folder
        As `pipelines.artifacts.save_model` wrote it. Where it is exchanged meanwhile, the new model is read.
    device
        Torch device for the neural parts; None takes a GPU where there is one.

    Raises
    ------
    ArtifactError
        The folder is no model, a file is missing or damaged, what the files hold does not fit together, or the format
        is newer than this version reads.
    """
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


def _read(folder: Path, listed: Mapping[str, Any], device: str | None) -> tuple[Model, dict[str, Any] | None]:
    config = _config(folder)
    record = read_json(folder, RECORD) if RECORD in listed else _older_record(config)
    check_record(record, folder / (RECORD if RECORD in listed else "config.json"))
    settings = _settings(config, record, folder)
    _check_listed(listed, settings, folder)
    taxonomy = _taxonomy(folder)
    router = checked(SavedRouter, read_json(folder, "router.json"), folder / "router.json")
    vectorizer_words, sizes = None, {"labels": len(config.id2label), "groups": len(config.groups)}
    if settings.lexical:
        vectorizer_words = read_vocabulary(read_json(folder, "vocabulary.json"), folder / "vocabulary.json")
        sizes["n-grams"] = len(vectorizer_words)
    tensors = read_arrays(folder / "model.safetensors", remedy=REMEDY)
    expected = _arrays(settings, tensors)
    sizes = check_arrays(tensors, expected, sizes, where=str(folder / "model.safetensors"), remedy=REMEDY)
    _check_tree(config, tensors["group_of"], taxonomy, folder)
    neural = None
    if settings.encoder != "none":
        neural = _neural(folder, listed, settings, tensors, sizes["features"], device)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(tensors["group_of"]))])

    def bank(prefix: str) -> HeadBank | None:
        return HeadBank(Rows.from_tensors(tensors, prefix), offsets) if f"{prefix}.bias" in tensors else None

    vectorizer = None
    if vectorizer_words is not None:
        vectorizer = NgramVectorizer.from_state(vectorizer_words, tensors["idf"])
    promises = None
    if PROMISES in listed:
        promises = read_promises(read_json(folder, PROMISES), len(config.groups), folder / PROMISES)
    metrics = read_json(folder, METRICS) if METRICS in listed else None
    if METRICS in listed:
        check_metrics(metrics, folder / METRICS)
    model = Model(
        settings=settings,
        taxonomy=taxonomy,
        label_ids=config.label_ids,
        group_ids=tuple(config.groups),
        train_counts=tensors["train_counts"],
        extractor=FeatureExtractor(neural=neural, vectorizer=vectorizer),
        router=Router(
            group_of=tensors["group_of"],
            neural=bank("neural"),
            lexical=bank("lexical"),
            group_rows=Rows.from_tensors(tensors, "group_ngrams") if "group_ngrams.bias" in tensors else None,
            coarse_fusion=router.coarse_fusion(),
            fusions=router.fusions(),
            neural_margins=settings.mode == "chained",
        ),
        record=record,
        valid_keys=tensors.get("valid_keys", np.empty(0, dtype=np.uint64)),  # older models have none
        promises=promises,
        neighbours=_neighbours(folder, sizes) if NEIGHBOURS in listed else None,
        words=config.words,
    )
    return model, metrics


def _config(folder: Path) -> SavedConfig:
    file = folder / "config.json"
    content = read_json(folder, file.name)
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
        return validated(Settings, config.settings, where=str(folder / "config.json"))
    except ConfigError as error:
        made = record.get("versions", {}).get("coarsefine", "unknown")
        problems = [f"{problem} (the model was made by coarsefine {made})" for problem in error.problems]
        raise ArtifactError(
            [f"{problem}: use that version, or train again" for problem in problems], error.where
        ) from None


def _older_record(config: SavedConfig) -> dict[str, Any]:
    """Return what models without a `run.json` tell of their training: no fingerprints, no hardware."""
    return {**(config.record or {}), "versions": config.versions}


def _check_listed(listed: Mapping[str, Any], settings: Settings, folder: Path) -> None:
    needed = {"config.json", "taxonomy.yaml", "router.json", "model.safetensors"}
    allowed = {RECORD, PROMISES, METRICS, "README.md"}
    if settings.lexical:
        needed.add("vocabulary.json")
    if settings.encoder != "none":
        needed.add("encoder/config.json")
        allowed |= {"encoder/", NEIGHBOURS}
    if _reads_pretrained(settings):
        needed.add("encoder_pretrained/config.json")
        allowed.add("encoder_pretrained/")
    check_complete(listed, needed, allowed, folder / MANIFEST)


def _reads_pretrained(settings: Settings) -> bool:
    """Whether the neural rows read an encoder that was not trained, beside the coarse stage's own."""
    chained = settings.encoder != "none" and settings.mode == "chained"
    return chained and settings.trainable != "frozen" and settings.fine_features != "trained"


def _taxonomy(folder: Path) -> Taxonomy:
    try:
        return Taxonomy.from_yaml(folder / "taxonomy.yaml")
    except TaxonomyError as error:
        raise ArtifactError([f"{problem}: {REMEDY}" for problem in error.problems], error.where) from error


def _check_tree(config: SavedConfig, group_of: np.ndarray, taxonomy: Taxonomy, folder: Path) -> None:
    """Refuse labels and groups that the tree does not have, or has elsewhere."""
    groups = dict(zip(taxonomy.label_ids, (taxonomy.group_ids[group] for group in taxonomy.group_of), strict=True))
    problems = [
        f"{label!r} stands in the group {config.groups[group]!r} and in taxonomy.yaml in {groups.get(label)!r}"
        for label, group in zip(config.label_ids, group_of.tolist(), strict=True)
        if groups.get(label) != config.groups[group]
    ]
    if problems:
        raise ArtifactError([f"{problem}: {REMEDY}" for problem in problems], str(folder / "config.json"))


def _arrays(settings: Settings, tensors: Mapping[str, np.ndarray]) -> dict[str, Array]:
    """Specify ``model.safetensors``; the tensors of the document model are compared with the model itself later."""
    expected = {
        "group_of": Array("int64", ("labels",), below="groups", rising=True, complete=True),
        "train_counts": Array("int64", ("labels",), counts=True),
        "valid_keys": Array("uint64", ("validation documents",), required=False),
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
    return Neighbours.from_tensors(tensors)


def _neural(
    folder: Path,
    listed: Mapping[str, Any],
    settings: Settings,
    tensors: Mapping[str, np.ndarray],
    features: int,
    device: str | None,
) -> NeuralFeatures:
    import torch

    from pipelines.modules import fine_encoders

    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    encoder = _encoder(folder, "encoder", listed, settings).to(where)
    document_model = _document_model(folder, settings, tensors, encoder.hidden_size)
    readers, width = None, encoder.hidden_size
    if settings.mode == "chained":
        readers = [encoder]
        if _reads_pretrained(settings):
            pretrained = _encoder(folder, "encoder_pretrained", listed, settings).to(where)
            readers = fine_encoders(settings.fine_features, trained=encoder, pretrained=pretrained)
        width = 2 * sum(reader.hidden_size for reader in readers)  # mean and maximum of the segments
    if features != width:
        raise ArtifactError(
            f"neural.weight has {features} columns, and the encoder gives {width} features: {REMEDY}",
            str(folder / "model.safetensors"),
        )
    try:
        segmenter = encoder.segmenter(
            segment_tokens=settings.segment_tokens, overlap=settings.overlap, max_segments=settings.max_segments
        )
    except EncoderError as error:
        raise ArtifactError(f"{error} ({REMEDY})", str(folder / "config.json")) from error
    return NeuralFeatures(
        encoder=encoder,
        fine_encoders=readers,
        segmenter=segmenter,
        document_model=document_model.to(where).eval().requires_grad_(False),
        tokens_per_chunk=settings.tokens_per_chunk,
    )


def _encoder(folder: Path, part: str, listed: Mapping[str, Any], settings: Settings) -> "Encoder":
    from stages.coarse.encoder import Encoder

    with only_listed(folder, part, listed) as place:
        try:
            encoder = Encoder.from_pretrained(str(place), pooling=settings.pooling, precision=settings.precision)
        except EncoderError as error:
            problems = [problem.replace(str(place), str(folder / part)) for problem in error.problems]
            raise ArtifactError([f"{problem}; or {REMEDY}" for problem in problems]) from error
    return encoder.requires_grad_(False)


def _document_model(
    folder: Path, settings: Settings, tensors: Mapping[str, np.ndarray], hidden: int
) -> "DocumentModel":
    """Build the document model and give it its weights, once they are known to be those of such a model."""
    import torch

    from pipelines.modules import make_document_model

    file = folder / "model.safetensors"
    state = {
        name.removeprefix(DOCUMENT_MODEL): array for name, array in tensors.items() if name.startswith(DOCUMENT_MODEL)
    }
    groups = len(tensors["group_of"]) and int(tensors["group_of"][-1]) + 1
    if settings.aggregator and (hidden % settings.aggregator_heads or settings.aggregator_layers > len(state)):
        raise ArtifactError(
            f"aggregator_heads {settings.aggregator_heads} and aggregator_layers {settings.aggregator_layers} do not "
            f"fit an encoder of {hidden} dimensions and {file.name}: {REMEDY}",
            str(folder / "config.json"),
        )
    embeddings = state.get("label_attention.group_embeddings", np.zeros((groups, hidden), dtype=np.float32))
    if embeddings.ndim != 2 or len(embeddings) != groups:
        raise ArtifactError(
            f"{DOCUMENT_MODEL}label_attention.group_embeddings has not {groups} rows: {REMEDY}", str(file)
        )
    with torch.device("meta"):  # shapes without memory
        plan = make_document_model(settings, hidden, torch.from_numpy(embeddings).to("meta"))
    # A lone number is written as a list of one.
    expected = {name: Array("float32", tuple(tensor.shape) or (1,)) for name, tensor in plan.state_dict().items()}
    check_arrays(state, expected, where=f"{file}, {DOCUMENT_MODEL[:-1]}", remedy=REMEDY)
    document_model = make_document_model(settings, hidden, torch.from_numpy(embeddings))
    document_model.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    return document_model
