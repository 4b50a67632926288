"""Rows that liblinear fits, each kept in the run folder as soon as it is finished."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save
from scipy import sparse

from hierarchy.measuring.probe import probe_groups
from hierarchy.text.wording import count, some
from pipelines.data.documents import Documents
from pipelines.settings import Settings
from stages.arrays import check_arrays, read_arrays, row_arrays
from stages.fine.negatives import Problem, plan_problems
from stages.fine.ngrams import NgramVectorizer, reduced
from stages.fine.rows import ROWS_VERSION, SOLVER, Features, Rows, fit_rows
from stages.label_space import LabelSpace, label_ratio
from stages.progress import progress
from stages.router.router import Router
from stages.run_folder import LIST, cache_key, finishing, made_once, read_finished

DOCUMENTS_SHOWN, CHARACTERS_SHOWN = 3, 40  # of those in which nothing is known
logger = logging.getLogger(f"coarsefine.{__name__}")


def plan_rows(features: Features, targets: np.ndarray, space: LabelSpace, settings: Settings) -> list[Problem]:
    """Choose the negatives of every head, as `settings.negatives` says.

    Parameters
    ----------
    features
        (documents, features) of which the probe for ``candidates`` is made.
    targets
        (documents,) label of each document.
    space, settings
        Labels and groups; ``negatives`` (resolved) and the seed are read.
    """
    confusion = None
    if settings.negatives == "candidates":
        confusion = probe_confusion(features, targets, space, settings)
    return plan_problems(settings.negatives, targets, space, confusion=confusion, random_state=settings.random_state)


def probe_confusion(features: Features, targets: np.ndarray, space: LabelSpace, settings: Settings) -> np.ndarray:
    """Group confusions of the cross-fitted probe, (groups, groups)."""
    if sparse.issparse(features):
        features = reduced(features, random_state=settings.random_state)
    return probe_groups(features, targets, space.group_of, random_state=settings.random_state)


def fit_heads(
    features: Features,
    targets: np.ndarray,
    problems: Sequence[Problem],
    settings: Settings,
    folder: Path,
    what: str,
) -> list[Rows]:
    """Fit rows problem by problem; each finished one is kept in `folder`, so a stopped run goes on after it.

    With `negatives: all` a row does not depend on the groups, so that another tree finds its rows there as well: each
    has its own file. Rows with negatives of their group share one, for tens of thousands of files would take longer
    than the rows.

    Parameters
    ----------
    features
        (documents, features) dense for neural rows, CSR for n-gram rows.
    targets
        (documents,) class of each document.
    problems
        As `plan_problems` makes them.
    settings
        C, prune and n_jobs are read.
    folder
        Run folder.
    what
        Name of the work in the progress shown.
    """
    lexical = sparse.issparse(features)
    options: dict[str, Any] = {
        "C": settings.lexical_C if lexical else settings.neural_C,
        "prune": settings.prune if lexical else 0.0,
    }
    kept = folder / f"rows-{_features_key(features, options)}"
    with made_once(kept):
        return _fit_missing(features, targets, problems, kept, what, n_jobs=settings.n_jobs, **options)


def read_ngrams(settings: Settings, train: Documents) -> tuple[NgramVectorizer | None, Features]:
    """Fit the n-gram vocabulary on training documents and read them; both None with ``lexical: off``."""
    if not settings.lexical:
        return None, None
    vectorizer, ngrams = NgramVectorizer.fit(train.texts[: train.given], train.given, min_df=settings.min_df)
    if train.made:  # which counts for no n-gram: a copy of a document would bear out what stands nowhere else
        ngrams = sparse.vstack([ngrams, vectorizer.transform(train.texts[train.given :])], format="csr")
    report_unknown(ngrams[: train.given], train.texts, "training", settings)
    return vectorizer, ngrams


def report_unknown(ngrams: Features, texts: Sequence[str], what: str, settings: Settings) -> None:
    """Say how many documents hold no n-gram of the vocabulary, aloud where no encoder reads them."""
    unknown = np.flatnonzero(ngrams.getnnz(1) == 0)
    if len(unknown):
        level = logging.WARNING if settings.encoder == "none" else logging.INFO
        shown = [repr(texts[int(document)][:CHARACTERS_SHOWN]) for document in unknown[:DOCUMENTS_SHOWN]]
        logger.log(
            level,
            "n-grams: nothing is known in %s of %s %s documents, which hold no n-gram of the vocabulary (min_df); they "
            "begin %s",
            f"{len(unknown):,}", f"{ngrams.shape[0]:,}", what, some(shown, len(unknown)),
        )  # fmt: skip


def report_unheard(router: Router) -> None:
    """Say where the fusion lets n-grams alone answer, though there is an encoder, which costs time in each answer."""
    if router.neural is not None and router.heard(router.fusions["full"], groups=True) == {"lexical"}:
        logger.warning(
            "on the validation documents the encoder adds nothing to the n-grams, so it has no say: encoder: none "
            "gives the same answers in a fraction of the time"
        )


def chance_factors(targets: np.ndarray, space: LabelSpace, settings: Settings) -> np.ndarray:
    """Return what the chances of the n-gram rows are multiplied by, (labels,) float64: more where a label is rare.

    A chance that was learned where labels have the shares p is that of even shares q, once it is multiplied by q / p
    and normalised (Saerens et al. 2002); `settings.prior_correction` is the power of that ratio. It acts before the
    floor of `log_chance`: where no n-gram speaks for a rare label, no chance is made up.

    Parameters
    ----------
    targets
        (documents,) label of each document.
    space, settings
        Labels, and how much is corrected.
    """
    counts = np.bincount(targets[targets >= 0], minlength=len(space.label_ids)).clip(min=1)
    return label_ratio(counts, space, "labels", settings.prior_correction)


def fit_group_rows(ngrams: Features, targets: np.ndarray, space: LabelSpace, settings: Settings, folder: Path) -> Rows:
    """Fit the n-gram rows of the groups, one a group; `targets` (documents,) holds the label of each document."""
    one_each = [Problem(np.array([group])) for group in range(len(space.group_ids))]
    return Rows.stack(fit_heads(ngrams, space.groups(targets), one_each, settings, folder, "n-gram rows of the groups"))


def _files(problem: Problem, targets: np.ndarray, folder: Path) -> dict[Path, np.ndarray]:
    """Name the files of a problem's rows, and tell the labels whose rows each holds."""
    keys = list(_row_keys(problem, targets))
    if problem.documents is None:
        return {folder / f"{key}.safetensors": problem.labels[i : i + 1] for i, key in enumerate(keys)}
    return {folder / f"{cache_key(rows=keys)[:24]}.safetensors": problem.labels}


