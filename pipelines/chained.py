"""Chained training: the coarse stage first; on its cached vectors the rows; then the router's few numbers."""

import hashlib
import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from hierarchy.probe import probe_labels
from hierarchy.taxonomy import Taxonomy
from pipelines.calibration import Fusion, fit_fusion, fit_variants, log_coarse
from pipelines.features import FeatureExtractor
from pipelines.label_space import LabelSpace
from pipelines.model import Model
from pipelines.router import Inputs, Router
from pipelines.settings import Settings
from stages.fine.bank import HeadBank
from stages.fine.negatives import plan_problems, resolve_negatives
from stages.lexical import NgramVectorizer, reduced
from stages.progress import duration, progress
from stages.rows import Features, Problem, Rows, fit_rows, seconds_of_one_row

if TYPE_CHECKING:
    from pipelines.coarse import NeuralStage

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Documents:
    """Documents with their fine labels.

    Attributes
    ----------
    texts
        The documents, in memory or memory-mapped.
    labels
        Fine label id of each.
    """

    texts: Sequence[str]
    labels: Sequence[str]

    def keys(self) -> np.ndarray:
        """(documents,) uint64 hash of each text, by which a document is known again."""
        digests = (hashlib.blake2b(t.encode("utf-8", "surrogatepass"), digest_size=8).digest() for t in self.texts)
        return np.frombuffer(b"".join(digests), dtype="<u8")

    def select(self, places: np.ndarray) -> "Documents":
        """Return the documents at some places, in memory."""
        return Documents([self.texts[int(i)] for i in places], [self.labels[int(i)] for i in places])


@dataclass
class Clock:
    """Seconds of each step, in the order in which the steps ran."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step and log it."""
        logger.info("%s ...", name)
        started = time.monotonic()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - started
        logger.info("%s: %s", name, duration(self.seconds[name]))


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
    group_targets, valid_groups = space.groups(targets), space.groups(valid_targets)

    pooled = valid_pooled = valid_logits = None
    features = None
    history: list[dict[str, float]] = []
    if neural is not None:
        with clock.step("coarse model"):
            trained = neural.train_coarse(taxonomy, space, group_targets, valid_groups)
            history = trained.history
        with clock.step("vectors for the fine heads"):
            pooled, valid_pooled = neural.fine_vectors()
            valid_logits = neural.valid_logits()
        features = neural.features()

    vectorizer = ngrams = valid_ngrams = None
    if settings.lexical:
        with clock.step("n-grams"):
            vectorizer = NgramVectorizer(settings.min_df)
            ngrams = vectorizer.fit_transform(train.texts, len(train.texts))
            valid_ngrams = vectorizer.transform(valid.texts)

    negatives = resolve_negatives(settings.negatives, len(space.label_ids), len(targets))
    settings = settings.model_copy(update={"negatives": negatives})
    with clock.step("rows"):
        confusion = None
        if negatives == "candidates":
            confusion = probe_confusion(pooled if pooled is not None else ngrams, targets, space.group_of, settings)
        problems = plan_problems(negatives, targets, space.group_of, confusion=confusion, seed=settings.seed)
        neural_bank = lexical_bank = group_rows = None
        if pooled is not None:
            heads = fit_heads(pooled, targets, problems, settings, folder, "neural rows")
            neural_bank = HeadBank.from_heads(heads, space.offsets)
        if ngrams is not None:
            heads = fit_heads(ngrams, targets, problems, settings, folder, "n-gram rows")
            lexical_bank = HeadBank.from_heads(heads, space.offsets)
            group_rows = fit_group_rows(ngrams, group_targets, len(space.group_ids), settings, folder)

    with clock.step("fusion"):
        router = fit_router(
            space,
            neural=neural_bank,
            lexical=lexical_bank,
            group_rows=group_rows,
            valid=Inputs(valid_pooled, valid_logits, valid_ngrams),
            valid_targets=valid_targets,
        )

    return Model(
        settings=settings,
        taxonomy=taxonomy,
        label_ids=space.label_ids,
        group_ids=space.group_ids,
        train_counts=np.bincount(targets, minlength=len(space.label_ids)),
        extractor=FeatureExtractor(neural=features, vectorizer=vectorizer),
        router=router,
        record={
            "documents": {"train": len(train.texts), "valid": len(valid.texts)},
            "coarse_history": history,
            "seconds": clock.seconds,
        },
        valid_keys=np.unique(valid.keys()),
    )


