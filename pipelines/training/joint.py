"""Joint training: encoder, document model, group head and rows at once; then the n-gram rows and the router."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hierarchy.taxonomy import Taxonomy
from pipelines.data.augmentation import for_rows
from pipelines.data.documents import Documents
from pipelines.model.model import Model
from pipelines.model.neighbours import Neighbours
from pipelines.settings import Settings
from pipelines.training.heads import fit_ngram_rows, plan_rows, read_ngrams
from stages.features import FeatureExtractor
from stages.fine.bank import HeadBank
from stages.fine.negatives import resolve_negatives
from stages.fine.rows import Rows
from stages.machine import first_goes_first
from stages.progress import Clock
from stages.router.label_space import LabelSpace
from stages.router.router import Inputs, fit_router

if TYPE_CHECKING:
    from pipelines.training.neural import NeuralStage


def fit_joint(
    settings: Settings,
    taxonomy: Taxonomy,
    train: Documents,
    valid: Documents,
    *,
    neural: "NeuralStage",
    folder: Path,
    clock: Clock,
) -> Model:
    """Train all parts.

    Parameters
    ----------
    settings, taxonomy, train, valid, neural, folder, clock
        As for `pipelines.training.chained.fit_chained`; there is always an encoder.
    """
    space = LabelSpace.of(taxonomy, train.labels)
    targets, valid_targets = space.targets(train.labels), space.targets(valid.labels)
    settings = settings.resolved(negatives=resolve_negatives(settings.negatives, len(space.label_ids), len(targets)))

    with clock.step("joint model"):
        history = neural.train(taxonomy, space, targets, valid_targets).history
        assert neural.rows is not None  # noqa: S101 - a joint training makes them; this tells the type checker
        rows = Rows(neural.rows.weight.cpu().numpy(), neural.rows.bias.cpu().numpy())
    with clock.step("vectors of validation documents"):
        valid_vectors, valid_logits = neural.read("validation")

    with clock.step("n-grams"):
        vectorizer, ngrams, valid_ngrams = read_ngrams(settings, train, valid)
    lexical = group_rows = None
    if ngrams is not None:
        with clock.step("n-gram rows"), first_goes_first():
            problems = plan_rows(ngrams, targets, space, settings)
            lexical, group_rows = fit_ngram_rows(ngrams, targets, space, problems, for_rows(settings), folder)

    bank = HeadBank(rows, space.offsets)
    with clock.step("fusion"):
        router = fit_router(
            space,
            neural=bank,
            lexical=lexical,
            group_rows=group_rows,
            valid=Inputs(valid_vectors, valid_logits, valid_ngrams),
            valid_targets=valid_targets,
            neural_margins=False,
        )

    neighbours = None
    if settings.keep_neighbours:
        with clock.step("vectors of training documents"):
            neighbours = Neighbours.of(neural.read("training")[0], train, targets)
    return Model(
        settings=settings,
        taxonomy=taxonomy,
        label_ids=space.label_ids,
        group_ids=space.group_ids,
        train_counts=np.bincount(targets[: train.given], minlength=len(space.label_ids)),
        extractor=FeatureExtractor(neural=neural.features(), vectorizer=vectorizer),
        router=router,
        record={"history": history},
        valid_keys=np.unique(valid.keys()),
        neighbours=neighbours,
    )
