"""From what a caller gives (texts, labels, a tree, settings) to a trained model: all is checked before any work."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hierarchy.arguments import label_column
from hierarchy.errors import ConfigError
from hierarchy.taxonomy import Taxonomy
from hierarchy.wrong_values import validated
from pipelines.data.documents import Documents, warn_of_repeats
from pipelines.data.given import (
    check_calibration,
    check_labels,
    check_pair,
    check_taxonomy,
    prepare_documents,
    words_of,
)
from pipelines.data.label_words import Word, differing, joined_words
from pipelines.model.model import Model
from pipelines.model.record import CUT, with_sources
from pipelines.promises.backoff import check_enough
from pipelines.settings import Settings
from pipelines.training.fit import fit_model
from pipelines.training.refit import refit
from pipelines.training.refit_plan import cut_for_refit

Pair = tuple[Sequence[str], Sequence[Word]]
Place = Callable[[], AbstractContextManager[Path]]


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
    if settings.encoder != "none":
        from stages.training.arguments import check_training

        check_training(settings.training, joint=settings.mode == "joint", device=settings.device)
    return settings


def fit_documents(
    settings: Settings,
    taxonomy: Taxonomy | None,
    texts: Sequence[str],
    labels: Sequence[Word],
    validation: Pair | None,
    calibration: Pair | None,
    *,
    place: Place,
) -> tuple[Model, Documents | None]:
    """Train a model on documents as a caller gives them.

    Parameters
    ----------
    settings, taxonomy
        As checked; the tree as given.
    texts, labels, validation, calibration
        As for `HierarchicalClassifier.fit`. Calibration documents are checked, and given back as they then are.
    place
        Gives the run folder, once everything is checked.

    Raises
    ------
    DataError
        With every problem of the documents and labels.
    EncoderError
        The encoder cannot be had, or cannot read these documents.
    """
    merge = settings.merge_spellings
    train, valid = prepare_documents(
        texts, labels, validation, taxonomy, random_state=settings.random_state, merge_spellings=merge
    )
    words = words_of(texts, labels, train, *([valid] if validation is None else []))
    calibrating = None
    if calibration is not None:
        calibrating = check_calibration(calibration, taxonomy, words)
        check_enough(len(calibrating.texts))
        for seen, where in ((train, "training"), (valid, "validation")):
            warn_of_repeats(calibrating.texts, seen, what="calibration documents", where=where)
    with place() as folder:
        model = fit_model(settings, taxonomy, train, valid, folder=folder)
    if validation is None:
        model = replace(model, record=with_sources(model.record, {"valid": CUT}))
    return replace(model, words=differing(words, model.label_ids)), calibrating


def refit_documents(
    model: Model,
    groups: Sequence[str] | None,
    texts: Sequence[str],
    labels: Sequence[Word],
    taxonomy: Taxonomy | None,
    validation: Pair | None,
    *,
    by_word: Mapping[Word, str],
    parameters: Mapping[str, Any],
    place: Place,
) -> Model:
    """Fit the rows of some groups again, on documents as a caller gives them.

    Parameters
    ----------
    model
        The trained model.
    groups, texts, labels, taxonomy, validation
        As for `HierarchicalClassifier.refit_groups`.
    by_word
        Label id of each word that the model was fitted with.
    parameters
        Of the classifier; ``n_jobs``, ``augment``, ``label_encoder`` and ``training`` are read.
    place
        Gives the run folder, once everything is checked.

    Raises
    ------
    ConfigError
        The model was trained jointly; or with ``augment`` or ``label_encoder``, and the classifier, once loaded,
        names none.
    DataError
        A group is unknown or one that the change demands is left out, a label has no documents or is not in the
        tree, validation documents are needed, or there is nothing to do.
    TaxonomyError
        A label of the tree stands in no group.
    """
    if model.settings.mode == "joint":
        raise ConfigError("refit needs vectors that stay; mode: joint trains them with the rows: train again")
    check_taxonomy(taxonomy)
    chosen = None if groups is None else label_column(groups, "groups")
    tree = model.taxonomy if taxonomy is None else taxonomy
    train = check_labels(texts, labels, tree, where="training documents", words=by_word)
    words = words_of(texts, labels, train)
    if validation is not None:
        valid = check_pair(validation, "validation", tree, where="validation documents", words=by_word)
    else:
        kept, held_out = cut_for_refit(model, train)
        train, valid = train.select(kept), train.select(held_out)
    with place() as folder:
        again = refit(
            model,
            chosen,
            train,
            valid if len(valid.texts) else None,
            taxonomy=tree,
            folder=folder,
            n_jobs=parameters["n_jobs"],
            augment=parameters["augment"],
            label_encoder=parameters["label_encoder"],
            training=parameters["training"] or {},
        )
    return replace(again, words=joined_words(model.spoken, words, again.label_ids, again.taxonomy))
