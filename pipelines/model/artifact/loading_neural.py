"""The neural parts of a saved model read back: encoders, and the document model above the coarse one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hierarchy.errors import ArtifactError, ConfigError, EncoderError, need
from pipelines.model.artifact.manifest import only_listed
from pipelines.model.artifact.schemas.checking import REMEDY
from pipelines.settings import Settings
from stages.arrays import Array, check_arrays
from stages.coarse.exported_encoder import is_exported
from stages.features import NeuralFeatures, fine_encoders
from stages.fine.opinion import NgramOpinion

if TYPE_CHECKING:
    from stages.coarse.array_document_model import ArrayDocumentModel
    from stages.coarse.document_model import DocumentModel
    from stages.coarse.segment_encoder import SegmentEncoder

DOCUMENT_MODEL = "document_model."  # begins the names of its tensors
EMBEDDINGS = "label_attention.group_embeddings"


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
    of = _Exported if is_exported(listed, "encoder") else _OfTorch
    parts = of(folder, listed, settings, device)
    encoder = parts.encoder("encoder")
    weights = _weights(folder, settings, tensors, encoder.hidden_size, sizes["groups"])
    document_model = parts.document_model(weights, encoder.hidden_size, sizes["groups"])
    readers, width = None, document_model.width
    if settings.mode == "chained":
        readers = [encoder]
        if reads_pretrained(settings):
            pretrained = parts.encoder("encoder_pretrained")
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
        document_model=document_model,
        tokens_per_chunk=settings.tokens_per_chunk,
    )


class _OfTorch:
    """Neural parts that torch computes."""

    def __init__(self, folder: Path, listed: Mapping[str, Any], settings: Settings, device: str | None) -> None:
        need("torch", "transformers", what="the encoder of this model stands on torch with transformers")
        from stages.machine import device_of

        self.folder, self.listed, self.settings, self.device = folder, listed, settings, device_of(device)

    def encoder(self, part: str) -> "SegmentEncoder":
        from stages.coarse.encoder import Encoder

        with only_listed(self.folder, part, self.listed) as place, _told():
            encoder = Encoder.from_pretrained(
                str(self.folder / part), source=str(place), pooling=self.settings.pooling, dtype=self.settings.dtype
            )
        return encoder.requires_grad_(False).to(self.device)

    def document_model(self, weights: Mapping[str, np.ndarray], hidden: int, groups: int) -> "DocumentModel":
        import torch

        from pipelines.model.document_model import make_document_model

        embeddings = weights.get(EMBEDDINGS, np.zeros((groups, hidden), dtype=np.float32))
        model = make_document_model(self.settings, hidden, torch.from_numpy(embeddings))
        model.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
        return model.to(self.device).eval().requires_grad_(False)


class _Exported:
    """Neural parts of an exported model: a runtime computes its encoders, and NumPy what is above them."""

    def __init__(self, folder: Path, listed: Mapping[str, Any], settings: Settings, device: str | None) -> None:
        if device not in (None, "cpu"):
            raise ConfigError(f"device {device!r}: an exported model computes on the processor: leave the device out")
        self.folder, self.listed, self.settings = folder, listed, settings

    def encoder(self, part: str) -> "SegmentEncoder":
        from stages.coarse.exported_encoder import ExportedEncoder

        with only_listed(self.folder, part, self.listed) as place, _told():
            encoder = ExportedEncoder(place, name=str(self.folder / part))
        if encoder.pooling != self.settings.pooling:
            raise ArtifactError(
                f"{part} pools by {encoder.pooling}, and config.json says {self.settings.pooling}: {REMEDY}",
                str(self.folder),
            )
        return encoder

    def document_model(self, weights: Mapping[str, np.ndarray], hidden: int, groups: int) -> "ArrayDocumentModel":
        from stages.coarse.array_document_model import ArrayDocumentModel

        return ArrayDocumentModel(weights, heads=self.settings.aggregator_heads)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except EncoderError as error:
        raise ArtifactError([f"{problem}; or {REMEDY}" for problem in error.problems]) from error


def _weights(
    folder: Path, settings: Settings, tensors: Mapping[str, np.ndarray], hidden: int, groups: int
) -> dict[str, np.ndarray]:
    """Return the weights of the document model, once they are known to be those of such a model."""
    from stages.coarse.array_document_model import weight_shapes

    file = folder / "model.safetensors"
    weights = {
        name.removeprefix(DOCUMENT_MODEL): array for name, array in tensors.items() if name.startswith(DOCUMENT_MODEL)
    }
    layers = settings.aggregator_layers
    if layers and (hidden % settings.aggregator_heads or layers > len(weights)):
        raise ArtifactError(
            f"aggregator_heads {settings.aggregator_heads} and aggregator_layers {layers} do not fit "
            f"an encoder of {hidden} dimensions and {file.name}: {REMEDY}",
            str(folder / "config.json"),
        )
    embeddings = weights.get(EMBEDDINGS, np.zeros((groups, hidden), dtype=np.float32))
    if embeddings.ndim != 2 or len(embeddings) != groups:
        raise ArtifactError(f"{DOCUMENT_MODEL}{EMBEDDINGS} has not {groups} rows: {REMEDY}", str(file))
    shapes = weight_shapes(
        hidden,
        groups,
        queries=settings.attention_queries,
        layers=layers,
        label_hidden=embeddings.shape[1] if settings.label_attention else None,
    )
    expected = {name: Array("float32", shape) for name, shape in shapes.items()}
    check_arrays(weights, expected, where=f"{file}, {DOCUMENT_MODEL[:-1]}", remedy=REMEDY)
    return weights
