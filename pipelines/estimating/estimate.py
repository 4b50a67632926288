"""Minutes and memory of each step of a training, from samples that go through the same code on this machine.

The steps bear the names that the log and the record of a training have for them. What a run folder holds already is not
looked at.
"""

import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hierarchy.taxonomy import Taxonomy
from hierarchy.text.wording import count
from pipelines.data.augmentation import label_texts, with_label_documents
from pipelines.data.documents import Documents
from pipelines.estimating.evaluating import logistic_seconds, report_pace, svm_seconds
from pipelines.estimating.memory import WORKER_BYTES, features_bytes, memory_now, ngrams_bytes, rows_bytes
from pipelines.estimating.rows import (
    Ngrams,
    RowWork,
    documents_of_a_row,
    fusion_pace,
    processes,
    read_ngrams_of,
    repeated,
    time_rows,
)
from pipelines.estimating.sample import Sample
from pipelines.estimating.timing import of_a_sample
from pipelines.settings import Settings
from pipelines.training.encoders import Encoders
from pipelines.training.groups import builder_of, check_placeable, document_vectors
from stages.fine.negatives import resolve_negatives
from stages.label_space import LabelSpace
from stages.router.fusion import documents_fused

if TYPE_CHECKING:
    from pipelines.estimating.encoding import Reading

TREE_DOCUMENTS = 5_000  # that groups are built on while that is timed, at most
REPORT_ARRAYS = 10  # of (test documents, labels) in float32 that a report holds


@dataclass(frozen=True)
class StepEstimate:
    """What one step would take.

    Attributes
    ----------
    name
        As the log has it.
    work
        What the step grows with, in numbers.
    seconds
        That it takes.
    memory
        Bytes that the process, and those that work for it, hold at its peak; what an earlier step took may be among
        them.
    """

    name: str
    work: str
    seconds: float
    memory: float


@dataclass(frozen=True)
class _Plan:
    """What is known of a training before its steps are estimated, one after the other."""

    settings: Settings  # resolved
    train: Sample
    valid: Sample
    test: Sample
    labels: Sequence[str]  # of the sample of training documents
    placed: Taxonomy
    space: LabelSpace
    targets: np.ndarray  # (documents,) of all training documents but the copies
    reading: "Reading | None"
    ngrams: Ngrams | None
    document_width: int  # of the document vectors; 0 without an encoder
    held: int  # bytes that a process holds with all that it needs loaded

    @property
    def trains_encoder(self) -> bool:
        return self.reading is not None and self.settings.trainable != "frozen"

    @property
    def reads(self) -> int:
        """How many encoders the trained model reads a new document with."""
        both = self.trains_encoder and self.settings.mode == "chained" and self.settings.fine_features != "trained"
        return 0 if self.reading is None else 1 + both

    @property
    def features(self) -> int:
        """Numbers of a document that neural rows are fitted on; 0 where none are."""
        if self.reading is None or self.settings.mode == "joint":
            return 0
        encoders = 2 if self.trains_encoder and self.settings.fine_features == "both" else 1
        return int(self.reading.pooled.shape[1]) * encoders + self.document_width

    @property
    def vectors(self) -> np.ndarray | None:
        """(some of the sample, features) what neural rows read: of the right width, if not of the right content."""
        if self.reading is None:
            return None
        pooled, width = self.reading.pooled, self.features or self.document_width
        return np.tile(pooled, (1, math.ceil(width / pooled.shape[1])))[:, :width]

    def encoding(self, part: Sample, times: int) -> float:
        """Seconds of reading a part so many times with an encoder, and of choosing what it reads."""
        if self.reading is None:
            return 0.0
        choosing = 0.0
        if self.ngrams is not None and self.settings.chooses_segments:
            choosing = self.ngrams.reading * part.characters
        return times * (self.reading.pace.seconds(part.characters) + choosing)

    def ngrams_bytes(self) -> float:
        if self.ngrams is None:
            return 0.0
        share = self.train.share
        return ngrams_bytes(self.ngrams.vocabulary(share), self.ngrams.numbers(share, self.settings.min_df))

    def vectors_bytes(self) -> float:
        return features_bytes(self.train.documents * self.features, is_sparse=False)


def estimate_training(
    settings: Settings,
    taxonomy: Taxonomy | None,
    train: Documents,
    valid: Documents,
    test: Documents,
    *,
    calibration: Documents | None = None,
    baselines: bool,
) -> list[StepEstimate]:
    """Estimate a training and the evaluation after it; samples of the documents are worked on for about a minute.

    Parameters
    ----------
    settings
        Of the classifier.
    taxonomy
        The given tree; None has groups built.
    train, valid, calibration
        As `prepare_fit` gives them.
    test
        Documents of the evaluation.
    baselines
        Whether the flat models are fitted beside the model.

    Returns
    -------
    list[StepEstimate]
        In the order of the steps.

    Raises
    ------
    ConfigError, EncoderError
        As `pipelines.training.fit.fit_model` does.
    """
    encoders = Encoders(settings)
    if taxonomy is None or taxonomy.unplaced:
        check_placeable(encoders, taxonomy, train)
    every = with_label_documents(settings, taxonomy, train)
    part = Sample.of(every.texts, times=1 + settings.augmented_copies if settings.augments_text else 1)
    labels = [every.labels[int(place)] for place in part.places]
    steps, reading = [], None
    if settings.encoder != "none":
        from pipelines.estimating.encoding import document_width, read_sample
        from pipelines.training.encoder import load_encoder, resolve_trainable

        started = time.monotonic()
        encoder, segmenter = load_encoder(encoders, every.texts, label_texts(taxonomy, train).values())
        encoder.content_fingerprint()
        settings = settings.resolved(trainable=resolve_trainable(settings, encoder, every.texts))
        steps.append(StepEstimate("encoder", "", time.monotonic() - started, memory_now()))
        reading = read_sample(encoder, segmenter, part, settings.tokens_per_chunk)
    held = memory_now()
    with of_a_sample():
        placed, seconds = _placed(encoders, taxonomy, train, part, labels, reading)
    space = LabelSpace.of(placed, every.labels)
    targets = space.targets(every.labels)
    settings = settings.resolved(negatives=resolve_negatives(settings.negatives, len(space.label_ids), len(targets)))
    plan = _Plan(
        settings=settings,
        train=part,
        valid=Sample.of(valid.texts),
        test=Sample.of(test.texts),
        labels=labels,
        placed=placed,
        space=space,
        targets=targets,
        reading=reading,
        ngrams=read_ngrams_of(part) if settings.lexical else None,
        document_width=0 if reading is None else document_width(settings, encoder.hidden_size, len(space.group_ids)),
        held=held,
    )
    built = placed is not taxonomy
    if built:
        steps += _vectors(plan, built=True)
        work = f"{count(len(space.label_ids), 'label')} in {count(len(space.group_ids), 'group')}"
        steps.append(StepEstimate("taxonomy", work, seconds, held + 3 * plan.vectors_bytes()))
    steps += _ngrams(plan)
    plan = replace(plan, held=plan.held + int(plan.ngrams_bytes()))
    if reading is not None:
        if not built:
            steps += _vectors(plan, built=False)
        steps += _neural(plan, reading, encoders)
        # All that a training needs is loaded by now, and what a library took for reading it does not give back.
        plan = replace(plan, held=memory_now() + int(reading.read_bytes + plan.ngrams_bytes()))
    steps += _rows(plan)
    if calibration is not None:
        steps.append(_calibration(plan, Sample.of(calibration.texts)))
    steps += _evaluation(plan, test.labels, baselines)
    peaks = accumulate((step.memory for step in steps), max)  # what a step took, a process hardly gives back
    return [replace(step, memory=peak) for step, peak in zip(steps, peaks, strict=True)]


def _placed(
    encoders: Encoders,
    taxonomy: Taxonomy | None,
    train: Documents,
    part: Sample,
    labels: Sequence[str],
    reading: "Reading | None",
) -> tuple[Taxonomy, float]:
    """Build groups on a sample where a training would build them; return the tree and what that would take."""
    if taxonomy is not None and not taxonomy.unplaced:
        return taxonomy, 0.0
    started, vectors, more = time.monotonic(), None, 0.0
    if reading is None:
        with tempfile.TemporaryDirectory(prefix="coarsefine-") as folder:
            vectors = document_vectors(part.texts, encoders, Path(folder))
        more = (part.share - 1) * (time.monotonic() - started)
    else:
        vectors = reading.pooled
    documents = min(part.documents, TREE_DOCUMENTS)
    tree = taxonomy or Taxonomy.from_data(sorted(set(train.labels)), merge_spellings=False)
    known = [labels[place % len(vectors)] for place in range(documents)]
    placed = builder_of(encoders).build(tree, documents=(repeated(vectors, documents), known))
    return placed, time.monotonic() - started + more


def _vectors(plan: _Plan, *, built: bool) -> Iterator[StepEstimate]:
    """Tell of the vectors by the encoder as it came: groups are built from them, and one that stays frozen is read."""
    reading = plan.reading
    if reading is None:
        return
    frozen, chooses = not plan.trains_encoder, plan.settings.chooses_segments
    parts = [plan.train] * (built + (frozen and (chooses or not built))) + [plan.valid] * frozen
    if parts:
        tokens = reading.tokens * sum(part.characters for part in parts)
        seconds = sum(plan.encoding(part, 1) for part in parts)
        yield StepEstimate("vectors", _speed(tokens, seconds), seconds, plan.held + reading.read_bytes)


def _neural(plan: _Plan, reading: "Reading", encoders: Encoders) -> Iterator[StepEstimate]:
    from pipelines.estimating.encoding import learn_sample

    settings = plan.settings
    times = settings.label_attention + (settings.row_start == "labels")  # that the label texts are read
    seconds = reading.pace.seconds(times * sum(len(label.text) for label in plan.placed.labels)) if times else 0.0
    learning = learn_sample(settings, encoders.of_documents, reading, plan.train, plan.labels, plan.placed, plan.space)
    name = "joint model" if settings.mode == "joint" else "coarse model"
    yield StepEstimate(
        name,
        learning.work(plan.train, plan.valid),
        seconds + learning.seconds(plan.train, plan.valid),
        plan.held + learning.memory(plan.train),
    )
    if settings.mode == "chained":
        seconds = plan.encoding(plan.train, plan.reads) if plan.trains_encoder else 0.0
        work = _speed(reading.tokens * plan.train.characters * plan.reads, seconds)
        memory = plan.held + reading.read_bytes + 2 * plan.vectors_bytes()
        yield StepEstimate("vectors for the fine heads", work, seconds + learning.reading(plan.train), memory)


def _ngrams(plan: _Plan) -> Iterator[StepEstimate]:
    ngrams, share = plan.ngrams, plan.train.share
    if ngrams is None:
        yield StepEstimate("n-grams", "", 0.0, plan.held)
        return
    vocabulary, numbers = ngrams.vocabulary(share), ngrams.numbers(share, plan.settings.min_df)
    held = plan.held + plan.ngrams_bytes()
    yield StepEstimate(
        "n-grams",
        f"{plan.train.characters:,.0f} characters, {vocabulary:,.0f} n-grams",
        ngrams.reading * plan.train.characters,
        held + ngrams_bytes(vocabulary, ngrams.numbers(share, 1)),
    )
    groups = len(plan.space.group_ids)
    yield _fitting(plan, "rows of the groups", [RowWork(ngrams.features, numbers, groups)], held)


