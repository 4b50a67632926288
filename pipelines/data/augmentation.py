"""More training documents: the labels' own texts, and copies with words left out or rewritten by the user's function.

They stand behind the documents that the user gave and are trained on like these, by every part of a model. What tells
of the data itself reads the given documents alone: groups that are built, n-grams that are counted, the numbers behind
each label, nearest documents. Validation, calibration and test documents are never touched.
"""

import importlib
import logging
import re
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from hierarchy.errors import ConfigError, DataError
from hierarchy.taxonomy import Taxonomy
from pipelines.data.documents import Documents, Extended
from pipelines.settings import Settings
from stages.fine.ngrams import UNSPACED
from stages.progress import progress

logger = logging.getLogger(f"coarsefine.{__name__}")

Rewrite: TypeAlias = Callable[[str, np.random.Generator], str]  # a document and a source of randomness to another text

# A word with what separates it from the next one; of a script without spaces a character.
_WORD = re.compile(rf"(?:[{UNSPACED}]|[^\s{UNSPACED}]+)\s*")


def with_copies(documents: Documents, settings: Settings) -> Documents:
    """Return training documents with their augmented copies behind them; the same where none are asked for.

    A copy depends on the seed, its number and the place of its document alone.

    Parameters
    ----------
    documents
        Training documents.
    settings
        ``augment``, ``word_dropout``, ``augmented_copies`` and the seed are read.

    Raises
    ------
    ConfigError
        ``augment`` names no function that can be imported.
    DataError
        The function failed, or gave something else than a text with words.
    """
    if not settings.augments_text:
        return documents
    rewrite = None if settings.augment is None else load_function(settings.augment)
    copies = settings.augmented_copies
    texts: list[str] = []
    for number in range(copies):
        what = f"augmented copy {number + 1} of {copies}"
        numbered = progress(enumerate(documents.texts), total=len(documents.texts), what=what, unit="documents")
        for place, text in numbered:
            random = np.random.default_rng([settings.random_state, number, place])
            if rewrite is not None:
                text = _rewritten(rewrite, str(settings.augment), text, random)
            texts.append(drop_words(text, settings.word_dropout, random))
    logger.info("training documents: %d, and %d augmented copies", len(documents.texts), len(texts))
    return Documents(
        Extended(documents.texts, texts),
        [*documents.labels] * (1 + copies),
        None if documents.rows is None else np.tile(documents.rows, 1 + copies),
        made=documents.made + len(texts),
    )


def with_label_documents(settings: Settings, taxonomy: Taxonomy | None, train: Documents) -> Documents:
    """Return training documents with the text of each of their labels behind them, as one more document of it.

    A name says what a rare label is about where three documents do not. With ``label_documents`` off they stay as they
    are.
    """
    if not settings.label_documents:
        return train
    texts = label_texts(taxonomy, train)
    labels = sorted(texts.keys() & set(train.labels))
    return Documents(
        Extended(train.texts, [texts[label] for label in labels]),
        [*train.labels, *labels],
        None if train.rows is None else np.concatenate([train.rows, np.full(len(labels), -1)]),
        made=train.made + len(labels),
    )


def training_documents(settings: Settings, taxonomy: Taxonomy | None, given: Documents) -> Documents:
    """Return what all rows and the coarse stage are trained on: the given documents, label texts, then the copies."""
    return with_copies(with_label_documents(settings, taxonomy, given), settings)


def label_texts(taxonomy: Taxonomy | None, train: Documents) -> dict[str, str]:
    """Return what an encoder reads of each label, by its id; without a taxonomy that is the id."""
    if taxonomy is None:
        return {label: label for label in sorted(set(train.labels))}
    return {label.id: label.text for label in taxonomy.all_labels}


def for_rows(settings: Settings) -> Settings:
    """Return the settings that rows are fitted with: a document and its copies weigh together what it would alone.

    Without that, copies would weaken the regularisation, as a larger C does.
    """
    share = 1 / (1 + settings.augmented_copies) if settings.augments_text else 1.0
    return settings.model_copy(update={"neural_C": settings.neural_C * share, "lexical_C": settings.lexical_C * share})


def drop_words(text: str, rate: float, random: np.random.Generator) -> str:
    """Leave out each word at a rate, of scripts without spaces each character; one at least stays.

    Parameters
    ----------
    text
        A document.
    rate
        From 0 to below 1.
    random
        Decides.
    """
    words = _WORD.findall(text)
    if not rate or len(words) < 2:
        return text
    kept = random.random(len(words)) >= rate
    kept[random.integers(len(words))] |= not kept.any()
    return "".join(word for word, stays in zip(words, kept, strict=True) if stays)


def load_function(name: str) -> Rewrite:
    """Import the user's function, named ``module:function`` (in a notebook ``__main__:function``).

    Raises
    ------
    ConfigError
        There is no such module or function.
    """
    module, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"augment {name!r} cannot be imported ({error}): write module:function, and let the module lie where "
            "Python finds it (PYTHONPATH)"
        ) from error
    if not callable(function):
        raise ConfigError(f"augment {name!r} is a {type(function).__name__} and no function")
    return function


def _rewritten(rewrite: Rewrite, name: str, text: str, random: np.random.Generator) -> str:
    begins = f"the training document that begins {text[:40]!r}"
    try:
        new = rewrite(text, random)
    except Exception as error:
        raise DataError(f"augment {name!r} failed on {begins} ({type(error).__name__}: {error})") from error
    if not isinstance(new, str) or not new.strip():
        raise DataError(
            f"augment {name!r} made {new!r} of {begins}: it takes a text and a "
            "numpy.random.Generator, and gives a text with words in it"
        )
    return new
