"""The public face: a scikit-learn classifier that is saved and loaded the way transformers does it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import InputTags, Tags
from sklearn.utils.validation import check_is_fitted

from hierarchy.arguments import known_keywords, text_column, whole_number
from hierarchy.disk.paths import local_path
from hierarchy.taxonomy import Taxonomy
from pipelines.card.write import model_card, with_facts
from pipelines.data.documents import Documents
from pipelines.data.given import check_labels, check_pair
from pipelines.data.label_words import RETIRED, Word, check_words, known_places, meanings, sorted_words
from pipelines.evaluation.assessment import assess
from pipelines.evaluation.comparison import EvaluationReport
from pipelines.explaining.explain import explain
from pipelines.explaining.explanation import Explanation
from pipelines.exporting import TOLERANCE, export_model
from pipelines.model.artifact.hub import Token, local_folder, push_saved
from pipelines.model.artifact.loading import load_model
from pipelines.model.artifact.manifest import METRICS
from pipelines.model.artifact.saved_settings import parameters_of_model
from pipelines.model.artifact.saving import save_model
from pipelines.model.model import Model
from pipelines.model.prediction import Prediction, paths_of
from pipelines.model.sets import PredictionSet, sets_of
from pipelines.promises.backoff import DELTA, PRECISION
from pipelines.settings import Trainable, settings_documented
from pipelines.training.calibrate import calibrate
from pipelines.training.fit import Pair
from pipelines.training.refit import refit_documents
from pipelines.training.with_engine import fit_with_engine
from stages.coarse.exported_encoder import Dtype
from stages.run_folder import place_of_run

Texts = Sequence[str]
Labels = Sequence[Word]


class HierarchicalClassifier(ClassifierMixin, BaseEstimator):
    """Two-stage text classifier: a coarse long-text model, a head for each group, and a router.

    Parameters
    ----------
    taxonomy
        Groups and labels; unplaced labels are placed by `fit`. None builds groups from labels and documents.
    {settings}

    Attributes
    ----------
    classes_
        The labels that had training documents, in the words that `fit` was given (ids, names or whole numbers), sorted.
    taxonomy_
        The tree in use, every label of the documents placed.
    model_
        The trained parts.
    metrics_
        Figures of the last evaluation that was kept with the model, or None.
    """

    classes_: np.ndarray
    taxonomy_: Taxonomy
    model_: Model
    metrics_: dict[str, Any] | None

    @known_keywords
    def __init__(
        self,
        taxonomy: Taxonomy | None = None,
        *,
        # The model
        mode: Literal["chained", "joint"] = "chained", routing: Literal["auto", "exhaustive", "beam"] = "auto",
        beam: int = 3, keep_neighbours: bool = False,
        # Encoder
        encoder: str = "embedded", label_encoder: str | None = None,
        pooling: Literal["mean", "cls"] = "mean", dtype: Literal["auto", "float32", "bfloat16"] = "auto",
        trainable: Trainable = "auto", fine_features: Literal["pretrained", "trained", "both"] = "both",
        attention_dropout: float | None = None, segment_tokens: int = 256, overlap: int = 32,
        unit_tokens: int | None = 64, max_segments: int | None = None,
        tokens_per_chunk: int | Literal["auto"] = "auto",
        # Document model
        attention_queries: int = 8, aggregator_layers: int = 0, aggregator_heads: int = 4,
        label_attention: bool = False, dropout: float = 0.2,
        # N-grams and rows
        lexical: bool = True, min_df: int = 2, prune: float = 0.005, lexical_C: float = 1.0, neural_C: float = 1.0,
        negatives: Literal["auto", "all", "candidates", "group"] = "auto", prior_correction: float = 0.2,
        # Groups
        n_groups: int | Literal["auto"] = "auto", min_group_size: int | None = None, max_group_size: int | None = None,
        signals: dict[str, float] | None = None,
        # Neural training
        fine_loss: Literal["all", "path", "group"] = "all",
        loss_weights: tuple[float, float] | Literal["learned"] = (1.0, 0.8),
        row_start: Literal["random", "labels", "centroids"] = "labels",
        # Rare labels
        imbalance: Literal["none", "weights", "logits", "oversample", "undersample"] = "none",
        imbalance_scope: Literal["labels", "groups", "siblings"] = "labels",
        # Training documents
        merge_spellings: bool = True, label_documents: bool = True,
        augment: str | None = None, word_dropout: float = 0.0, augmented_copies: int = 1,
        # Training, machine
        training: dict[str, Any] | None = None, random_state: int = 0,
        device: str | None = None, n_jobs: int = -1, run_dir: str | None = None,
    ) -> None:  # fmt: skip
        self.taxonomy = taxonomy
        self.mode, self.routing, self.beam, self.keep_neighbours = mode, routing, beam, keep_neighbours
        self.encoder, self.label_encoder, self.pooling, self.dtype = encoder, label_encoder, pooling, dtype
        self.trainable, self.fine_features, self.attention_dropout = trainable, fine_features, attention_dropout
        self.segment_tokens, self.overlap, self.unit_tokens = segment_tokens, overlap, unit_tokens
        self.max_segments, self.tokens_per_chunk = max_segments, tokens_per_chunk
        self.attention_queries, self.label_attention, self.dropout = attention_queries, label_attention, dropout
        self.aggregator_layers, self.aggregator_heads = aggregator_layers, aggregator_heads
        self.lexical, self.min_df, self.prune, self.lexical_C = lexical, min_df, prune, lexical_C
        self.neural_C, self.negatives, self.prior_correction = neural_C, negatives, prior_correction
        self.n_groups, self.min_group_size, self.max_group_size = n_groups, min_group_size, max_group_size
        self.signals, self.fine_loss, self.loss_weights, self.row_start = signals, fine_loss, loss_weights, row_start
        self.imbalance, self.imbalance_scope = imbalance, imbalance_scope
        self.merge_spellings, self.label_documents = merge_spellings, label_documents
        self.augment, self.word_dropout, self.augmented_copies = augment, word_dropout, augmented_copies
        self.training, self.random_state = training, random_state
        self.device, self.n_jobs, self.run_dir = device, n_jobs, run_dir

    def fit(
        self, texts: Texts, labels: Labels, *, validation: Pair | None = None, calibration: Pair | None = None
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
            Texts and labels that nothing else sees, for promises with the defaults of `calibrate`; None makes none.

        Raises
        ------
        ConfigError, DataError, TaxonomyError, EncoderError
            Settings, documents, labels, tree or encoder have problems; told before any work.
        BusyError
            Another process works in ``run_dir``.
        """
        model, held = fit_with_engine(self.get_params(deep=False), texts, labels, validation, calibration)
        self._set(model, metrics=None)
        return self if held is None else self.calibrate(held, held.labels)

    def calibrate(
        self, texts: Texts, labels: Labels, *, precision: float = PRECISION, delta: float = DELTA,
        coverage: float = 0.9, by_group: bool = False, false_alarms: float | None = None,
        cascade: float | None = None, cascade_data: Pair | None = None,
    ) -> Self:  # fmt: skip
        """Make promises, on documents that neither training nor validation has seen.

        Parameters
        ----------
        texts, labels
            Documents as the model will meet them, and their fine labels.
        precision, delta
            Fine answers, and group answers, each keep this precision, with probability 1 - delta over these documents.
        coverage, by_group
            Sets hold the right label this often, by group in each group apart.
        false_alarms
            Share of documents in scope that may be taken for out of scope; None takes none.
        cascade, cascade_data
            Points of accuracy that may be lost where n-grams answer alone, which spares the encoder (None: it reads
            all), and texts and labels that choose for which; None sets half of the documents aside for it.

        Raises
        ------
        ConfigError, DataError
            A number is out of its range; documents and labels have problems, or are too few, and how many it takes; the
            model lacks what a cascade needs.
        """
        documents = self._documents(texts, labels, where="calibration documents")
        own = None if cascade_data is None else self._pair(cascade_data, "cascade_data", keep_empty=True)
        self.model_ = calibrate(
            self.model_, documents, routing=self.routing, beam=self.beam, precision=precision, delta=delta,
            coverage=coverage, by_group=by_group, false_alarms=false_alarms, cascade=cascade, cascade_documents=own,
        )  # fmt: skip
        return self

    def export(
        self, texts: Texts, labels: Labels, *, dtype: Dtype = "int8", tolerance: float = TOLERANCE,
        calibration: Pair | None = None,
    ) -> Self:  # fmt: skip
        """Return the classifier as OpenVINO computes it, fast on processors, once it is known to answer as well.

        They are compared on ``texts`` and ``labels``, which training has not seen; the rest is as for
        `pipelines.exporting.export_model`, which tells what it raises.
        """
        documents = self._documents(texts, labels, where="documents of the comparison")
        held = None if calibration is None else self._pair(calibration, "calibration", keep_empty=True)
        how: dict[str, Any] = {"routing": self.routing, "beam": self.beam, "dtype": dtype, "tolerance": tolerance}
        return clone(self)._set(export_model(self.model_, documents, calibration=held, **how), metrics=None)

    def predict(self, texts: Texts) -> np.ndarray:
        """Return the most probable fine label of each document, (documents,) of `classes_`."""
        best = self.predict_proba(texts).argmax(1)  # which says so where nothing is fitted
        return self.classes_[best]

    def predict_proba(self, texts: Texts) -> np.ndarray:
        """Return the probability of each fine label, (documents, fine labels) float32; columns are as in `classes_`."""
        texts = self._readable(texts)
        return self.model_.probabilities(texts, self._columns, routing=self.routing, beam=self.beam)

    def predict_paths(self, texts: Texts, top_k: int = 1) -> list[list[Prediction]]:
        """Return the most probable paths of each document, ``top_k`` at most, best first, as ids of group and label.

        Labels outside the beam are left out. A ConfigError says so where promises were made with another routing.
        """
        texts, top_k = self._readable(texts), whole_number(top_k, "top_k")
        answers = self.model_.route_texts(texts, routing=self.routing, beam=self.beam)
        return [paths for _, routed in answers for paths in paths_of(self.model_, routed, top_k)]

    def predict_sets(self, texts: Texts, *, within: str = "labels", keep_best: bool = True) -> list[PredictionSet]:
        """Give each document a set that holds the right label as often as `calibrate` was asked for.

        ``within`` and ``keep_best`` are as for `pipelines.model.sets.sets_of`, which tells what it raises.
        """
        texts, model = self._readable(texts), self.model_
        answers = model.route_texts(texts, routing=self.routing, beam=self.beam)
        return [s for b, routed in answers for s in sets_of(model, routed, texts[b], within, keep_best=keep_best)]

    def explain(self, text: str, *, against: Word | None = None, top_k: int = 3) -> Explanation:
        """Say what in a document speaks for its best label and against another: units, n-grams, near documents.

        Parameters
        ----------
        text
            One document.
        against
            Fine label to compare with, by id, by name or in the words of `fit`; None takes the runner-up.
        top_k
            Paths listed.
        """
        check_is_fitted(self)
        if against is not None:
            [word] = check_words([against], "against")
            against = meanings([word], self.taxonomy_, self._by_word)[word].id or str(word)
        return explain(self.model_, text, against=against, top_k=top_k, routing=self.routing, beam=self.beam)

    def score(self, texts: Texts, labels: Labels, sample_weight: Any = None) -> float:
        """Return the accuracy; ``sample_weight`` (documents,) is what each document counts, None counts all alike.

        Labels stand there by id, name or word of `fit`; an unknown one is wrong, a retired one is left out.
        """
        gold = known_places(texts := self._readable(texts), labels, self.taxonomy_, self._by_word, self._labels)
        weights = np.where(gold == RETIRED, 0, 1 if sample_weight is None else sample_weight)
        return float(np.average(gold == self.predict_proba(texts).argmax(1), weights=weights))

    def evaluate(
        self, texts: Texts, labels: Labels, *, train: Pair | None = None, data: str = "documents"
    ) -> EvaluationReport:
        """Compare predictions with the right labels, and with what flat models would have said.

        Parameters
        ----------
        texts, labels
            Documents that training has not seen.
        train
            Training documents, on which baselines are fitted; None shows those whose figures the model keeps.
        data
            Name of the documents, for the report.
        """
        documents = self._documents(texts, labels, where=data)
        seen = None if train is None else self._pair(train, "train")
        model = replace(self.model_, settings=self.model_.settings.model_copy(update={"n_jobs": self.n_jobs}))
        with place_of_run(self.run_dir) as folder:
            return assess(
                model, documents, train=seen, folder=folder, data=data,
                routing=self.routing, beam=self.beam, stored=self.metrics_,
            )  # fmt: skip

    def refit_groups(
        self, groups: Sequence[str] | None, texts: Texts, labels: Labels, taxonomy: Taxonomy | None = None, *,
        validation: Pair | None = None,
    ) -> Self:  # fmt: skip
        """Fit the rows of some groups again, after an edit of the tree the coarse stage too, and leave all else.

        Encoder, n-grams and idf stay as trained: words of new labels that the n-grams lack count after a full `fit`.

        Parameters
        ----------
        groups
            Ids or names; None takes those whose labels came, went or moved, or got documents of a label that is gone.
        texts, labels
            The whole training data as it is now: other groups' documents are the negatives.
        taxonomy
            The edited tree; None keeps the model's. Where labels came, went or moved, coarse stage, all neural rows
            and fusion are fitted again above the encoder as it stands.
        validation
            Texts and labels for early stopping and fusion. None takes the documents that were validation before from
            `texts`, and a stratified tenth of new labels; where they are not there, an unchanged tree keeps its fusion.

        Raises
        ------
        ConfigError, BusyError
            As for `fit`; the model was trained jointly, or needs an ``augment`` or ``label_encoder`` to be named.
        DataError, TaxonomyError
            A group or label is unknown, lacks documents, or must not be left out; a label of the tree has no group.
        """
        check_is_fitted(self)
        words, given = self._by_word, (texts, labels, taxonomy, validation)
        model = refit_documents(self.model_, groups, *given, by_word=words, parameters=self.get_params(deep=False))
        return self._set(model, metrics=None)

    def save_pretrained(self, folder: str | Path, *, card: Mapping[str, Any] | None = None) -> None:
        """Write the model to a folder: JSON, YAML and safetensors, checksummed, whole or not at all.

        Parameters
        ----------
        folder
            Where to; an earlier model there is replaced. What is no model, or cannot be written, is refused.
        card
            What only you know, for the model card: `pipelines.config.CardFacts`. None keeps what the model has.
        """
        check_is_fitted(self)
        if card is not None:
            self.model_ = with_facts(self.model_, card)
        save_model(self.model_, local_path(folder), metrics=self.metrics_, card=model_card(self.model_, self.metrics_))

    @classmethod
    def from_pretrained(
        cls, model: str | Path, *, device: str | None = None, revision: str | None = None, token: Token = None
    ) -> Self:
        """Read a model that `save_pretrained` or `push_to_hub` wrote.

        What a model may not decide (uploads, folders, devices, code and encoders by name) is not taken from it: to
        train again, name ``encoder``, ``label_encoder`` and ``augment`` yourself (``set_params``).

        Parameters
        ----------
        model
            Its folder, or its hub id ``org/name`` (``org/name@revision``).
        device
            Torch device; None takes a GPU where there is one.
        revision, token
            As for `pipelines.model.artifact.hub.local_folder`.

        Raises
        ------
        ArtifactError, ConfigError
            There is no such model, or it is damaged or does not fit together; the device cannot be used.
        """
        folder = local_folder(model, revision=revision, token=token)
        loaded, metrics = load_model(folder, device=device)
        if metrics is not None:
            EvaluationReport.from_dict(metrics, folder / METRICS)
        return cls(loaded.taxonomy, **parameters_of_model(loaded.settings, device))._set(loaded, metrics=metrics)

    def push_to_hub(
        self, repo_id: str, *, private: bool | None = None, revision: str | None = None,
        commit_message: str | None = None, token: Token = None, card: Mapping[str, Any] | None = None,
    ) -> str:  # fmt: skip
        """Upload the model to the Hugging Face hub in one commit; return the commit's address.

        ``card`` is as for `save_pretrained`, the rest as for `pipelines.model.artifact.hub.push_folder`.
        """
        how = {"private": private, "revision": revision, "commit_message": commit_message, "token": token}
        return push_saved(lambda folder: self.save_pretrained(folder, card=card), repo_id, **how)

    def _set(self, model: Model, *, metrics: dict[str, Any] | None) -> Self:
        self.metrics_, self.model_, self.taxonomy_ = metrics, model, model.taxonomy
        self.classes_, self._columns, self._labels = sorted_words(model.spoken)
        self._by_word = {word: label for label, word in model.spoken.items()}
        return self

    def _readable(self, texts: Texts) -> Texts:
        check_is_fitted(self)
        return text_column(texts, "texts")

    def _documents(self, texts: Texts, labels: Labels, *, where: str) -> Documents:
        check_is_fitted(self)
        return check_labels(texts, labels, self.taxonomy_, where=where, keep_empty=True, words=self._by_word)

    def _pair(self, given: Pair, name: str, **options: Any) -> Documents:
        return check_pair(given, name, self.taxonomy_, where=name, words=self._by_word, **options)

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that it takes texts, and no arrays of numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags = InputTags(string=True, one_d_array=True, two_d_array=False)
        return tags


# The settings say what they are for in one place.
HierarchicalClassifier.__doc__ = settings_documented(HierarchicalClassifier.__doc__ or "")