def fit_router(
    space: LabelSpace,
    *,
    neural: HeadBank | None,
    lexical: HeadBank | None,
    group_rows: Rows | None,
    valid: Inputs,
    valid_targets: np.ndarray,
    coarse_fusion: Fusion | None = None,
) -> Router:
    """Fit the router's numbers on validation documents.

    Parameters
    ----------
    space
        Labels and groups.
    neural, lexical, group_rows
        Rows of the experts; None where there is none.
    valid, valid_targets
        What the experts read of the validation documents, and the label of each or -1.
    coarse_fusion
        Fusion of a coarse stage that has not changed; None fits it too.
    """
    experts: dict[str, np.ndarray] = {}
    coarse_experts: dict[str, np.ndarray] = {}
    if neural is not None and valid.group_logits is not None:
        coarse_experts["neural"] = valid.group_logits
        experts["neural"] = neural.score(valid.pooled)
    if lexical is not None and group_rows is not None:
        coarse_experts["lexical"] = group_rows.score(valid.ngrams)
        experts["lexical"] = lexical.score(valid.ngrams)
    if coarse_fusion is None:
        coarse_fusion = fit_fusion(coarse_experts, space.groups(valid_targets))
    experts["coarse"] = log_coarse(coarse_experts, coarse_fusion)[:, space.group_of]
    return Router(space.group_of, neural, lexical, group_rows, coarse_fusion, fit_variants(experts, valid_targets))


def probe_confusion(features: Features, targets: np.ndarray, group_of: np.ndarray, settings: Settings) -> np.ndarray:
    """Group confusions of the cross-fitted probe, (groups, groups)."""
    if sparse.issparse(features):
        features = reduced(features, seed=settings.seed)
    return probe_labels(features, targets, len(group_of), seed=settings.seed).group_confusion(group_of)


def fit_heads(
    features: Features,
    targets: np.ndarray,
    problems: Sequence[Problem],
    settings: Settings,
    folder: Path,
    what: str,
) -> list[Rows]:
    """Fit rows problem by problem; each finished one is kept in `folder`, so a stopped run goes on after it.

    With `negatives: all` a row does not depend on the groups, so that another tree finds its rows there as well.

    Parameters
    ----------
    features
        (documents, features) dense for neural rows, CSR for n-gram rows.
    targets
        (documents,) class of each document.
    problems
        As `plan_problems` makes them.
    settings
        C, balance, prune and n_jobs are read.
    folder
        Run folder.
    what
        Name of the work in the progress shown.
    """
    from safetensors.numpy import load_file, save_file

    lexical = sparse.issparse(features)
    options: dict[str, Any] = {
        "C": settings.lexical_C if lexical else settings.neural_C,
        "balance": settings.balance,
        "prune": settings.prune if lexical else 0.0,
    }
    kept = folder / f"rows-{_features_key(features, options)}"
    kept.mkdir(parents=True, exist_ok=True)
    files = [[kept / f"{key}.safetensors" for key in _row_keys(problem, targets)] for problem in problems]
    missing, homes = [], []
    for problem, own in zip(problems, files, strict=True):
        absent = [place for place, file in enumerate(own) if not file.exists()]
        if absent:
            missing.append(Problem(problem.labels[absent], problem.documents, problem.weights))
            homes.append([own[place] for place in absent])
    if missing:
        rows = sum(len(problem.labels) for problem in missing)
        one = seconds_of_one_row(features, targets, missing, **options)
        workers = settings.n_jobs if settings.n_jobs > 0 else _cores()
        logger.info("%s: %d rows, about %s on %d processes", what, rows, duration(rows * one / workers), workers)
    fitted = fit_rows(features, targets, missing, n_jobs=settings.n_jobs, **options)
    for own, head in zip(homes, progress(fitted, total=len(missing), what=what, unit="heads"), strict=True):
        for place, file in enumerate(own):
            part = file.with_suffix(".part")
            save_file(head[place : place + 1].tensors("rows"), part)
            part.replace(file)
    return [Rows.stack([Rows.from_tensors(load_file(file), "rows") for file in own]) for own in files]


def fit_group_rows(ngrams: Features, targets: np.ndarray, n_groups: int, settings: Settings, folder: Path) -> Rows:
    """Fit the n-gram rows of the groups, one a group; `targets` (documents,) holds the group of each document."""
    one_each = [Problem(np.array([group])) for group in range(n_groups)]
    return Rows.stack(fit_heads(ngrams, targets, one_each, settings, folder, "n-gram rows of the groups"))


def _features_key(features: Features, options: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(options, sort_keys=True).encode())
    arrays = (features.data, features.indices, features.indptr) if sparse.issparse(features) else (features,)
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]


def _row_keys(problem: Problem, targets: np.ndarray) -> Iterator[str]:
    """Name each row by what it is fitted on, whatever its label is called and wherever it stands in the tree."""
    common = hashlib.sha256()
    for array in (problem.documents, problem.weights):
        common.update(b"-" if array is None else np.ascontiguousarray(array).data)
    for label in problem.labels:
        own = common.copy()
        own.update(np.packbits(targets == label).data)
        yield own.hexdigest()[:24]


def _cores() -> int:
    from joblib import cpu_count

    return int(cpu_count())
