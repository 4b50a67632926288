"""Saving, loading and publishing a classifier, the way transformers does it."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from hierarchy.disk.paths import local_path
from hierarchy.taxonomy import Taxonomy
from hierarchy.wrong_values import validated
from pipelines.data.label_words import Word, ids_said
from pipelines.evaluation.comparison import EvaluationReport
from pipelines.model.artifact.hub import local_folder, push_folder
from pipelines.model.artifact.loading import load_model
from pipelines.model.artifact.manifest import METRICS
from pipelines.model.artifact.saved_settings import parameters_of_model
from pipelines.model.artifact.saving import save_model
from pipelines.model.model import Model
from pipelines.parameters import Parameters

if TYPE_CHECKING:
    from sklearn.utils import Tags


class Pretrained(Parameters):
    """A classifier whose trained parts can be written to a folder or the hub, and read again.

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

    def save_pretrained(self, folder: str | Path, *, card: Mapping[str, Any] | None = None) -> None:
        """Write the model to a folder: JSON, YAML and safetensors, checksummed, whole or not at all.

        Parameters
        ----------
        folder
            Where to; an earlier model there is replaced.
        card
            What only you know, for the model card: ``licence``, ``language``, ``contact``, ``notes``
            (`pipelines.config.CardFacts`). None keeps what the model has.

        Raises
        ------
        ArtifactError
            The folder holds something that is no model, or cannot be written.
        ConfigError
            `card` has an unknown key or a wrong value.
        """
        from pipelines.card.write import model_card
        from pipelines.config import CardFacts

        check_is_fitted(self)
        if card is not None:
            facts = validated(CardFacts, card, where="card").model_dump(exclude_none=True)
            self.model_ = replace(self.model_, record={**self.model_.record, "card": facts})
        save_model(self.model_, local_path(folder), metrics=self.metrics_, card=model_card(self.model_, self.metrics_))

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path,
        *,
        device: str | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
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
        ArtifactError
            There is no such folder or model, it is no model of ours, or a file in it is damaged.
        """
        folder = local_folder(model, revision=revision, token=token)
        loaded, metrics = load_model(folder, device=device)
        if metrics is not None:
            EvaluationReport.from_dict(metrics, folder / METRICS)
        classifier = cls(loaded.taxonomy, **parameters_of_model(loaded.settings))
        classifier.device = device
        classifier._set(loaded, metrics=metrics)
        return classifier

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        revision: str | None = None,
        commit_message: str | None = None,
        token: str | bool | None = None,
        card: Mapping[str, Any] | None = None,
    ) -> str:
        """Upload the model to the Hugging Face hub in one commit; return the commit's address.

        Parameters
        ----------
        repo_id, private, revision, commit_message, token
            As for `pipelines.model.artifact.hub.push_folder`.
        card
            As for `save_pretrained`.

        Raises
        ------
        ArtifactError
            The hub refuses or cannot be reached; says which, and what to do.
        """
        with tempfile.TemporaryDirectory(prefix="coarsefine-") as above:
            folder = Path(above) / repo_id.rpartition("/")[2]
            self.save_pretrained(folder, card=card)
            return push_folder(
                folder, repo_id, private=private, revision=revision, commit_message=commit_message, token=token
            )

    def _set(self, model: Model, *, metrics: dict[str, Any] | None) -> None:
        self.metrics_ = metrics
        self.model_ = model
        self.taxonomy_ = model.taxonomy
        words = list(model.spoken.values())
        self._columns = np.array(sorted(range(len(words)), key=words.__getitem__))
        self._labels = [model.label_ids[column] for column in self._columns]
        self._by_word = dict(zip(words, model.label_ids, strict=True))
        self.classes_ = np.array([words[column] for column in self._columns])

    def _ids_of(self, labels: Sequence[Word]) -> list[str | None]:
        """Return the id of each label, None of one that the taxonomy does not know."""
        return ids_said(labels, self.taxonomy_, self._by_word)

    def __sklearn_tags__(self) -> "Tags":
        """Tell scikit-learn that it takes texts, and no arrays of numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags
