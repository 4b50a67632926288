"""A trained model for another runtime: exported, compared with what it was, and refused where it answers worse.

The encoders go to the runtime, all above them to NumPy, so that what is saved predicts where neither torch nor
transformers is installed. Another arithmetic gives other vectors: the few numbers of the fusion are fitted anew on
them, and promises, which belong to one arithmetic, fall until `calibrate` ran again.
"""

import logging
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from hierarchy.errors import ConfigError, DataError
from pipelines.data.documents import Documents
from pipelines.evaluation.bootstrap import Interval, paired_bootstrap
from pipelines.evaluation.reliability import expected_calibration_error
from pipelines.model.model import Model
from pipelines.model.record import with_export
from pipelines.model.seen_documents import warn_of_trained
from pipelines.promises.backoff import DELTA, PRECISION, check_enough
from pipelines.training.calibrate import calibrate
from stages.coarse.array_document_model import ArrayDocumentModel
from stages.coarse.exported_encoder import Dtype, ExportedEncoder
from stages.features import NeuralFeatures
from stages.progress import progress
from stages.router.fusion import fit_router
from stages.router.router import Inputs, Router
from stages.shards import shard_bounds
from stages.vectors import UnitVectors

if TYPE_CHECKING:
    from stages.coarse.encoder import Encoder
    from stages.coarse.segment_encoder import SegmentEncoder

RUNTIME = "openvino"
TOLERANCE = 0.5  # points of accuracy
PROMISES = {"precision": PRECISION, "delta": DELTA, "coverage": 0.9, "by_group": False, "false_alarms": None}
FOLDS = 5  # a document is answered by a fusion that was fitted on the other four
TIMED_TOKENS, ROUNDS = 8_192, 3
CHARACTERS = 6  # of a token at most, on average
logger = logging.getLogger(f"coarsefine.{__name__}")


@dataclass(frozen=True)
class ExportComparison:
    """An export beside the model that it was made of, on documents that both answered.

    Attributes
    ----------
    documents
        Documents with a label of the model's, on which answers are compared.
    smallest_cosine, mean_cosine
        Of the unit vectors of one with those of the other, by the encoder of the coarse stage.
    agreement
        Share of documents that get the same label.
    accuracy, accuracy_before
        Of the export, each document answered by a fusion that was fitted on others, and of the model as it is.
    change
        The difference of the two with its interval, paired.
    ece, ece_before
        Expected calibration errors of the two.
    tokens_per_second, tokens_per_second_before
        That the two encoders read on this machine: medians of alternating rounds.
    """

    documents: int
    smallest_cosine: float
    mean_cosine: float
    agreement: float
    accuracy: float
    accuracy_before: float
    change: Interval
    ece: float
    ece_before: float
    tokens_per_second: float
    tokens_per_second_before: float

    @property
    def points_lost(self) -> float:
        """Points of accuracy that the export has less."""
        return -100 * self.change.value

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def export_model(
    model: Model,
    documents: Documents,
    *,
    calibration: Documents | None = None,
    routing: str,
    beam: int,
    dtype: Dtype = "int8",
    tolerance: float = TOLERANCE,
) -> Model:
    """Return a model as OpenVINO computes it.

    Parameters
    ----------
    model
        Trained; it stays as it is.
    documents
        With label ids, a few hundred or more that training has not seen: validation documents, say. On them both
        models are compared, the fusion is fitted anew, and the steps of int8 are chosen.
    calibration
        For promises: those that `model` made, or the defaults of `HierarchicalClassifier.calibrate`. None makes none.
    routing, beam
        How documents are routed.
    dtype
        In what the encoders compute.
    tolerance
        Points of accuracy that may be lost.

    Raises
    ------
    ConfigError
        A value is none of those above, or the model has no encoder or is an export already.
    DataError
        No document has a label of the model's; or more accuracy is lost than allowed: the message has the figures.
    EncoderError, MissingLibraryError
        The encoder cannot be exported, or what exports it is not installed.
    """
    if dtype not in get_args(Dtype):
        raise ConfigError(f"dtype {dtype!r} is not known: choose one of {', '.join(get_args(Dtype))}")
    if not (isinstance(tolerance, Real) and not isinstance(tolerance, bool) and 0 <= tolerance <= 100):
        raise ConfigError(f"tolerance is {tolerance!r}: give points of accuracy, from 0 to 100")
    if model.is_exported:
        raise ConfigError("this model is an export already: export the model that it was made of")
    neural = model.extractor.neural
    if neural is None:
        raise ConfigError("this model has no encoder, so there is nothing to export: it needs no torch as it is")
    targets = model.space.targets(documents.labels)
    if not (targets >= 0).any():
        raise DataError("no document has a label that the model knows: give documents such as it was trained on")
    asked = {**PROMISES, **model.record.get("promised", {})}
    if calibration is not None:
        check_enough(len(calibration.texts), asked["precision"], asked["delta"])
    from stages.coarse.exporting import check_exportable, export_versions

    check_exportable(dtype)
    warn_of_trained(model, documents, what="documents of the comparison")
    exported = _exported(neural, documents.texts, dtype)
    before, after, cosines = _read(model, exported, documents.texts)
    how = {"routing": routing, "beam": beam}
    router = fit_router(model.router, after, targets)
    speeds = _speeds(neural, exported, documents.texts)
    compared = _compared(model.router, before, after, targets, how, cosines, speeds)
    _tell(compared, dtype)
    if compared.points_lost > tolerance:
        raise DataError(_refusal(compared, dtype, tolerance))
    facts = {"runtime": RUNTIME, "dtype": dtype, "versions": export_versions(dtype), "compared": compared.as_dict()}
    extractor = replace(model.extractor, neural=exported)
    record = with_export(model.record, model.settings, facts, documents)
    answering = replace(model, extractor=extractor, router=router, record=record, promises=None, cascade=None)
    if calibration is not None:
        return calibrate(answering, calibration, **how, **asked)
    if model.promises is not None:
        logger.warning("the promises of the model do not hold for another arithmetic: calibrate the export")
    return answering


