"""From what a caller gives to a trained model: all is checked before any work; then encoder, groups, stages, router.

The neural training learns both levels. A joint one keeps its rows; a chained one fits others on what was trained.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hierarchy.errors import ConfigError
from hierarchy.taxonomy import Taxonomy
from hierarchy.wrong_values import validated
from pipelines.data.augmentation import for_rows, label_texts, training_documents
from pipelines.data.documents import Documents, warn_of_repeats
from pipelines.data.given import check_calibration, prepare_documents, words_of
from pipelines.data.label_words import Word, differing
from pipelines.model.model import Model
from pipelines.model.neighbours import Neighbours
from pipelines.model.record import CUT, run_record, with_sources
from pipelines.promises.backoff import check_enough
from pipelines.settings import Settings
from pipelines.training.encoders import Encoders
from pipelines.training.groups import check_placeable, place_labels
from pipelines.training.heads import (
    chance_factors,
    fit_group_rows,
    fit_heads,
    plan_rows,
    read_ngrams,
    report_unheard,
    report_unknown,
)
from stages.features import FeatureExtractor
from stages.fine.negatives import resolve_negatives
from stages.fine.opinion import NgramOpinion
from stages.fine.rows import Rows
from stages.label_space import LabelSpace
from stages.machine import end_workers, first_goes_first
from stages.progress import Clock
from stages.router.fusion import fit_router
from stages.router.router import Router
from stages.run_folder import place_of_run

if TYPE_CHECKING:
    from stages.training.evaluations import Watch

Pair = tuple[Sequence[str], Sequence[Word]]


def settings_of(parameters: Mapping[str, Any]) -> Settings:
    """Check the parameters of a classifier for a training.

    Parameters
    ----------
    parameters
        As ``get_params`` gives them.

    Raises
    ------
    ConfigError
        With every wrong value; or no encoder is named, as in a classifier that was loaded.
    """
    values = {name: value for name, value in parameters.items() if name != "taxonomy"}
    values["training"] = values["training"] or {}
    if values["encoder"] is None:
        raise ConfigError(
            "encoder is not set: the classifier was loaded, and a new training fetches no encoder because a model "
            "names it (model_.settings.encoder): name one with set_params(encoder=...)"
        )
    settings = validated(Settings, values, where="HierarchicalClassifier")
    check_training_settings(settings)
    return settings


def check_training_settings(settings: Settings) -> None:
    """Refuse values of ``training`` that no training could take; raises ConfigError."""
    if settings.encoder != "none":
        from stages.training.arguments import check_training

        check_training(settings.training, device=settings.device)


class Prepared(NamedTuple):
    """What a training is given, checked.

    Attributes
    ----------
    settings
        Of the classifier.
    train, valid, calibration
        The documents; of calibration documents there may be none.
    words
        Word of each label id.
    """

    settings: Settings
    train: Documents
    valid: Documents
    calibration: Documents | None
    words: Mapping[str, Word]


def prepare_fit(
    parameters: Mapping[str, Any],
    texts: Sequence[str],
    labels: Sequence[Word],
    validation: Pair | None,
    calibration: Pair | None,
) -> Prepared:
    """Check settings and documents, and cut a validation part where none is given; arguments as of `fit_documents`.

    Raises
    ------
    ConfigError, DataError
        With every problem of the settings; of the documents and labels.
    """
    settings, taxonomy = settings_of(parameters), parameters["taxonomy"]
    merge = settings.merge_spellings
    train, valid = prepare_documents(
        texts, labels, validation, taxonomy, random_state=settings.random_state, merge_spellings=merge
    )
    words = words_of(texts, labels, train, *([valid] if validation is None else []), taxonomy=taxonomy)
    calibrating = None
    if calibration is not None:
        calibrating = check_calibration(calibration, taxonomy, words)
        check_enough(len(calibrating.texts))
        for seen, where in ((train, "training"), (valid, "validation")):
            warn_of_repeats(calibrating.texts, seen, what="calibration documents", where=where)
    return Prepared(settings, train, valid, calibrating, words)


def fit_documents(
    parameters: Mapping[str, Any],
    texts: Sequence[str],
    labels: Sequence[Word],
    validation: Pair | None,
    calibration: Pair | None,
    *,
    fit: Callable[..., Model],
) -> tuple[Model, Documents | None]:
    """Train a model on documents as a caller gives them.

    Parameters
    ----------
    parameters
        Of the classifier, as ``get_params`` gives them.
    texts, labels, validation, calibration
        As for `HierarchicalClassifier.fit`. Calibration documents are checked, and given back as they then are.
    fit
        `fit_model`, or what has its arguments and does as much.

    Raises
    ------
    BusyError
        Another process works in the run folder.
    ConfigError
        A setting is wrong.
    DataError
        With every problem of the documents and labels.
    EncoderError
        The encoder cannot be had, or cannot read these documents.
    """
    given = prepare_fit(parameters, texts, labels, validation, calibration)
    settings, taxonomy = given.settings, parameters["taxonomy"]
    with place_of_run(settings.run_dir) as folder:
        model = fit(settings, taxonomy, given.train, given.valid, folder=folder)
    if validation is None:
        model = replace(model, record=with_sources(model.record, {"valid": CUT}))
    return replace(model, words=differing(given.words, model.label_ids)), given.calibration


def resolve_settings(
    settings: Settings, encoders: Encoders, taxonomy: Taxonomy | None, documents: Documents
) -> Settings:
    """Give the settings with ``trainable`` resolved, as these documents have it.

    Raises
    ------
    ConfigError, EncoderError
        As for `pipelines.training.encoder.load_encoder`.
    """
    if settings.encoder == "none":
        return settings
    from pipelines.training.encoder import load_encoder, resolve_trainable

    encoder, _ = load_encoder(encoders, documents.texts, label_texts(taxonomy, documents).values())
    return settings.resolved(trainable=resolve_trainable(settings, encoder, documents.texts))


def fit_model(
    settings: Settings,
    taxonomy: Taxonomy | None,
    train: Documents,
    valid: Documents,
    *,
    folder: Path,
    watch: "Watch | None" = None,
    encoders: Encoders | None = None,
    encode: Callable[[Sequence[Sequence[str]]], None] | None = None,
) -> Model:
    """Train a model as the settings say.

    Parameters
    ----------
    settings
        Of the classifier.
    taxonomy
        The given tree; None builds groups.
    train, valid
        As `prepare_documents` gives them.
    folder
        Run folder: what is finished there is not done again.
    watch
        Is told the figures of every evaluation of the neural training; what it raises ends the training.
    encoders
        Of the settings, where several trainings share them; None loads them.
    encode
        Called with the texts of the training and of the validation documents: puts their vectors by the untrained
        encoder into the run folder. None has them made where they are needed.

    Raises
    ------
    ConfigError, EncoderError
        The encoder cannot be had, or fits neither settings nor documents.
    """
    encoders = encoders or Encoders(settings)
    if taxonomy is None or taxonomy.unplaced:
        check_placeable(encoders, taxonomy, train)
    clock = Clock()
    given = train
    train = training_documents(settings, taxonomy, given)
    neural = content = None
    if settings.encoder != "none":
        from pipelines.training.encoder import group_embeddings, load_encoder, resolve_trainable
        from pipelines.training.neural import NeuralStage

        with clock.step("encoder"):
            encoder, segmenter = load_encoder(encoders, train.texts, label_texts(taxonomy, given).values())
            content = encoder.content_fingerprint()
            trainable = resolve_trainable(settings, encoder, train.texts)
            settings = settings.resolved(trainable=trainable)
        neural = NeuralStage(
            settings, encoder, segmenter, train_texts=train.texts, valid_texts=valid.texts, folder=folder, watch=watch
        )
        if encode is not None:
            with clock.step("vectors"):
                encode([train.texts, valid.texts])
    placed = taxonomy
    if placed is None or placed.unplaced:
        if neural is not None:
            with clock.step("vectors"):
                neural.vectors(neural.pretrained, "training")
        with clock.step("taxonomy"):
            placed = place_labels(encoders, taxonomy, given, neural)
    space = LabelSpace.of(placed, train.labels)
    targets, valid_targets = space.targets(train.labels), space.targets(valid.labels)
    negatives = resolve_negatives(settings.negatives, len(space.label_ids), len(targets))
    settings = settings.resolved(negatives=negatives)

    # 1. N-grams, and their rows of the groups, which may choose what the encoder reads.
    with clock.step("n-grams"):
        vectorizer, ngrams = read_ngrams(settings, train)
    of_rows, group_rows = for_rows(settings), None
    if vectorizer is not None:
        with clock.step("rows of the groups"), first_goes_first():
            group_rows = fit_group_rows(ngrams, targets, space, of_rows, folder)
        if neural is not None:
            end_workers()  # for the time of the neural training
        if neural is not None and settings.chooses_segments:
            neural.ask(NgramOpinion(vectorizer, group_rows))

    # 2. The neural training; of a joint one the neural rows stay.
    joint = neural is not None and settings.mode == "joint"
    rows = vectors = features = None  # neural rows; what they are fitted on in a chained training
    history: list[dict[str, float | None]] = []
    if neural is not None:
        if settings.trainable == "frozen":
            with clock.step("vectors"):
                neural.vectors(neural.pretrained, "training")
                neural.vectors(neural.pretrained, "validation")
        with clock.step("joint model" if joint else "coarse model"):
            embeddings = group_embeddings(settings, placed, space, lambda: encoders.of_labels)
            del encoders  # one of label texts has done its work
            history = neural.train(placed, space, targets, valid_targets, group_embeddings=embeddings).history
        rows, features = neural.trained_rows(), neural.features()
        if not joint:
            with clock.step("vectors for the fine heads"):
                vectors = neural.fine_vectors()

    # 3. All other rows.
    lexical = None
    read_by_rows = ngrams if vectors is None else vectors
    if read_by_rows is not None:
        with clock.step("rows"), first_goes_first():
            problems = plan_rows(read_by_rows, targets, space, settings)
            if vectors is not None:
                rows = Rows.stack(fit_heads(vectors, targets, problems, of_rows, folder, "neural rows"))
            if ngrams is not None:
                of_labels = Rows.stack(fit_heads(ngrams, targets, problems, of_rows, folder, "n-gram rows"))
                lexical = of_labels.with_chances_times(chance_factors(targets, space, of_rows))

    # 4. The fusion, on what a prediction reads of validation documents.
    extractor = FeatureExtractor(neural=features, vectorizer=vectorizer)
    with clock.step("vectors of validation documents"), first_goes_first():
        inputs = extractor.through_cache(valid.texts, folder)
    if inputs.ngrams is not None:
        report_unknown(inputs.ngrams, valid.texts, "validation", settings)
    with clock.step("fusion"):
        router = Router(space, rows, lexical, group_rows, neural_margins=not joint)
        router = fit_router(router, inputs, valid_targets)
    report_unheard(router)

    if features is not None and vectors is None and settings.keep_neighbours:
        with clock.step("vectors of training documents"), first_goes_first():
            vectors, _ = features.through_cache(train.texts, folder)
    return Model(
        settings=settings,
        taxonomy=placed,
        train_counts=np.bincount(targets[: train.given], minlength=len(space.label_ids)),
        extractor=extractor,
        router=router,
        record=run_record(settings, taxonomy, given, valid, encoder=content, history=history, seconds=clock.seconds),
        valid_keys=np.unique(valid.keys()),
        neighbours=Neighbours.of(vectors, train, targets) if settings.keep_neighbours and vectors is not None else None,
    )
