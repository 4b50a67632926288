"""New rows for some groups of a trained model; a new coarse stage and neural rows where labels changed; no more."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hierarchy.arguments import label_column
from hierarchy.errors import ConfigError, DataError, Remedy
from hierarchy.taxonomy import Taxonomy
from hierarchy.text.wording import some
from hierarchy.wrong_values import validated
from pipelines.data.augmentation import for_rows, load_function, training_documents
from pipelines.data.documents import Documents, warn_of_repeats
from pipelines.data.given import check_labels, check_pair, check_taxonomy, report_unseen, words_of
from pipelines.data.label_words import Word, joined_words
from pipelines.model.artifact.saved_settings import acting
from pipelines.model.model import Model
from pipelines.model.neighbours import Neighbours
from pipelines.model.record import is_last_refit, with_refit
from pipelines.settings import Settings
from pipelines.training.encoders import Encoders
from pipelines.training.fit import Pair
from pipelines.training.heads import chance_factors, fit_group_rows, fit_heads, plan_rows, report_unheard
from pipelines.training.refit_plan import CHANGED, RefitPlan, cut_for_refit, plan_refit
from stages.features import NeuralFeatures
from stages.fine.opinion import NgramOpinion
from stages.fine.rows import Features, Rows
from stages.progress import Clock
from stages.router.fusion import fit_router
from stages.router.router import Inputs, Router
from stages.run_folder import place_of_run

if TYPE_CHECKING:
    from stages.coarse.encoder import Encoder

logger = logging.getLogger(f"coarsefine.{__name__}")


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
        Of the classifier; ``n_jobs``, ``augment``, ``label_encoder``, ``training`` and ``run_dir`` are read.

    Raises
    ------
    ConfigError
        The model is an export; or it was trained jointly; or with ``augment`` or ``label_encoder``, and the classifier,
        once loaded, names none.
    DataError
        A group is unknown or one that the change demands is left out, a label has no documents or is not in the
        tree, validation documents are needed, or there is nothing to do.
    TaxonomyError
        A label of the tree stands in no group.
    """
    if model.settings.mode == "joint":
        raise ConfigError("refit needs vectors that stay; mode: joint trains them with the rows: train again")
    if model.is_exported:
        raise ConfigError(
            "this model is an export, which is not trained: refit the model that it was made of, and export"
        )
    check_taxonomy(taxonomy)
    chosen = None if groups is None else label_column(groups, "groups")
    tree = model.taxonomy if taxonomy is None else taxonomy
    train = check_labels(texts, labels, tree, where="training documents", training=True, words=by_word)
    words = words_of(texts, labels, train, taxonomy=tree, by_word=by_word)
    if validation is not None:
        valid = check_pair(validation, "validation", tree, where="validation documents", words=by_word)
    else:
        kept, held_out = cut_for_refit(model, train)
        train, valid = train.select(kept), train.select(held_out)
    with place_of_run(parameters["run_dir"]) as folder:
        again = _refit(model, chosen, train, valid if len(valid.texts) else None, tree, folder, parameters)
    return replace(again, words=joined_words(model.spoken, words, again.label_ids, again.taxonomy))