def _fit_missing(
    features: Features, targets: np.ndarray, problems: Sequence[Problem], folder: Path, what: str, **options: Any
) -> list[Rows]:
    """Read the heads whose rows are in a folder, and fit the rows that are not."""
    files = [_files(problem, targets, folder) for problem in problems]
    lexical = sparse.issparse(features)
    rows: dict[Path, Rows] = {}
    missing, homes = [], []
    for problem, own in zip(problems, files, strict=True):
        found = {file: _read_rows(file, len(labels), features.shape[1], lexical) for file, labels in own.items()}
        rows |= {file: read for file, read in found.items() if read is not None}
        absent = {file: labels for file, labels in own.items() if file not in rows}
        if absent:
            labels = np.concatenate(list(absent.values()))
            missing.append(Problem(labels, problem.documents, problem.weights))
            homes.append(absent)
    if missing:
        logger.info("%s: %s", what, count(sum(len(problem.labels) for problem in missing), "row"))
        fitted = fit_rows(features, targets, missing, **options)
        for absent, head in zip(homes, progress(fitted, total=len(missing), what=what, unit="heads"), strict=True):
            end = 0
            for file, labels in absent.items():
                start, end = end, end + len(labels)
                rows[file] = head[start:end]
                with finishing(file.with_suffix(LIST), file) as (part,):
                    part.write_bytes(save(rows[file].tensors("rows")))
    return [Rows.stack([rows[file] for file in own]) for own in files]


def _read_rows(file: Path, rows: int, features: int, is_sparse: bool) -> Rows | None:
    """Read so many finished rows over so many features; None where they are not there, or damaged."""

    def read(file: Path) -> Rows:
        tensors = read_arrays(file)
        expected = row_arrays("rows", rows="rows", columns="features", sparse=is_sparse)
        check_arrays(tensors, expected, {"features": features, "rows": rows}, where=str(file))
        return Rows.from_tensors(tensors, "rows")

    return read_finished(file, read, "it holds no rows of these features")


def _features_key(features: Features, options: Mapping[str, Any]) -> str:
    """Name what all rows over some features depend on."""
    made_by = {"code": ROWS_VERSION, "solver": SOLVER, "scikit-learn": version("scikit-learn")}
    return cache_key(made_by=made_by, options=options, features=features)[:16]


def _row_keys(problem: Problem, targets: np.ndarray) -> Iterator[str]:
    """Name each row by what it is fitted on, whatever its label is called and wherever it stands in the tree."""
    negatives = cache_key(documents=problem.documents, weights=problem.weights)
    for label in problem.labels:
        yield cache_key(negatives=negatives, documents=len(targets), positives=np.packbits(targets == label))[:24]