def _exported(neural: NeuralFeatures, texts: Sequence[str], dtype: Dtype) -> NeuralFeatures:
    """Export the encoders, and put NumPy in place of torch above them."""
    from stages.coarse.exporting import SEGMENTS, export_encoder

    picks = np.linspace(0, len(texts) - 1, min(len(texts), SEGMENTS)).round().astype(int)
    segments = neural.segments([texts[pick] for pick in picks]).input_ids
    found: dict[SegmentEncoder, ExportedEncoder] = {}
    for number, encoder in enumerate(neural.encoders):
        with tempfile.TemporaryDirectory(prefix="coarsefine-") as folder:
            found[encoder] = export_encoder(
                _of_torch(encoder), Path(folder) / f"encoder-{number}", dtype=dtype, segments=segments
            )
    own = found[neural.encoder]
    cut = neural.segmenter
    segmenter = own.segmenter(
        segment_tokens=cut.segment_tokens,
        overlap=cut.overlap,
        max_segments=cut.max_segments,
        unit_tokens=cut.unit_tokens,
    )
    return replace(
        neural,
        encoder=own,
        fine_encoders=None if neural.fine_encoders is None else [found[encoder] for encoder in neural.fine_encoders],
        segmenter=segmenter if cut.opinion is None else segmenter.asking(cut.opinion),
        document_model=ArrayDocumentModel(neural.document_model.state(), heads=neural.document_model.heads),
    )


def _of_torch(encoder: "SegmentEncoder") -> "Encoder":
    from stages.coarse.encoder import Encoder

    assert isinstance(encoder, Encoder)  # noqa: S101 - an export is refused before; for the type checker
    return encoder


def _read(model: Model, exported: NeuralFeatures, texts: Sequence[str]) -> tuple[Inputs, Inputs, np.ndarray]:
    """Read documents with both; return what the routers read, and the cosine of each unit's two vectors."""
    neural, extractor = model.extractor.neural, model.extractor
    assert neural is not None  # noqa: S101 - `export_model` has looked; for the type checker
    parts: list[tuple[Inputs, Inputs, np.ndarray]] = []
    bounds = list(shard_bounds(texts))
    for start, end in progress(bounds, total=len(bounds), what="comparing", unit="blocks"):
        some = texts[start:end]
        segments = neural.segments(some)
        old, new = neural.encode(segments), exported.encode(segments)
        ngrams = extractor.ngrams(some)
        inputs = [extractor.inputs(some, one.read(own), ngrams=ngrams) for one, own in ((neural, old), (exported, new))]
        parts.append((*inputs, _cosines(old[neural.encoder], new[exported.encoder])))  # type: ignore[arg-type]
    before, after, cosines = zip(*parts, strict=True)
    return Inputs.joined(before), Inputs.joined(after), np.concatenate(cosines)


