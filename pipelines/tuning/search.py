"""The search: trial after trial until the budget is spent, each a training as `fit` would do it."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hierarchy.arguments import LARGEST, is_whole
from hierarchy.errors import ConfigError, DataError, EncoderError, need
from hierarchy.taxonomy import Taxonomy
from hierarchy.text.escaping import short_repr
from hierarchy.text.wording import count
from hierarchy.wrong_values import validated
from pipelines.classifier import HierarchicalClassifier
from pipelines.data.documents import Documents, warn_of_repeats
from pipelines.data.given import check_pair, prepare_documents
from pipelines.data.splits import fingerprint
from pipelines.engines.engine import Engine, opened_engine
from pipelines.evaluation.bootstrap import paired_bootstrap, paired_bootstrap_macro_f1
from pipelines.evaluation.metrics import FIGURES, accuracy_and_macro_f1
from pipelines.model.model import Model
from pipelines.model.provenance import SameVersions, work_key
from pipelines.settings import Settings
from pipelines.training.fit import check_training_settings, fit_model, settings_of
from pipelines.tuning.proposals import Proposals, sampler_problems
from pipelines.tuning.space import Space, read_space
from pipelines.tuning.storage import Storage, open_storage
from pipelines.tuning.trials import COMPLETE, FAILED, PRUNED, REFUSED, Comparison, Trial, Tuning, shown
from stages.machine import n_processes
from stages.progress import duration
from stages.run_folder import run_place

if TYPE_CHECKING:
    from stages.training.evaluations import Watch

OPTUNA = "trials are proposed by Optuna"
logger = logging.getLogger(f"coarsefine.{__name__}")


def tune(
    classifier: HierarchicalClassifier,
    space: str | Path | Mapping[str, Any] | Space,
    texts: Sequence[str],
    labels: Sequence[str],
    *,
    validation: tuple[Sequence[str], Sequence[str]] | None = None,
    test: tuple[Sequence[str], Sequence[str]] | None = None,
    figure: str = "accuracy",
    sampler: str = "tpe",
    trials: int = 20,
    minutes: float | None = None,
    prune: bool = True,
    after: Callable[[Tuning], None] | None = None,
    engine: str = "local",
    processes: int | None = None,
    address: str | None = None,
) -> Tuning:
    """Try settings and keep what each reached on the validation documents.

    A tune that was stopped goes on with the same call: finished trials are read from the run folder, and one that was
    stopped half way is run again, with the same values where trials run one after the other. So is one that failed:
    perhaps there was no room on the disk, or no way to the hub.

    Parameters
    ----------
    classifier
        Unfitted, with ``run_dir`` set. Its settings are trial 0; whatever is not searched stays as it is there. Trials
        share what is cached in the run folder.
    space
        As for `pipelines.tuning.space.read_space`.
    texts, labels, validation
        As for `HierarchicalClassifier.fit`.
    test
        Texts and labels on which, at the end, trial 0 and the best trial are compared; nothing is chosen by them.
    figure
        What is maximised, of the fused answer on the validation documents: ``accuracy`` or ``macro_f1``.
    sampler
        ``tpe`` (Bergstra et al. 2011), ``random``, or ``grid`` in random order.
    trials
        How many there are in all, those of earlier calls included.
    minutes
        No trial is begun once the trials, those of earlier calls included, have taken this long together.
    prune
        Stop a trial whose validation curve during the neural training lies in the lowest quarter.
    after
        Called after each trial.
    engine, processes, address
        Where trials run, as for `pipelines.engines.engine.opened_engine`. Where several run at a time, ``tpe`` and
        pruning know those that are finished by then.

    Raises
    ------
    ConfigError
        With every problem of the space or the settings, or of the other arguments.
    BusyError
        Another process works in the run folder.
    DataError
        With every problem of the documents and labels.
    MissingLibraryError
        Optuna is not installed.
    """
    need("optuna", what=OPTUNA)
    settings = settings_of(classifier.get_params(deep=False))
    checked = read_space(space, settings)
    check_options(settings, checked, figure=figure, sampler=sampler, trials=trials, minutes=minutes)
    merge: dict[str, Any] = {"merge_spellings": settings.merge_spellings}
    train, valid = prepare_documents(
        texts, labels, validation, classifier.taxonomy, random_state=settings.random_state, **merge
    )
    held_out = None
    if test is not None:
        known = {*train.labels, *valid.labels}
        held_out = check_pair(
            test, "test", classifier.taxonomy, where="test documents", keep_empty=True, known=known, **merge
        )
        for seen, where in ((train, "training"), (valid, "validation")):
            warn_of_repeats(held_out.texts, seen, what="test documents", where=where)
    proposals = Proposals(checked, sampler, figure, settings.random_state)
    search = _Search(settings, proposals, classifier.taxonomy, train, valid, prune)
    folder = search.folder / f"tune-{search.key()}"
    with run_place(search.folder), open_storage(folder, checked, figure) as storage:
        with opened_engine(engine, processes=processes, address=address) as work:
            done = _run_trials(search, storage, work, limit=proposals.limit(trials), minutes=minutes, after=after)
        return done if held_out is None else replace(done, test=search.on_test(storage, done, held_out))


def _run_trials(
    search: "_Search", storage: Storage, work: Engine, *, limit: int, minutes: float | None,
    after: Callable[[Tuning], None] | None,
) -> Tuning:  # fmt: skip
    """Run the trials that are missing, and give all."""
    finished = storage.trials()
    failed = {number for number, trial in finished.items() if trial.state == FAILED}
    if finished:
        logger.info("%s there already", count(len(finished) - len(failed), "trial"))

    def proposed(numbers: Iterable[int]) -> Iterator[_Proposed]:
        for number in numbers:
            if number in finished and number not in failed:
                continue
            if number and minutes is not None and search.tuning(finished).seconds >= 60 * minutes:
                logger.info("the %g minutes are spent after %s", minutes, count(len(finished), "trial"))
                return
            logger.info("trial %d of %d ...", number, limit)
            yield search.propose(number, finished)

    # Trial 0 goes alone: the config itself may be wrong, and what it leaves in the caches all others find there.
    start = SameVersions(lambda: search.run)
    parts = (list(proposed([0])), proposed(range(1, limit)))
    for trial in chain.from_iterable(work.map(start, some, on_gpus=search.takes_gpus) for some in parts):
        storage.keep(trial)
        finished[trial.number] = trial
        done = search.tuning(finished)
        logger.info("%s", _told(trial, done))
        if after is not None:
            after(done)
    return search.tuning(finished)


def check_options(
    settings: Settings, space: Space, *, figure: str, sampler: str, trials: int, minutes: float | None
) -> None:
    """Check what `tune` is asked for, beside space and settings; raises ConfigError with every problem."""
    problems = sampler_problems(space, sampler)
    if figure not in FIGURES:
        problems.append(f"figure {figure!r} is not known: use one of {', '.join(FIGURES)}")
    if is_whole(trials, -LARGEST, 0):
        problems.append(f"trials {trials} leaves nothing to run: trial 0 is the given config, so give 2 or more")
    elif not is_whole(trials, 1):
        problems.append(f"trials is {short_repr(trials)}: give a whole number, a billion at most")
    if minutes is not None and not (isinstance(minutes, Real) and minutes > 0):
        problems.append(f"minutes {short_repr(minutes)} leaves no time: give a number above 0")
    if settings.run_dir is None:
        problems.append("trials are kept in the run folder: set run_dir")
    if n_processes() > 1:
        problems.append(f"{n_processes()} processes were started and trials run one after another: start one")
    if problems:
        raise ConfigError(problems)


class _Proposed(NamedTuple):
    """A trial that is to be run: its values, and the finished trials that they were proposed after."""

    number: int
    params: dict[str, Any]
    earlier: tuple[Trial, ...]


@dataclass(frozen=True)
class _Search:
    """What all trials have in common."""

    settings: Settings
    proposals: Proposals
    taxonomy: Taxonomy | None
    train: Documents
    valid: Documents
    prune: bool

    @property
    def folder(self) -> Path:
        return Path(str(self.settings.run_dir)).absolute()

    def key(self) -> str:
        """Name the tune by all that its trials depend on; the budget is no part of it."""
        return work_key(
            self.settings,
            self.taxonomy,
            self.train,
            self.valid,
            encoders=self._tried("encoder", "label_encoder"),
            functions=self._tried("augment"),
            space=self.proposals.space.as_dict(),
            sampler=self.proposals.sampler,
            figure=self.proposals.figure,
            prune=self.prune,
        )

    @property
    def takes_gpus(self) -> bool:
        """Whether any trial does."""
        tried = product(self._tried("encoder"), self._tried("device"))
        return any(self.settings.model_copy(update={"encoder": e, "device": d}).takes_gpus for e, d in tried)

    def _tried(self, *settings: str) -> Iterator[str | None]:
        for name in settings:
            yield getattr(self.settings, name)
            if name in self.proposals.space.ranges:
                yield from self.proposals.space.ranges[name].samples()

    def tuning(self, finished: Mapping[int, Trial]) -> Tuning:
        """Return the trials that are finished, in their order."""
        asked = self.proposals
        in_order = tuple(finished[number] for number in sorted(finished))
        return Tuning(asked.space, asked.sampler, asked.figure, asked.random_state, in_order)

    def propose(self, number: int, finished: Mapping[int, Trial]) -> _Proposed:
        """Propose a trial, after those of the finished ones that have lower numbers."""
        earlier = tuple(finished[other] for other in sorted(finished) if other < number)
        if number in finished:  # it failed
            return _Proposed(number, finished[number].params, earlier)
        start = self.proposals.space.values_of(self.settings)
        return _Proposed(number, self.proposals.values(number, start, earlier), earlier)

    def run(self, proposed: _Proposed) -> Trial:
        """Train once, and return what came out."""
        number, params, earlier = proposed
        if number:
            logger.info("%s", ", ".join(f"{key}: {shown(value)}" for key, value in params.items()))
        started = time.monotonic()
        state, figures, reason, curve = COMPLETE, {}, None, []

        def watch(evaluation: Mapping[str, float]) -> None:
            curve.append(evaluation[f"eval_{self.proposals.figure}"])
            if self.prune and self.proposals.is_behind(curve, earlier):
                raise _Pruned

        try:
            model = self.fit({} if number == 0 else params, watch)
            figures = _figures(model, self.valid, self.answers(model, self.valid))
        except _Pruned:
            state = PRUNED
        except (ConfigError, DataError, EncoderError) as error:
            if number == 0:  # then it is the config that is wrong, and not what a trial made of it
                raise
            state, reason = REFUSED if isinstance(error, ConfigError) else FAILED, str(error)
        return Trial(number, state, params, figures, curve, time.monotonic() - started, reason)

    def fit(self, params: Mapping[str, Any], watch: "Watch | None" = None) -> Model:
        """Train with the values of a trial, through the run folder."""
        settings = validated(Settings, self.proposals.space.applied(params, self.settings), "trial")
        check_training_settings(settings)
        return fit_model(settings, self.taxonomy, self.train, self.valid, folder=self.folder, watch=watch)

    def answers(self, model: Model, documents: Documents) -> np.ndarray:
        """Fused answers, (documents,) label ids."""
        inputs = model.extractor.through_cache(documents.texts, self.folder)
        routed = model.router.route(inputs, routing=model.settings.routing, beam=model.settings.beam)
        return np.array(model.label_ids)[routed.probabilities.argmax(1)]

    def on_test(self, storage: Storage, done: Tuning, test: Documents) -> Comparison:
        """Compare trial 0 and the best trial on the test documents, once for each best trial."""
        key = fingerprint(test.texts, test.labels)[:16]
        looks = storage.looks(key)
        best = done.best
        if str(best.number) not in looks:
            beside = f" and trial {best.number}" if best.number else ""
            logger.info("trial 0%s on %s ...", beside, count(len(test.texts), "test document"))
            if looks:
                logger.warning(
                    "these test documents were looked at before, for another best trial: the more often, the less the "
                    "figures say"
                )
            looks[str(best.number)] = self._compared(best, test, looks=len(looks) + 1)
            storage.keep_looks(key, looks)
        return looks[str(best.number)]

    def _compared(self, best: Trial, test: Documents, *, looks: int) -> Comparison:
        models = [self.fit(params) for params in ([{}, best.params] if best.number else [{}])]
        answers = [self.answers(model, test) for model in models]
        gold, first, chosen = _places(test.labels, answers[0], answers[-1])
        return Comparison(
            best=best.number,
            documents=len(gold),
            first=_figures(models[0], test, answers[0]),
            chosen=_figures(models[-1], test, answers[-1]),
            differences={
                "accuracy": paired_bootstrap(chosen == gold, first == gold, random_state=self.settings.random_state),
                "macro_f1": paired_bootstrap_macro_f1(gold, chosen, first, random_state=self.settings.random_state),
            },
            looks=looks,
        )


class _Pruned(Exception):  # noqa: N818 - no error: it ends a training whose curve is low
    pass


def _figures(model: Model, documents: Documents, answers: np.ndarray) -> dict[str, float]:
    # A tree that is built has no place for a label without training documents.
    home = dict(zip(model.taxonomy.label_ids, model.taxonomy.group_of.tolist(), strict=True))
    groups = [(home.get(right), home[given]) for right, given in zip(documents.labels, answers.tolist(), strict=True)]
    group_accuracy = float(np.mean([right == given for right, given in groups]))
    return accuracy_and_macro_f1(np.array(documents.labels), answers) | {"group_accuracy": group_accuracy}


def _places(*labels: Sequence[str] | np.ndarray) -> np.ndarray:
    """Turn lists of label ids, one id a document, into numbers: (lists, documents)."""
    _, places = np.unique([list(ids) for ids in labels], return_inverse=True)
    return places.reshape(len(labels), -1)


def _told(trial: Trial, done: Tuning) -> str:
    best = done.best
    told = f"{FIGURES[done.figure]} {trial.figures[done.figure]:.4f}" if trial.state == COMPLETE else trial.state
    if trial.reason:
        told += f" ({trial.reason})"
    ahead = f"best so far {best.figures[done.figure]:.4f}, trial {best.number}"
    return f"trial {trial.number}: {told}; {duration(trial.seconds)}; {ahead}"
