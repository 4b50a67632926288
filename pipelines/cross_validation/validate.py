"""Cross-validation: how good a classifier is on documents like these, how much that varies, and beside flat models.

Everything is fitted in each fold: groups where none are given, n-grams, probes, rows, and the fusion, on a validation
part that is cut from the fold's training side.
"""

import logging
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hierarchy.arguments import known_keywords, same_length, text_column, whole_number
from hierarchy.errors import ConfigError, DataError
from pipelines.cross_validation.fold import OWN, FoldPlan, FoldResult
from pipelines.cross_validation.out_of_fold import OutOfFold, averaged, joined, read_with_metadata
from pipelines.data.augmentation import with_label_documents
from pipelines.data.documents import Documents
from pipelines.data.folds import check_sources, deal_folds, number_sources
from pipelines.data.given import check_labels, check_taxonomy
from pipelines.engines.engine import check_run_dir, opened_engine
from pipelines.evaluation.metrics import FIGURES
from pipelines.evaluation.resampled import PairedTest, corrected_t_test
from pipelines.model.provenance import SameVersions
from pipelines.settings import Settings
from pipelines.training.encoders import Encoders
from pipelines.training.fit import resolve_settings, settings_of
from stages.machine import n_processes
from stages.run_folder import LIST, finishing, place_of_run, read_finished

if TYPE_CHECKING:
    from pipelines.classifier import HierarchicalClassifier
    from pipelines.cross_validation.shared_vectors import SharedVectors

MOST_REPEATS = 1000  # what is more changes no mean any more
logger = logging.getLogger(f"coarsefine.{__name__}")


@dataclass(frozen=True)
class CrossValidation:
    """What a cross-validation found.

    Attributes
    ----------
    folds, repeats
        Of the documents.
    documents, labels, sources
        How many; `sources` is None where each document stands alone.
    rare, single
        Labels with fewer documents than folds, and those of them with one.
    unlearned
        Documents (of the first repeat) whose label had no training document in their fold: wrong in every system.
    test_by_train
        Documents tested by documents trained on, mean of the folds.
    scores
        {system: {``accuracy`` or ``macro_f1``: one figure a fold, repeat after repeat}}; the model comes first.
    predictions
        Every document once; of repeats the mean.
    """

    folds: int
    repeats: int
    documents: int
    labels: int
    sources: int | None
    rare: int
    single: int
    unlearned: int
    test_by_train: float
    scores: dict[str, dict[str, tuple[float, ...]]]
    predictions: OutOfFold

    def mean(self, figure: str, system: str = OWN) -> float:
        """Return the mean of a figure over all folds."""
        return float(np.mean(self.scores[system][figure]))

    def deviation(self, figure: str, system: str = OWN) -> float:
        """Return the standard deviation of a figure over all folds."""
        return float(np.std(self.scores[system][figure], ddof=1))

    def test(self, figure: str, system: str) -> PairedTest:
        """Test the difference of this model and another system, this model minus it."""
        own, other = self.scores[OWN][figure], self.scores[system][figure]
        return corrected_t_test(np.subtract(own, other).tolist(), self.test_by_train)

    def as_dict(self) -> dict[str, Any]:
        """Give everything but the predictions, ready for JSON."""
        counts = ("folds", "repeats", "documents", "labels", "sources", "rare", "single", "unlearned", "test_by_train")
        systems = {
            system: {
                figure: {
                    "mean": self.mean(figure, system),
                    "standard_deviation": self.deviation(figure, system),
                    "folds": list(scores[figure]),
                    **({} if system == OWN else {"model_minus_it": asdict(self.test(figure, system))}),
                }
                for figure in FIGURES
            }
            for system, scores in self.scores.items()
        }
        return {name: getattr(self, name) for name in counts} | {"systems": systems}