def _cosines(one: UnitVectors, other: UnitVectors) -> np.ndarray:
    """(units,) of each unit's vectors."""
    a, b = (np.concatenate([v.astype(np.float64) for v, _ in vectors.by_shard()]) for vectors in (one, other))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    found: np.ndarray = np.einsum("uh,uh->u", a, b) / np.maximum(lengths, 1e-12)
    return found


def _compared(
    router: Router, before: Inputs, after: Inputs, targets: np.ndarray, how: Mapping[str, Any], cosines: np.ndarray,
    speeds: Mapping[str, float],
) -> ExportComparison:  # fmt: skip
    known = np.flatnonzero(targets >= 0)
    old = router.route(before, **how).probabilities[known]
    new = np.empty_like(old)
    fold = np.random.default_rng(0).permutation(len(known)) % min(FOLDS, len(known))
    for number in np.unique(fold):
        fitted = fit_router(router, after[known[fold != number]], targets[known[fold != number]])
        new[fold == number] = fitted.route(after[known[fold == number]], **how).probabilities
    right, was_right = (p.argmax(1) == targets[known] for p in (new, old))
    return ExportComparison(
        documents=len(known),
        smallest_cosine=float(cosines.min()),
        mean_cosine=float(cosines.mean()),
        agreement=float(np.mean(new.argmax(1) == old.argmax(1))),
        accuracy=float(right.mean()),
        accuracy_before=float(was_right.mean()),
        change=paired_bootstrap(right, was_right),
        ece=expected_calibration_error(new.max(1), right),
        ece_before=expected_calibration_error(old.max(1), was_right),
        **speeds,
    )


def _speeds(neural: NeuralFeatures, exported: NeuralFeatures, texts: Sequence[str]) -> dict[str, float]:
    """Tokens a second of both encoders on the same segments, one after the other in each round."""
    enough = 1 + int(np.searchsorted(np.cumsum([len(text) for text in texts]), CHARACTERS * TIMED_TOKENS))
    ids = neural.segments(texts[:enough]).input_ids
    ids = ids[: 1 + int(np.searchsorted(np.cumsum([len(one) for one in ids]), TIMED_TOKENS))]
    tokens = sum(map(len, ids))
    seconds: dict[str, list[float]] = {"tokens_per_second": [], "tokens_per_second_before": []}
    for _ in range(1 + ROUNDS):  # the first warms up
        for name, encoder in zip(seconds, (exported.encoder, neural.encoder), strict=True):
            start = time.perf_counter()
            encoder.encode(ids, tokens_per_chunk=neural.tokens_per_chunk)
            seconds[name].append(time.perf_counter() - start)
    return {name: tokens / float(np.median(times[1:])) for name, times in seconds.items()}


def _tell(compared: ExportComparison, dtype: Dtype) -> None:
    ratio = compared.tokens_per_second / compared.tokens_per_second_before
    logger.info(
        "%s in %s reads %.0f tokens a second here and torch %.0f: %s", RUNTIME, dtype, compared.tokens_per_second,
        compared.tokens_per_second_before,
        f"{ratio:.1f} times as many" if ratio >= 1 else f"torch wins, {1 / ratio:.1f} times as many",
    )  # fmt: skip


def _refusal(compared: ExportComparison, dtype: Dtype, tolerance: float) -> str:
    low, high = (-100 * end for end in (compared.change.high, compared.change.low))
    return (
        f"the export in {dtype} loses {compared.points_lost:.2f} points of accuracy ({low:.2f} to {high:.2f}; "
        f"{compared.accuracy_before:.4f} before, {compared.accuracy:.4f} now, {compared.documents} documents) and "
        f"{tolerance:g} are allowed; cosine of the vectors {compared.smallest_cosine:.3f} at least, "
        f"{compared.mean_cosine:.3f} on average; expected calibration error {compared.ece_before:.4f}, now "
        f"{compared.ece:.4f}: export another dtype, bring more documents, or allow more with --tolerance"
    )
