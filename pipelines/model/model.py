"""A trained two-stage model: what `fit` makes, what an artifact holds, what prediction needs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hierarchy.taxonomy import Taxonomy
from pipelines.data.label_words import Word
from pipelines.model.neighbours import Neighbours
from pipelines.promises.promises import Promises
from pipelines.settings import Settings
from stages.coarse.exported_encoder import ExportedEncoder
from stages.features import FeatureExtractor
from stages.label_space import LabelSpace
from stages.machine import ahead
from stages.router.cascade import Cascade
from stages.router.router import Inputs, Routed, Router
from stages.shards import shard_bounds


@dataclass(frozen=True)
class Model:
    """All trained parts, and the names of what they speak of.

    Attributes
    ----------
    settings
        As fitted; ``auto`` values resolved.
    taxonomy
        The whole tree, with labels that had no documents too.
    train_counts
        (labels,) training documents of each label.
    extractor
        Texts to what the router reads.
    router
        That to probabilities.
    record
        How it was made and what was refitted since, see `pipelines.model.record`; JSON-ready.
    valid_keys
        Hashes of the validation documents (`Documents.keys`): no row has seen these, so a refit can use them again.
    promises
        What calibration documents allow; None without.
    cascade
        N-grams that answer alone where they are sure; None lets the encoder read all.
    neighbours
        What is kept of the training documents; None without ``keep_neighbours``.
    words
        Label id -> what a Python caller says for it, where that is another: `pipelines.data.label_words`.
    """

    settings: Settings
    taxonomy: Taxonomy
    train_counts: np.ndarray
    extractor: FeatureExtractor
    router: Router
    record: dict[str, Any] = field(default_factory=dict)
    valid_keys: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    promises: Promises | None = None
    cascade: Cascade | None = None
    neighbours: Neighbours | None = None
    words: Mapping[str, Word] = field(default_factory=dict)

    @property
    def space(self) -> LabelSpace:
        """The labels that it answers with, and their groups."""
        return self.router.space

    @property
    def label_ids(self) -> tuple[str, ...]:
        """Labels that had training documents, group after group: the columns of every score."""
        return self.space.label_ids

    @property
    def group_ids(self) -> tuple[str, ...]:
        """Groups of these labels, in the order of the taxonomy."""
        return self.space.group_ids

    @property
    def is_exported(self) -> bool:
        """Whether a runtime computes its encoder: such a model predicts, and is not trained."""
        neural = self.extractor.neural
        return neural is not None and isinstance(neural.encoder, ExportedEncoder)

    @property
    def spoken(self) -> dict[str, Word]:
        """The word of each of `label_ids`."""
        return {label: self.words.get(label, label) for label in self.label_ids}

    def places(self, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Find the column of each label and its group, (documents,) each.

        A label without training documents has no column: -1. Its group is -1 where that has no trained label either.
        """
        place = {group: i for i, group in enumerate(self.group_ids)}
        tree = self.taxonomy
        groups = [place.get(tree.group_ids[tree.group_of[tree.label_index(label)]], -1) for label in labels]
        return self.space.targets(labels), np.array(groups, dtype=np.int64)

    def route_texts(
        self, texts: Sequence[str], *, routing: str | None = None, beam: int | None = None
    ) -> Iterator[tuple[slice, Routed]]:
        """Answer block after block, so that memory does not grow with the number of documents.

        Parameters
        ----------
        texts
            Documents.
        routing, beam
            As in the settings where None.

        Yields
        ------
        tuple[slice, Routed]
            The place of the block in `texts` and its answers.
        """
        how = {
            "routing": self.settings.routing if routing is None else routing,
            "beam": self.settings.beam if beam is None else beam,
        }
        blocks = list(shard_bounds(texts))
        begun: Iterator[Callable[[], Routed]] = (self._begin(texts[start:end], how) for start, end in blocks)
        # With one block nothing can be begun ahead, and a thread would take longer than a short text.
        if len(blocks) > 1 and self.extractor.neural is not None:
            begun = ahead(begun)
        for (start, end), finish in zip(blocks, begun, strict=True):
            yield slice(start, end), finish()

    def route(self, inputs: Inputs, *, routing: str, beam: int) -> Routed:
        """Answer documents that all experts have read, as `route_texts` answers their texts."""
        how: Mapping[str, Any] = {"routing": routing, "beam": beam}
        if self.cascade is None:
            return self.router.route(inputs, **how)
        answers, others = self.cascade.answer(inputs, **how)
        return answers.replaced(others, self.router.route(inputs[others], **how))

    def probabilities(self, texts: Sequence[str], columns: np.ndarray, *, routing: str, beam: int) -> np.ndarray:
        """Return the probabilities of some labels, (documents, columns) float32.

        Parameters
        ----------
        texts
            Documents.
        columns
            (columns,) places of the labels in the taxonomy.
        routing, beam
            As for `route_texts`.
        """
        answer = np.empty((len(texts), len(columns)), dtype=np.float32)
        for block, routed in self.route_texts(texts, routing=routing, beam=beam):
            answer[block] = routed.probabilities[:, columns]
        return answer

    def _begin(self, texts: Sequence[str], how: Mapping[str, Any]) -> Callable[[], Routed]:
        """Do what needs no encoder, and return what does the rest; it reads nothing of which the n-grams are sure."""
        if self.cascade is None:
            finish = self.extractor.begin(texts)
            return lambda: self.router.route(finish(), **how)
        read = Inputs(ngrams=self.extractor.ngrams(texts))
        answers, others = self.cascade.answer(read, **how)
        if not len(others):
            return lambda: answers
        finish = self.extractor.begin([texts[place] for place in others], ngrams=read[others].ngrams)
        return lambda: answers.replaced(others, self.router.route(finish(), **how))