@known_keywords
def cross_validate(
    classifier: "HierarchicalClassifier",
    texts: Sequence[str],
    labels: Sequence[str],
    *,
    folds: int = 5,
    repeats: int = 1,
    sources: Sequence[str | None] | None = None,
    baselines: bool = True,
    engine: str = "local",
    processes: int | None = None,
    address: str | None = None,
) -> CrossValidation:
    """Train on all folds but one, answer that one, and so on.

    Parameters
    ----------
    classifier
        Its parameters are taken, its training is not. With ``run_dir`` each finished fold is kept there, and the same
        call goes on after it; vectors of the untrained encoder are computed once for all folds, unless n-grams choose
        the segments that it reads (``max_segments``): each fold has its own.
    texts, labels
        Documents and their fine labels, as for `HierarchicalClassifier.fit`; the result speaks ids.
    folds, repeats
        Each repeat deals the documents anew.
    sources
        Source of each document (a customer, a thread, a page); documents with the same one are never on both sides of
        a split, that of validation included. A document whose source is None or empty stands alone.
    baselines
        Fit the flat models that have a training of their own. They train on the validation part as well.
    engine, processes, address
        Where folds are trained, as for `pipelines.engines.engine.opened_engine`.

    Returns
    -------
    CrossValidation
        Figures by fold, and the out-of-fold predictions, whose rows are places in `texts`.

    Raises
    ------
    ConfigError
        A setting is wrong.
    DataError
        The documents cannot be used, or cannot be shared out over so many folds.
    EncoderError
        The encoder cannot be had, or cannot read these documents.
    """
    settings, taxonomy = settings_of(classifier.get_params(deep=False)), classifier.taxonomy
    check_taxonomy(taxonomy)
    check_run_dir(settings.run_dir, address)
    if n_processes() > 1:
        raise ConfigError("cross-validation trains its folds in one process: start it without torchrun")
    folds, repeats = whole_number(folds, "folds", least=2), whole_number(repeats, "repeats", most=MOST_REPEATS)
    texts = text_column(texts, "texts")
    given = None if sources is None else check_sources(sources)
    if given is not None:
        same_length(texts, given, ("texts", "sources"))
    merge = settings.merge_spellings
    documents = check_labels(texts, labels, taxonomy, where="documents", training=True, merge_spellings=merge)
    if len(set(documents.labels)) < 2:
        label = documents.labels[0] if taxonomy is None else taxonomy.label_named(documents.labels[0])
        raise DataError(f"all documents have one label ({label!r}): a classifier needs at least two labels")
    assert documents.rows is not None  # noqa: S101 - check_labels gives them; this tells the type checker
    sources = None if given is None else [given[int(row)] for row in documents.rows]
    seeds = [(settings.random_state + repeat) % 2**32 for repeat in range(repeats)]
    dealt = [deal_folds(documents.labels, folds, random_state=seed, sources=sources) for seed in seeds]
    _tell_rare(documents.labels, folds)
    with place_of_run(settings.run_dir) as run:
        folder = run.absolute()  # workers may stand elsewhere
        encoders = Encoders(settings)
        settings = resolve_settings(settings, encoders, taxonomy, documents)  # on all: all folds do alike
        plan = FoldPlan(settings, encoders, taxonomy, documents, sources, baselines)
        kept = folder / f"folds-{plan.key(folds)}"
        files = [kept / f"repeat-{r + 1}-fold-{f + 1}.parquet" for r in range(repeats) for f in range(folds)]
        results = [read_finished(file, _read, "it holds no fold") for file in files]
        missing = [place for place, result in enumerate(results) if result is None]
        if missing:
            if len(missing) < len(files):
                logger.info("%d of %d folds are there already", len(files) - len(missing), len(files))
            with opened_engine(engine, processes=processes, address=address) as work:
                shared = _shared(settings, encoders, with_label_documents(settings, taxonomy, documents), folder)

                def train(place: int) -> int:
                    repeat, fold = divmod(place, folds)
                    own = files[place].with_suffix(".run")
                    _write(plan.run(dealt[repeat], fold, own, shared=shared, random_state=seeds[repeat]), files[place])
                    shutil.rmtree(own, ignore_errors=True)
                    return place

                start, left = SameVersions(lambda: train), _told(missing, len(files))
                for place in work.map(start, left, on_gpus=settings.takes_gpus):
                    results[place] = _read(files[place])  # as the same command finds it later
    return _summary(plan, [result for result in results if result is not None], folds)


def _told(missing: Iterable[int], of: int) -> Iterator[int]:
    for place in missing:
        logger.info("fold %d of %d ...", place + 1, of)
        yield place


def _tell_rare(labels: Sequence[str], folds: int) -> None:
    counts = Counter(labels).values()
    rare, single = sum(count < folds for count in counts), sum(count == 1 for count in counts)
    if rare:
        logger.warning(
            "%d of %d labels have fewer documents than folds: each document of theirs is still tested once%s",
            rare, len(counts), f"; that of {single} labels is their only one, so it counts as wrong" if single else "",
        )  # fmt: skip


def _shared(settings: Settings, encoders: Encoders, documents: Documents, folder: Path) -> "SharedVectors | None":
    """Encode all documents once, unless an encoder is trained jointly, or each fold's n-grams choose its segments."""
    trains = settings.mode == "joint" and settings.trainable != "frozen"
    if settings.encoder == "none" or trains or settings.chooses_segments:
        return None
    from pipelines.cross_validation.shared_vectors import SharedVectors

    return SharedVectors(settings, *encoders.of_documents, documents, folder)


def _write(result: FoldResult, file: Path) -> None:
    import pyarrow.parquet as pq

    table = result.predictions.table(scores=result.scores, test_by_train=result.test_by_train)
    with finishing(file.with_suffix(LIST), file) as (part,):
        pq.write_table(table, part.absolute())


def _read(file: Path) -> FoldResult:
    predictions, about = read_with_metadata(file)
    if not {"scores", "test_by_train"} <= about.keys():
        raise DataError("these are out-of-fold predictions of no fold", str(file))
    return FoldResult(predictions, about["scores"], about["test_by_train"])


def _summary(plan: FoldPlan, results: Sequence[FoldResult], folds: int) -> CrossValidation:
    labels, taxonomy = plan.documents.labels, plan.taxonomy
    counts = Counter(labels).values()
    one_tree = taxonomy is not None and not taxonomy.unplaced
    repeats = []
    for start in range(0, len(results), folds):
        parts = [result.predictions for result in results[start : start + folds]]
        repeats.append(joined(parts, [part.trees[0] for part in parts[: 1 if one_tree else folds]]))
    systems, predictions = list(results[0].scores), averaged(repeats)
    return CrossValidation(
        folds=folds,
        repeats=len(repeats),
        documents=len(labels),
        labels=len(counts),
        sources=None if plan.sources is None else int(number_sources(plan.sources).max()) + 1,
        rare=sum(count < folds for count in counts),
        single=sum(count == 1 for count in counts),
        unlearned=int(np.isnan(repeats[0].own).sum()),
        test_by_train=float(np.mean([result.test_by_train for result in results])),
        scores={
            system: {figure: tuple(result.scores[system][figure] for result in results) for figure in FIGURES}
            for system in systems
        },
        predictions=predictions if taxonomy is None else predictions.named_by(taxonomy),
    )
