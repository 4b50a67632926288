"""Chained training: the coarse stage first; on its cached vectors the rows; then the router's few numbers."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hierarchy.taxonomy import Taxonomy
from pipelines.data.augmentation import for_rows
from pipelines.data.documents import Documents
from pipelines.model.model import Model
from pipelines.model.neighbours import Neighbours
from pipelines.settings import Settings
from pipelines.training.heads import fit_heads, fit_ngram_rows, plan_rows, read_ngrams
from stages.features import FeatureExtractor
from stages.fine.bank import HeadBank
from stages.fine.negatives import resolve_negatives
from stages.machine import first_goes_first
from stages.progress import Clock
from stages.router.label_space import LabelSpace
from stages.router.router import Inputs, fit_router

if TYPE_CHECKING:
    from pipelines.training.neural import NeuralStage


def fit_chained(
    settings: Settings,
    taxonomy: Taxonomy,
    train: Documents,
    valid: Documents,
    *,
    neural: "NeuralStage | None",
    folder: Path,
    clock: Clock,
) -> Model:
    """Train all parts but the encoder's vectors, which `neural` brings.

    Parameters
    ----------
    settings
        Of the classifier.
    taxonomy
        Every label of the documents stands in a group.
    train
        Fits rows, document model and n-grams.
    valid
        Early stopping and fusion.
    neural
        Encoder and cache; None for ``encoder: none``.
    folder
        Run folder: what is finished there is not done again.
    clock
        Takes the time of each step.
    """
    space = LabelSpace.of(taxonomy, train.labels)
    targets, valid_targets = space.targets(train.labels), space.targets(valid.labels)
    settings = settings.resolved(negatives=resolve_negatives(settings.negatives, len(space.label_ids), len(targets)))

    vectors = valid_vectors = valid_logits = features = None
    history: list[dict[str, float | None]] = []
    if neural is not None:
        with clock.step("coarse model"):
            history = neural.train(taxonomy, space, targets, valid_targets).history
        with clock.step("vectors for the fine heads"):
            vectors, valid_vectors = neural.fine_vectors()
            valid_logits = neural.read("validation")[1]
        features = neural.features()

    with clock.step("n-grams"):
        vectorizer, ngrams, valid_ngrams = read_ngrams(settings, train, valid)

    of_rows = for_rows(settings)
    with clock.step("rows"), first_goes_first():
        problems = plan_rows(ngrams if vectors is None else vectors, targets, space, settings)
        bank = None
        if vectors is not None:
            bank = HeadBank.from_heads(
                fit_heads(vectors, targets, problems, of_rows, folder, "neural rows"), space.offsets
            )
        lexical, group_rows = fit_ngram_rows(ngrams, targets, space, problems, of_rows, folder)

    with clock.step("fusion"):
        router = fit_router(
            space,
            neural=bank,
            lexical=lexical,
            group_rows=group_rows,
            valid=Inputs(valid_vectors, valid_logits, valid_ngrams),
            valid_targets=valid_targets,
        )

    neighbours = None
    if settings.keep_neighbours and vectors is not None:
        neighbours = Neighbours.of(vectors, train, targets)
    return Model(
        settings=settings,
        taxonomy=taxonomy,
        label_ids=space.label_ids,
        group_ids=space.group_ids,
        train_counts=np.bincount(targets[: train.given], minlength=len(space.label_ids)),
        extractor=FeatureExtractor(neural=features, vectorizer=vectorizer),
        router=router,
        record={"history": history},
        valid_keys=np.unique(valid.keys()),
        neighbours=neighbours,
    )
