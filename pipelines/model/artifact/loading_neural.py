"""The neural parts of a saved model read back: encoders, and the document model above the coarse one."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hierarchy.errors import ArtifactError, EncoderError, need
from pipelines.model.artifact.manifest import only_listed
from pipelines.model.artifact.schemas.checking import REMEDY
from pipelines.settings import Settings
from stages.arrays import Array, check_arrays
from stages.features import NeuralFeatures
from stages.fine.opinion import NgramOpinion

if TYPE_CHECKING:
    from stages.coarse.document_model import DocumentModel
    from stages.coarse.encoder import Encoder

DOCUMENT_MODEL = "document_model."  # begins the names of its tensors


def reads_pretrained(settings: Settings) -> bool:
    """Whether the neural rows read an encoder that was not trained, beside the coarse stage's own."""
    chained = settings.encoder != "none" and settings.mode == "chained"
    return chained and settings.trainable != "frozen" and settings.fine_features != "trained"


def load_neural(
    folder: Path,
    listed: Mapping[str, Any],
    settings: Settings,
    tensors: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    device: str | None,
    *,
    opinion: NgramOpinion | None,
) -> NeuralFeatures:
    """Read the neural parts of a model.

    Parameters
    ----------
    folder, listed
        Of the model, and the files that its manifest lists.
    settings
        Of the model; it has an encoder.
    tensors
        Of ``model.safetensors``; those of the document model are still to be checked.
    sizes
        How many ``groups`` there are, and ``features``: columns of the neural rows.
    device
        Torch device; None takes a GPU where there is one.
    opinion
        What chooses segments, where `settings` say so.

    Raises
    ------
    ArtifactError
        An encoder cannot be loaded, or the parts do not fit together.
    MissingLibraryError
        What computes encoders is not installed, as where n-grams alone are served.
    """
    need("torch", "transformers", what="the encoder of this model stands on torch with transformers")
    from pipelines.model.document_model import fine_encoders
    from stages.machine import device_of

    where = device_of(device)
    encoder = _encoder(folder, "encoder", listed, settings).to(where)
    document_model = _document_model(folder, settings, tensors, encoder.hidden_size, sizes["groups"])
    readers, width = None, document_model.width
    if settings.mode == "chained":
        readers = [encoder]
        if reads_pretrained(settings):
            pretrained = _encoder(folder, "encoder_pretrained", listed, settings).to(where)
            readers = fine_encoders(settings.fine_features, trained=encoder, pretrained=pretrained)
        width += 2 * sum(reader.hidden_size for reader in readers)  # mean and maximum of the units
    if sizes["features"] != width:
        raise ArtifactError(
            f"neural.weight has {sizes['features']} columns, and encoder and document model give {width} features: "
            f"{REMEDY}",
            str(folder / "model.safetensors"),
        )
    try:
        segmenter = encoder.segmenter(
            segment_tokens=settings.segment_tokens,
            overlap=settings.overlap,
            max_segments=settings.max_segments,
            unit_tokens=settings.unit_tokens,
        )
    except EncoderError as error:
        raise ArtifactError(f"{error} ({REMEDY})", str(folder / "config.json")) from error
    if opinion is not None and settings.chooses_segments:
        segmenter = segmenter.asking(opinion)
    return NeuralFeatures(
        encoder=encoder,
        fine_encoders=readers,
        segmenter=segmenter,
        document_model=document_model.to(where).eval().requires_grad_(False),
        tokens_per_chunk=settings.tokens_per_chunk,
    )


def _encoder(folder: Path, part: str, listed: Mapping[str, Any], settings: Settings) -> "Encoder":
    from stages.coarse.encoder import Encoder

    with only_listed(folder, part, listed) as place:
        try:
            encoder = Encoder.from_pretrained(
                str(folder / part), source=str(place), pooling=settings.pooling, dtype=settings.dtype
            )
        except EncoderError as error:
            raise ArtifactError([f"{problem}; or {REMEDY}" for problem in error.problems]) from error
    return encoder.requires_grad_(False)


def _document_model(
    folder: Path, settings: Settings, tensors: Mapping[str, np.ndarray], hidden: int, groups: int
) -> "DocumentModel":
    """Build the document model and give it its weights, once they are known to be those of such a model."""
    import torch

    from pipelines.model.document_model import make_document_model

    file = folder / "model.safetensors"
    state = {
        name.removeprefix(DOCUMENT_MODEL): array for name, array in tensors.items() if name.startswith(DOCUMENT_MODEL)
    }
    layers = settings.aggregator_layers
    if layers and (hidden % settings.aggregator_heads or layers > len(state)):
        raise ArtifactError(
            f"aggregator_heads {settings.aggregator_heads} and aggregator_layers {layers} do not fit "
            f"an encoder of {hidden} dimensions and {file.name}: {REMEDY}",
            str(folder / "config.json"),
        )
    embeddings = state.get("label_attention.group_embeddings", np.zeros((groups, hidden), dtype=np.float32))
    if embeddings.ndim != 2 or len(embeddings) != groups:
        raise ArtifactError(
            f"{DOCUMENT_MODEL}label_attention.group_embeddings has not {groups} rows: {REMEDY}", str(file)
        )
    with torch.device("meta"):  # shapes without memory
        plan = make_document_model(settings, hidden, torch.from_numpy(embeddings).to("meta"))
    # A lone number is written as a list of one.
    expected = {name: Array("float32", tuple(tensor.shape) or (1,)) for name, tensor in plan.state_dict().items()}
    check_arrays(state, expected, where=f"{file}, {DOCUMENT_MODEL[:-1]}", remedy=REMEDY)
    document_model = make_document_model(settings, hidden, torch.from_numpy(embeddings))
    document_model.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    return document_model
