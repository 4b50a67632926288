"""The rows' part of a training: n-grams, liblinear over features of the real size, and the fusion."""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from pipelines.data.augmentation import for_rows
from pipelines.estimating.sample import Sample
from pipelines.estimating.timing import Pace, pace_of
from pipelines.settings import Settings
from pipelines.training.heads import fit_heads
from stages.fine.negatives import Problem, plan_problems
from stages.fine.ngrams import NgramVectorizer
from stages.fine.rows import Features, Rows
from stages.label_space import LabelSpace
from stages.router.fusion import fit_router
from stages.router.router import Inputs, Router

MOST_NUMBERS = 10_000_000  # in the features on which rows are timed: of more, these stand for the others
NOISE = 0.02  # in each dimension, that makes different documents of one: about half the length of a vector
FUSED, BLOCK = 1_000, 100  # documents on which the fusion is timed at most, and by which it grows
KEPT = 0.02  # of the weights of an n-gram row


@dataclass(frozen=True)
class Ngrams:
    """The n-grams of a sample of the training documents.

    Attributes
    ----------
    features
        (sample, n-grams), each n-gram that stands in the sample.
    reading
        Seconds of a character.
    growth
        β of Heaps' law: v times the documents have v^β times the n-grams.
    """

    features: sparse.csr_matrix
    reading: float
    growth: float

    def vocabulary(self, share: float) -> float:
        """Return how many n-grams there are in `share` times the sample."""
        return float(self.features.shape[1] * share**self.growth)

    def numbers(self, share: float, min_df: int) -> float:
        """Return how many numbers the features of `share` times the sample hold.

        With a `min_df` above 1, those of n-grams that stand in one document alone are left out. By Heaps' law that is β
        of all n-grams: as many as the next documents would bring anew.
        """
        alone = self.growth * self.vocabulary(share) if min_df > 1 else 0.0
        return max(float(self.features.nnz) * share - alone, 1.0)


@dataclass(frozen=True)
class RowWork:
    """Rows that are to be fitted over one kind of features.

    Attributes
    ----------
    sample
        (sample, features) dense or CSR.
    numbers
        That the features of all documents of a row hold.
    rows
        How many there are.
    """

    sample: Features
    numbers: float
    rows: int

    @property
    def is_sparse(self) -> bool:
        """Whether the features are."""
        return bool(sparse.issparse(self.sample))


def read_ngrams_of(sample: Sample) -> Ngrams:
    """Read the n-grams of a sample of the training documents."""
    # The first few of a sample may hold none, where all documents together do.
    texts = sorted(sample.texts, key=lambda text: not any(map(str.isalnum, text)))

    def read(texts: Sequence[str]) -> sparse.csr_matrix:
        return NgramVectorizer.fit(texts, len(texts), min_df=1)[1]

    pace = pace_of(lambda n: read(texts[:n]), len(texts), size=lambda n: sum(map(len, texts[:n])) or 1)
    features, half = read(sample.texts), read(texts[: math.ceil(len(texts) / 2)])
    growth = math.log2(features.shape[1] / half.shape[1]) if len(texts) > 1 else 1.0
    return Ngrams(features, pace.each, min(1.0, growth))


def time_rows(work: RowWork, labels: np.ndarray, settings: Settings) -> float:
    """Return the seconds of some rows, by a few of them over features of the real size: those of a sample, repeated.

    Parameters
    ----------
    work
        The rows.
    labels
        (sample,) label of each document.
    settings
        Of the classifier.
    """
    at_once = processes(settings)
    held = work.sample.nnz / work.sample.shape[0] if work.is_sparse else work.sample.shape[1]
    documents = max(2, int(min(work.numbers, MOST_NUMBERS) / held))
    features = repeated(work.sample, documents)
    targets = labels[np.arange(documents) % work.sample.shape[0]]
    present = np.unique(targets)

    def fit(n: int) -> None:
        problems = [Problem(present[[place % len(present)]]) for place in range(n * at_once)]
        with tempfile.TemporaryDirectory(prefix="coarsefine-") as folder:
            fit_heads(features, targets, problems, for_rows(settings), Path(folder), "rows of a sample")

    larger = work.numbers / (held * documents)
    return larger * pace_of(fit, math.ceil(len(present) / at_once)).seconds(work.rows / at_once)


def repeated(sample: Features, documents: int) -> Features:
    """Return features of so many documents, those of a sample over and over; dense ones with noise.

    Parameters
    ----------
    sample
        (sample, features) dense or CSR.
    documents
        How many.
    """
    places = np.arange(documents) % sample.shape[0]
    if sparse.issparse(sample) or documents <= sample.shape[0]:
        return sample[places]
    noise = np.random.default_rng(0).standard_normal((documents, sample.shape[1]), dtype=np.float32)
    return sample[places] + np.float32(NOISE) * noise


def documents_of_a_row(targets: np.ndarray, space: LabelSpace, negatives: str) -> float:
    """Return on how many documents a row is trained, in the mean.

    Parameters
    ----------
    targets
        (documents,) label of each.
    space
        Labels and groups.
    negatives
        As resolved. With ``candidates`` each group is taken to be confused with as many others as count at most.
    """
    confusion = np.ones((len(space.group_ids),) * 2)
    problems = plan_problems(negatives, targets, space, confusion=confusion)
    sizes = [len(targets) if problem.documents is None else len(problem.documents) for problem in problems]
    return float(np.average(sizes, weights=[len(problem.labels) for problem in problems]))


def fusion_pace(space: LabelSpace, vectors: np.ndarray | None, ngrams: Features | None, *, margins: bool) -> Pace:
    """Time the fusion, document by document, with random rows.

    Parameters
    ----------
    space
        Labels and groups.
    vectors, ngrams
        (sample, features) of a sample; None where there are none.
    margins
        Whether neural rows give margins, as in a chained training.
    """
    random = np.random.default_rng(0)
    labels, groups = len(space.label_ids), len(space.group_ids)

    def rows(n: int, features: Features) -> Rows:
        shape, bias = (n, features.shape[1]), np.zeros(n, dtype=np.float32)
        if sparse.issparse(features):
            return Rows(sparse.random(*shape, density=KEPT, format="csr", dtype=np.float32, random_state=0), bias)
        return Rows(random.standard_normal(shape, dtype=np.float32), bias)

    router = Router(
        space,
        None if vectors is None else rows(labels, vectors),
        None if ngrams is None else rows(labels, ngrams),
        None if ngrams is None else rows(groups, ngrams),
        neural_margins=margins,
    )
    inputs = Inputs(
        None if vectors is None else repeated(vectors, FUSED),
        None if vectors is None else random.standard_normal((FUSED, groups), dtype=np.float32),
        None if ngrams is None else repeated(ngrams, FUSED),
    )
    targets = random.integers(labels, size=FUSED)

    def fuse(n: int) -> None:
        fit_router(router, inputs[: n * BLOCK], targets[: n * BLOCK])

    pace = pace_of(fuse, FUSED // BLOCK, weight=0.5)
    return Pace(pace.fixed, pace.each / BLOCK)


def processes(settings: Settings) -> int:
    """Return how many processes fit rows."""
    from joblib import effective_n_jobs

    return int(effective_n_jobs(settings.n_jobs))
