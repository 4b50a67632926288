"""The public face: a scikit-learn classifier that is saved and loaded the way transformers does it."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from hierarchy.arguments import label_column, same_length, text_column, whole_number
from hierarchy.errors import ConfigError, DataError
from hierarchy.taxonomy import Taxonomy
from pipelines.data.documents import Documents, warn_of_repeats
from pipelines.data.given import (
    check_calibration,
    check_labels,
    check_pair,
    check_taxonomy,
    prepare_documents,
    words_of,
)
from pipelines.data.label_words import Word, check_words, differing, joined_words
from pipelines.data.report import some
from pipelines.model.prediction import Prediction, paths_of
from pipelines.pretrained import Pretrained
from pipelines.promises.backoff import DELTA, PRECISION, check_enough

if TYPE_CHECKING:
    from pipelines.evaluation.comparison import EvaluationReport
    from pipelines.explaining.explanation import Explanation
    from pipelines.model.sets import PredictionSet

logger = logging.getLogger(f"coarsefine.{__name__}")


class HierarchicalClassifier(ClassifierMixin, Pretrained):
    """Two-stage text classifier: a coarse long-text model, a head for each group, and a router.

    Its parameters are those of `pipelines.parameters.Parameters`.

    What it learns are the attributes of `pipelines.pretrained.Pretrained`.
    """

    def fit(
        self,
        texts: Sequence[str],
        labels: Sequence[Word],
        *,
        validation: tuple[Sequence[str], Sequence[Word]] | None = None,
        calibration: tuple[Sequence[str], Sequence[Word]] | None = None,
    ) -> Self:
        """Train on documents and their fine labels.

        Parameters
        ----------
        texts
            Documents of any length.
        labels
            Fine label of each: ids or names, text or whole numbers. What is given here is what `predict` answers; of a
            label that is written in several ways, the commonest.
        validation
            Texts and labels for early stopping and fusion; None cuts a stratified tenth from the training data,
            where labels with fewer than 3 documents stay whole.
        calibration
            Texts and labels that nothing else sees, for promises as `calibrate` makes them by default; None promises
            nothing.

        Returns
        -------
        HierarchicalClassifier
            Itself.

        Raises
        ------
        ConfigError
            With every wrong setting.
        DataError
            With every problem of the documents and labels.
        EncoderError
            The encoder cannot be had, or cannot read these documents.
        """
        from pipelines.model.record import CUT, with_sources
        from pipelines.training.fit import fit_model

        settings = self._settings()
        train, valid = prepare_documents(
            texts,
            labels,
            validation,
            self.taxonomy,
            random_state=settings.random_state,
            merge_spellings=settings.merge_spellings,
        )
        words = words_of(texts, labels, train, *([valid] if validation is None else []))
        if calibration is not None:
            calibrating = check_calibration(calibration, self.taxonomy, words)
            check_enough(len(calibrating.texts))
            for seen, where in ((train, "training"), (valid, "validation")):
                warn_of_repeats(calibrating.texts, seen, what="calibration documents", where=where)
        with self._run_folder() as folder:
            fitted = fit_model(settings, self.taxonomy, train, valid, folder=folder)
        if validation is None:
            fitted = replace(fitted, record=with_sources(fitted.record, {"valid": CUT}))
        self._set(replace(fitted, words=differing(words, fitted.label_ids)), metrics=None)
        return self if calibration is None else self.calibrate(calibrating, calibrating.labels)

    def calibrate(
        self,
        texts: Sequence[str],
        labels: Sequence[Word],
        *,
        precision: float = PRECISION,
        delta: float = DELTA,
        coverage: float = 0.9,
        by_group: bool = False,
        false_alarms: float | None = None,
    ) -> Self:
        """Make promises, on documents that neither training nor validation has seen.

        Parameters
        ----------
        texts, labels
            Documents as the model will meet them, and their fine labels.
        precision, delta
            Fine answers, and group answers, each keep this precision, with probability 1 - delta over the documents
            given here: `pipelines.promises.backoff`.
        coverage, by_group
            Sets hold the right label this often, by group in each group apart: `pipelines.promises.conformal`.
        false_alarms
            Share of documents in scope that may be taken for out of scope; None takes none.

        Raises
        ------
        ConfigError
            A share does not lie between 0 and 1.
        DataError
            The documents are too few for what is promised; says how many it takes.
        """
        from pipelines.training.calibrate import calibrate

        documents = self._documents(texts, labels, where="calibration documents")
        self.model_ = calibrate(
            self.model_,
            documents,
            routing=self.routing,
            beam=self.beam,
            precision=precision,
            delta=delta,
            coverage=coverage,
            by_group=by_group,
            false_alarms=false_alarms,
        )
        return self

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Most probable fine label of each document.

        Returns
        -------
        numpy.ndarray
            (documents,) of `classes_`: labels in the words that `fit` was given.
        """
        probabilities = self.predict_proba(texts)
        return self.classes_[probabilities.argmax(1)]

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """Probability of each fine label.

        Returns
        -------
        numpy.ndarray
            (documents, fine labels) float32, columns as in `classes_`, rows sum to 1.
        """
        texts = self._readable(texts)
        answer = np.empty((len(texts), len(self.classes_)), dtype=np.float32)
        for block, routed in self.model_.route_texts(texts, routing=self.routing, beam=self.beam):
            answer[block] = routed.probabilities[:, self._columns]
        return answer

    def predict_paths(self, texts: Sequence[str], top_k: int = 1) -> list[list[Prediction]]:
        """Most probable paths of each document, best first, as ids of group and label.

        Parameters
        ----------
        texts
            Documents.
        top_k
            Paths a document; labels outside the beam are left out.

        Raises
        ------
        ConfigError
            `top_k` is no whole number from 1 up, or the model's promises were made with another routing.
        """
        texts, top_k = self._readable(texts), whole_number(top_k, "top_k")
        found: list[list[Prediction]] = []
        for _, routed in self.model_.route_texts(texts, routing=self.routing, beam=self.beam):
            found.extend(paths_of(self.model_, routed, top_k))
        return found

    def predict_sets(
        self, texts: Sequence[str], *, within: str = "labels", keep_best: bool = True
    ) -> "list[PredictionSet]":
        """Give each document a set that holds the right label as often as `calibrate` was asked for.

        Parameters
        ----------
        texts, within, keep_best
            As for `pipelines.model.sets.sets_of`.

        Raises
        ------
        ConfigError
            The model is not calibrated, or was with another routing.
        """
        from pipelines.model.sets import sets_of

        texts = self._readable(texts)
        found: list[PredictionSet] = []
        for block, routed in self.model_.route_texts(texts, routing=self.routing, beam=self.beam):
            found.extend(sets_of(self.model_, routed, texts[block], within, keep_best=keep_best))
        return found

    def explain(self, text: str, *, against: Word | None = None, top_k: int = 3) -> "Explanation":
        """Say what in a document speaks for its best label and against another: segments, n-grams, near documents.

        Parameters
        ----------
        text
            One document.
        against
            Fine label to compare with, by id, by name or in the words of `fit`; None takes the runner-up.
        top_k
            Paths listed.

        Raises
        ------
        DataError
            The text is empty, or `against` is no label that the model answers with, or the best one itself.
        """
        from pipelines.explaining.explain import explain

        check_is_fitted(self)
        if against is not None:
            (label,) = self._ids_of(check_words([against], "against"))
            against = str(against) if label is None else label
        return explain(self.model_, text, against=against, top_k=top_k, routing=self.routing, beam=self.beam)

    def score(self, texts: Sequence[str], labels: Sequence[Word], sample_weight: Any = None) -> float:
        """Return the accuracy.

        Parameters
        ----------
        texts, labels
            Documents and their fine labels, by id, by name or in the words of `fit`. A label that the model does not
            know counts as wrong.
        sample_weight
            (documents,) what each counts; None counts all alike.

        Raises
        ------
        DataError
            There are no documents, or not one label a document.
        """
        from sklearn.metrics import accuracy_score

        texts, said = self._readable(texts), check_words(labels)
        same_length(texts, said, ("texts", "labels"))
        if not len(texts):
            raise DataError("there are no documents to score")
        place = {label: i for i, label in enumerate(self._labels)}
        gold = np.array([-1 if label is None else place.get(label, -1) for label in self._ids_of(said)])
        if (gold < 0).any():
            unknown = sorted({repr(word) for word, known in zip(said, gold, strict=True) if known < 0})
            logger.warning(
                "%d of %d documents count as wrong, having labels that the model does not know: %s",
                (gold < 0).sum(), len(gold), some(unknown),
            )  # fmt: skip
        answers = self.predict_proba(texts).argmax(1)
        return float(accuracy_score(gold, answers, sample_weight=sample_weight))

    def evaluate(
        self,
        texts: Sequence[str],
        labels: Sequence[Word],
        *,
        train: tuple[Sequence[str], Sequence[Word]] | None = None,
        data: str = "documents",
    ) -> "EvaluationReport":
        """Compare predictions with the right labels, and with what flat models would have said.

        Parameters
        ----------
        texts, labels
            Documents that training has not seen.
        train
            The training documents: the baselines that must be trained are fitted on them. None shows their
            figures as stored with the model, if any.
        data
            Name of the documents, for the report.
        """
        from pipelines.evaluation.assessment import assess

        documents = self._documents(texts, labels, where=data)
        train_documents = None
        if train is not None:
            train_documents = check_pair(train, "train", self.taxonomy_, where="train", words=self._by_word)
        with self._run_folder() as folder:
            settings = self.model_.settings.model_copy(update={"n_jobs": self.n_jobs})
            return assess(
                replace(self.model_, settings=settings),
                documents,
                train=train_documents,
                folder=folder,
                data=data,
                routing=self.routing,
                beam=self.beam,
                stored=self.metrics_,
            )

    def refit_groups(
        self,
        groups: Sequence[str] | None,
        texts: Sequence[str],
        labels: Sequence[Word],
        taxonomy: Taxonomy | None = None,
        *,
        validation: tuple[Sequence[str], Sequence[Word]] | None = None,
    ) -> Self:
        """Fit the rows of some groups again, after an edit of the tree the coarse stage too, and leave all else.

        Encoder, n-grams and idf stay as trained: words of new labels that the n-grams lack count after a full `fit`.

        Parameters
        ----------
        groups
            Ids or names of the groups; None takes those whose labels came, went or moved, or got the documents of a
            label that is gone.
        texts, labels
            The whole training data as it is now: other groups' documents are the negatives.
        taxonomy
            The edited tree; None keeps the model's. Where labels came, went or moved, the coarse stage is trained
            again above the encoder as it stands, and the fusion is fitted again.
        validation
            Texts and labels for early stopping and fusion. None takes the documents that were validation before from
            `texts`, and a stratified tenth of new labels; where they are not there, an unchanged tree keeps its fusion.

        Raises
        ------
        ConfigError
            The model was trained jointly; or with ``augment`` or ``label_encoder``, and the classifier, once loaded,
            names none.
        DataError
            A group is unknown or one that the change demands is left out, a label has no documents or is not in the
            tree, validation documents are needed, or there is nothing to do.
        TaxonomyError
            A label of the tree stands in no group.
        """
        from pipelines.training.refit import refit
        from pipelines.training.refit_plan import cut_for_refit

        check_is_fitted(self)
        if self.model_.settings.mode == "joint":
            raise ConfigError("refit needs vectors that stay; mode: joint trains them with the rows: train again")
        check_taxonomy(taxonomy)
        chosen = None if groups is None else label_column(groups, "groups")
        tree = self.taxonomy_ if taxonomy is None else taxonomy
        train = check_labels(texts, labels, tree, where="training documents", words=self._by_word)
        words = words_of(texts, labels, train)
        if validation is not None:
            valid = check_pair(validation, "validation", tree, where="validation documents", words=self._by_word)
        else:
            kept, held_out = cut_for_refit(self.model_, train)
            train, valid = train.select(kept), train.select(held_out)
        with self._run_folder() as folder:
            model = refit(
                self.model_,
                chosen,
                train,
                valid if len(valid.texts) else None,
                taxonomy=tree,
                folder=folder,
                n_jobs=self.n_jobs,
                augment=self.augment,
                label_encoder=self.label_encoder,
                training=self.training or {},
            )
        words = joined_words(self.model_.spoken, words, model.label_ids, model.taxonomy)
        self._set(replace(model, words=words), metrics=None)
        return self

    def _readable(self, texts: Sequence[str]) -> Sequence[str]:
        check_is_fitted(self)
        return text_column(texts, "texts")

    def _documents(self, texts: Sequence[str], labels: Sequence[Word], *, where: str) -> Documents:
        """Check documents that the fitted model is measured on."""
        check_is_fitted(self)
        return check_labels(texts, labels, self.taxonomy_, where=where, keep_empty=True, words=self._by_word)