def _refit(
    model: Model,
    groups: Sequence[str] | None,
    train: Documents,
    valid: Documents | None,
    taxonomy: Taxonomy,
    folder: Path,
    parameters: Mapping[str, Any],
) -> Model:
    """Fit the rows of some groups and, where labels came, went or moved, the coarse stage and the fusion.

    The encoder, the n-grams with their idf, and the n-gram rows of all other labels stay as they are; so do the neural
    rows of these, unless the coarse stage is trained again, whose document vectors they read.

    Parameters
    ----------
    model
        The trained model; it is not changed.
    groups
        Ids of the groups; None takes those that the change of the tree demands, see `plan_refit`.
    train
        The whole training data as it is now: documents of other groups are the negatives.
    valid
        Documents for early stopping and fusion. None leaves the fusion, which a change of labels does not allow.
    taxonomy
        The tree as it is now.
    folder
        Run folder: its cache is used, and what is finished there is not done again.
    parameters
        The caller's. ``n_jobs``: processes that fit rows. ``augment``: the function that rewrites copies, where the
        model was trained with one: the caller names it, no model does. ``label_encoder``: the encoder of the label
        texts, likewise; it is needed where the coarse stage is trained again and label attention reads these.
        ``training``: what acts beyond the model (`pipelines.model.artifact.saved_settings.acting`) is taken from it,
        all else from the model.

    Raises
    ------
    ConfigError
        `augment` or `label_encoder` is missing, or the model was trained without; `augment` names no function; or
        a value of the model's ``training`` is none.
    DataError, TaxonomyError
        As `plan_refit` says; or a label lacks documents, or there are no validation documents.
    """
    plan = plan_refit(model, groups, train.labels, taxonomy)
    if not plan.heads and not plan.coarse:
        logger.info("refit: the model takes the new tree; no label came, went or moved, so no row changes")
        return replace(model, taxonomy=taxonomy)
    retrained = model.extractor.neural if plan.coarse else None
    _check_named(model, retrained is not None and model.settings.label_attention, parameters)
    augment = parameters["augment"]
    changed = {name: parameters[name] for name in ("n_jobs", "augment", "label_encoder")}
    changed["training"] = {**model.settings.training, **acting(parameters["training"] or {})}
    settings = validated(Settings, {**model.settings.model_dump(), **changed}, where="refit")
    if retrained is not None:
        from stages.training.arguments import check_training

        check_training(settings.training, device=_of_torch(retrained).device.type)
    counts = _counts(model, plan, plan.space.targets(train.labels))
    if valid is not None:
        report_unseen(valid.labels, set(plan.space.label_ids), taxonomy)
        warn_of_repeats(valid.texts, train, what="validation documents")
    elif plan.coarse:
        raise DataError(
            Remedy(
                "labels came, went or moved, so the fusion must be fitted again, and fewer than half of the documents "
                "that validated the model are among these: give validation documents with ",
                "validation",
            )
        )
    changes = _changes(model, plan)
    if is_last_refit(model.record, changes, augment, taxonomy, train, valid):
        logger.info("refit: the model was refitted in just this way already; it stays as it is")
        return model
    heads = some([f"'{taxonomy.group_named(group)}'" for group in changes["groups"]])
    coarse = ["the coarse stage" + " with all neural rows" * (retrained is not None)] * plan.coarse
    logger.info("refit: %s", " and ".join([f"heads of {heads}"] * bool(heads) + coarse))

    given = train
    train = training_documents(settings, taxonomy, given)
    space, targets = plan.space, plan.space.targets(train.labels)
    clock = Clock()
    extractor = model.extractor
    history: list[dict[str, float | None]] = []
    of_rows, group_rows, ngrams = for_rows(settings), model.router.group_rows, None
    if plan.coarse and extractor.vectorizer is not None:
        with clock.step("rows of the groups"):
            ngrams = extractor.vectorizer.transform(train.texts)
            group_rows = fit_group_rows(ngrams, targets, space, of_rows, folder)
        if retrained is not None and settings.chooses_segments:
            opinion = NgramOpinion(extractor.vectorizer, group_rows)
            retrained = replace(retrained, segmenter=retrained.segmenter.asking(opinion))
    if retrained is not None and valid is not None:
        with clock.step("coarse model"):
            neural, history = _train_coarse(retrained, plan, train, valid, settings, folder)
        extractor = replace(extractor, neural=neural)
    with clock.step("vectors and n-grams"):
        inputs = extractor.through_cache(train.texts, folder, ngrams=ngrams)
    with clock.step("rows"):
        router = _with_heads(model, plan, inputs, targets, of_rows, folder)
    router = replace(router, group_rows=group_rows)
    if valid is not None:
        with clock.step("fusion"):
            inputs_of_valid = extractor.through_cache(valid.texts, folder)
            router = fit_router(router, inputs_of_valid, space.targets(valid.labels), coarse=plan.coarse)
        report_unheard(router)
    entry = {**changes, "history": history, "seconds": clock.seconds}
    if augment is not None:
        entry["augment"] = augment
    if model.promises is not None:
        what = "promises" if model.cascade is None else "promises and the cascade"
        logger.warning("the %s of the model ended with the refit: calibrate it again", what)
    neighbours = None
    if model.settings.keep_neighbours and inputs.vectors is not None:
        neighbours = Neighbours.of(inputs.vectors, train, targets)
    return Model(
        settings=model.settings,
        taxonomy=taxonomy,
        train_counts=counts,
        extractor=extractor,
        router=router,
        record=with_refit(model.record, model.settings, entry, taxonomy, given, valid),
        valid_keys=np.setdiff1d(model.valid_keys, given.keys()) if valid is None else np.unique(valid.keys()),
        neighbours=neighbours,
    )


def _check_named(model: Model, reads_labels: bool, given: Mapping[str, Any]) -> None:
    """Refuse names of a caller that are not just what the model was trained with."""
    uses = {
        "augment": "on copies that augment {!r} rewrote, and a loaded model names no code that runs: name the function",
        "label_encoder": "with label_encoder {!r}, and a loaded model names no encoder that is fetched: name it",
    }
    for name, use in uses.items():
        trained = getattr(model.settings, name)
        if trained is not None and given[name] is None and (name == "augment" or reads_labels):
            problem = f"the model was trained {use.format(trained)} yourself with "
            raise ConfigError(Remedy(problem, name, call="set_params({})"))
        if trained is None and given[name] is not None:
            raise ConfigError(
                f"{name} {given[name]!r} is set and the model was trained without: a refit trains as the model was "
                "trained, so leave it out, or train again"
            )
    if given["augment"] is not None:
        load_function(given["augment"])


