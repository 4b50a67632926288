"""A model on documents with known labels, beside the flat models and the classic chain on the same documents."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hierarchy.text.wording import count
from pipelines.data.documents import Documents
from pipelines.evaluation.baselines import logistic_predictions, svm_predictions
from pipelines.evaluation.comparison import (
    CLASSIC,
    LOGISTIC,
    NEITHER,
    NO_NGRAMS,
    NO_TREE,
    SVM,
    BaselineResult,
    EvaluationReport,
    compare,
)
from pipelines.evaluation.excerpts import Material
from pipelines.evaluation.figures import evaluate_predictions
from pipelines.model.model import Model
from pipelines.model.seen_documents import warn_of_calibrated, warn_of_seen
from pipelines.promises.kept import KeptPromise, kept_promises
from pipelines.training.heads import fit_heads
from stages.fine.negatives import plan_problems
from stages.fine.rows import Rows, log_chance
from stages.router.router import Inputs, best_groups

SVM_MIN_DF = (1, 2)  # training documents that an n-gram must stand in: scikit-learn's default, and its usual change
VARIANT_NAMES = {"no_tree": NO_TREE, "no_ngrams": NO_NGRAMS, "neither": NEITHER}


def assess(
    model: Model,
    documents: Documents,
    *,
    train: Documents | None,
    folder: Path,
    data: str,
    routing: str,
    beam: int,
    stored: Mapping[str, Any] | None,
) -> EvaluationReport:
    """Evaluate a model and its baselines.

    Parameters
    ----------
    model
        The trained model.
    documents
        Documents that training has not seen.
    train
        Training documents, to fit the baselines on; None takes `stored`.
    folder
        Run folder, whose cache is used.
    data
        Name of the documents.
    routing, beam
        How the model answers.
    stored
        An earlier report as a dict.
    """
    notes = warn_of_seen(model, documents, what="test documents", train=train) + warn_of_calibrated(model, documents)
    inputs = model.extractor.through_cache(documents.texts, folder)
    routed = model.route(inputs, routing=routing, beam=beam)
    taxonomy = model.taxonomy
    space = model.space.with_untrained(documents.labels, taxonomy)
    evaluation = evaluate_predictions(
        space.targets(documents.labels),
        routed.probabilities,
        space=space,
        train_counts=model.train_counts,
        coarse_probability=routed.coarse,
        in_beam=routed.in_beam,
        lengths=np.fromiter(map(len, documents.texts), dtype=np.int64, count=len(documents.texts)),
        label_names={label.id: label.name for label in taxonomy.labels},
        group_names={group.id: group.name for group in taxonomy.groups},
        random_state=model.settings.random_state,
    )
    answers = {
        VARIANT_NAMES[variant]: model.router.route(inputs, variant=variant).probabilities.argmax(1)
        for variant in model.router.fusions
        if variant != "full"
    }
    earlier: dict[str, BaselineResult] = {}
    if train is not None:
        answers |= fitted_baselines(model, train, documents, inputs, folder)
    elif stored:
        told = EvaluationReport.from_dict(stored).baselines
        earlier = {name: result for name, result in told.items() if name not in VARIANT_NAMES.values()}
    if earlier:
        notes.append(
            "baselines that need training are shown as stored with the model; evaluate --train fits them anew, "
            "given the training data"
        )
    if not routed.known.all():
        unknown = count(int((~routed.known).sum()), "document")
        notes.append(f"the model knows nothing in {unknown}: predict answers none")
    if model.cascade is not None:
        notes.append(
            f"n-grams answered {routed.by_ngrams.mean():.1%} of the documents alone; the encoder read the rest"
        )
    promises: tuple[KeptPromise, ...] = ()
    if model.promises is not None and model.promises.routing == routed.routing:
        places = model.places(documents.labels)
        promises = kept_promises(model.promises, routed, documents.texts, *places, model.space)
    elif model.promises is not None:
        notes.append(f"the model's promises were made with routing {model.promises.routing}, not with {routed.routing}")
    return compare(
        evaluation,
        data,
        answers=answers,
        stored=earlier,
        notes=notes,
        promises=promises,
        material=Material(model, documents.texts, routing, beam),
        random_state=model.settings.random_state,
    )


def fitted_baselines(
    model: Model, train: Documents, documents: Documents, inputs: Inputs, folder: Path
) -> dict[str, np.ndarray]:
    """Answers of the systems that are trained on the same documents.

    Parameters
    ----------
    model
        Its labels, groups and coarse stage are used.
    train
        Training documents.
    documents
        The documents to answer.
    inputs
        What the model reads of them.
    folder
        Run folder, whose cache is used.

    Returns
    -------
    dict[str, numpy.ndarray]
        Name of the baseline -> (documents,) columns of its answers.
    """
    space = model.space
    targets = space.targets(train.labels)
    known = np.flatnonzero(targets >= 0)
    texts, targets = [train.texts[int(i)] for i in known], targets[known]
    train_inputs = model.extractor.through_cache(texts, folder)
    n_jobs = model.settings.n_jobs
    gold = space.targets(documents.labels)
    vectors = [model.extractor.pooled(read) for read in (train_inputs, inputs)]
    answers = flat_baselines(texts, targets, documents.texts, gold, *vectors, n_jobs=n_jobs)
    answers[CLASSIC] = classic_chain(model, train_inputs, targets, inputs, folder)
    return answers


def flat_baselines(
    texts: Sequence[str],
    targets: np.ndarray,
    test_texts: Sequence[str],
    gold: np.ndarray,
    vectors: np.ndarray | None,
    test_vectors: np.ndarray | None,
    *,
    n_jobs: int,
) -> dict[str, np.ndarray]:
    """Answers of TF-IDF with a linear SVM and, where there are vectors, of logistic regression on them.

    Parameters
    ----------
    texts, targets, vectors
        Training documents: texts, (documents,) columns of their labels and (documents, features).
    test_texts, gold, test_vectors
        The documents to answer.
    n_jobs
        Processes.

    Returns
    -------
    dict[str, numpy.ndarray]
        Name of the baseline -> (documents,) columns of its answers.
    """
    # Which min_df is stronger depends on the data by up to nine points; the baseline gets the better one.
    svm = [svm_predictions(texts, targets, test_texts, min_df=m, n_jobs=n_jobs) for m in SVM_MIN_DF]
    answers = {SVM: max(svm, key=lambda answer: int((answer == gold).sum()))}
    if vectors is not None and test_vectors is not None:
        answers[LOGISTIC] = logistic_predictions(vectors, targets, test_vectors)
    return answers


def classic_chain(model: Model, train_inputs: Inputs, targets: np.ndarray, inputs: Inputs, folder: Path) -> np.ndarray:
    """Answers of the classic recipe: rows trained inside their group only, routed to the best group.

    Parameters
    ----------
    model
        Its coarse stage routes; its fusion weighs the experts inside a group.
    train_inputs, targets
        Training documents.
    inputs
        Documents to answer.
    folder
        Run folder for the rows.
    """
    space = model.space
    problems = plan_problems("group", targets, space)
    fusion = model.router.fusions["full"]
    scores = np.zeros((len(inputs), len(space.label_ids)), dtype=np.float32)
    experts = (
        (fusion.neural, train_inputs.vectors, inputs.vectors),
        (fusion.lexical, train_inputs.ngrams, inputs.ngrams),
    )
    for weight, train_features, features in experts:
        if train_features is not None and weight:
            heads = fit_heads(train_features, targets, problems, model.settings, folder, "rows of the classic chain")
            scores += np.float32(weight) * log_chance(Rows.stack(heads).score(features))
    routed = best_groups(model.router.log_coarse(inputs), 1)[:, space.group_of]
    return np.where(routed, scores, -np.inf).argmax(1)
