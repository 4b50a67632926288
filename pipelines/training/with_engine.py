"""A training whose work an engine shares out.

What an untrained encoder reads of documents is made shard by shard; one that is trained is trained together. All of it
lies in the run folder under names that say what it holds, so a training that was stopped goes on there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from hierarchy.errors import ConfigError
from hierarchy.taxonomy import Taxonomy
from pipelines.data.documents import Documents
from pipelines.data.label_words import Word
from pipelines.engines.engine import Engine, check_run_dir, opened_engine
from pipelines.model.model import Model
from pipelines.model.provenance import SameVersions
from pipelines.settings import Settings
from pipelines.training.encoders import Encoders
from pipelines.training.fit import Pair, fit_documents, fit_model, resolve_settings
from pipelines.training.together import fit_together
from stages.features import vector_cache, vector_maker, warn_of_left_out
from stages.machine import n_processes

Opened: TypeAlias = Callable[[], AbstractContextManager[Engine]]
ALONE = "leave the engine out (--engine, --processes)"


@contextmanager
def training_engine(
    engine: str = "local", *, processes: int | None = None, address: str | None = None
) -> Iterator[None]:
    """Share out the work of trainings within the block.

    What an untrained encoder (``trainable: frozen``) reads of documents is made by all workers; the model is the one
    that this process alone would train. An encoder that is trained is trained by processes of Ray together, as by
    torchrun: the batch is theirs in all. The run folder (``run_dir``) stands on a disk that all machines have under the
    same path.

    Parameters
    ----------
    engine, processes, address
        Who does the work, as for `pipelines.engines.engine.opened_engine`.

    Raises
    ------
    ConfigError
        An argument makes no sense, or this process is one of several that train together. Within the block `fit` raises
        it too where the engine has nothing to share out, see `check_shared`.

    Examples
    --------
    >>> with training_engine("local", processes=4):  # doctest: +SKIP
    ...     classifier.fit(texts, labels)
    """
    opened_engine(engine, processes=processes, address=address)  # says at once what makes no sense
    if n_processes() > 1:
        raise ConfigError("an engine shares out the work of one process, and several are started: leave torchrun out")
    is_alone = engine == "local" and processes in (None, 1)
    token = _engine.set(None if is_alone else _Engine(engine, processes, address))
    try:
        yield
    finally:
        _engine.reset(token)


def fit_with_engine(
    parameters: Mapping[str, object],
    texts: Sequence[str],
    labels: Sequence[Word],
    validation: Pair | None,
    calibration: Pair | None,
) -> tuple[Model, Documents | None]:
    """Train as `fit_documents` does, with the engine of `training_engine` where there is one around this call."""
    engine = _engine.get()
    return fit_documents(
        parameters, texts, labels, validation, calibration, fit=fit_model if engine is None else engine.fit
    )


def check_shared(settings: Settings, engine: str) -> None:
    """Refuse settings that leave an engine nothing to share out; ``trainable: auto`` may still do so.

    Raises
    ------
    ConfigError
        There is no encoder, one is trained and the engine is ``local``, or n-grams choose what one reads.
    """
    if settings.encoder == "none":
        raise ConfigError(f"encoder: none leaves nothing to share out between processes: {ALONE}")
    if settings.trainable not in ("auto", "frozen") and engine == "local":
        raise ConfigError(
            f"trainable: {settings.trainable} trains the encoder, which several processes of this machine do by "
            "torchrun (torchrun --nproc_per_node 2 -m coarsefine train ...), those of a cluster by --engine ray"
        )
    if settings.trainable == "frozen" and settings.chooses_segments:
        raise ConfigError(
            "n-grams choose the segments that the encoder reads (max_segments, lexical), and are known only late in "
            f"a training: {ALONE}"
        )


class _Engine(NamedTuple):
    name: str
    processes: int | None
    address: str | None

    def opened(self) -> AbstractContextManager[Engine]:
        return opened_engine(self.name, processes=self.processes, address=self.address)

    def fit(
        self, settings: Settings, taxonomy: Taxonomy | None, train: Documents, valid: Documents, *, folder: Path
    ) -> Model:
        encoders = Encoders(settings)
        settings = resolve_settings(settings, encoders, taxonomy, train)
        check_shared(settings, self.name)
        if settings.trainable != "frozen":
            where: dict[str, Any] = {"processes": self.processes, "address": self.address}
            return fit_together(settings, taxonomy, train, valid, folder=folder, **where)
        check_run_dir(settings.run_dir, self.address)
        encode = partial(encode_parts, self.opened, encoders, folder)
        return fit_model(settings, taxonomy, train, valid, folder=folder, encoders=encoders, encode=encode)


_engine: ContextVar[_Engine | None] = ContextVar("shares out the work of trainings in this block", default=None)


def encode_parts(opened: Opened, encoders: Encoders, folder: Path, parts: Sequence[Sequence[str]]) -> None:
    """Have an engine make the vectors of documents by the untrained encoder, and their tokens, in a run folder.

    Parameters
    ----------
    opened
        Opens the engine; it is not called where all vectors are there.
    encoders
        Of the settings; each worker loads its own.
    folder
        Run folder.
    parts
        Documents, as they are trained on and validated with.

    Raises
    ------
    ConfigError
        A worker would make other vectors than this process.
    """
    what, (encoder, segmenter) = "vectors of documents", encoders.of_documents
    cache = vector_cache(encoder, segmenter, folder.absolute())

    def work(shards: Iterator[Sequence[str]]) -> Iterable[np.ndarray]:
        with opened() as engine:
            start = SameVersions(Encoding(encoders, cache.folder.parent, cache.key))
            yield from engine.map(start, map(list, shards), on_gpus=encoders.settings.takes_gpus)

    warn_of_left_out(what, segmenter, cache.fill(parts, work, what=what))


@dataclass(frozen=True)
class Encoding:
    """Makes what reads the texts of a shard and writes its vectors; picklable.

    Attributes
    ----------
    encoders
        Of the settings.
    folder
        Run folder.
    key
        Of the vectors that are wanted: `ShardCache.key`.
    """

    encoders: Encoders
    folder: Path
    key: str

    def __call__(self) -> Callable[[Sequence[str]], np.ndarray]:
        """Load the encoder, and check that it is the one of the process that asks."""
        encoder, segmenter = self.encoders.of_documents
        if vector_cache(encoder, segmenter, self.folder).key != self.key:
            raise ConfigError(
                "a worker would make other vectors than this process (its libraries, its encoder, or what dtype: auto "
                "comes to): install the same on all machines, and set dtype: float32"
            )
        return vector_maker(encoder, segmenter, self.encoders.settings.tokens_per_chunk, self.folder)