def _rows(plan: _Plan) -> Iterator[StepEstimate]:
    settings, space, ngrams = plan.settings, plan.space, plan.ngrams
    held = plan.held + plan.vectors_bytes()
    labels = len(space.label_ids)
    on = documents_of_a_row(plan.targets, space, settings.negatives) / len(plan.targets)  # share of the documents
    work: list[RowWork] = []
    if plan.features:
        work.append(RowWork(plan.vectors, plan.train.documents * plan.features * on, labels))
    if ngrams is not None:
        work.append(RowWork(ngrams.features, ngrams.numbers(plan.train.share, settings.min_df) * on, labels))
    if work:
        yield _fitting(plan, "rows", work, held)
    valid = ngrams.reading * plan.valid.characters if ngrams is not None else 0.0
    if plan.trains_encoder:
        valid += plan.encoding(plan.valid, plan.reads)
    documents = count(plan.valid.documents, "document")
    yield StepEstimate("vectors of validation documents", documents, valid, held)
    pace = fusion_pace(
        space, plan.vectors, None if ngrams is None else ngrams.features, margins=settings.mode == "chained"
    )
    fused = min(plan.valid.documents, documents_fused(labels))
    scores = 8 * 6 * fused * labels  # in float64: experts, their weighted sum, and what follows from it
    yield StepEstimate("fusion", documents, pace.seconds(fused), held + scores)
    if settings.mode == "joint" and settings.keep_neighbours:
        yield StepEstimate("vectors of training documents", "", plan.encoding(plan.train, 1), held)


def _fitting(plan: _Plan, name: str, work: Sequence[RowWork], held: float) -> StepEstimate:
    codes, workers = np.unique(plan.labels, return_inverse=True)[1], processes(plan.settings)
    return StepEstimate(
        name,
        count(sum(one.rows for one in work), "row"),
        sum(time_rows(one, codes, plan.settings) for one in work),
        held + max(rows_bytes(one.numbers, workers, is_sparse=one.is_sparse) for one in work),
    )


def _calibration(plan: _Plan, part: Sample) -> StepEstimate:
    ngrams = plan.ngrams
    seconds = plan.encoding(part, plan.reads) + (0.0 if ngrams is None else ngrams.reading * part.characters)
    return StepEstimate("calibration", count(part.documents, "document"), seconds, plan.held + plan.vectors_bytes())


def _evaluation(plan: _Plan, test: Sequence[str], baselines: bool) -> Iterator[StepEstimate]:
    settings, labels, ngrams = plan.settings, len(plan.space.label_ids), plan.ngrams
    reading = 0.0 if ngrams is None else ngrams.reading
    systems = (3 if plan.reading is not None and ngrams is not None else 1) + (3 if baselines else 0)
    seconds = plan.encoding(plan.test, plan.reads) + reading * plan.test.characters
    seconds += report_pace(test, plan.placed, plan.space, systems).seconds(plan.test.documents)
    # The processes that fitted rows are still there.
    held = plan.held + processes(settings) * WORKER_BYTES + 4 * REPORT_ARRAYS * plan.test.documents * labels
    yield StepEstimate("evaluation", count(plan.test.documents, "document"), seconds, held)
    if not baselines:
        return
    seconds = 2 * svm_seconds(plan.train, plan.labels, labels, settings) + reading * plan.train.characters
    if plan.reading is not None:
        seconds += logistic_seconds(plan.reading.pooled, plan.train.documents, labels)
        read_anew = settings.mode == "joint" and not settings.keep_neighbours
        seconds += plan.encoding(plan.train, 1 if read_anew else 0)
    numbers = (ngrams or read_ngrams_of(plan.train)).numbers(plan.train.share, 1)
    memory = plan.held + plan.vectors_bytes() + features_bytes(numbers, is_sparse=True)
    memory += rows_bytes(numbers, processes(settings), is_sparse=True)
    yield StepEstimate("baselines", f"{count(2 * labels, 'row')} of linear SVMs and more", seconds, memory)


def _speed(tokens: float, seconds: float) -> str:
    return f"{tokens:,.0f} tokens, {tokens / seconds:,.0f} a second" if seconds else ""
