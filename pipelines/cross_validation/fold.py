"""One fold of a cross-validation: a model and flat baselines from its training side, and what they say of the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hierarchy.taxonomy import Taxonomy
from pipelines.cross_validation.out_of_fold import OutOfFold, keep_best
from pipelines.data.augmentation import with_label_documents
from pipelines.data.documents import Documents
from pipelines.data.folds import cut_fold_validation
from pipelines.evaluation.assessment import VARIANT_NAMES, flat_baselines
from pipelines.evaluation.metrics import accuracy_and_macro_f1
from pipelines.model.model import Model
from pipelines.model.provenance import work_key
from pipelines.settings import MACHINE, Settings
from pipelines.training.encoders import Encoders
from pipelines.training.fit import fit_model
from stages.features import vector_key
from stages.router.router import Inputs

if TYPE_CHECKING:
    from pipelines.cross_validation.shared_vectors import SharedVectors

OWN = "this model"


@dataclass(frozen=True)
class FoldResult:
    """What came of a fold.

    Attributes
    ----------
    predictions
        Of the documents that were tested.
    scores
        {system: {``accuracy`` or ``macro_f1``: figure}}.
    test_by_train
        Documents tested by documents trained on, validation part included.
    """

    predictions: OutOfFold
    scores: dict[str, dict[str, float]]
    test_by_train: float


@dataclass(frozen=True)
class FoldPlan:
    """What all folds of a cross-validation have in common.

    Attributes
    ----------
    settings, taxonomy
        Of the classifier; ``trainable`` resolved.
    encoders
        Of all folds: each is loaded once.
    documents
        All of them, with their rows.
    sources
        Of each document, or None.
    baselines
        Whether flat models are fitted beside the model.
    """

    settings: Settings
    encoders: Encoders
    taxonomy: Taxonomy | None
    documents: Documents
    sources: Sequence[str | None] | None
    baselines: bool

    def key(self, folds: int) -> str:
        """Name all that a fold depends on; not the number of repeats: more can follow."""
        encoder = None
        if self.settings.encoder != "none":
            encoder = [vector_key(*self.encoders.of_documents), self.encoders.of_documents[0].dropout_rates()]
        return work_key(
            self.settings,
            self.taxonomy,
            self.documents,
            encoders=[self.settings.label_encoder],
            functions=[self.settings.augment],
            no_matter=MACHINE | {"keep_neighbours"},
            encoder=encoder,
            sources=self.sources,
            folds=folds,
            baselines=self.baselines,
        )

    def run(
        self, fold_of: np.ndarray, fold: int, folder: Path, *, shared: "SharedVectors | None", random_state: int
    ) -> FoldResult:
        """Train on all folds but one, and answer that one.

        Parameters
        ----------
        fold_of
            (documents,) fold of each document.
        fold
            The one to answer.
        folder
            Run folder of this fold alone: a stopped one goes on there.
        shared
            Vectors of all documents by the untrained encoder; None where none are read.
        random_state
            Of the validation part.
        """
        inside, tested = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
        sources = None if self.sources is None else [self.sources[int(i)] for i in inside]
        kept, cut = cut_fold_validation(
            [self.documents.labels[int(i)] for i in inside], random_state=random_state, sources=sources
        )
        train, valid, test = (self.documents.select(part) for part in (inside[kept], inside[cut], tested))
        if shared is not None:
            trained_on = with_label_documents(self.settings, self.taxonomy, train)
            for part in (trained_on, train, valid, test):  # flat models train on the documents alone
                shared.copy(part.texts, folder)
        model = fit_model(self.settings, self.taxonomy, train, valid, folder=folder, encoders=self.encoders)
        inputs = model.extractor.through_cache(test.texts, folder)
        routed = model.router.route(inputs, routing=self.settings.routing, beam=self.settings.beam)
        answers = {OWN: routed.probabilities.argmax(1)}
        if "no_tree" in model.router.fusions:
            answers[VARIANT_NAMES["no_tree"]] = model.router.route(inputs, variant="no_tree").probabilities.argmax(1)
        if self.baselines:
            answers |= _flat_answers(model, train, valid, test, inputs, folder)
        gold, labels = np.array(test.labels), np.array(model.label_ids)
        return FoldResult(
            self._predictions(model, test, routed.probabilities, fold),
            {system: accuracy_and_macro_f1(gold, labels[answer]) for system, answer in answers.items()},
            len(tested) / len(inside),
        )

    def _predictions(self, model: Model, test: Documents, probabilities: np.ndarray, fold: int) -> OutOfFold:
        label_ids = tuple(sorted({*model.label_ids, *test.labels}))
        place = {label: i for i, label in enumerate(label_ids)}
        own = np.full(len(test.labels), np.nan, dtype=np.float32)
        columns = model.space.targets(test.labels)
        known = np.flatnonzero(columns >= 0)
        own[known] = probabilities[known, columns[known]]
        tree = model.taxonomy
        return OutOfFold(
            label_ids=label_ids,
            rows=np.arange(len(test.labels)) if test.rows is None else test.rows,
            keys=test.keys(),
            folds=np.full(len(test.labels), fold),
            targets=np.array([place[label] for label in test.labels], dtype=np.int64),
            own=own,
            probabilities=keep_best(probabilities, [place[label] for label in model.label_ids], len(label_ids)),
            trees=({label.id: group.id for group in tree.groups for label in group.labels},),
        )


def _flat_answers(
    model: Model, train: Documents, valid: Documents, test: Documents, inputs: Inputs, folder: Path
) -> dict[str, np.ndarray]:
    """Answers of the flat models; they train on the validation part as well, having no other use for it."""
    space = model.space
    texts, labels = [*train.texts, *valid.texts], [*train.labels, *valid.labels]
    vectors = None
    if model.extractor.neural is not None:
        parts = (model.extractor.neural.through_cache(part.texts, folder)[0] for part in (train, valid))
        vectors = model.extractor.neural.pooled(np.concatenate(list(parts)))
    gold = space.targets(test.labels)
    return flat_baselines(
        texts,
        space.targets(labels),
        test.texts,
        gold,
        vectors,
        model.extractor.pooled(inputs),
        n_jobs=model.settings.n_jobs,
    )
