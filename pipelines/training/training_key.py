"""The name of a neural training in the run folder: everything that its weights depend on."""

from collections.abc import Sequence
from importlib.metadata import version

import numpy as np
import torch

from hierarchy.taxonomy import Taxonomy
from pipelines.settings import MACHINE, Settings
from stages.coarse.encoder import Encoder
from stages.coarse.segments import Segmenter
from stages.features import vector_key
from stages.machine import n_processes
from stages.router.label_space import LabelSpace
from stages.run_folder import array_digest, cache_key, texts_digest

TRAINING_VERSION = 3  # of the code: another one trains anew instead of reading what an older one left
LIBRARIES = ("accelerate", "torch", "transformers")
# Settings that the weights do not depend on; all others are in the key. What differs in these alone shares a training,
# as the trials of a tune do.
NO_MATTER = (
    MACHINE  # where it runs
    | {"encoder", "pooling", "dtype"}  # the fingerprint of the encoder says what they come to
    | {"label_encoder"}  # the embeddings of the groups are in the key
    | {"label_documents", "augment", "word_dropout", "augmented_copies"}  # the documents that they make are in it
    | {"merge_spellings"}  # the labels are in it
    | {"n_groups", "min_group_size", "max_group_size", "signals"}  # the groups that they make are in it
    | {"fine_features", "neural_C", "negatives"}  # of rows that are fitted afterwards
    | {"lexical", "lexical_C", "min_df", "prune", "prior_correction"}  # of the n-grams
    | {"keep_neighbours", "routing", "beam"}  # of the finished model
)


def training_key(
    settings: Settings,
    *,
    encoder: Encoder,
    segmenter: Segmenter,
    taxonomy: Taxonomy,
    space: LabelSpace,
    group_embeddings: torch.Tensor,
    train: tuple[Sequence[str], np.ndarray],
    valid: tuple[Sequence[str], np.ndarray],
) -> str:
    """Name a training.

    Parameters
    ----------
    settings
        With ``trainable`` resolved.
    encoder, segmenter
        As they are before the training.
    taxonomy, space
        Labels, groups and their texts.
    group_embeddings
        (groups, label hidden) start values of the label attention.
    train, valid
        Texts and targets (documents,); -1 leaves a document out.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    return cache_key(
        made_by=[TRAINING_VERSION, {name: version(name) for name in LIBRARIES}, n_processes()],
        settings=settings.model_dump(exclude=NO_MATTER),
        vectors=vector_key(encoder, segmenter),
        dropout_rates=encoder.dropout_rates(),
        labels=[[label, taxonomy.labels[taxonomy.label_index(label)].text] for label in space.label_ids],
        group_of=space.group_of,
        group_embeddings=group_embeddings.cpu().numpy(),
        documents=[[texts_digest(texts), array_digest(targets)] for texts, targets in (train, valid)],
    )[:16]