def _counts(model: Model, plan: RefitPlan, targets: np.ndarray) -> np.ndarray:
    """Training documents behind each row, (labels,); refuses a label without any, and tells of rows left behind."""
    space = plan.space
    labels = [plan.taxonomy.label_named(label) for label in space.label_ids]
    groups = [plan.taxonomy.group_named(group) for group in space.group_ids]
    counts = np.bincount(targets, minlength=len(space.label_ids))
    empty = np.flatnonzero((plan.refitted | plan.coarse) & (counts == 0))
    if len(empty):
        raise DataError(
            f"labels have no documents ({some([repr(labels[i]) for i in empty])}): give the whole training "
            "data, or take these labels out of the tree"
        )
    known = dict(zip(model.label_ids, model.train_counts.tolist(), strict=True))
    before = np.array([known.get(label, 0) for label in space.label_ids])
    stale = np.flatnonzero(~plan.refitted & (counts > 0) & (np.abs(counts - before) > CHANGED * before))
    if len(stale):
        logger.warning(
            "rows that stay as they are were fitted on another number of documents (%s); to fit these again, name "
            "their groups: %s",
            some([f"{labels[i]!r}: {before[i]}, now {counts[i]}" for i in stale]),
            some([groups[group] for group in np.unique(space.groups(stale))]),
        )
    return np.where(plan.refitted, counts, before)


def _train_coarse(
    neural: NeuralFeatures, plan: RefitPlan, train: Documents, valid: Documents, settings: Settings, folder: Path
) -> tuple[NeuralFeatures, list[dict[str, float | None]]]:
    """Train a document model above the encoder as it stands; return the features with it, and its history."""
    from pipelines.training.encoder import group_embeddings
    from pipelines.training.neural import NeuralStage

    encoder = _of_torch(neural)
    stage = NeuralStage(
        settings.resolved(trainable="frozen"),
        encoder,
        neural.segmenter,
        train_texts=train.texts,
        valid_texts=valid.texts,
        folder=folder,
    )
    space = plan.space
    targets, valid_targets = (space.targets(documents.labels) for documents in (train, valid))
    embeddings = group_embeddings(
        settings,
        plan.taxonomy,
        space,
        lambda: (encoder, neural.segmenter) if settings.label_encoder is None else Encoders(settings).of_labels,
    )
    history = stage.train(plan.taxonomy, space, targets, valid_targets, group_embeddings=embeddings).history
    return replace(neural, document_model=stage.document_model), history


def _of_torch(neural: NeuralFeatures) -> "Encoder":
    from stages.coarse.encoder import Encoder

    assert isinstance(neural.encoder, Encoder)  # noqa: S101 - exports are refused; for the type checker
    return neural.encoder


def _with_heads(
    model: Model, plan: RefitPlan, inputs: Inputs, targets: np.ndarray, settings: Settings, folder: Path
) -> Router:
    """Fit the heads of the plan; return the router with them, and with the old rows of all other labels.

    Neural rows read document vectors: where the document model is another, the old ones say nothing of them.
    """
    space = plan.space
    problems = plan_rows(inputs.ngrams if inputs.vectors is None else inputs.vectors, targets, space, settings)
    groups = range(len(space.group_ids))
    places = model.space.targets(space.label_ids)  # -1: in a new head

    def head_bank(
        old: Rows | None, features: Features, heads: Sequence[int], what: str, factors: np.ndarray | None = None
    ) -> Rows | None:
        if old is None:
            return None
        chosen = [problems[group] for group in heads]
        fitted = fit_heads(features, targets, chosen, settings, folder, what)
        if factors is not None:
            fitted = [rows.with_chances_times(factors[p.labels]) for rows, p in zip(fitted, chosen, strict=True)]
        new = dict(zip(heads, fitted, strict=True))
        return Rows.stack([new[group] if group in new else old[places[space.under(group)]] for group in groups])

    router, factors = model.router, chance_factors(targets, space, settings)
    neural = head_bank(router.neural, inputs.vectors, groups if plan.coarse else plan.heads, "neural rows")
    lexical = head_bank(router.lexical, inputs.ngrams, plan.heads, "n-gram rows", factors)
    return replace(router, space=space, neural=neural, lexical=lexical)


def _changes(model: Model, plan: RefitPlan) -> dict[str, Any]:
    """Tell what the refit changes, by ids; JSON-ready."""
    space = plan.space
    before, after = model.space.group_by_label, space.group_by_label
    return {
        "groups": [space.group_ids[group] for group in plan.heads],
        "coarse": plan.coarse,
        "added": [label for label in after if label not in before],
        "removed": [label for label in before if label not in after],
        "moved": [label for label in after if label in before and before[label] != after[label]],
    }
